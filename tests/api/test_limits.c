/* Rate limits: who is counted together, what is forgotten, and which setting is said. */
#include "harness.h"

#include <string.h>

#include "mem.h"
#include "origins.h"

static unsigned ask_from(struct harness *harness, const char *address)
{
    auto_free char *header = xasprintf("x-forwarded-for: %s", address);

    return harness_call(harness, "GET", "/v1/graphql?query=%7B__typename%7D",
                        HEADERS(GUEST, header), NULL)
        ->status;
}

static int setup(void **state)
{
    struct harness *harness;
    struct error err;

    if (harness_setup(state) < 0)
        return -1;
    harness = *state;
    proxies_free(harness->api.proxies);
    harness->settings.rate_graphql = 2;
    return proxies_new("127.0.0.1", &harness->api.proxies, &err);
}

static void one_more_than_the_setting_says_is_refused_with_its_name(void **state)
{
    struct harness *harness = *state;

    assert_int_equal(ask_from(harness, "1.1.1.1"), 200);
    assert_true(reply_has_header(&harness->reply, "X-RateLimit-Limit: 2"));
    assert_true(reply_has_header(&harness->reply, "X-RateLimit-Remaining: 1"));
    assert_int_equal(ask_from(harness, "1.1.1.1"), 200);
    assert_int_equal(ask_from(harness, "1.1.1.1"), 429);
    assert_string_equal(reply_text(&harness->reply, "type"), "general_rate_limit_exceeded");
    assert_non_null(strstr(reply_text(&harness->reply, "message"), "rate_graphql"));
    assert_true(reply_has_header(&harness->reply, "X-RateLimit-Remaining: 0"));

    assert_int_equal(ask_from(harness, "1.1.1.2"), 200);
    harness->settings.rate_graphql = 0;
    assert_int_equal(ask_from(harness, "1.1.1.1"), 200);
    assert_null(strstr(harness->reply.headers, "X-RateLimit"));
    harness->settings.rate_graphql = 2;
    assert_int_equal(ask_from(harness, "1.1.1.1"), 429);
    harness->settings.rate_limits = false;
    assert_int_equal(ask_from(harness, "1.1.1.1"), 200);
}

static void the_addresses_of_one_network_are_one_caller(void **state)
{
    struct harness *harness = *state;

    assert_int_equal(ask_from(harness, "2001:db8:0:1::1"), 200);
    assert_int_equal(ask_from(harness, "2001:db8:0:1:ffff::2"), 200);
    assert_int_equal(ask_from(harness, "2001:db8:0:1::3"), 429);
    assert_int_equal(ask_from(harness, "2001:db8:0:2::1"), 200);
    assert_int_equal(ask_from(harness, "::ffff:1.1.1.1"), 200);
    assert_int_equal(ask_from(harness, "::ffff:1.1.1.2"), 200);
    assert_int_equal(ask_from(harness, "1.1.1.1"), 200);
    assert_int_equal(ask_from(harness, "1.1.1.1"), 429);
}

static void a_full_table_forgets_who_was_counted_longest_and_nobody_else(void **state)
{
    struct harness *harness = *state;
    static const char *const callers[] = { "1.1.1.1", "1.1.1.2", "1.1.1.3" };

    /* a longer window outlives them */
    harness->settings.rate_functions = 1;
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, "{}"), 400);
    harness->settings.rate_callers = COUNT(callers) + 1;
    for (size_t i = 0; i < 3 * COUNT(callers); i++)
        assert_int_equal(ask_from(harness, callers[i % COUNT(callers)]),
                         i < 2 * COUNT(callers) ? 200 : 429);
    assert_int_equal(ask_from(harness, "1.1.1.4"), 200);
    for (size_t i = COUNT(callers); i-- > 1;)
        assert_int_equal(ask_from(harness, callers[i]), 429);
    assert_int_equal(ask_from(harness, callers[0]), 200);
    assert_int_equal(ask_from(harness, callers[1]), 200);
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, "{}"), 429);
}

static void keys_are_counted_only_where_the_row_says_so(void **state)
{
    struct harness *harness = *state;
    static const char *const bodies[] = {
        "{\"functionId\":\"a\",\"name\":\"n\",\"runtime\":\"node-22\"}",
        "{\"functionId\":\"b\",\"name\":\"n\",\"runtime\":\"node-22\"}",
        "{\"functionId\":\"c\",\"name\":\"n\",\"runtime\":\"node-22\"}",
    };

    for (unsigned i = 0; i < 5; i++)
        assert_status(
            harness_call(harness, "GET", "/v1/graphql?query=%7B__typename%7D", NULL, NULL), 200);
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, bodies[0]), 201);
    harness->settings.rate_functions = 1;
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, bodies[1]), 201);
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL, bodies[2]), 429);
    assert_non_null(strstr(reply_text(&harness->reply, "message"), "rate_functions"));
}

static void old_formats_limit_executions(void **state)
{
    struct harness *harness = *state;
    static const char *const formats[] = { "1.3.0", "1.4.0" };

    harness->settings.rate_executions = 1;
    for (unsigned i = 0; i < 6; i++) {
        auto_free char *header = xasprintf("x-appwrite-response-format: %s", formats[i % 2]);
        assert_status(harness_call(harness, "POST", "/v1/functions/none/executions",
                                   HEADERS(GUEST, header), "{}"),
                      i % 2 == 1 || i == 0 ? 404 : 429);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_more_than_the_setting_says_is_refused_with_its_name),
        TEST(the_addresses_of_one_network_are_one_caller),
        TEST(a_full_table_forgets_who_was_counted_longest_and_nobody_else),
        TEST(keys_are_counted_only_where_the_row_says_so),
        TEST(old_formats_limit_executions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
