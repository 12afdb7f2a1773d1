/* A worker's states: how it ends, what hostile frames do, what its requests are told. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static void test_a_crash_is_told_with_the_end_of_stderr(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    fake_request(worker);
    assert_int_equal(write(worker->err, "Error: boom\n", 12), 12);
    fd_close(&worker->channel);
    harness_pass(&harness, 2000);
    assert_int_equal(told.times, 0);
    harness_exited(&harness, worker, EXIT_STATUS, 1);
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_FAILED);
    assert_string_equal(told.message,
                        "The function's process exited with status 1 before it answered.");
    assert_string_equal(told.errors, "Error: boom\n");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_an_answer_just_before_the_end_counts(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    fake_answer(worker, fake_request(worker), 200, "", "last");
    fd_close(&worker->channel);
    harness_exited(&harness, worker, EXIT_STATUS, 0);
    told_wait(&harness, &told);
    assert_string_equal(told.body, "last");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

struct ending {
    enum exit_reason reason;
    int status;
    const char *err;
    const char *told;
};

static void test_memory_is_told_from_other_ends(void **state)
{
    (void)state;
    static const struct ending endings[] = {
        { EXIT_MEMORY, 9, "", "memory limit of 512 MB exceeded" },
        { EXIT_SIGNAL, SIGABRT, "FATAL ERROR: JavaScript heap out of memory\n",
          "memory limit of 512 MB exceeded" },
        { EXIT_STATUS, 1, "MemoryError\n", "memory limit of 512 MB exceeded" },
        { EXIT_SIGNAL, SIGSEGV, "", "signal 11 (SIGSEGV)" },
        { EXIT_STATUS, 3, "", "status 3" },
        { EXIT_TMP, 9, "", "temporary directory" },
        { EXIT_PROCESSES, 9, "",
          "more than the 128 processes and threads that its runtimeSpecification allows" },
    };
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    for (size_t i = 0; i < COUNT(endings); i++) {
        struct told told = { 0 };
        call(&harness, function, &told);
        struct fake *worker = fake_ready(&harness);
        fake_request(worker);
        ssize_t size = (ssize_t)strlen(endings[i].err);
        assert_int_equal(write(worker->err, endings[i].err, (size_t)size), size);
        harness_exited(&harness, worker, endings[i].reason, endings[i].status);
        told_wait(&harness, &told);
        assert_int_equal(told.outcome, RUN_FAILED);
        assert_non_null(strstr(told.message, endings[i].told));
        told_release(&told);
        fake_end(worker);
    }
    live_function_drop(function);
}

static void test_a_start_that_fails_fails_those_who_wait(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told first = { 0 }, second = { 0 };
    call(&harness, function, &first);
    call(&harness, function, &second);
    struct fake *worker = fake_start(&harness);
    struct message_failed failed = { .type = MESSAGE_START_FAILED,
                                     .worker_id = worker->start.worker_id,
                                     .error = "sandbox: clone: No space left" };
    harness_tell(&harness, &failed, sizeof(failed));
    told_wait(&harness, &first);
    told_wait(&harness, &second);
    assert_string_equal(first.message,
                        "The worker could not be started: sandbox: clone: No space left");
    assert_int_equal(harness.run->worker_count, 0);
    told_release(&first);
    told_release(&second);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_worker_that_ends_before_hello_fails_those_who_wait(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_start(&harness);
    assert_int_equal(write(worker->err, "no such file\n", 13), 13);
    harness_exited(&harness, worker, EXIT_STATUS, 7);
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_FAILED);
    assert_non_null(strstr(told.message, "status 7"));
    assert_non_null(strstr(told.message, "no such file"));
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_worker_that_never_says_hello_is_killed(void **state)
{
    (void)state;
    harness.settings.worker_start_seconds = 1;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    struct fake *worker = fake_start(&harness);
    harness_expect(&harness, MESSAGE_KILL, &message);
    harness_exited(&harness, worker, EXIT_SIGNAL, SIGKILL);
    told_wait(&harness, &told);
    assert_string_equal(told.message, "The worker did not become ready in time.");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

/* ---- hostile frames ------------------------------------------------------------------------ */

