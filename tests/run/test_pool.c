/* Which worker serves a call, when another one is started, what happens at the bounds. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mem.h"

static struct harness harness;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_end(&harness);
    return 0;
}

static void serve_one(struct fake *worker, struct told *told)
{
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, told);
    assert_int_equal(told->outcome, RUN_ANSWERED);
    told_release(told);
}

static void test_a_concurrent_worker_takes_many_calls_at_once(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told[50] = { 0 };
    for (int i = 0; i < 50; i++)
        call(&harness, function, &told[i]);
    struct fake *worker = fake_ready(&harness);
    uint32_t ids[50];
    for (int i = 0; i < 50; i++)
        ids[i] = fake_request(worker);
    for (int i = 49; i >= 0; i--)
        fake_answer(worker, ids[i], 200, "", "");
    for (int i = 0; i < 50; i++) {
        told_wait(&harness, &told[i]);
        told_release(&told[i]);
    }
    harness_expect_silence(&harness);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_serial_pool_grows_while_calls_wait(void **state)
{
    (void)state;
    harness.settings.function_workers = 2;
    harness_start(&harness);
    struct live_function *function = a_function("snake", "python-3.12");
    struct told told[3] = { 0 };
    for (int i = 0; i < 3; i++)
        call(&harness, function, &told[i]);
    struct fake *first = fake_ready(&harness);
    uint32_t first_id = fake_request(first);
    assert_true(fake_is_silent(first)); /* one at a time */
    struct fake *second = fake_ready(&harness);
    uint32_t second_id = fake_request(second);
    harness_expect_silence(&harness); /* two are all it may have */
    fake_answer(second, second_id, 200, "", "");
    fake_answer(second, fake_request(second), 200, "", "");
    fake_answer(first, first_id, 200, "", "");
    for (int i = 0; i < 3; i++) {
        told_wait(&harness, &told[i]);
        told_release(&told[i]);
    }
    fake_end(first);
    fake_end(second);
    live_function_drop(function);
}

static void test_a_quick_serial_worker_is_given_requests_ahead(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("snake", "python-3.12");
    struct told told[8] = { 0 };
    call(&harness, function, &told[0]);
    struct fake *worker = fake_ready(&harness);
    serve_one(worker, &told[0]);
    function->pool->service_us = 50;
    uint32_t ids[8];
    for (int i = 0; i < 8; i++)
        call(&harness, function, &told[i]);
    for (int i = 0; i < 8; i++)
        ids[i] = fake_request(worker);
    /* A call from inside is not put behind them. */
    struct told inside = { 0 };
    call_from(&harness, function, "snake", 0, &inside);
    struct fake *second = fake_ready(&harness);
    serve_one(second, &inside);
    for (int i = 0; i < 8; i++)
        fake_answer(worker, ids[i], 200, "", "");
    for (int i = 0; i < 8; i++) {
        told_wait(&harness, &told[i]);
        told_release(&told[i]);
    }
    fake_end(worker);
    fake_end(second);
    live_function_drop(function);
}

static void test_a_full_queue_is_overloaded(void **state)
{
    (void)state;
    harness.settings.function_queue = 2;
    harness_start(&harness);
    struct live_function *function = a_function("snake", "python-3.12");
    struct told told[3] = { 0 };
    assert_non_null(call(&harness, function, &told[0]));
    assert_non_null(call(&harness, function, &told[1]));
    assert_null(call(&harness, function, &told[2]));
    assert_int_equal(told[2].outcome, RUN_OVERLOADED);
    run_cancel(harness.run, told[0].call);
    run_cancel(harness.run, told[1].call);
    told_release(&told[2]);
    fake_end(fake_ready(&harness));
    live_function_drop(function);
}

static void test_a_call_from_inside_fails_at_once_when_nothing_can_grow(void **state)
{
    (void)state;
    harness.settings.function_workers = 2;
    harness_start(&harness);
    struct live_function *function = a_function("snake", "python-3.12");
    struct told outer = { 0 }, inner = { 0 }, third = { 0 };
    call(&harness, function, &outer);
    struct fake *first = fake_ready(&harness);
    uint32_t outer_id = fake_request(first);
    assert_non_null(call_from(&harness, function, "snake", 0, &inner));
    struct fake *second = fake_ready(&harness); /* at once, not after the queue waited */
    uint32_t inner_id = fake_request(second);
    assert_null(call_from(&harness, function, "snake", 0, &third));
    assert_int_equal(third.outcome, RUN_OVERLOADED);
    fake_answer(second, inner_id, 200, "", "");
    told_wait(&harness, &inner);
    fake_answer(first, outer_id, 200, "", "");
    told_wait(&harness, &outer);
    told_release(&outer);
    told_release(&inner);
    told_release(&third);
    fake_end(first);
    fake_end(second);
    live_function_drop(function);
}

static void test_an_idle_worker_of_another_function_makes_room(void **state)
{
    (void)state;
    harness.settings.worker_limit = 1;
    harness_start(&harness);
    struct live_function *one = a_function("one", "node-22"), *two = a_function("two", "node-22");
    struct told told = { 0 };
    call(&harness, one, &told);
    struct fake *first = fake_ready(&harness);
    serve_one(first, &told);
    call(&harness, two, &told);
    assert_int_equal(fake_next(first)->type, FRAME_STOP);
    harness_expect_silence(&harness); /* not before it is gone */
    harness_exited(&harness, first, EXIT_STATUS, 0);
    struct fake *second = fake_ready(&harness);
    assert_string_equal(second->start.tree, "two-deployment");
    serve_one(second, &told);
    fake_end(first);
    fake_end(second);
    live_function_drop(one);
    live_function_drop(two);
}

