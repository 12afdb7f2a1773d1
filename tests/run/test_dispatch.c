/* A call from its start to its end: answers, logs, deadlines, cancels, bodies. */
#include <stdio.h>
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

static void test_a_call_starts_a_worker_and_gets_its_answer(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    assert_non_null(call(&harness, function, &told));

    struct fake *worker = fake_start(&harness);
    assert_string_equal(worker->start.tree, "hello-deployment");
    assert_int_equal(worker->start.memory_mb, 512);
    assert_int_equal(worker->start.kind, SANDBOX_WORKER);
    assert_int_equal(worker->start.network, NETWORK_OUTBOUND);
    fake_hello(worker);
    const struct seen *load = fake_next(worker);
    assert_int_equal(load->type, FRAME_LOAD);
    assert_memory_equal(load->payload, "code\0/code/hello-deployment\0entrypoint\0index.js\0", 47);
    assert_non_null(memmem(load->payload, load->size, "env:GREETING\0hello\0", 19));
    assert_non_null(memmem(load->payload, load->size, "env:APPWRITE_FUNCTION_ID\0hello", 31));

    const struct seen *request = fake_next(worker);
    assert_int_equal(request->type, FRAME_REQUEST);
    assert_int_equal(frame_get32(request->payload), 15000);
    assert_int_equal(request->payload[4], 1);
    assert_string_equal(request->payload + REQUEST_HEAD, "GET/path?a=bx-color: blue\r\n");
    uint32_t id = request->id;

    fake_frame(worker, FRAME_LOG, 0, id, "one\n", 4);
    fake_frame(worker, FRAME_ERROR, 0, id, "two\n", 4);
    fake_answer(worker, id, 201,
                "Content-Type: text/plain\r\nx-open-runtimes-log-id: x\r\nconnection: close\r\n"
                "bad name: x\r\nbad: a\nb\r\ncontent-length: 99\r\nx-a: 1\r\n",
                "hello");
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_ANSWERED);
    assert_int_equal(told.status, 201);
    assert_string_equal(told.body, "hello");
    assert_string_equal(told.logs, "one\n");
    assert_string_equal(told.errors, "two\n");
    assert_string_equal(told.headers,
                        "content-type: text/plain\r\nx-a: 1\r\ncontent-length: 5\r\n");
    assert_true(told.duration_us > 0);
    told_release(&told);

    /* The second call is warm. */
    call(&harness, function, &told);
    fake_answer(worker, fake_request(worker), 200, "", "");
    told_wait(&harness, &told);
    assert_int_equal(told.status, 200);
    told_release(&told);
    struct run_figures figures;
    run_figures(harness.run, &figures);
    assert_int_equal(figures.workers, 1);
    assert_int_equal(figures.running, 0);
    assert_true(run_is_idle(harness.run));
    fake_end(worker);
    live_function_drop(function);
}

static void test_large_bodies_travel_in_frames_in_turn(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told warm = { 0 }, told = { 0 };
    call(&harness, function, &warm);
    struct fake *worker = fake_ready(&harness);
    uint32_t first_id = fake_request(worker);

    struct buffer body;
    buffer_init(&body, SIZE);
    for (int i = 0; i < SIZE; i++)
        buffer_add_char(&body, (char)('a' + i % 26));
    char *copy = xstrdup(body.data);
    const struct run_request request = { .function = function,
                                         .method = "POST",
                                         .path = "",
                                         .body = &body,
                                         .done = told_done,
                                         .context = &told };
    assert_non_null(run_start(harness.run, &request));
    assert_null(body.data);

    const struct seen *seen = fake_next(worker);
    uint32_t id = seen->id;
    assert_int_equal(seen->type, FRAME_REQUEST);
    assert_int_equal(seen->size, FRAME_PAYLOAD);
    assert_int_equal(frame_get64(seen->payload + 16), SIZE);
    size_t at = FRAME_PAYLOAD - REQUEST_HEAD - 5;
    assert_memory_equal(seen->payload + REQUEST_HEAD + 5, copy, at);
    while (at < SIZE) {
        seen = fake_next(worker);
        assert_int_equal(seen->type, FRAME_BODY);
        assert_int_equal(seen->id, id);
        assert_memory_equal(seen->payload, copy + at, seen->size);
        at += seen->size;
    }

    /* The same back, with the other call's answer between the pieces. */
    char head[ANSWER_HEAD] = { 0 };
    frame_put16(head, 200);
    frame_put64(head + 8, SIZE);
    fake_frame(worker, FRAME_ANSWER, 0, id, head, sizeof(head));
    fake_frame(worker, FRAME_ANSWER_BODY, 0, id, copy, FRAME_PAYLOAD);
    fake_answer(worker, first_id, 200, "", "small");
    told_wait(&harness, &warm);
    for (at = FRAME_PAYLOAD; at < SIZE; at += FRAME_PAYLOAD)
        fake_frame(worker, FRAME_ANSWER_BODY, 0, id, copy + at,
                   SIZE - at < FRAME_PAYLOAD ? SIZE - at : FRAME_PAYLOAD);
    told_wait(&harness, &told);
    assert_int_equal(told.body_size, SIZE);
    assert_memory_equal(told.body, copy, SIZE);
    assert_int_equal(harness.run->held_bytes, 0);
    free(copy);
    told_release(&told);
    told_release(&warm);
    fake_end(worker);
    live_function_drop(function);
}

