/* The loop: one turn after the other. Its timers are in loop_timer.c. See loop.h. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "loop_private.h"
#include "mem.h"

enum { EVENTS_A_TURN = 256 };

static void drain_wake(void *context, uint32_t events)
{
    struct loop *loop = context;
    uint64_t count;
    (void)events;
    while (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
}

int loop_new(struct loop **ret_loop, struct error *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->now_us = clock_monotonic_us();
    loop->realtime_us = clock_realtime_us();
    loop->thread = pthread_self();
    struct loop_watch *wake;
    if (loop->epoll_fd < 0 || loop->wake_fd < 0) {
        fail_errno(err, "make an event loop");
        loop_free(loop);
        return -1;
    }
    if (loop_watch_add(loop, loop->wake_fd, EPOLLIN, drain_wake, loop, &wake, err) < 0) {
        loop_free(loop);
        return -1;
    }
    *ret_loop = loop;
    return 0;
}

static void free_dead(struct loop *loop)
{
    while (loop->dead != NULL) {
        struct loop_watch *next = loop->dead->next;
        free(loop->dead);
        loop->dead = next;
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->watches != NULL)
        loop_watch_remove(loop, loop->watches);
    free_dead(loop);
    for (size_t i = 0; i < loop->timer_count; i++)
        loop->timers[i]->heap_index = 0;
    free(loop->timers);
    free(loop->posted.tasks);
    free(loop->running.tasks);
    free(loop->hooks.tasks);
    free(loop->limits);
    fd_close(&loop->wake_fd);
    fd_close(&loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

int loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_ready *ready, void *context,
                   struct loop_watch **ret_watch, struct error *err)
{
    auto_free struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    *watch = (struct loop_watch){ .fd = fd, .ready = ready, .context = context };
    struct epoll_event event = { .events = events, .data.ptr = watch };
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return fail_errno(err, "watch descriptor %d", fd);
    watch->events = events;
    watch->next = loop->watches;
    if (watch->next != NULL)
        watch->next->previous = watch;
    loop->watches = watch;
    *ret_watch = steal(watch);
    return 0;
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    if (watch->removed || watch->events == events)
        return;
    struct epoll_event event = { .events = events, .data.ptr = watch };
    watch->events = events;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    if (watch == NULL || watch->removed)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->removed = true;
    if (watch->next != NULL)
        watch->next->previous = watch->previous;
    if (watch->previous != NULL)
        watch->previous->next = watch->next;
    else
        loop->watches = watch->next;
    watch->next = loop->dead; /* the events of this turn may still name it */
    watch->previous = NULL;
    loop->dead = watch;
}

static void add_task(struct task_list *list, loop_task *task, void *context)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->tasks = xrealloc(list->tasks, list->capacity * sizeof(*list->tasks));
    }
    list->tasks[list->count++] = (struct task){ .run = task, .context = context };
}

void loop_post(struct loop *loop, loop_task *task, void *context)
{
    pthread_mutex_lock(&loop->lock);
    /* The loop's own thread looks at the list before it waits. */
    bool wake = loop->posted.count == 0 && !pthread_equal(pthread_self(), loop->thread);
    add_task(&loop->posted, task, context);
    if (wake) {
        uint64_t one = 1;
        while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            continue;
    }
    pthread_mutex_unlock(&loop->lock);
}

void loop_at_turn_end(struct loop *loop, loop_task *hook, void *context)
{
    add_task(&loop->hooks, hook, context);
}

void loop_limit_wait(struct loop *loop, int64_t (*longest_wait_us)(void *context), void *context)
{
    loop->limits = xrealloc(loop->limits, (loop->limit_count + 1) * sizeof(*loop->limits));
    loop->limits[loop->limit_count++] = (struct wait_limit){ .longest_us = longest_wait_us,
                                                             .context = context };
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

int64_t loop_realtime_us(const struct loop *loop)
{
    return loop->realtime_us;
}

static bool has_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool has = loop->posted.count > 0;
    pthread_mutex_unlock(&loop->lock);
    return has;
}

/* Microseconds that the next wait may take; -1: until something happens. */
static int64_t longest_wait_us(struct loop *loop)
{
    if (has_posted(loop))
        return 0;
    int64_t longest_us = -1;
    for (size_t i = 0; i < loop->limit_count; i++) {
        int64_t limit_us = loop->limits[i].longest_us(loop->limits[i].context);
        if (limit_us >= 0 && (longest_us < 0 || limit_us < longest_us))
            longest_us = limit_us;
    }
    if (loop->timer_count > 0) {
        int64_t due_us = loop->timers[0]->due_us;
        int64_t now_us = clock_monotonic_us(); /* the callbacks took their time */
        int64_t timer_us = due_us > now_us ? due_us - now_us : 0;
        if (longest_us < 0 || timer_us < longest_us)
            longest_us = timer_us;
    }
    return longest_us;
}

static int wait_for_events(struct loop *loop, struct epoll_event *events, int64_t wait_us)
{
    if (!loop->is_coarse) {
        struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
        int count = epoll_pwait2(loop->epoll_fd, events, EVENTS_A_TURN, wait_us < 0 ? NULL : &wait,
                                 NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        loop->is_coarse = true; /* an old kernel, or a container's filter */
    }
    int wait_ms = wait_us < 0 ? -1 : wait_us > 60000000 ? 60000 : (int)((wait_us + 999) / 1000);
    return epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, wait_ms);
}

static void run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct task_list posted = loop->posted;
    loop->posted = loop->running; /* empty, with memory from the turn before */
    pthread_mutex_unlock(&loop->lock);
    loop->running = posted;
    for (size_t i = 0; i < loop->running.count; i++)
        loop->running.tasks[i].run(loop->running.tasks[i].context);
    loop->running.count = 0;
}

static void turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = wait_for_events(loop, events, longest_wait_us(loop));
    loop->now_us = clock_monotonic_us();
    loop->realtime_us = clock_realtime_us();
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (!watch->removed)
            watch->ready(watch->context, events[i].events);
    }
    run_posted(loop);
    loop_timers_fire(loop);
    for (size_t i = 0; i < loop->hooks.count; i++)
        loop->hooks.tasks[i].run(loop->hooks.tasks[i].context);
    free_dead(loop);
}

void loop_run(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->thread = pthread_self();
    pthread_mutex_unlock(&loop->lock);
    while (!loop->stopping)
        turn(loop);
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}
