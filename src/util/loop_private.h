/* The inside of struct loop, shared by loop.c and loop_timer.c. */
#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H

#include <pthread.h>
#include <stddef.h>

#include "loop.h"

struct loop_watch {
    int fd;
    uint32_t events;
    loop_ready *ready;
    void *context;
    bool removed;
    struct loop_watch *next;
    struct loop_watch *previous;
};

struct task {
    loop_task *run;
    void *context;
};

struct task_list {
    struct task *tasks;
    size_t count;
    size_t capacity;
};

struct wait_limit {
    int64_t (*longest_us)(void *context);
    void *context;
};

struct loop {
    int epoll_fd;
    int wake_fd;    /* an eventfd: another thread has posted */
    bool is_coarse; /* only milliseconds can be waited for */
    bool stopping;
    int64_t now_us;
    int64_t realtime_us;
    struct loop_watch *watches;
    struct loop_watch *dead;    /* removed in this turn, freed at its end */
    struct loop_timer **timers; /* a heap: the next one first */
    size_t timer_count;
    size_t timer_capacity;
    struct task_list hooks;
    struct wait_limit *limits;
    size_t limit_count;
    struct task_list running; /* the posted tasks of this turn */

    pthread_mutex_t lock; /* guards what follows */
    pthread_t thread;     /* runs the loop */
    struct task_list posted;
};

/* Fires what is due at loop->now_us, each at most once. */
void loop_timers_fire(struct loop *loop);

#endif
