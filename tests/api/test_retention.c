/* What is removed after a while, and what is not. */
#include "harness.h"

#include <string.h>

#include "clock.h"
#include "mem.h"
#include "retention.h"

static const int64_t day_us = 86400000000;

static void given_function(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL,
                               "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\","
                               "\"deploymentRetention\":3}"),
                  201);
}

static int insert_execution(struct db *db, void *context, struct error *err)
{
    return store_execution_insert(db, context, err);
}

static int insert_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_insert(db, context, err);
}

static void given_execution(struct harness *harness, int64_t age_days, const char *status)
{
    const struct live_function *function = registry_function(harness->api.registry, "default", "f");
    static int64_t unique;
    struct error err;
    auto_execution struct execution execution = {
        .seq = clock_realtime_us() - age_days * day_us + unique++,
        .function_seq = function->function.seq,
        .deployment_id = xstrdup("d"),
        .trigger = xstrdup("http"),
        .status = xstrdup(status),
        .request_method = xstrdup("GET"),
        .request_path = xstrdup("/"),
    };

    id_generate(execution.seq, execution.id);
    assert_int_equal(store_write_wait(harness->api.store, insert_execution, &execution, &err), 0);
}

static void given_deployment(struct harness *harness, const char *id, int64_t age_days,
                             const char *status)
{
    struct error err;
    auto_deployment struct deployment deployment = {
        .project_id = xstrdup("default"),
        .function_id = xstrdup("f"),
        .id = xstrdup(id),
        .type = xstrdup("manual"),
        .status = xstrdup(status),
        .source_size = 100,
        .created_at = clock_realtime_us() - age_days * day_us,
    };

    assert_int_equal(store_write_wait(harness->api.store, insert_deployment, &deployment, &err), 0);
}

static int64_t total_of(struct harness *harness, const char *path)
{
    const struct reply *reply = harness_call(harness, "GET", path, NULL, "");

    assert_status(reply, 200);
    return json_integer_value(json_object_get(reply->json, "total"));
}

static bool has_deployment(struct harness *harness, const char *id)
{
    auto_free char *path = xasprintf("/v1/functions/f/deployments/%s", id);

    return harness_call(harness, "GET", path, NULL, "")->status == 200;
}

static void finished_executions_go_after_their_days(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    for (int i = 0; i < 1100; i++)
        given_execution(harness, 15, "completed");
    given_execution(harness, 15, "waiting");
    given_execution(harness, 13, "failed");

    retention_run(&harness->api, harness->db, clock_realtime_us(), true);

    assert_int_equal(total_of(harness, "/v1/functions/f/executions"), 2);
}

static void no_days_means_for_ever(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    given_execution(harness, 4000, "completed");
    harness->settings.execution_retention_days = 0;

    retention_run(&harness->api, harness->db, clock_realtime_us(), true);

    assert_int_equal(total_of(harness, "/v1/functions/f/executions"), 1);
}

static void old_deployments_go_unless_they_are_in_use(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    given_deployment(harness, "old", 5, "ready");
    given_deployment(harness, "failed", 5, "failed");
    given_deployment(harness, "active", 5, "ready");
    given_deployment(harness, "shown", 5, "ready");
    given_deployment(harness, "building", 5, "building");
    given_deployment(harness, "young", 2, "ready");
    harness_call(harness, "PATCH", "/v1/functions/f/deployment", NULL,
                 "{\"deploymentId\":\"active\"}");
    harness_call(harness, "POST", "/v1/proxy/rules/function", NULL,
                 "{\"domain\":\"x.functions.localhost\",\"functionId\":\"f\","
                 "\"deploymentId\":\"shown\"}");

    retention_run(&harness->api, harness->db, clock_realtime_us(), true);

    assert_false(has_deployment(harness, "old"));
    assert_false(has_deployment(harness, "failed"));
    assert_true(has_deployment(harness, "active"));
    assert_true(has_deployment(harness, "shown"));
    assert_true(has_deployment(harness, "building"));
    assert_true(has_deployment(harness, "young"));
    const struct reply *usage = harness_call(harness, "GET", "/v1/functions/f/usage", NULL, "");
    assert_int_equal(json_integer_value(json_object_get(usage->json, "deploymentsStorageTotal")),
                     400);
}

static int add_usage(struct db *db, void *context, struct error *err)
{
    return store_usage_add(db, "default", "f", "executions", *(const int64_t *)context, 5, err);
}

static void old_usage_stays_in_the_sum(void **state)
{
    struct harness *harness = *state;
    int64_t hour = (clock_realtime_us() - 120 * day_us) / 3600000000;
    struct error err;
    bool is_old = false;
    given_function(harness);
    assert_int_equal(store_write_wait(harness->api.store, add_usage, &hour, &err), 0);

    retention_run(&harness->api, harness->db, clock_realtime_us(), true);

    const struct reply *usage = harness_call(harness, "GET", "/v1/functions/f/usage", NULL, "");
    assert_int_equal(json_integer_value(json_object_get(usage->json, "executionsTotal")), 5);
    assert_int_equal(store_usage_is_old(harness->db, "default", "f", hour + 1, &is_old, &err), 0);
    assert_false(is_old);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(finished_executions_go_after_their_days),
        TEST(no_days_means_for_ever),
        TEST(old_deployments_go_unless_they_are_in_use),
        TEST(old_usage_stays_in_the_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
