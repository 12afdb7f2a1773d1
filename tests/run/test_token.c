/* Tokens: signed, read back, refused. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"
#include "text.h"
#include "token.h"

static struct token_signer *signer;

static int setup(void **state)
{
    (void)state;
    static const unsigned char secret[32] = "a secret of thirty-two bytes....";
    return token_signer_new(secret, &signer);
}

static int teardown(void **state)
{
    (void)state;
    token_signer_free(signer);
    return 0;
}

static struct token a_user(void)
{
    static char project[] = "demo", user[] = "ann \"x\"", session[] = "", labels[] = "[\"vip\"]",
                teams[] = "[\"t1\",\"t1/owner\"]";
    return (struct token){ .project_id = project,
                           .user_id = user,
                           .session_id = session,
                           .labels = labels,
                           .teams = teams,
                           .verified = true,
                           .expires_at = 1000 };
}

static void test_a_user_token_is_read_back(void **state)
{
    (void)state;
    struct token given = a_user(), token;
    struct error err;
    auto_free char *text = token_sign(signer, TOKEN_USER, &given);
    assert_int_equal(token_verify(signer, TOKEN_USER, text, 999, &token, &err), 0);
    assert_string_equal(token.project_id, "demo");
    assert_string_equal(token.user_id, "ann \"x\"");
    assert_string_equal(token.labels, "[\"vip\"]");
    assert_string_equal(token.teams, "[\"t1\",\"t1/owner\"]");
    assert_true(token.verified);
    assert_int_equal(token.expires_at, 1000);
    token_release(&token);
}

static void test_a_key_token_is_read_back(void **state)
{
    (void)state;
    static char project[] = "demo", function[] = "hello", scopes[] = "[\"functions.read\"]";
    struct token given = {
        .project_id = project, .function_id = function, .scopes = scopes, .expires_at = 1000
    };
    struct token token;
    struct error err;
    auto_free char *text = token_sign(signer, TOKEN_KEY, &given);
    assert_int_equal(token_verify(signer, TOKEN_KEY, text, 0, &token, &err), 0);
    assert_string_equal(token.function_id, "hello");
    assert_string_equal(token.scopes, "[\"functions.read\"]");
    token_release(&token);
    assert_int_equal(token_verify(signer, TOKEN_KEY, text, 1000, &token, &err), -1);
    assert_int_equal(err.type, ERROR_PROJECT_KEY_EXPIRED);
}

static void assert_refused(const char *text, const char *reason)
{
    struct token token;
    struct error err;
    assert_int_equal(token_verify(signer, TOKEN_USER, text, 999, &token, &err), -1);
    assert_int_equal(err.type, ERROR_USER_JWT_INVALID);
    auto_free char *sentence = xasprintf("Failed to verify JWT. Invalid token: %s", reason);
    assert_string_equal(err.message, sentence);
}

static void test_what_is_not_ours_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct token given = a_user(), token;
    struct error err;
    auto_free char *text = token_sign(signer, TOKEN_USER, &given);
    assert_refused("", "Incomplete segments");
    assert_refused("a.b", "Incomplete segments");
    assert_refused("a.b.c.d", "Incomplete segments");
    assert_refused("a.b.c", "Signature failed");
    assert_refused("..", "Signature failed");

    auto_free char *key = token_sign(signer, TOKEN_KEY, &given);
    assert_refused(key, "Signature failed"); /* another kind, another key */

    given.expires_at = 999;
    auto_free char *old = token_sign(signer, TOKEN_USER, &given);
    assert_refused(old, "Expired");

    for (size_t i = 0; text[i] != '\0'; i++) { /* any byte that is changed */
        auto_free char *copy = xstrdup(text);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        int result = token_verify(signer, TOKEN_USER, copy, 0, &token, &err);
        if (result == 0) {
            /* Only bits behind the last byte of the signature are free. */
            assert_int_equal(text[i + 1], '\0');
            token_release(&token);
        }
    }
}

static void test_no_other_algorithm_is_taken(void **state)
{
    (void)state;
    /* Signed with our key, but saying "none": made by hand from what token_sign made. */
    struct token given = a_user();
    auto_free char *text = token_sign(signer, TOKEN_USER, &given);
    auto_free char *header = text_base64url("{\"alg\":\"none\"}", 14);
    const char *payload = strchr(text, '.');
    auto_free char *forged = xasprintf("%s%.*s.", header, (int)(strrchr(text, '.') - payload),
                                       payload);
    assert_refused(forged, "Signature failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user_token_is_read_back),
        cmocka_unit_test(test_a_key_token_is_read_back),
        cmocka_unit_test(test_what_is_not_ours_is_refused_with_a_reason),
        cmocka_unit_test(test_no_other_algorithm_is_taken),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
