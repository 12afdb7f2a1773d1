/* The loop: descriptors, timers, posted tasks and the order of a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "loop.h"
#include "mem.h"

/* One test's loop and what happened in it, as letters. */
struct scene {
    struct loop *loop;
    char happened[64];
    size_t count;
    int read_end;
    int write_end;
    struct loop_watch *watch;
    struct loop_watch *other;
    struct loop_timer timer;
};

static struct scene scene;
static struct error err;

static int setup(void **state)
{
    (void)state;
    scene = (struct scene){ .read_end = -1, .write_end = -1 };
    if (loop_new(&scene.loop, &err) < 0)
        return -1;
    return fd_pipe(&scene.read_end, &scene.write_end, &err);
}

static int teardown(void **state)
{
    (void)state;
    loop_free(scene.loop);
    fd_close(&scene.read_end);
    fd_close(&scene.write_end);
    return 0;
}

static void note(char c)
{
    scene.happened[scene.count++ % (sizeof(scene.happened) - 1)] = c;
}

static void on_task(void *context)
{
    note(*(const char *)context);
}

static void on_stop(void *context)
{
    (void)context;
    loop_stop(scene.loop);
}

static void on_ready(void *context, uint32_t events)
{
    char byte;
    assert_true((events & EPOLLIN) != 0);
    assert_int_equal(read(scene.read_end, &byte, 1), 1);
    note(*(const char *)context);
}

static char letters[] = "abcdefgh";

static void test_loop__a_turn_has_its_order(void **state)
{
    (void)state;
    struct loop_timer stop = { 0 };
    loop_at_turn_end(scene.loop, on_task, &letters[3]);
    loop_timer_arm(scene.loop, &scene.timer, 0, on_task, &letters[2]);
    loop_timer_arm(scene.loop, &stop, 1, on_stop, NULL);
    loop_post(scene.loop, on_task, &letters[1]);
    assert_int_equal(loop_watch_add(scene.loop, scene.read_end, EPOLLIN, on_ready, &letters[0],
                                    &scene.watch, &err),
                     0);
    assert_int_equal(write(scene.write_end, "x", 1), 1);

    loop_run(scene.loop);

    assert_string_equal(scene.happened, "abcd");
}

static void on_ready_remove_both(void *context, uint32_t events)
{
    (void)context;
    (void)events;
    note('r');
    loop_watch_remove(scene.loop, scene.watch);
    loop_watch_remove(scene.loop, scene.other);
    loop_stop(scene.loop);
}

static void test_loop__a_watch_removed_by_anothers_callback_is_not_called(void **state)
{
    (void)state;
    auto_fd int copy = dup(scene.read_end);
    assert_int_equal(loop_watch_add(scene.loop, scene.read_end, EPOLLIN, on_ready_remove_both, NULL,
                                    &scene.watch, &err),
                     0);
    assert_int_equal(
        loop_watch_add(scene.loop, copy, EPOLLIN, on_ready_remove_both, NULL, &scene.other, &err),
        0);
    assert_int_equal(write(scene.write_end, "x", 1), 1);

    loop_run(scene.loop);

    assert_string_equal(scene.happened, "r");
}

static void test_loop__a_watch_can_rest_and_go_on(void **state)
{
    (void)state;
    struct loop_timer stop = { 0 };
    assert_int_equal(loop_watch_add(scene.loop, scene.read_end, EPOLLIN, on_ready, &letters[0],
                                    &scene.watch, &err),
                     0);
    assert_int_equal(write(scene.write_end, "x", 1), 1);

    loop_watch_change(scene.loop, scene.watch, 0);
    loop_timer_arm(scene.loop, &stop, 0, on_stop, NULL);
    loop_run(scene.loop);
    assert_string_equal(scene.happened, "");

    loop_watch_change(scene.loop, scene.watch, EPOLLIN);
    loop_timer_arm(scene.loop, &stop, 0, on_stop, NULL);
    loop_run(scene.loop);
    assert_string_equal(scene.happened, "a");
}

static void test_loop__a_closed_descriptor_cannot_be_watched(void **state)
{
    (void)state;

    assert_int_equal(loop_watch_add(scene.loop, -1, EPOLLIN, on_ready, NULL, &scene.watch, &err),
                     -1);

    assert_null(scene.watch);
}

static int64_t fired_due_us[2000];
static size_t fired_count;

static void on_fire(void *context)
{
    const struct loop_timer *timer = context;
    fired_due_us[fired_count++] = timer->due_us;
}

