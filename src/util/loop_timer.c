/*
 * Timers of the loop: a binary heap of pointers, each timer knowing its place. Declared in loop.h.
 */
#include "loop_private.h"
#include "mem.h"

static void place(struct loop *loop, size_t index, struct loop_timer *timer)
{
    loop->timers[index] = timer;
    timer->heap_index = (uint32_t)index + 1;
}

static void sift_up(struct loop *loop, size_t index)
{
    struct loop_timer *timer = loop->timers[index];
    while (index > 0 && timer->due_us < loop->timers[(index - 1) / 2]->due_us) {
        place(loop, index, loop->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(loop, index, timer);
}

static void sift_down(struct loop *loop, size_t index)
{
    struct loop_timer *timer = loop->timers[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= loop->timer_count)
            break;
        if (child + 1 < loop->timer_count &&
            loop->timers[child + 1]->due_us < loop->timers[child]->due_us)
            child++;
        if (loop->timers[child]->due_us >= timer->due_us)
            break;
        place(loop, index, loop->timers[child]);
        index = child;
    }
    place(loop, index, timer);
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t due_us, loop_task *fire,
                    void *context)
{
    timer->due_us = due_us;
    timer->fire = fire;
    timer->context = context;
    if (timer->heap_index == 0) {
        if (loop->timer_count == loop->timer_capacity) {
            loop->timer_capacity = loop->timer_capacity == 0 ? 64 : loop->timer_capacity * 2;
            loop->timers = xrealloc(loop->timers,
                                    loop->timer_capacity * sizeof(struct loop_timer *));
        }
        place(loop, loop->timer_count++, timer);
    }
    sift_up(loop, timer->heap_index - 1);
    sift_down(loop, timer->heap_index - 1);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    if (timer->heap_index == 0)
        return;
    size_t index = timer->heap_index - 1;
    struct loop_timer *last = loop->timers[--loop->timer_count];
    timer->heap_index = 0;
    if (last == timer)
        return;
    place(loop, index, last);
    sift_up(loop, index);
    sift_down(loop, last->heap_index - 1);
}

void loop_timers_fire(struct loop *loop)
{
    /* A timer that is armed again for now waits for the next turn's descriptors first. */
    for (size_t left = loop->timer_count; left > 0 && loop->timer_count > 0; left--) {
        struct loop_timer *timer = loop->timers[0];
        if (timer->due_us > loop->now_us)
            return;
        loop_timer_cancel(loop, timer);
        timer->fire(timer->context); /* may free the timer */
    }
}
