/* Asynchronous executions: claimed once, run in order, settled. */
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "harness.h"
#include "mem.h"

static struct harness harness;
static struct domain domain;
static struct error err;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    domain_open(&domain);
    harness.store = domain.store;
    domain_function(&domain, "hello", "node-22");
    domain_deployment(&domain, "hello", "d1");
    domain_function(&domain, "empty", "node-22");
    assert_int_equal(registry_load(harness.registry, domain.reader, &err), 0);
    assert_int_equal(geo_open("fixtures/austria.mmdb", &harness.geo, &err), 0);
    harness_start(&harness);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_end(&harness);
    domain_close(&domain);
    return 0;
}

static bool is_idle(void *context)
{
    (void)context;
    return run_is_idle(harness.run);
}

static void test_a_committed_row_is_run_and_settled(void **state)
{
    (void)state;
    domain_execution(&domain, "hello", 5000000,
                     "x-color: blue\r\nx-appwrite-client-ip: 1.2.3.4\r\n", "the body");
    run_queue_add(harness.run, 5000000, "demo", "hello");
    struct fake *worker = fake_ready(&harness);
    const struct seen *request = fake_next(worker);
    assert_int_equal(request->type, FRAME_REQUEST);
    const char *text = request->payload + REQUEST_HEAD;
    assert_memory_equal(text, "POST/laterx-color: blue\r\n", 25);
    assert_non_null(strstr(text, "x-appwrite-trigger: http\r\n"));
    assert_non_null(strstr(text, "x-appwrite-event: \r\n"));
    assert_non_null(strstr(text, "x-appwrite-client-ip: 1.2.3.4\r\n"));
    assert_non_null(strstr(text, "x-appwrite-user-id: ann\r\n"));
    assert_non_null(strstr(text, "x-appwrite-country-code: AT\r\n"));
    assert_non_null(strstr(text, "x-appwrite-continent-code: EU\r\n"));
    assert_non_null(strstr(text, "x-appwrite-continent-eu: true\r\n"));
    assert_non_null(strstr(text, "x-appwrite-key: ephemeral_ey"));
    assert_non_null(strstr(text, "the body"));
    uint32_t id = request->id;

    struct execution row = { 0 };
    domain_read(&domain, "hello", 5000000, &row);
    assert_string_equal(row.status, "processing"); /* committed before the frame left */
    execution_release(&row);

    fake_frame(worker, FRAME_LOG, 0, id, "log\n", 4);
    fake_answer(worker, id, 200, "content-type: text/plain\r\nx-a: 1\r\n", "answer");
    assert_true(harness_until(&harness, is_idle, NULL));
    domain_read(&domain, "hello", 5000000, &row);
    assert_string_equal(row.status, "completed");
    assert_int_equal(row.response_status, 200);
    assert_string_equal(row.logs, "log\n");
    assert_string_equal(row.deployment_id, "d1");
    assert_string_equal(row.response_headers,
                        "[{\"name\":\"content-type\",\"value\":\"text/plain\"},"
                        "{\"name\":\"content-length\",\"value\":\"6\"}]");
    assert_true(row.duration > 0);
    execution_release(&row);
    fake_end(worker);
}

static bool is_processing(void *context)
{
    struct execution row = { 0 };
    domain_read(&domain, "hello", *(const int64_t *)context, &row);
    bool answer = strcmp(row.status, "processing") == 0;
    execution_release(&row);
    return answer;
}