static void test_loop__timers_fire_in_order_and_cancelled_ones_do_not(void **state)
{
    (void)state;
    static struct loop_timer timers[2000];
    struct loop_timer stop = { 0 };
    memset(timers, 0, sizeof(timers));
    fired_count = 0;
    unsigned int seed = 7;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(timers); i++) {
            seed = seed * 1103515245U + 12345U;
            if (round < 2 || seed >> 30 == 0)
                loop_timer_arm(scene.loop, &timers[i], (seed >> 8) % 10000, on_fire, &timers[i]);
            else if (seed >> 30 == 1)
                loop_timer_cancel(scene.loop, &timers[i]);
        }
    }
    size_t armed = 0;
    for (size_t i = 0; i < COUNT(timers); i++)
        armed += timers[i].heap_index != 0;
    loop_timer_arm(scene.loop, &stop, 10001, on_stop, NULL);

    loop_run(scene.loop);

    assert_true(armed > 1000 && armed < COUNT(timers));
    assert_int_equal(fired_count, armed);
    for (size_t i = 1; i < fired_count; i++)
        assert_true(fired_due_us[i - 1] <= fired_due_us[i]);
}

static void on_again(void *context)
{
    note('t');
    if (scene.count >= 5)
        loop_stop(scene.loop);
    loop_timer_arm(scene.loop, &scene.timer, 0, on_again, context);
}

static void on_turn_end(void *context)
{
    (void)context;
    note('|');
}

static void test_loop__a_timer_armed_for_now_waits_for_the_next_turn(void **state)
{
    (void)state;
    loop_at_turn_end(scene.loop, on_turn_end, NULL);
    loop_timer_arm(scene.loop, &scene.timer, 0, on_again, NULL);

    loop_run(scene.loop);

    assert_string_equal(scene.happened, "t|t|t|");
    loop_timer_cancel(scene.loop, &scene.timer);
    loop_timer_cancel(scene.loop, &scene.timer);
}

static void test_loop__waits_until_a_timer_is_due(void **state)
{
    (void)state;
    int64_t due_us = clock_monotonic_us() + 2500;
    loop_timer_arm(scene.loop, &scene.timer, due_us, on_stop, NULL);

    loop_run(scene.loop);

    assert_true(loop_now_us(scene.loop) >= due_us);
    assert_true(loop_realtime_us(scene.loop) > due_us);
}

static int64_t no_wait(void *context)
{
    (void)context;
    return 0;
}

static void on_end_stop(void *context)
{
    if (++*(int *)context == 3)
        loop_stop(scene.loop);
}

static void test_loop__a_hook_may_forbid_waiting(void **state)
{
    (void)state;
    int turns = 0;
    loop_limit_wait(scene.loop, no_wait, NULL);
    loop_at_turn_end(scene.loop, on_end_stop, &turns);

    loop_run(scene.loop); /* nothing is ready, and yet it returns */

    assert_int_equal(turns, 3);
}

enum { POSTERS = 4, POSTS = 20000 };

static int posts_run;

static void on_post(void *context)
{
    (void)context;
    if (++posts_run == POSTERS * POSTS)
        loop_stop(scene.loop);
}

static void *post_many(void *context)
{
    (void)context;
    for (int i = 0; i < POSTS; i++)
        loop_post(scene.loop, on_post, NULL);
    return NULL;
}

static void test_loop__tasks_of_other_threads_all_run(void **state)
{
    (void)state;
    pthread_t threads[POSTERS];
    posts_run = 0;
    for (size_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, NULL), 0);

    loop_run(scene.loop);

    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posts_run, POSTERS * POSTS);
}

static void on_post_again(void *context)
{
    (void)context;
    note('p');
    if (scene.count >= 4)
        loop_stop(scene.loop);
    else
        loop_post(scene.loop, on_post_again, NULL);
}

static void test_loop__a_task_posted_by_a_task_runs_in_the_next_turn(void **state)
{
    (void)state;
    loop_at_turn_end(scene.loop, on_turn_end, NULL);
    loop_post(scene.loop, on_post_again, NULL);

    loop_run(scene.loop);

    assert_string_equal(scene.happened, "p|p|p|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        SCENE(test_loop__a_turn_has_its_order),
        SCENE(test_loop__a_watch_removed_by_anothers_callback_is_not_called),
        SCENE(test_loop__a_watch_can_rest_and_go_on),
        SCENE(test_loop__a_closed_descriptor_cannot_be_watched),
        SCENE(test_loop__timers_fire_in_order_and_cancelled_ones_do_not),
        SCENE(test_loop__a_timer_armed_for_now_waits_for_the_next_turn),
        SCENE(test_loop__waits_until_a_timer_is_due),
        SCENE(test_loop__a_hook_may_forbid_waiting),
        SCENE(test_loop__tasks_of_other_threads_all_run),
        SCENE(test_loop__a_task_posted_by_a_task_runs_in_the_next_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
