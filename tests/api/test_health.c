/* Health checks: what they answer with, and that they find what is wrong. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

static const struct reply *get(void **state, const char *target)
{
    return harness_call(*state, "GET", target, NULL, "");
}

static void the_database_answers_in_a_list_since_1_4_and_alone_before(void **state)
{
    const struct reply *reply = get(state, "/v1/health/db");
    const json_t *rows = json_object_get(reply->json, "statuses");

    assert_status(reply, 200);
    assert_int_equal(json_integer_value(json_object_get(reply->json, "total")), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "status")),
                        "pass");
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "name")),
                        "database");

    reply = harness_call(*state, "GET", "/v1/health/db",
                         HEADERS("x-appwrite-response-format: 1.3.0"), "");
    assert_string_equal(reply_text(reply, "status"), "pass");
    assert_null(json_object_get(reply->json, "name"));
}

static void a_queue_without_anything_is_empty(void **state)
{
    const struct reply *reply = get(state, "/v1/health/queue/functions");

    assert_string_equal(reply->body, "{\"size\":0}");
}

static void a_queue_at_its_threshold_is_an_error(void **state)
{
    const struct reply *reply = get(state, "/v1/health/queue/builds?threshold=0");

    assert_status(reply, 503);
    assert_string_equal(reply_text(reply, "type"), "health_queue_size_exceeded");
    assert_string_equal(reply_text(reply, "message"),
                        "Queue builds threshold hit. Current size is 0 and threshold is 0.");
}

static void what_does_not_exist_does_not_pass(void **state)
{
    const struct reply *reply = get(state, "/v1/health/cache");

    assert_string_equal(reply_text(reply, "type"), "general_service_disabled");
    reply = get(state, "/v1/health/anti-virus");
    assert_string_equal(reply->body, "{\"version\":\"\",\"status\":\"disabled\"}");
}

static void storage_that_cannot_be_written_fails(void **state)
{
    struct harness *harness = *state;
    char *directory = harness->settings.data;
    char nowhere[] = "/nonexistent";

    assert_status(get(state, "/v1/health/storage/local"), 200);
    harness->settings.data = nowhere;
    const struct reply *reply = get(state, "/v1/health/storage/local");
    harness->settings.data = directory;
    assert_status(reply, 500);
}

/* The time by NTP is known on some hosts only; both answers are right where they are given. */
static void the_clock_is_compared_or_nothing_is_claimed(void **state)
{
    const struct reply *reply = get(state, "/v1/health/time");

    if (reply->status == 200)
        assert_true(json_integer_value(json_object_get(reply->json, "diff")) <= 5);
    else
        assert_string_equal(reply_text(reply, "type"), "general_service_disabled");
}

static void a_host_without_tls_is_invalid(void **state)
{
    const struct reply *reply = get(state, "/v1/health/certificate?domain=name.invalid");

    assert_status(reply, 404);
    assert_string_equal(reply_text(reply, "type"), "health_invalid_host");
    assert_status(get(state, "/v1/health/certificate"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_database_answers_in_a_list_since_1_4_and_alone_before),
        cmocka_unit_test(a_queue_without_anything_is_empty),
        cmocka_unit_test(a_queue_at_its_threshold_is_an_error),
        cmocka_unit_test(what_does_not_exist_does_not_pass),
        cmocka_unit_test(storage_that_cannot_be_written_fails),
        cmocka_unit_test(the_clock_is_compared_or_nothing_is_claimed),
        cmocka_unit_test(a_host_without_tls_is_invalid),
    };

    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
