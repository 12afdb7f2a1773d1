/* Whom a request comes from: what proxies are believed, and what of them. */
#include "harness.h"

#include <string.h>

#include "mem.h"
#include "origins.h"

#define LINES 4

static const struct {
    const char *trusted, *peer;
    struct http_header headers[LINES];
    const char *client, *host;
    bool https;
} cases[] = {
    /* nobody is believed unless named */
    { "", "127.0.0.1", { { "X-Forwarded-For", "1.1.1.1" } }, "127.0.0.1", "h", false },
    { "10.0.0.1",
      "127.0.0.1",
      { { "X-Forwarded-For", "1.1.1.1" },
        { "X-Forwarded-Host", "evil" },
        { "X-Forwarded-Proto", "https" } },
      "127.0.0.1",
      "h",
      false },
    { "127.0.0.1", "127.0.0.1", { { 0 } }, "127.0.0.1", "h", false },

    /* the proxy's own word is the last one, whatever stands before it */
    { "127.0.0.1",
      "127.0.0.1",
      { { "X-Forwarded-For", "6.6.6.6, 1.1.1.1" } },
      "1.1.1.1",
      "h",
      false },
    { "127.0.0.1",
      "127.0.0.1",
      { { "X-Forwarded-For", "6.6.6.6" }, { "x-forwarded-for", "1.1.1.1" } },
      "1.1.1.1",
      "h",
      false },
    { "127.0.0.1, 10.0.0.0/8",
      "127.0.0.1",
      { { "X-Forwarded-For", "6.6.6.6, 1.1.1.1" },
        { "X-Forwarded-For", "10.1.2.3" },
        { "X-Forwarded-For", "10.200.0.1" } },
      "1.1.1.1",
      "h",
      false },
    /* a proxy that forwards for itself */
    { "127.0.0.1, 10.0.0.0/8",
      "127.0.0.1",
      { { "X-Forwarded-For", "10.1.2.3" }, { "X-Forwarded-For", "" } },
      "10.1.2.3",
      "h",
      false },
    /* nothing behind a word that is no address counts */
    { "127.0.0.1, 10.0.0.0/8",
      "127.0.0.1",
      { { "X-Forwarded-For", "6.6.6.6, unknown" }, { "X-Forwarded-For", " 10.1.2.3\t,, " } },
      "10.1.2.3",
      "h",
      false },
    { "127.0.0.1", "127.0.0.1", { { "X-Forwarded-For", "6.6.6.6,1:2" } }, "127.0.0.1", "h", false },
    /* with ports, and IPv6 */
    { "::1", "::1", { { "X-Forwarded-For", "1.1.1.1:4711" } }, "1.1.1.1", "h", false },
    { "::1", "::1", { { "X-Forwarded-For", "[2001:db8::1]:443" } }, "2001:db8::1", "h", false },
    { "2001:db8::/32",
      "2001:db8::5",
      { { "X-Forwarded-For", "6.6.6.6, 2001:db9::1,2001:db8::2" } },
      "2001:db9::1",
      "h",
      false },
    { "127.0.0.1",
      "::ffff:127.0.0.1",
      { { "X-Forwarded-For", "1.1.1.1" } },
      "1.1.1.1",
      "h",
      false },

    /* host and scheme */
    { "127.0.0.1",
      "127.0.0.1",
      { { "X-Forwarded-Host", "Evil" },
        { "X-Forwarded-Proto", "https" },
        { "X-Forwarded-Host", "evil, Good.test:81" },
        { "X-Forwarded-Proto", "http" } },
      "127.0.0.1",
      "good.test",
      false },
    { "127.0.0.1",
      "127.0.0.1",
      { { "X-Forwarded-Host", "" }, { "X-Forwarded-Proto", "http, HTTPS" } },
      "127.0.0.1",
      "h",
      true },
};

static void only_what_a_trusted_proxy_added_is_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_header headers[LINES + 1] = { { "Host", "H:80" } };
        struct arena arena = { 0 };
        struct proxies *proxies;
        struct origin origin;
        struct error err;
        size_t count = 1;

        while (count <= LINES && cases[i].headers[count - 1].name != NULL) {
            headers[count] = cases[i].headers[count - 1];
            count++;
        }
        assert_int_equal(proxies_new(cases[i].trusted, &proxies, &err), 0);
        proxies_origin(proxies, &arena, cases[i].peer, headers, count, &origin);
        if (strcmp(origin.client_ip, cases[i].client) != 0 ||
            strcmp(origin.host_name, cases[i].host) != 0 || origin.https != cases[i].https)
            fail_msg("case %zu: client %s, host %s, https %d", i, origin.client_ip,
                     origin.host_name, origin.https);
        arena_release(&arena);
        proxies_free(proxies);
    }
}

static void a_proxy_that_is_no_address_is_refused(void **state)
{
    static const char *const lists[] = { "proxy.test", "10.0.0.0/33", "::1/129", "10.0.0.0/-1",
                                         "/8" };

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct proxies *proxies;
        struct error err;
        assert_int_equal(proxies_new(lists[i], &proxies, &err), -1);
        assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    }
}

static void an_address_is_counted_as_what_one_customer_has(void **state)
{
    static const char *const rows[][2] = {
        { "192.0.2.1", "192.0.2.1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
        { "2001:db8:1:2::", "2001:db8:1:2::" },
        { "::1", "::" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char owner[ADDRESS_OWNER_SIZE];
        address_owner(rows[i][0], owner);
        assert_string_equal(owner, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_trusted_proxy_added_is_believed),
        cmocka_unit_test(a_proxy_that_is_no_address_is_refused),
        cmocka_unit_test(an_address_is_counted_as_what_one_customer_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
