/* Functions and their variables, through the catalogue. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const char hello[] =
    "{\"functionId\":\"hello\",\"name\":\"Hello\",\"runtime\":\"node-22\",\"execute\":[\"any\"],"
    "\"entrypoint\":\"main.js\",\"timeout\":30,\"events\":[\"users.*.create\"]}";

static void given_hello(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, hello), 201);
}

static void a_created_function_has_every_field_of_its_model(void **state)
{
    struct harness *harness = *state;

    const struct reply *reply = harness_call(harness, "POST", "/v1/functions", NULL, hello);

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "$id"), "hello");
    assert_string_equal(reply_text(reply, "version"), "v5");
    assert_string_equal(reply_text(reply, "buildSpecification"), "s-1vcpu-512mb");
    assert_int_equal(json_integer_value(json_object_get(reply->json, "timeout")), 30);
    assert_int_equal(json_object_size(reply->json), 32);
    assert_true(reply_has_header(reply, "Content-Type: application/json; charset=UTF-8"));
}

static void a_generated_id_has_twenty_hex_digits(void **state)
{
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/functions", NULL,
        "{\"functionId\":\"unique()\",\"name\":\"x\",\"runtime\":\"node-22\"}");

    assert_status(reply, 201);
    assert_int_equal(strspn(reply_text(reply, "$id"), "0123456789abcdef"), 20);
}

static void an_id_is_taken_without_regard_to_case(void **state)
{
    given_hello(*state);
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/functions", NULL,
        "{\"functionId\":\"HELLO\",\"name\":\"x\",\"runtime\":\"node-22\"}");

    assert_status(reply, 409);
    assert_string_equal(reply_text(reply, "type"), "function_already_exists");
}

static void a_new_function_is_live_at_once_and_has_a_domain(void **state)
{
    struct harness *harness = *state;
    given_hello(harness);

    assert_non_null(registry_function(harness->api.registry, "default", "hello"));
    assert_non_null(registry_rule(harness->api.registry, "hello.functions.localhost"));
}

static void an_update_resets_what_is_left_out_but_keeps_runtime_and_entrypoint(void **state)
{
    given_hello(*state);

    const struct reply *reply = harness_call(
        *state, "PUT", "/v1/functions/hello", NULL,
        "{\"name\":\"Other\",\"runtime\":null,\"entrypoint\":\"\"}");

    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "runtime"), "node-22");
    assert_string_equal(reply_text(reply, "entrypoint"), "main.js");
    assert_int_equal(json_integer_value(json_object_get(reply->json, "timeout")), 15);
    assert_int_equal(json_array_size(json_object_get(reply->json, "execute")), 0);
    assert_true(json_is_false(json_object_get(reply->json, "live")));
}

static void a_deleted_function_is_gone_with_its_domain(void **state)
{
    struct harness *harness = *state;
    given_hello(harness);

    const struct reply *reply = harness_call(harness, "DELETE", "/v1/functions/hello", NULL, "[]");

    assert_status(reply, 204);
    assert_true(reply_has_header(reply, "Content-Type: text/html; charset=UTF-8"));
    assert_status(harness_call(harness, "GET", "/v1/functions/hello", NULL, NULL), 404);
    assert_null(registry_function(harness->api.registry, "default", "hello"));
    assert_null(registry_rule(harness->api.registry, "hello.functions.localhost"));
}

static void a_list_is_filtered_counted_and_searched(void **state)
{
    given_hello(*state);
    harness_call(*state, "POST", "/v1/functions", NULL,
                 "{\"functionId\":\"two\",\"name\":\"Two\",\"runtime\":\"python-3.11\"}");

    const struct reply *reply = harness_call(
        *state, "GET",
        "/v1/functions?queries%5B0%5D=%7B%22method%22%3A%22equal%22%2C%22attribute%22%3A%22name%22"
        "%2C%22values%22%3A%5B%22Two%22%5D%7D",
        NULL, NULL);
    assert_status(reply, 200);
    assert_int_equal(json_integer_value(json_object_get(reply->json, "total")), 1);

    reply = harness_call(*state, "GET", "/v1/functions?search=hel", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(reply->json, "functions")), 1);

    reply = harness_call(*state, "GET", "/v1/functions?total=false", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(reply->json, "total")), 0);
    assert_int_equal(json_array_size(json_object_get(reply->json, "functions")), 2);
}

static void old_clients_get_the_shape_they_know(void **state)
{
    given_hello(*state);

    const struct reply *reply = harness_call(*state, "GET", "/v1/functions/hello",
                                             HEADERS("x-appwrite-response-format: 1.6.0"), NULL);
    assert_string_equal(reply_text(reply, "deployment"), "");
    assert_string_equal(reply_text(reply, "specification"), "s-1vcpu-512mb");
    assert_null(json_object_get(reply->json, "latestDeploymentId"));

    reply = harness_call(*state, "GET", "/v1/functions/hello",
                         HEADERS("x-appwrite-response-format: 1.0.0"), NULL);
    assert_string_equal(reply_text(reply, "scheduleNext"), "");
    assert_null(json_object_get(reply->json, "scopes"));
}

static void a_client_newer_than_the_server_is_warned(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", "/v1/health/version",
                                             HEADERS("x-appwrite-response-format: 2.1.0"), NULL);

    assert_status(reply, 200);
    assert_non_null(strstr(reply->headers, "X-Appwrite-Warning: The current SDK is built for "
                                           "Appwrite 2.1.0. "));
    reply = harness_call(*state, "GET", "/v1/health/version",
                         HEADERS("x-appwrite-response-format: 2.0.0"), NULL);
    assert_null(strstr(reply->headers, "X-Appwrite-Warning"));
}

/* ---- variables ------------------------------------------------------------------------------- */