struct hostile {
    const char *what;
    void (*send)(struct fake *fake, uint32_t id);
};

static void too_long(struct fake *fake, uint32_t id)
{
    char head[FRAME_HEAD];
    frame_put_head(head, FRAME_PAYLOAD + 1, FRAME_LOG, 0, id);
    fake_send(fake, head, sizeof(head));
}

static void not_zero(struct fake *fake, uint32_t id)
{
    char head[FRAME_HEAD];
    frame_put_head(head, 0, FRAME_LOG, 0, id);
    head[7] = 1;
    fake_send(fake, head, sizeof(head));
}

static void unknown_type(struct fake *fake, uint32_t id)
{
    fake_frame(fake, 99, 0, id, NULL, 0);
}

static void our_own_type(struct fake *fake, uint32_t id)
{
    fake_frame(fake, FRAME_REQUEST, 0, id, NULL, 0);
}

static void unknown_request(struct fake *fake, uint32_t id)
{
    fake_answer(fake, id + 1, 200, "", "");
}

static void request_zero(struct fake *fake, uint32_t id)
{
    (void)id;
    fake_frame(fake, FRAME_LOG, 0, 0, "x", 1);
}

static void second_hello(struct fake *fake, uint32_t id)
{
    (void)id;
    fake_frame(fake, FRAME_HELLO, 0, 0, "\1\0\0\0v", 5);
}

static void short_answer(struct fake *fake, uint32_t id)
{
    fake_frame(fake, FRAME_ANSWER, 0, id, "short", 5);
}

static void headers_beyond_the_frame(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD] = { 0 };
    frame_put32(head + 4, 1);
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
}

static void more_than_declared(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD + 1] = { 0 };
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
}

static void body_first(struct fake *fake, uint32_t id)
{
    fake_frame(fake, FRAME_ANSWER_BODY, 0, id, "x", 1);
}

static void body_too_long(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD] = { 0 };
    frame_put64(head + 8, 2);
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
    fake_frame(fake, FRAME_ANSWER_BODY, 0, id, "xyz", 3);
}

static void second_answer(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD] = { 0 };
    frame_put64(head + 8, 2);
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
}

static void log_after_answer(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD] = { 0 };
    frame_put64(head + 8, 2);
    fake_frame(fake, FRAME_ANSWER, 0, id, head, sizeof(head));
    fake_frame(fake, FRAME_LOG, 0, id, "x", 1);
}

static void unknown_flag(struct fake *fake, uint32_t id)
{
    char head[ANSWER_HEAD] = { 0 };
    fake_frame(fake, FRAME_ANSWER, 6, id, head, sizeof(head));
}

static void endless_headers(struct fake *fake, uint32_t id)
{
    char *piece = xcalloc(1, FRAME_PAYLOAD);
    for (int i = 0; i < 17; i++)
        fake_frame(fake, FRAME_ANSWER, FRAME_MORE, id, piece, FRAME_PAYLOAD);
    mem_auto_free(&piece);
}

static void test_hostile_frames_end_the_worker_and_fail_its_requests(void **state)
{
    (void)state;
    static const struct hostile rows[] = {
        { "a frame above the limit", too_long },
        { "reserved bytes", not_zero },
        { "an unknown type", unknown_type },
        { "a type of ours", our_own_type },
        { "an unknown request", unknown_request },
        { "request zero", request_zero },
        { "hello twice", second_hello },
        { "a short answer", short_answer },
        { "headers beyond the frame", headers_beyond_the_frame },
        { "more body than declared", more_than_declared },
        { "a body before its answer", body_first },
        { "a body that goes on", body_too_long },
        { "two answers", second_answer },
        { "a log after the answer", log_after_answer },
        { "an unknown flag", unknown_flag },
        { "headers without an end", endless_headers },
    };
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct told told = { 0 };
        union message message;
        call(&harness, function, &told);
        struct fake *worker = fake_ready(&harness);
        rows[i].send(worker, fake_request(worker));
        told_wait(&harness, &told);
        if (told.outcome != RUN_FAILED || strstr(told.message, "broke the protocol") == NULL)
            fail_msg("%s: %s", rows[i].what, told.message);
        harness_expect(&harness, MESSAGE_KILL, &message);
        assert_int_equal(message.worker.worker_id, worker->start.worker_id);
        harness_exited(&harness, worker, EXIT_SIGNAL, SIGKILL);
        told_release(&told);
        fake_end(worker);
    }
    struct run_figures figures;
    run_figures(harness.run, &figures);
    assert_int_equal(figures.worker_failures, COUNT(rows));
    live_function_drop(function);
}

