/* Rules of domains, through the catalogue. */
#include "harness.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"

#define RULES  "/v1/proxy/rules"
#define OLD(v) HEADERS("x-appwrite-response-format: " v)
#define EQUAL(a, v) \
    "%7B%22method%22:%22equal%22,%22attribute%22:%22" a "%22,%22values%22:%5B%22" v "%22%5D%7D"

static void given_function(struct harness *harness)
{
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL,
                               "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"}"),
                  201);
}

static int insert_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_insert(db, context, err);
}

static void given_deployment(struct harness *harness, const char *id)
{
    struct error err;
    auto_deployment struct deployment deployment = {
        .project_id = xstrdup("default"),
        .function_id = xstrdup("f"),
        .id = xstrdup(id),
        .type = xstrdup("manual"),
        .status = xstrdup("ready"),
        .provider_branch = xstrdup("main"),
    };

    assert_int_equal(store_write_wait(harness->api.store, insert_deployment, &deployment, &err), 0);
}

static const struct live_rule *live(struct harness *harness, const char *host)
{
    return registry_rule(harness->api.registry, host);
}

static int64_t number(const struct reply *reply, const char *name)
{
    return json_integer_value(json_object_get(reply->json, name));
}

static void a_rule_below_the_functions_domain_is_verified_and_live_at_once(void **state)
{
    struct harness *harness = *state;
    given_function(harness);

    const struct reply *reply = harness_call(
        harness, "POST", RULES "/function", NULL,
        "{\"domain\":\"Other.Functions.Localhost\",\"functionId\":\"f\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "domain"), "other.functions.localhost");
    assert_string_equal(reply_text(reply, "type"), "deployment");
    assert_string_equal(reply_text(reply, "trigger"), "manual");
    assert_string_equal(reply_text(reply, "status"), "verified");
    assert_string_equal(reply_text(reply, "deploymentResourceType"), "function");
    assert_string_equal(reply_text(reply, "deploymentResourceId"), "f");
    assert_int_equal(number(reply, "redirectStatusCode"), 301);
    assert_int_equal(json_object_size(reply->json), 15);
    assert_string_equal(live(harness, "other.functions.localhost")->rule.function_id, "f");
}

static void a_domain_has_one_rule(void **state)
{
    given_function(*state);

    const struct reply *reply = harness_call(
        *state, "POST", RULES "/function", NULL,
        "{\"domain\":\"f.functions.localhost\",\"functionId\":\"f\"}");

    assert_status(reply, 409);
    assert_string_equal(reply_text(reply, "type"), "rule_already_exists");
}

static void names_that_are_no_domains_or_not_for_functions_are_refused(void **state)
{
    static const char *const names[] = {
        "",
        "a..b",
        "-a.example",
        "a b.example",
        "10.0.0.1",
        "a_b.example",
        "a.b.functions.localhost",
        "functions.localhost",
        "localhost",
        "api.example",
    };
    given_function(*state);

    for (size_t i = 0; i < COUNT(names); i++) {
        auto_free char *body = xasprintf("{\"domain\":\"%s\",\"functionId\":\"f\"}", names[i]);
        const struct reply *reply = harness_call(*state, "POST", RULES "/function",
                                                 HEADERS("host: api.example:8080"), body);
        assert_status(reply, 400);
        assert_string_equal(reply_text(reply, "type"), "general_argument_invalid");
    }
}

static void a_rule_needs_a_function_that_exists(void **state)
{
    const struct reply *reply = harness_call(
        *state, "POST", RULES "/function", NULL,
        "{\"domain\":\"www.example.org\",\"functionId\":\"none\"}");

    assert_status(reply, 404);
    assert_string_equal(reply_text(reply, "type"), "rule_resource_not_found");
}

static void a_rule_can_show_one_deployment_for_ever(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    given_deployment(harness, "d1");
    given_deployment(harness, "d2");
    assert_status(harness_call(harness, "PATCH", "/v1/functions/f/deployment", NULL,
                               "{\"deploymentId\":\"d2\"}"),
                  200);

    const struct reply *reply = harness_call(
        harness, "POST", RULES "/function", NULL,
        "{\"domain\":\"one.functions.localhost\",\"functionId\":\"f\",\"deploymentId\":\"d1\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "trigger"), "deployment");
    assert_string_equal(reply_text(reply, "deploymentId"), "d1");
    assert_string_equal(live(harness, "one.functions.localhost")->preview->deployment.id, "d1");
    assert_string_equal(live(harness, "f.functions.localhost")->rule.deployment_id, "d2");
    assert_null(live(harness, "f.functions.localhost")->preview);
}

static void a_rule_of_a_branch_shows_its_newest_deployment(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    given_deployment(harness, "d1");
    given_deployment(harness, "d2");

    const struct reply *reply = harness_call(
        harness, "POST", RULES "/function", NULL,
        "{\"domain\":\"main.functions.localhost\",\"functionId\":\"f\",\"branch\":\"main\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "deploymentVcsProviderBranch"), "main");
    assert_string_equal(reply_text(reply, "deploymentId"), "d2");
    assert_string_equal(live(harness, "main.functions.localhost")->preview->deployment.id, "d2");
}

static void a_deleted_deployment_leaves_its_preview_empty(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    given_deployment(harness, "d1");
    harness_call(harness, "POST", RULES "/function", NULL,
                 "{\"domain\":\"one.functions.localhost\",\"functionId\":\"f\","
                 "\"deploymentId\":\"d1\"}");

    assert_status(harness_call(harness, "DELETE", "/v1/functions/f/deployments/d1", NULL, "{}"),
                  204);

    assert_string_equal(live(harness, "one.functions.localhost")->preview->deployment.id, "");
}

static void a_redirect_says_where_to(void **state)
{
    struct harness *harness = *state;

    const struct reply *reply = harness_call(
        harness, "POST", RULES "/redirect", NULL,
        "{\"domain\":\"old.example.org\",\"url\":\"https://new.example.org/x\","
        "\"statusCode\":\"308\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "type"), "redirect");
    assert_string_equal(reply_text(reply, "redirectUrl"), "https://new.example.org/x");
    assert_int_equal(number(reply, "redirectStatusCode"), 308);
    assert_true(json_is_null(json_object_get(reply->json, "deploymentResourceType")));
    assert_int_equal(live(harness, "old.example.org")->rule.redirect_status, 308);
    assert_status(harness_call(harness, "POST", RULES "/redirect", NULL,
                               "{\"domain\":\"b.example.org\",\"url\":\"https://a/\\r\\nX: y\","
                               "\"statusCode\":301}"),
                  400);
    assert_status(harness_call(harness, "POST", RULES "/redirect", NULL,
                               "{\"domain\":\"b.example.org\",\"url\":\"https://a/\","
                               "\"statusCode\":303}"),
                  400);
}

static void a_rule_of_a_name_nobody_knows_is_not_verified(void **state)
{
    struct harness *harness = *state;
    const struct reply *reply = harness_call(harness, "POST", RULES "/api", NULL,
                                             "{\"domain\":\"name.invalid\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "status"), "unverified");
    auto_free char *path = xasprintf(RULES "/%s/verification", reply_text(reply, "$id"));

    reply = harness_call(harness, "PATCH", path, NULL, "{}");

    assert_status(reply, 400);
    assert_string_equal(reply_text(reply, "type"), "rule_verification_failed");
    assert_non_null(strstr(reply_text(reply, "message"), "name.invalid does not resolve"));
}

static void a_name_of_this_host_is_verified(void **state)
{
    struct harness *harness = *state;
    struct addrinfo *found = NULL;
    char name[256] = "";

    gethostname(name, sizeof(name) - 1);
    if (getaddrinfo(name, NULL, NULL, &found) != 0) {
        print_message("skipped: the name of this host does not resolve\n");
        skip();
    }
    freeaddrinfo(found);
    auto_free char *body = xasprintf("{\"domain\":\"%s\"}", name);
    const struct reply *reply = harness_call(harness, "POST", RULES "/api", OLD("1.8.0"), body);
    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "status"), "created");
    auto_free char *path = xasprintf(RULES "/%s/status", reply_text(reply, "$id"));

    reply = harness_call(harness, "PATCH", path, NULL, "{}");

    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "status"), "verified");
    assert_status(harness_call(harness, "PATCH", path, NULL, "{}"), 200);
}

static void clients_below_1_7_have_resources_instead_of_deployments(void **state)
{
    struct harness *harness = *state;
    given_function(harness);

    const struct reply *reply = harness_call(
        harness, "POST", RULES, OLD("1.6.0"),
        "{\"domain\":\"a.example.org\",\"resourceType\":\"function\",\"resourceId\":\"f\"}");

    assert_status(reply, 201);
    assert_string_equal(reply_text(reply, "resourceType"), "function");
    assert_string_equal(reply_text(reply, "resourceId"), "f");
    assert_string_equal(reply_text(reply, "status"), "created");
    assert_null(json_object_get(reply->json, "trigger"));
    assert_null(json_object_get(reply->json, "deploymentResourceId"));
    assert_status(harness_call(harness, "POST", RULES, OLD("1.6.0"),
                               "{\"domain\":\"b.example.org\",\"resourceType\":\"api\"}"),
                  201);

    reply = harness_call(harness, "GET",
                         RULES "?queries[0]=" EQUAL(
                             "resourceType", "function") "&queries[1]=" EQUAL("resourceId", "f"),
                         OLD("1.6.0"), "");
    assert_status(reply, 200);
    assert_int_equal(number(reply, "total"), 2);
}

static void rules_are_listed_filtered_searched_and_deleted(void **state)
{
    struct harness *harness = *state;
    given_function(harness);
    harness_call(harness, "POST", RULES "/api", NULL, "{\"domain\":\"www.example.org\"}");

    const struct reply *reply = harness_call(
        harness, "GET",
        RULES "?queries[0]=" EQUAL("deploymentResourceType",
                                   "function") "&queries[1]=" EQUAL("trigger", "manual"),
        NULL, "");
    assert_int_equal(number(reply, "total"), 1);
    json_t *first = json_array_get(json_object_get(reply->json, "rules"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "domain")),
                        "f.functions.localhost");
    auto_free char *path = xasprintf(RULES "/%s", json_string_value(json_object_get(first, "$id")));

    reply = harness_call(harness, "GET", RULES "?search=www", NULL, "");
    assert_int_equal(number(reply, "total"), 1);
    assert_status(harness_call(harness, "GET", path, NULL, ""), 200);
    assert_status(harness_call(harness, "DELETE", path, NULL, "{}"), 204);
    assert_status(harness_call(harness, "GET", path, NULL, ""), 404);
    assert_null(live(harness, "f.functions.localhost"));
}

static void rules_need_scopes_of_their_own(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", RULES, HEADERS(GUEST), "");

    assert_status(reply, 401);
    assert_string_equal(reply_text(reply, "message"),
                        "User (role: guests) missing scopes ([\"rules.read\"])");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_rule_below_the_functions_domain_is_verified_and_live_at_once),
        TEST(a_domain_has_one_rule),
        TEST(names_that_are_no_domains_or_not_for_functions_are_refused),
        TEST(a_rule_needs_a_function_that_exists),
        TEST(a_rule_can_show_one_deployment_for_ever),
        TEST(a_rule_of_a_branch_shows_its_newest_deployment),
        TEST(a_deleted_deployment_leaves_its_preview_empty),
        TEST(a_redirect_says_where_to),
        TEST(a_rule_of_a_name_nobody_knows_is_not_verified),
        TEST(a_name_of_this_host_is_verified),
        TEST(clients_below_1_7_have_resources_instead_of_deployments),
        TEST(rules_are_listed_filtered_searched_and_deleted),
        TEST(rules_need_scopes_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
