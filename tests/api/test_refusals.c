/* Who is refused what, and in which words: keys, tokens, projects, origins, parameters, queries. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "clock.h"
#include "exchange.h"
#include "mem.h"

static void assert_refused(const struct reply *reply, unsigned status, const char *type,
                           const char *message)
{
    assert_status(reply, status);
    assert_string_equal(reply_text(reply, "type"), type);
    assert_string_equal(reply_text(reply, "version"), "2.0.0");
    if (message != NULL)
        assert_string_equal(reply_text(reply, "message"), message);
    assert_true(reply_has_header(reply, "Cache-Control: no-cache, no-store, must-revalidate"));
}

/* ---- credentials ----------------------------------------------------------------------------- */

static void a_guest_lacks_the_scope_in_the_words_of_its_format(void **state)
{
    assert_refused(harness_call(*state, "GET", "/v1/functions", HEADERS(GUEST), NULL), 401,
                   "general_unauthorized_scope",
                   "User (role: guests) missing scopes ([\"functions.read\"])");
    assert_refused(harness_call(*state, "GET", "/v1/functions",
                                HEADERS(GUEST, "x-appwrite-response-format: 1.7.0"), NULL),
                   401, "general_unauthorized_scope",
                   "User (role: guests) missing scope (functions.read)");
}

static void a_key_without_the_scope_is_told_which(void **state)
{
    struct harness *harness = *state;
    auto_free char *key = harness_control(
        harness, "{\"command\":\"key.create\",\"arguments\":{\"project\":"
                 "\"default\",\"name\":\"k\",\"scopes\":\"functions.read\"}}");
    auto_free char *header = xasprintf("x-appwrite-key: %s", key);

    assert_status(harness_call(harness, "GET", "/v1/functions", HEADERS(header), NULL), 200);
    assert_refused(harness_call(harness, "POST", "/v1/functions", HEADERS(header), "{}"), 401,
                   "general_unauthorized_scope",
                   "app.default@service.localhost (role: applications) missing scopes "
                   "([\"functions.write\"])");
}

static void unknown_keys_are_refused_and_unknown_kinds_of_keys_are_guests(void **state)
{
    assert_refused(
        harness_call(*state, "GET", "/v1/functions", HEADERS("x-appwrite-key: abc"), NULL), 401,
        "user_unauthorized", NULL);
    assert_refused(
        harness_call(*state, "GET", "/v1/functions", HEADERS("x-appwrite-key: standard_abc"), NULL),
        401, "user_unauthorized", NULL);
    assert_refused(
        harness_call(*state, "GET", "/v1/functions", HEADERS("x-appwrite-key: other_abc"), NULL),
        401, "general_unauthorized_scope", NULL);
    assert_refused(harness_call(*state, "GET", "/v1/functions",
                                HEADERS("x-appwrite-key: dynamic_a.b.c"), NULL),
                   401, "project_key_expired", NULL);
}

static void an_expired_key_is_refused(void **state)
{
    struct harness *harness = *state;
    auto_free char *key = harness_control(
        harness,
        "{\"command\":\"key.create\",\"arguments\":{\"project\":\"default\",\"name\":\"k\","
        "\"scopes\":\"all\",\"expires\":\"2020-01-01\"}}");
    auto_free char *header = xasprintf("x-appwrite-key: %s", key);

    assert_refused(harness_call(harness, "GET", "/v1/functions", HEADERS(header), NULL), 401,
                   "project_key_expired", NULL);
}

static void a_revoked_key_is_worth_nothing_at_once(void **state)
{
    struct harness *harness = *state;
    auto_free char *list = harness_control(
        harness, "{\"command\":\"key.list\",\"arguments\":{\"project\":\"default\"}}");

    list[strcspn(list, "\t")] = '\0';
    auto_free char *request = xasprintf(
        "{\"command\":\"key.revoke\",\"arguments\":{\"project\":\"default\","
        "\"id\":\"%s\"}}",
        list);
    free(harness_control(harness, request));

    assert_status(harness_call(harness, "GET", "/v1/functions", NULL, NULL), 401);
}

static void a_key_names_its_project_when_the_header_does_not(void **state)
{
    assert_status(
        harness_call(*state, "GET", "/v1/functions", HEADERS("x-appwrite-project:"), NULL), 200);
}