static void test_an_answer_of_a_finished_request_is_refused(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    fake_answer(worker, id, 200, "", "");
    told_wait(&harness, &told);
    told_release(&told);
    /* The place is used again, by another number. */
    call(&harness, function, &told);
    assert_int_not_equal(fake_request(worker), id);
    fake_answer(worker, id, 200, "", "");
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_FAILED);
    harness_expect(&harness, MESSAGE_KILL, &message);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_frames_may_arrive_byte_by_byte(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    char frame[FRAME_HEAD + ANSWER_HEAD + 2] = { 0 };
    frame_put_head(frame, ANSWER_HEAD + 2, FRAME_ANSWER, 0, id);
    frame_put16(frame + FRAME_HEAD, 200);
    frame_put64(frame + FRAME_HEAD + 8, 2);
    memcpy(frame + FRAME_HEAD + ANSWER_HEAD, "ok", 2);
    for (size_t i = 0; i < sizeof(frame); i++) {
        fake_send(worker, frame + i, 1);
        harness_pass(&harness, 300);
    }
    told_wait(&harness, &told);
    assert_string_equal(told.body, "ok");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_an_idle_worker_is_told_to_stop(void **state)
{
    (void)state;
    harness.settings.worker_idle_seconds = 1;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &told);
    assert_int_equal(fake_next(worker)->type, FRAME_STOP);
    fd_close(&worker->channel);
    harness_exited(&harness, worker, EXIT_STATUS, 0);
    harness_pass(&harness, 2000);
    assert_int_equal(harness.run->worker_count, 0);
    assert_int_equal(harness.run->memory_mb, 0);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_worker_that_does_not_stop_is_killed(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &told);
    run_stop(harness.run);
    assert_int_equal(fake_next(worker)->type, FRAME_STOP);
    harness_expect(&harness, MESSAGE_KILL, &message);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_worker_that_closes_its_channel_and_lives_is_killed(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    union message message;
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    fake_request(worker);
    fd_close(&worker->channel);
    harness_expect(&harness, MESSAGE_KILL, &message);
    told_wait(&harness, &told);
    assert_string_equal(told.message, "The worker closed its channel before it answered.");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_native_output_never_blocks_the_worker(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    char noise[4096];
    memset(noise, 'x', sizeof(noise));
    assert_int_equal(fd_set_blocking(worker->out, false), 0);
    for (size_t written = 0; written < 1 << 20;) {
        ssize_t wrote = write(worker->out, noise, sizeof(noise));
        if (wrote > 0)
            written += (size_t)wrote;
        else
            harness_pass(&harness, 200);
    }
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &told);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_crash_is_told_with_the_end_of_stderr),
        TEST(test_an_answer_just_before_the_end_counts),
        TEST(test_memory_is_told_from_other_ends),
        TEST(test_a_start_that_fails_fails_those_who_wait),
        TEST(test_a_worker_that_ends_before_hello_fails_those_who_wait),
        TEST(test_a_worker_that_never_says_hello_is_killed),
        TEST(test_hostile_frames_end_the_worker_and_fail_its_requests),
        TEST(test_an_answer_of_a_finished_request_is_refused),
        TEST(test_frames_may_arrive_byte_by_byte),
        TEST(test_an_idle_worker_is_told_to_stop),
        TEST(test_a_worker_that_does_not_stop_is_killed),
        TEST(test_a_worker_that_closes_its_channel_and_lives_is_killed),
        TEST(test_native_output_never_blocks_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
