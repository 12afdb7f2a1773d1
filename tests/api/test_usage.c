/* What functions used, through the catalogue. */
#include "harness.h"

#include <string.h>

#include "clock.h"
#include "mem.h"

#define F "/v1/functions"

static void given_function(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", F, NULL,
                               "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"}"),
                  201);
}

/* A quarter of a second, half a CPU of 1 GiB. */
static void given_execution(struct harness *harness, const char *status)
{
    static int64_t seq;
    const struct live_function *function = registry_function(harness->api.registry, "default", "f");
    int64_t now = clock_realtime_us();

    seq = now > seq ? now : seq + 1;
    struct execution execution = {
        .seq = seq,
        .function_seq = function->function.seq,
        .deployment_id = xstrdup("d"),
        .trigger = xstrdup("http"),
        .status = xstrdup(status),
        .request_method = xstrdup("GET"),
        .request_path = xstrdup("/"),
        .duration = 0.25,
        .mb_milli = 512000,
        .updated_at = now,
    };
    id_generate(seq, execution.id);
    store_execution_record(harness->api.store, &execution);
    execution_release(&execution);
}

static int64_t number(const struct reply *reply, const char *name)
{
    return json_integer_value(json_object_get(reply->json, name));
}

static int64_t sum(const struct reply *reply, const char *name, size_t *ret_count)
{
    const json_t *points = json_object_get(reply->json, name);
    int64_t amount = 0;

    *ret_count = json_array_size(points);
    for (size_t i = 0; i < *ret_count; i++)
        amount += json_integer_value(json_object_get(json_array_get(points, i), "value"));
    return amount;
}

static void executions_are_counted_with_their_time(void **state)
{
    struct harness *harness = *state;
    size_t count;
    given_function(harness);
    given_execution(harness, "completed");
    given_execution(harness, "failed");
    given_execution(harness, "completed");
    given_execution(harness, "completed");

    const struct reply *reply = harness_call(harness, "GET", F "/f/usage?range=24h", NULL, "");

    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "range"), "24h");
    assert_int_equal(number(reply, "executionsTotal"), 4);
    assert_int_equal(number(reply, "executionsTimeTotal"), 1000);
    assert_int_equal(number(reply, "executionsMbSecondsTotal"), 512);
    assert_int_equal(sum(reply, "executions", &count), 4);
    assert_int_equal(count, 24);
    assert_null(json_object_get(reply->json, "functionsTotal"));
    assert_non_null(json_object_get(reply->json, "buildsTimeAverage"));
}

static void points_are_days_from_the_oldest_to_today(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", F "/usage", NULL, "");
    const json_t *points = json_object_get(reply->json, "executions");
    int64_t first, last;

    assert_int_equal(json_array_size(points), 30);
    const json_t *oldest = json_array_get(points, 0), *newest = json_array_get(points, 29);
    clock_parse(json_string_value(json_object_get(oldest, "date")), &first);
    clock_parse(json_string_value(json_object_get(newest, "date")), &last);
    assert_int_equal(last - first, (int64_t)29 * 86400 * 1000000);
    assert_true(clock_realtime_us() - last < (int64_t)86400 * 1000000 + 5000000);
}

static void functions_are_counted_as_they_come_and_go(void **state)
{
    struct harness *harness = *state;
    size_t count;
    given_function(harness);

    const struct reply *reply = harness_call(harness, "GET", F "/usage?range=90d", NULL, "");
    assert_int_equal(number(reply, "functionsTotal"), 1);
    assert_int_equal(sum(reply, "functions", &count), 1);
    assert_int_equal(count, 90);

    assert_status(harness_call(harness, "DELETE", F "/f", NULL, "{}"), 204);
    reply = harness_call(harness, "GET", F "/usage", NULL, "");
    assert_int_equal(number(reply, "functionsTotal"), 0);
}

static void older_clients_have_what_they_know(void **state)
{
    struct harness *harness = *state;
    size_t count;
    given_function(harness);
    given_execution(harness, "completed");
    given_execution(harness, "failed");

    const struct reply *reply = harness_call(harness, "GET", F "/usage",
                                             HEADERS("x-appwrite-response-format: 1.6.0"), "");
    assert_non_null(json_object_get(reply->json, "buildsTotal"));
    assert_null(json_object_get(reply->json, "buildsSuccess"));

    reply = harness_call(harness, "GET", F "/f/usage?range=7d",
                         HEADERS("x-appwrite-response-format: 1.4.0"), "");
    assert_status(reply, 200);
    assert_int_equal(sum(reply, "executionsTotal", &count), 2);
    assert_int_equal(count, 7);
    assert_int_equal(sum(reply, "executionsFailure", &count), 1);
    assert_int_equal(sum(reply, "executionsSuccess", &count), 1);
}

static void a_range_is_one_of_the_list(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", F "/usage?range=7d", NULL, "");

    assert_status(reply, 400);
    assert_string_equal(reply_text(reply, "message"),
                        "Invalid `range` param: Value must be one of (24h, 30d, 90d)");
    assert_status(harness_call(*state, "GET", F "/none/usage", NULL, ""), 404);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(executions_are_counted_with_their_time),
        TEST(points_are_days_from_the_oldest_to_today),
        TEST(functions_are_counted_as_they_come_and_go),
        TEST(older_clients_have_what_they_know),
        TEST(a_range_is_one_of_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