static void projects_are_checked_before_keys(void **state)
{
    struct harness *harness = *state;
    free(harness_control(harness, "{\"command\":\"project.create\",\"arguments\":{\"id\":\"other\","
                                  "\"name\":\"Other\"}}"));

    assert_refused(
        harness_call(harness, "GET", "/v1/functions", HEADERS("x-appwrite-project: none"), NULL),
        404, "project_not_found", NULL);
    assert_refused(
        harness_call(harness, "GET", "/v1/functions", HEADERS("x-appwrite-project: console"), NULL),
        401, "general_access_forbidden", NULL);
    assert_refused(
        harness_call(harness, "GET", "/v1/functions", HEADERS("x-appwrite-project: other"), NULL),
        401, "user_unauthorized", NULL);
    assert_refused(
        harness_call(harness, "GET", "/v1/functions", HEADERS(GUEST, "x-appwrite-project:"), NULL),
        401, "general_access_forbidden",
        "No Appwrite project was specified. Please specify your project ID when "
        "initializing your Appwrite SDK.");
}

static void a_signed_key_of_a_project_that_is_gone_is_worth_nothing(void **state)
{
    struct harness *harness = *state;
    static const char *const projects[] = { "default", "gone", "console" };
    static const unsigned statuses[] = { 200, 404, 401 };
    static const char *const kinds[] = { "dynamic", "ephemeral" };

    for (size_t i = 0; i < 2 * COUNT(projects); i++) {
        const struct token token = { .project_id = (char *)(uintptr_t)projects[i / 2],
                                     .function_id = (char[]){ "f" },
                                     .scopes = (char[]){ "[\"functions.read\"]" },
                                     .expires_at = INT64_C(1) << 40 };
        auto_free char *text = token_sign(harness->api.signer, TOKEN_KEY, &token);
        auto_free char *header = xasprintf("x-appwrite-key: %s_%s", kinds[i % 2], text);
        assert_status(harness_call(harness, "GET", "/v1/functions",
                                   HEADERS(header, "x-appwrite-project:"), NULL),
                      statuses[i / 2]);
    }
}

