/* Spares: kept, handed over, replaced, passed by when they do not fit. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mem.h"

static struct harness harness;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    harness.settings.spares = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_end(&harness);
    return 0;
}

/* One of node, one of python: in the order of the interpreters. */
static void take_spares(struct fake *ret_spares[2])
{
    for (int i = 0; i < 2; i++) {
        ret_spares[i] = fake_start(&harness);
        assert_int_equal(ret_spares[i]->start.kind, SANDBOX_SPARE);
        assert_string_equal(ret_spares[i]->start.tree, "");
    }
    fake_hello(ret_spares[0]);
    fake_hello(ret_spares[1]);
}

static void test_a_spare_is_handed_over_and_replaced(void **state)
{
    (void)state;
    harness_start(&harness);
    struct fake *spares[2];
    take_spares(spares);
    struct run_figures figures;
    run_figures(harness.run, &figures);
    assert_int_equal(figures.spares, 2);
    assert_int_equal(figures.workers, 0);

    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    harness_expect(&harness, MESSAGE_HAND_OVER, &message);
    assert_int_equal(message.hand_over.worker_id, spares[0]->start.worker_id);
    assert_string_equal(message.hand_over.tree, "hello-deployment");
    assert_int_equal(message.hand_over.memory_mb, 512);
    assert_true(fake_is_silent(spares[0])); /* no code before the supervisor has granted it */
    const struct message_failed done = { .type = MESSAGE_HANDED_OVER,
                                         .worker_id = spares[0]->start.worker_id };
    harness_tell(&harness, &done, sizeof(done));
    assert_int_equal(fake_next(spares[0])->type, FRAME_LOAD);
    fake_answer(spares[0], fake_request(spares[0]), 200, "", "");
    told_wait(&harness, &told);
    struct fake *next = fake_start(&harness);
    assert_int_equal(next->start.kind, SANDBOX_SPARE);
    assert_string_equal(next->launch + 8, "/usr/bin/node");
    told_release(&told);
    fake_end(next);
    fake_end(spares[0]);
    fake_end(spares[1]);
    live_function_drop(function);
}

static void test_a_failed_hand_over_starts_a_whole_worker(void **state)
{
    (void)state;
    harness_start(&harness);
    struct fake *spares[2];
    take_spares(spares);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    harness_expect(&harness, MESSAGE_HAND_OVER, &message);
    const struct message_failed failed = { .type = MESSAGE_HANDED_OVER,
                                           .worker_id = spares[0]->start.worker_id,
                                           .error = "no ACL here" };
    harness_tell(&harness, &failed, sizeof(failed));
    harness_expect(&harness, MESSAGE_KILL, &message);
    harness_exited(&harness, spares[0], EXIT_SIGNAL, 9);
    struct fake *worker = fake_start(&harness);
    assert_int_equal(worker->start.kind, SANDBOX_WORKER);
    fake_hello(worker);
    assert_int_equal(fake_next(worker)->type, FRAME_LOAD);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_ANSWERED);
    told_release(&told);
    fake_end(worker);
    fake_end(spares[0]);
    fake_end(spares[1]);
    live_function_drop(function);
}

static void test_variables_read_at_start_and_other_sizes_pass_spares_by(void **state)
{
    (void)state;
    harness_start(&harness);
    struct fake *spares[2];
    take_spares(spares);
    struct live_function *own = a_function("own", "node-22"),
                         *large = a_function("large", "node-22");
    free(own->variables[0]);
    own->variables[0] = xstrdup("NODE_OPTIONS=--no-warnings");
    free(large->function.runtime_specification);
    large->function.runtime_specification = xstrdup("s-1vcpu-1gb");
    struct told told[2] = { 0 };
    call(&harness, own, &told[0]);
    struct fake *first = fake_start(&harness);
    assert_int_equal(first->start.kind, SANDBOX_WORKER);
    assert_non_null(memmem(first->launch, first->launch_size, "NODE_OPTIONS=--no-warnings", 26));
    call(&harness, large, &told[1]);
    struct fake *second = fake_start(&harness);
    assert_int_equal(second->start.kind, SANDBOX_WORKER);
    assert_int_equal(second->start.memory_mb, 1024);
    run_cancel(harness.run, told[0].call);
    run_cancel(harness.run, told[1].call);
    fake_end(first);
    fake_end(second);
    fake_end(spares[0]);
    fake_end(spares[1]);
    live_function_drop(own);
    live_function_drop(large);
}

static void test_without_late_code_there_are_no_spares(void **state)
{
    (void)state;
    harness.welcome.late_code = 0;
    harness_start(&harness);
    harness_expect_silence(&harness);
}

static void test_a_spare_makes_room_for_a_function(void **state)
{
    (void)state;
    harness.settings.worker_limit = 3;
    harness_start(&harness);
    struct fake *spares[2];
    take_spares(spares);
    struct live_function *one = a_function("one", "python-3.12"),
                         *two = a_function("two", "python-3.12"),
                         *three = a_function("three", "python-3.12");
    struct told told[3] = { 0 };
    union message message;
    call(&harness, one, &told[0]);
    harness_expect(&harness, MESSAGE_HAND_OVER, &message);
    call(&harness, two, &told[1]);
    struct fake *second = fake_start(&harness);
    call(&harness, three, &told[2]);
    assert_int_equal(fake_next(spares[0])->type, FRAME_STOP); /* the node one */
    harness_exited(&harness, spares[0], EXIT_STATUS, 0);
    struct fake *third = fake_start(&harness);
    assert_string_equal(third->start.tree, "three-deployment");
    for (int i = 0; i < 3; i++)
        run_cancel(harness.run, told[i].call);
    fake_end(second);
    fake_end(third);
    fake_end(spares[0]);
    fake_end(spares[1]);
    live_function_drop(one);
    live_function_drop(two);
    live_function_drop(three);
}

static void test_a_spare_that_does_not_boot_is_not_tried_again_at_once(void **state)
{
    (void)state;
    harness_start(&harness);
    struct fake *spares[2] = { fake_start(&harness), fake_start(&harness) };
    harness_exited(&harness, spares[0], EXIT_STATUS, 1);
    harness_exited(&harness, spares[1], EXIT_STATUS, 1);
    harness_expect_silence(&harness);
    assert_int_equal(harness.run->worker_count, 0);
    fake_end(spares[0]);
    fake_end(spares[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_spare_is_handed_over_and_replaced),
        TEST(test_a_failed_hand_over_starts_a_whole_worker),
        TEST(test_variables_read_at_start_and_other_sizes_pass_spares_by),
        TEST(test_without_late_code_there_are_no_spares),
        TEST(test_a_spare_makes_room_for_a_function),
        TEST(test_a_spare_that_does_not_boot_is_not_tried_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