static void test_a_busy_server_makes_room_when_a_worker_falls_idle(void **state)
{
    (void)state;
    harness.settings.memory_total_mb = 600;
    harness_start(&harness);
    struct live_function *one = a_function("one", "node-22"), *two = a_function("two", "node-22");
    struct told busy = { 0 }, told = { 0 };
    call(&harness, one, &busy);
    struct fake *first = fake_ready(&harness);
    uint32_t id = fake_request(first);
    call(&harness, two, &told);
    assert_true(fake_is_silent(first));
    fake_answer(first, id, 200, "", "");
    told_wait(&harness, &busy);
    assert_int_equal(fake_next(first)->type, FRAME_STOP);
    harness_exited(&harness, first, EXIT_STATUS, 0);
    struct fake *second = fake_ready(&harness);
    serve_one(second, &told);
    told_release(&busy);
    fake_end(first);
    fake_end(second);
    live_function_drop(one);
    live_function_drop(two);
}

static struct live_function *changed(const struct live_function *old, bool needs_new_workers)
{
    struct live_function *new = a_function(old->function.id, old->function.runtime);
    new->generation = old->generation + needs_new_workers;
    return new;
}

static void test_a_change_drains_workers_and_moves_who_waits(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *old = a_function("snake", "python-3.12");
    struct told running = { 0 }, waiting = { 0 };
    call(&harness, old, &running);
    struct fake *first = fake_ready(&harness);
    uint32_t id = fake_request(first);
    call(&harness, old, &waiting);
    struct live_function *new = changed(old, true);
    free(new->deployment.id);
    new->deployment.id = xstrdup("next");
    run_function_changed(harness.run, old, new);
    live_function_drop(old);
    struct fake *second = fake_ready(&harness);
    assert_string_equal(second->start.tree, "next");
    serve_one(second, &waiting);
    assert_true(fake_is_silent(first)); /* it may finish what it has */
    fake_answer(first, id, 200, "", "");
    told_wait(&harness, &running);
    assert_int_equal(running.outcome, RUN_ANSWERED);
    assert_int_equal(fake_next(first)->type, FRAME_STOP);
    harness_exited(&harness, first, EXIT_STATUS, 0);
    harness_pass(&harness, 1000);
    assert_int_equal(harness.run->worker_count, 1);
    told_release(&running);
    fake_end(first);
    fake_end(second);
    live_function_drop(new);
}

static void test_a_change_that_workers_do_not_see_keeps_them(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *old = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, old, &told);
    struct fake *worker = fake_ready(&harness);
    serve_one(worker, &told);
    struct live_function *new = changed(old, false);
    new->function.timeout = 3;
    run_function_changed(harness.run, old, new);
    live_function_drop(old);
    call(&harness, new, &told);
    const struct seen *request = fake_next(worker);
    assert_int_equal(frame_get32(request->payload), 3000);
    fake_answer(worker, request->id, 200, "", "");
    told_wait(&harness, &told);
    told_release(&told);
    fake_end(worker);
    live_function_drop(new);
}

static void test_a_removed_function_fails_who_waits(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    struct fake *worker = fake_start(&harness);
    run_function_changed(harness.run, function, NULL);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.outcome, RUN_FAILED);
    harness_expect(&harness, MESSAGE_KILL, &message);
    harness_exited(&harness, worker, EXIT_SIGNAL, 9);
    harness_pass(&harness, 1000);
    assert_true(list_is_empty(&harness.run->pools));
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void call_again(struct told *told)
{
    struct told *next = told->context;
    call(&harness, next->context, next);
}

static void test_a_call_may_start_another_one_when_it_is_done(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("snake", "python-3.12");
    struct told second = { .context = function },
                first = { .then = call_again, .context = &second };
    call(&harness, function, &first);
    struct fake *worker = fake_ready(&harness);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &first);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &second);
    told_release(&first);
    told_release(&second);
    fake_end(worker);
    live_function_drop(function);
}

static void test_after_a_stop_only_what_runs_is_finished(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 }, late = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    run_stop(harness.run);
    assert_false(run_is_idle(harness.run));
    fake_answer(worker, id, 200, "", "");
    told_wait(&harness, &told);
    assert_true(run_is_idle(harness.run));
    assert_int_equal(fake_next(worker)->type, FRAME_STOP);
    assert_null(call(&harness, function, &late));
    assert_int_equal(late.outcome, RUN_OVERLOADED);
    told_release(&told);
    told_release(&late);
    fake_end(worker);
    live_function_drop(function);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_concurrent_worker_takes_many_calls_at_once),
        TEST(test_a_serial_pool_grows_while_calls_wait),
        TEST(test_a_quick_serial_worker_is_given_requests_ahead),
        TEST(test_a_full_queue_is_overloaded),
        TEST(test_a_call_from_inside_fails_at_once_when_nothing_can_grow),
        TEST(test_an_idle_worker_of_another_function_makes_room),
        TEST(test_a_busy_server_makes_room_when_a_worker_falls_idle),
        TEST(test_a_change_drains_workers_and_moves_who_waits),
        TEST(test_a_change_that_workers_do_not_see_keeps_them),
        TEST(test_a_removed_function_fails_who_waits),
        TEST(test_a_call_may_start_another_one_when_it_is_done),
        TEST(test_after_a_stop_only_what_runs_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