/* However many scopes a row has: what does not fit into a message is cut, not refused. */
static void a_long_list_of_missing_scopes_is_told(void **state)
{
    struct harness *harness = *state;
    const char *scopes[41] = { 0 };
    struct endpoint endpoint = { .auth = AUTH_KEY, .scopes = scopes };
    const struct incoming incoming = { .method = "GET",
                                       .path = "/",
                                       .query = "project=default",
                                       .origin = { .host = "h", .client_ip = "127.0.0.1" } };
    struct call_inside *inside = exchange_new(&harness->api, &incoming);
    bool needs_project;
    struct error err;

    for (size_t i = 0; i + 1 < COUNT(scopes); i++)
        scopes[i] = "functions.read";
    inside->call.endpoint = &endpoint;
    assert_int_equal(auth_check(&inside->call, NULL, &needs_project, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_UNAUTHORIZED_SCOPE);
    assert_true(strlen(err.message) > 400);
    exchange_free(inside);
}

static void a_body_may_name_the_project(void **state)
{
    assert_refused(harness_call(*state, "POST", "/v1/functions",
                                HEADERS(GUEST, "x-appwrite-project:"), "{\"project\":\"default\"}"),
                   401, "general_unauthorized_scope", NULL);
    assert_refused(
        harness_call(*state, "POST", "/v1/functions", HEADERS(GUEST, "x-appwrite-project:"), "{}"),
        401, "general_access_forbidden", NULL);
}

static void a_user_token_is_checked_unless_a_valid_key_stands_beside_it(void **state)
{
    struct harness *harness = *state;
    const struct reply *reply = harness_call(harness, "POST", "/v1/users/bob/jwts", NULL, "{}");
    assert_status(reply, 201);
    auto_free char *header = xasprintf("x-appwrite-jwt: %s", reply_text(reply, "jwt"));

    assert_refused(harness_call(harness, "GET", "/v1/functions", HEADERS(GUEST, header), NULL), 401,
                   "general_unauthorized_scope",
                   " (role: users) missing scopes ([\"functions.read\"])");
    reply = harness_call(harness, "GET", "/v1/functions", HEADERS(GUEST, "x-appwrite-jwt: a.b.c"),
                         NULL);
    assert_refused(reply, 401, "user_jwt_invalid", NULL);
    assert_int_equal(strncmp(reply_text(reply, "message"), "Failed to verify JWT. ", 22), 0);
    assert_status(
        harness_call(harness, "GET", "/v1/functions", HEADERS("x-appwrite-jwt: a.b.c"), NULL), 200);
}

/* ---- origins --------------------------------------------------------------------------------- */

static void every_answer_names_the_origin_it_is_for(void **state)
{
    struct harness *harness = *state;
    const struct reply *reply = harness_call(harness, "GET", "/v1/functions",
                                             HEADERS(GUEST, "origin: https://app.test"), NULL);

    assert_status(reply, 401);
    assert_true(reply_has_header(reply, "Access-Control-Allow-Origin: https://app.test"));
    assert_true(reply_has_header(reply, "Access-Control-Allow-Credentials: true"));
}

static void a_foreign_origin_is_refused_when_origins_are_listed(void **state)
{
    struct harness *harness = *state;
    free(harness->settings.origins);
    harness->settings.origins = xstrdup("https://app.test, *.good.test");

    assert_refused(
        harness_call(harness, "GET", "/v1/ping", HEADERS(GUEST, "origin: https://evil.test"), NULL),
        403, "general_unknown_origin",
        "Invalid Origin. Register your new client (evil.test) as a new Web platform on "
        "your project console dashboard");
    assert_status(harness_call(harness, "GET", "/v1/ping",
                               HEADERS(GUEST, "origin: https://a.good.test"), NULL),
                  200);
    assert_status(harness_call(harness, "GET", "/v1/ping",
                               HEADERS(GUEST, "origin: http://localhost:3000"), NULL),
                  200);
    assert_status(
        harness_call(harness, "GET", "/v1/ping", HEADERS("origin: https://evil.test"), NULL), 200);
}

/* ---- parameters ------------------------------------------------------------------------------ */

#define FUNCTION(fields) "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"" fields "}"

static const struct {
    const char *body, *message; /* NULL: any */
} bodies[] = {
    { "", "Param \"functionId\" is not optional." },
    { "null", "Param \"functionId\" is not optional." },
    { "[]", "Param \"functionId\" is not optional." },
    { "{\"functionId\":null}", "Param \"functionId\" is not optional." },
    { "{\"functionId\":\"_a\"}",
      "Invalid `functionId` param: Parameter must contain at most 36 chars. Valid chars are a-z, "
      "A-Z, 0-9, period, hyphen, and underscore. Can't start with a special char" },
    { "{\"functionId\":\"a\",\"name\":\"\"}",
      "Invalid `name` param: Value must be a valid string and at least 1 chars and no longer than "
      "128 chars" },
    { "{\"functionId\":\"a\",\"name\":5}",
      "Invalid `name` param: Value must be a valid string and at least 1 chars and no longer than "
      "128 chars" },
    { "{\"functionId\":\"a\",\"name\":\"a\\u0000b\"}", NULL },
    { FUNCTION(",\"timeout\":901"),
      "Invalid `timeout` param: Value must be a valid range between 1 and 900" },
    { FUNCTION(",\"timeout\":\"x\""),
      "Invalid `timeout` param: Value must be a valid range between 1 and 900" },
    { FUNCTION(",\"deploymentRetention\":36501"),
      "Invalid `deploymentRetention` param: Value must be a valid range between 0 and 36,500" },
    { FUNCTION(",\"enabled\":\"true\""), "Invalid `enabled` param: Value must be a valid boolean" },
    { FUNCTION(",\"schedule\":\"0 0 30 2 *\""),
      "Invalid `schedule` param: String must be a valid cron expression" },
    { FUNCTION(",\"events\":[\"users\"]"),
      "Invalid `events` param: Value must a valid array no longer than 100 items and Event is not "
      "valid." },
    { FUNCTION(",\"events\":[\"functions.*.create\"]"),
      "Invalid `events` param: Value must a valid array no longer than 100 items and Triggering a "
      "function on a function event is not allowed." },
    { FUNCTION(",\"execute\":\"any\""),
      "Invalid `execute` param: Roles must be an array of strings." },
    { FUNCTION(",\"execute\":[\"*\"]"),
      "Invalid `execute` param: Wildcard role \"*\" has been replaced. Use \"any\" instead." },
    { FUNCTION(",\"execute\":[\"user\"]"),
      "Invalid `execute` param: Role \"user\" must have an ID value." },
    { FUNCTION(",\"execute\":[\"any:x\"]"),
      "Invalid `execute` param: Role \"any\" can not have an ID value." },
    { FUNCTION(",\"execute\":[\"users/x\"]"),
      "Invalid `execute` param: Role \"users\" dimension value is invalid. Must be one of: "
      "verified, unverified." },
    { FUNCTION(",\"execute\":[5]"), "Invalid `execute` param: Every role must be of type string." },
    { FUNCTION(",\"providerPaths\":[\"\"]"),
      "Invalid `providerPaths` param: Value must a valid array no longer than 100 items and Value "
      "must be a valid string and at least 1 chars and no longer than 128 chars" },
    { FUNCTION(",\"buildSpecification\":\"x\""),
      "Invalid `buildSpecification` param: Specification must be one of: s-0.5vcpu-512mb, "
      "s-1vcpu-512mb, s-1vcpu-1gb, s-2vcpu-2gb, s-2vcpu-4gb, s-4vcpu-4gb, s-4vcpu-8gb, "
      "s-8vcpu-4gb, s-8vcpu-8gb" },
    { FUNCTION(",\"providerRepositoryId\":\"r\""),
      "When connecting to VCS (Version Control System), you need to provide \"installationId\" and "
      "\"providerBranch\"." },
    { "{\"a\":1,\"a\":2}", NULL },
    { "{", NULL },
    { "5", NULL },
    { "[1]", NULL },
    { "{\"name\":\"\xff\"}", NULL },
};

static void what_is_wrong_with_a_parameter_is_said_to_the_letter(void **state)
{
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_refused(harness_call(*state, "POST", "/v1/functions", NULL, bodies[i].body), 400,
                       "general_argument_invalid", bodies[i].message);
}

static void json_deeper_than_sixty_four_levels_is_refused(void **state)
{
    char deep[256] = "{\"a\":";
    size_t used = strlen(deep);

    memset(deep + used, '[', 64);
    memset(deep + used + 64, ']', 64);
    strcpy(deep + used + 128, "}");
    assert_refused(harness_call(*state, "POST", "/v1/functions", NULL, deep), 400,
                   "general_argument_invalid", NULL);
}

static void forms_and_multipart_bodies_are_read_like_json(void **state)
{
    static const char multipart[] =
        "--B\r\nContent-Disposition: form-data; name=\"functionId\"\r\n\r\nb\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nB\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"execute[0]\"\r\n\r\nany\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"runtime\"\r\n\r\nnode-22\r\n--B--\r\n";

    assert_status(harness_call(*state, "POST", "/v1/functions",
                               HEADERS("content-type: application/x-www-form-urlencoded"),
                               "functionId=a&name=A&runtime=node-22&execute[]=any&timeout=20&"
                               "enabled=false"),
                  201);
    const struct reply *reply = harness_call(
        *state, "POST", "/v1/functions", HEADERS("content-type: multipart/form-data; boundary=B"),
        multipart);
    assert_status(reply, 201);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(reply->json, "execute"), 0)), "any");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guest_lacks_the_scope_in_the_words_of_its_format),
        TEST(a_key_without_the_scope_is_told_which),
        TEST(unknown_keys_are_refused_and_unknown_kinds_of_keys_are_guests),
        TEST(an_expired_key_is_refused),
        TEST(a_revoked_key_is_worth_nothing_at_once),
        TEST(a_key_names_its_project_when_the_header_does_not),
        TEST(projects_are_checked_before_keys),
        TEST(a_signed_key_of_a_project_that_is_gone_is_worth_nothing),
        TEST(a_long_list_of_missing_scopes_is_told),
        TEST(a_body_may_name_the_project),
        TEST(a_user_token_is_checked_unless_a_valid_key_stands_beside_it),
        TEST(every_answer_names_the_origin_it_is_for),
        TEST(a_foreign_origin_is_refused_when_origins_are_listed),
        TEST(what_is_wrong_with_a_parameter_is_said_to_the_letter),
        TEST(json_deeper_than_sixty_four_levels_is_refused),
        TEST(forms_and_multipart_bodies_are_read_like_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