static const char variables[] = "/v1/functions/hello/variables";

static void a_secret_variable_is_never_shown_and_stays_secret(void **state)
{
    given_hello(*state);

    const struct reply *reply = harness_call(
        *state, "POST", variables, NULL,
        "{\"variableId\":\"v1\",\"key\":\"TOKEN\",\"value\":\"hidden\"}");
    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "value"), "");
    assert_true(json_is_true(json_object_get(reply->json, "secret")));

    reply = harness_call(*state, "PUT", "/v1/functions/hello/variables/v1", NULL,
                         "{\"secret\":false}");
    assert_string_equal(reply_text(reply, "type"), "variable_cannot_unset_secret");

    reply = harness_call(*state, "GET", "/v1/functions/hello", NULL, NULL);
    assert_null(strstr(reply->body, "hidden"));
    assert_true(json_is_false(json_object_get(reply->json, "live")));
}

static void a_variable_reaches_the_live_function_before_the_answer(void **state)
{
    struct harness *harness = *state;
    given_hello(harness);

    harness_call(harness, "POST", variables, NULL,
                 "{\"variableId\":\"v1\",\"key\":\"A\",\"value\":\"1\",\"secret\":false}");
    harness_call(harness, "POST", "/v1/project/variables", NULL,
                 "{\"variableId\":\"p1\",\"key\":\"B\",\"value\":\"2\",\"secret\":false}");

    struct live_function *live = registry_function(harness->api.registry, "default", "hello");
    bool has_a = false, has_b = false;
    for (char **line = live->variables; *line != NULL; line++) {
        has_a |= strcmp(*line, "A=1") == 0;
        has_b |= strcmp(*line, "B=2") == 0;
    }
    assert_true(has_a && has_b);
}

static void an_old_client_sends_no_variable_id_and_no_secret(void **state)
{
    given_hello(*state);

    const struct reply *reply = harness_call(*state, "POST", variables,
                                             HEADERS("x-appwrite-response-format: 1.4.0"),
                                             "{\"key\":\"A\",\"value\":\"1\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "value"), "1");
    assert_null(json_object_get(reply->json, "secret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_created_function_has_every_field_of_its_model),
        TEST(a_generated_id_has_twenty_hex_digits),
        TEST(an_id_is_taken_without_regard_to_case),
        TEST(a_new_function_is_live_at_once_and_has_a_domain),
        TEST(an_update_resets_what_is_left_out_but_keeps_runtime_and_entrypoint),
        TEST(a_deleted_function_is_gone_with_its_domain),
        TEST(a_list_is_filtered_counted_and_searched),
        TEST(old_clients_get_the_shape_they_know),
        TEST(a_client_newer_than_the_server_is_warned),
        TEST(a_secret_variable_is_never_shown_and_stays_secret),
        TEST(a_variable_reaches_the_live_function_before_the_answer),
        TEST(an_old_client_sends_no_variable_id_and_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
