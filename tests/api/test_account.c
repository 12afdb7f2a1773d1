/* Accounts that are tokens, and what a console would tell. */
#include "harness.h"

#include <string.h>

#include "mem.h"
#include "token.h"

static char *jwt_of(struct harness *harness, const char *body)
{
    const struct reply *reply = harness_call(harness, "POST", "/v1/users/u1/jwts", NULL, body);

    assert_status(reply, 201);
    return xasprintf("x-appwrite-jwt: %s", reply_text(reply, "jwt"));
}

static void an_account_is_what_its_token_says(void **state)
{
    struct harness *harness = *state;
    auto_free char *jwt = jwt_of(harness, "{\"labels\":[\"vip\"],\"verified\":true}");

    const struct reply *reply = harness_call(harness, "GET", "/v1/account", HEADERS(GUEST, jwt),
                                             "");

    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "$id"), "u1");
    assert_true(json_is_true(json_object_get(reply->json, "emailVerification")));
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(reply->json, "labels"), 0)), "vip");
    assert_true(json_is_object(json_object_get(reply->json, "prefs")));
}

static void guests_and_keys_have_no_account(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", "/v1/account", HEADERS(GUEST), "");
    assert_status(reply, 401);
    assert_string_equal(reply_text(reply, "message"),
                        "User (role: guests) missing scopes ([\"account\"])");

    reply = harness_call(*state, "GET", "/v1/account", NULL, "");
    assert_status(reply, 401);
    assert_string_equal(reply_text(reply, "type"), "general_unauthorized_scope");
}

static void a_token_made_with_a_token_does_not_outlive_it(void **state)
{
    struct harness *harness = *state;
    struct token token;
    struct error err;
    auto_free char *jwt = jwt_of(harness, "{\"duration\":60}");

    const struct reply *reply = harness_call(
        harness, "POST", "/v1/account/jwts",
        HEADERS(GUEST, jwt, "x-appwrite-response-format: 1.8.0"), "{\"duration\":3600}");

    assert_status(reply, 201);
    assert_true(reply_has_header(reply, "X-RateLimit-Limit: 120"));
    int64_t now = loop_realtime_us(harness->api.loop) / 1000000;
    assert_int_equal(
        token_verify(harness->api.signer, TOKEN_USER, reply_text(reply, "jwt"), now, &token, &err),
        0);
    assert_string_equal(token.user_id, "u1");
    assert_true(token.expires_at <= now + 61);
    token_release(&token);
    assert_status(harness_call(harness, "POST", "/v1/account/jwt",
                               HEADERS(GUEST, jwt, "x-appwrite-response-format: 1.5.0"), "{}"),
                  201);
}

static void the_newest_clients_make_no_token_with_a_token(void **state)
{
    struct harness *harness = *state;
    auto_free char *jwt = jwt_of(harness, "{}");

    const struct reply *reply = harness_call(harness, "POST", "/v1/account/jwts",
                                             HEADERS(GUEST, jwt), "{}");

    assert_status(reply, 403);
    assert_string_equal(reply_text(reply, "type"), "user_jwt_creation_denied");
}

static void who_pushes_functions_learns_their_domain(void **state)
{
    const struct reply *reply = harness_call(*state, "GET", "/v1/console/variables", NULL, "");

    assert_status(reply, 200);
    assert_string_equal(reply_text(reply, "_APP_DOMAIN_FUNCTIONS"), "functions.localhost");
    assert_true(json_is_false(json_object_get(reply->json, "_APP_VCS_ENABLED")));
    assert_status(harness_call(*state, "GET", "/v1/console/variables", HEADERS(GUEST), ""), 401);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_account_is_what_its_token_says),
        TEST(guests_and_keys_have_no_account),
        TEST(a_token_made_with_a_token_does_not_outlive_it),
        TEST(the_newest_clients_make_no_token_with_a_token),
        TEST(who_pushes_functions_learns_their_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
