/*
 * An epoll loop with timers, run by one thread.
 *
 * Everything here is called from the loop's own thread, except loop_post(). One turn is: wait, run
 * callbacks of ready descriptors, run posted tasks, run due timers, run the turn-end hooks (where
 * output gathered in the turn is written). The clocks are read once a turn.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct loop;
struct loop_watch; /* opaque, owned by the loop */

typedef void loop_ready(void *context, uint32_t events); /* events: EPOLLIN and so on */
typedef void loop_task(void *context);

struct loop_timer { /* embed it; zeroed is "not armed" */
    int64_t due_us; /* monotonic */
    loop_task *fire;
    void *context;
    uint32_t heap_index; /* 1-based; 0: not armed */
};

int loop_new(struct loop **ret_loop, struct error *err);
void loop_free(struct loop *loop);

int loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_ready *ready, void *context,
                   struct loop_watch **ret_watch, struct error *err);
void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);

/* Safe inside its own or another's callback. Before the descriptor is closed: a copy of it
 * elsewhere keeps it alive. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t due_us, loop_task *fire,
                    void *context);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* not armed is fine */

/* Any thread: run task(context) on the loop thread soon. Never blocks, never fails. */
void loop_post(struct loop *loop, loop_task *task, void *context);

/* A hook that runs at the end of every turn; also asked for the longest wait it allows (-1: no
 * limit of its own). */
void loop_at_turn_end(struct loop *loop, loop_task *hook, void *context);
void loop_limit_wait(struct loop *loop, int64_t (*longest_wait_us)(void *context), void *context);

int64_t loop_now_us(const struct loop *loop);      /* monotonic, of this turn */
int64_t loop_realtime_us(const struct loop *loop); /* realtime, of this turn */

void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);

#endif