static void test_rows_that_waited_at_the_start_run_in_order(void **state)
{
    (void)state;
    char path[32];
    for (int i = 1; i <= 3; i++) {
        snprintf(path, sizeof(path), "body %d", i);
        domain_execution(&domain, "hello", i * 1000000, "", path);
    }
    int64_t first = 1000000, second = 2000000;
    assert_int_equal(run_queue_load(harness.run, domain.reader, &err), 0);
    assert_true(harness_until(&harness, is_processing, &first));
    assert_false(is_processing(&second)); /* not before there is a worker */
    struct fake *worker = fake_ready(&harness);
    uint32_t ids[3];
    for (int i = 0; i < 3; i++) {
        const struct seen *request = fake_next(worker);
        snprintf(path, sizeof(path), "body %d", i + 1);
        assert_string_equal(request->payload + request->size - 6, path);
        ids[i] = request->id;
    }
    /* A number that is given twice is claimed once. */
    run_queue_add(harness.run, 1000000, "demo", "hello");
    for (int i = 0; i < 3; i++)
        fake_answer(worker, ids[i], 500, "", "");
    assert_true(harness_until(&harness, is_idle, NULL));
    assert_true(fake_is_silent(worker));
    struct execution row = { 0 };
    domain_read(&domain, "hello", 3000000, &row);
    assert_string_equal(row.status, "failed");
    assert_int_equal(row.response_status, 500);
    execution_release(&row);
    fake_end(worker);
}

static void test_without_a_deployment_it_fails_with_the_sentence(void **state)
{
    (void)state;
    domain_execution(&domain, "empty", 1000000, "", "");
    run_queue_add(harness.run, 1000000, "demo", "empty");
    assert_true(harness_until(&harness, is_idle, NULL));
    struct execution row = { 0 };
    domain_read(&domain, "empty", 1000000, &row);
    assert_string_equal(row.status, "failed");
    assert_int_equal(row.response_status, 0);
    assert_non_null(strstr(row.errors, "a corresponding deployment was not found."));
    execution_release(&row);
}

static void test_a_crash_is_settled_with_its_sentence_and_code(void **state)
{
    (void)state;
    domain_execution(&domain, "hello", 1000000, "", "");
    run_queue_add(harness.run, 1000000, "demo", "hello");
    struct fake *worker = fake_ready(&harness);
    fake_request(worker);
    harness_exited(&harness, worker, EXIT_MEMORY, 9);
    assert_true(harness_until(&harness, is_idle, NULL));
    struct execution row = { 0 };
    domain_read(&domain, "hello", 1000000, &row);
    assert_string_equal(row.status, "failed");
    assert_int_equal(row.response_status, 500);
    assert_string_equal(
        row.errors, "The function was ended: memory limit of 512 MB exceeded.\\nError Code: 500");
    execution_release(&row);
    fake_end(worker);
}

static void test_an_end_in_the_middle_of_it_leaves_nothing_behind(void **state)
{
    (void)state;
    domain_execution(&domain, "hello", 1000000, "", "");
    domain_execution(&domain, "hello", 2000000, "", "");
    run_queue_add(harness.run, 1000000, "demo", "hello");
    run_queue_add(harness.run, 2000000, "demo", "hello");
    /* The claims are on their way: the harness ends now. */
}

static void what_a_late_execution_leaves_is_told_behind_what_it_said(void **state)
{
    struct run_result result = { .outcome = RUN_TIMED_OUT };
    auto_buffer struct buffer said = { 0 };
    struct error late;

    (void)state;
    fail(&late, ERROR_FUNCTION_ASYNCHRONOUS_TIMEOUT, NULL);
    auto_free char *alone = run_failure_errors(&result, &late);
    assert_string_equal(alone, "Asynchronous function execution timed out. Ensure the execution "
                               "duration doesn't exceed the configured function "
                               "timeout.\\nError Code: 408");
    buffer_init(&said, 100);
    buffer_add_text(&said, "said");
    result.errors = said;
    auto_free char *behind = run_failure_errors(&result, &late);
    assert_int_equal(strncmp(behind, "said\nAsynchronous", 17), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_committed_row_is_run_and_settled),
        TEST(test_rows_that_waited_at_the_start_run_in_order),
        TEST(test_without_a_deployment_it_fails_with_the_sentence),
        TEST(test_a_crash_is_settled_with_its_sentence_and_code),
        TEST(test_an_end_in_the_middle_of_it_leaves_nothing_behind),
        cmocka_unit_test(what_a_late_execution_leaves_is_told_behind_what_it_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