static void test_answer_heads_may_span_frames(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    char head[ANSWER_HEAD] = { 0 };
    frame_put16(head, 200);
    frame_put32(head + 4, 8);
    frame_put64(head + 8, 2);
    fake_frame(worker, FRAME_ANSWER, FRAME_MORE, id, head, 7);
    fake_frame(worker, FRAME_ANSWER, FRAME_MORE, id, head + 7, sizeof(head) - 7);
    fake_frame(worker, FRAME_ANSWER, 0, id, "x-a: 1\r\nok", 10);
    told_wait(&harness, &told);
    assert_string_equal(told.body, "ok");
    assert_string_equal(told.headers, "x-a: 1\r\ncontent-length: 2\r\n");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_logs_keep_their_end_behind_a_warning(void **state)
{
    (void)state;
    harness.settings.execution_log_bytes = 2000;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    char line[101];
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "%099d\n", i);
        fake_frame(worker, FRAME_LOG, 0, id, line, 100);
    }
    fake_answer(worker, id, 200, "", "");
    told_wait(&harness, &told);
    static const char warning[] =
        "[WARNING] Logs truncated. The output exceeded 2000 characters.\n";
    assert_int_equal(told.logs_size, 2000);
    assert_memory_equal(told.logs, warning, sizeof(warning) - 1);
    assert_string_equal(told.logs + 1900, line);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_exactly_the_limit_is_not_cut(void **state)
{
    (void)state;
    harness.settings.execution_log_bytes = 2000;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    char text[2000];
    memset(text, 'x', sizeof(text));
    fake_frame(worker, FRAME_LOG, 0, id, text, sizeof(text));
    fake_answer(worker, id, 200, "", "");
    told_wait(&harness, &told);
    assert_int_equal(told.logs_size, 2000);
    assert_int_equal(told.logs[0], 'x');
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_the_deadline_ends_the_call_and_not_the_worker(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call_from(&harness, function, NULL, 20000, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_TIMED_OUT);
    told_release(&told);
    const struct seen *cancel = fake_next(worker);
    assert_int_equal(cancel->type, FRAME_CANCEL);
    assert_int_equal(cancel->id, id);

    /* Its late answer counts for nothing; the worker serves on. */
    fake_frame(worker, FRAME_LOG, 0, id, "late\n", 5);
    fake_answer(worker, id, 200, "", "late");
    call(&harness, function, &told);
    fake_answer(worker, fake_request(worker), 200, "", "next");
    told_wait(&harness, &told);
    assert_string_equal(told.body, "next");
    assert_string_equal(told.logs, "");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_the_deadline_also_ends_a_call_that_waits(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call_from(&harness, function, NULL, 10000, &told);
    struct fake *worker = fake_start(&harness);
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_TIMED_OUT);
    assert_int_equal(harness.run->waiting, 0);
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_a_silent_worker_is_killed_and_the_call_has_timed_out(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    function->function.timeout = 1;
    struct told slow = { 0 }, other = { 0 };
    call(&harness, function, &slow);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    fake_frame(worker, FRAME_LOG, 0, id, "before\n", 7);
    harness_pass(&harness, 500000);
    call(&harness, function, &other);
    fake_request(worker);
    told_wait(&harness, &slow);
    assert_int_equal(slow.outcome, RUN_ANSWERED);
    assert_int_equal(slow.status, 500);
    assert_string_equal(slow.body, "");
    assert_string_equal(slow.logs, "before\n");
    assert_string_equal(slow.errors, "Execution timed out.\n");
    assert_int_equal(other.times, 1);
    assert_int_equal(other.outcome, RUN_FAILED);
    assert_non_null(strstr(other.message, "another request"));
    union message message;
    harness_expect(&harness, MESSAGE_KILL, &message);
    assert_int_equal(message.worker.worker_id, worker->start.worker_id);
    assert_true(fake_is_closed(worker));
    harness_exited(&harness, worker, EXIT_SIGNAL, 9);
    told_release(&slow);
    told_release(&other);

    /* The next call gets a new worker. */
    call(&harness, function, &slow);
    struct fake *second = fake_ready(&harness);
    fake_answer(second, fake_request(second), 200, "", "again");
    told_wait(&harness, &slow);
    assert_string_equal(slow.body, "again");
    told_release(&slow);
    fake_end(worker);
    fake_end(second);
    live_function_drop(function);
}

static void test_a_canceled_call_is_not_told(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    struct run_call *waiting = call(&harness, function, &told);
    run_cancel(harness.run, waiting);
    struct fake *worker = fake_ready(&harness);
    struct run_call *running = call(&harness, function, &told);
    uint32_t id = fake_request(worker);
    run_cancel(harness.run, running);
    assert_int_equal(fake_next(worker)->type, FRAME_CANCEL);
    assert_true(run_is_idle(harness.run));
    fake_answer(worker, id, 200, "", "x");
    harness_pass(&harness, 5000);
    assert_int_equal(told.times, 0);
    fake_end(worker);
    live_function_drop(function);
}

static void test_an_answer_above_the_limit_fails_the_call_alone(void **state)
{
    (void)state;
    harness.settings.request_bytes = 1024;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    call(&harness, function, &told);
    struct fake *worker = fake_ready(&harness);
    uint32_t id = fake_request(worker);
    char head[ANSWER_HEAD] = { 0 };
    char body[2000] = { 0 };
    frame_put16(head, 200);
    frame_put64(head + 8, sizeof(body));
    fake_frame(worker, FRAME_ANSWER, 0, id, head, sizeof(head));
    told_wait(&harness, &told);
    assert_int_equal(told.outcome, RUN_FAILED);
    assert_non_null(strstr(told.message, "1024"));
    told_release(&told);
    fake_frame(worker, FRAME_ANSWER_BODY, 0, id, body, sizeof(body));
    call(&harness, function, &told);
    fake_answer(worker, fake_request(worker), 200, "", "next");
    told_wait(&harness, &told);
    assert_string_equal(told.body, "next");
    told_release(&told);
    fake_end(worker);
    live_function_drop(function);
}

static void test_memory_for_bodies_is_bounded(void **state)
{
    (void)state;
    harness.settings.body_memory_bytes = 1 << 20;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "node-22");
    struct told first = { 0 }, second = { 0 };
    call(&harness, function, &first);
    struct fake *worker = fake_ready(&harness);
    uint32_t first_id = fake_request(worker);
    call(&harness, function, &second);
    uint32_t second_id = fake_request(worker);
    char head[ANSWER_HEAD] = { 0 };
    frame_put16(head, 200);
    frame_put64(head + 8, 700000);
    fake_frame(worker, FRAME_ANSWER, 0, first_id, head, sizeof(head));
    fake_frame(worker, FRAME_ANSWER, 0, second_id, head, sizeof(head));
    told_wait(&harness, &second);
    assert_int_equal(second.outcome, RUN_FAILED);
    assert_non_null(strstr(second.message, "memory"));
    assert_int_equal(first.times, 0);
    run_cancel(harness.run, first.call);
    told_release(&second);
    fake_end(worker);
    live_function_drop(function);
}

static void test_an_unknown_runtime_fails_at_once(void **state)
{
    (void)state;
    harness_start(&harness);
    struct live_function *function = a_function("hello", "cobol-60");
    struct told told = { 0 };
    assert_null(call(&harness, function, &told));
    assert_int_equal(told.outcome, RUN_FAILED);
    assert_string_equal(told.message, "Runtime \"cobol-60\" is not supported");
    told_release(&told);
    live_function_drop(function);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_call_starts_a_worker_and_gets_its_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_large_bodies_travel_in_frames_in_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_answer_heads_may_span_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_logs_keep_their_end_behind_a_warning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exactly_the_limit_is_not_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_deadline_ends_the_call_and_not_the_worker, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_deadline_also_ends_a_call_that_waits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_worker_is_killed_and_the_call_has_timed_out,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_canceled_call_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_answer_above_the_limit_fails_the_call_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_memory_for_bodies_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_unknown_runtime_fails_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
