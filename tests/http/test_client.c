/* Fetching: which addresses are public, and what a fetch does against small servers of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "fd.h"
#include "mem.h"
#include "text.h"

enum { REQUEST_BYTES = 4096, FILE_BYTES = 1000 };

/* ---- addresses ------------------------------------------------------------------------------- */

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_address_is_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_address_is_public((const struct sockaddr *)&v6);
}

static void addresses_of_the_internet_are_public(void **state)
{
    static const char *const addresses[] = {
        "1.1.1.1",         "8.8.8.8",        "100.63.255.255",   "100.128.0.0",
        "126.255.255.255", "128.0.0.1",      "172.15.255.255",   "172.32.0.0",
        "192.167.255.255", "198.17.255.255", "198.20.0.0",       "223.255.255.255",
        "2606:4700::1111", "2a00:1450::1",   "64:ff9b::808:808", "2001:200::1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++)
        if (!is_public(addresses[i]))
            fail_msg("%s is refused", addresses[i]);
}

static void private_and_reserved_addresses_are_not(void **state)
{
    static const char *const addresses[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:10.0.0.1",
        "::8.8.8.8",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++)
        if (is_public(addresses[i]))
            fail_msg("%s is taken for public", addresses[i]);
}

static void an_address_of_another_family_is_not_public(void **state)
{
    const struct sockaddr address = { .sa_family = AF_UNIX };

    (void)state;
    assert_false(http_address_is_public(&address));
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(http_same_origin("https://a.test/x", "https://A.test:443/y?z"));
    assert_true(http_same_origin("http://a.test", "http://a.test:80/"));
    assert_false(http_same_origin("http://a.test/", "https://a.test/"));
    assert_false(http_same_origin("https://a.test/", "https://b.test/"));
    assert_false(http_same_origin("https://a.test/", "https://a.test:8443/"));
    assert_false(http_same_origin("file:///a", "file:///a"));
    assert_false(http_same_origin("nonsense", "nonsense"));
}

/* ---- a server of a thread -------------------------------------------------------------------- */

struct served {
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    char answer[FILE_BYTES * 3]; /* to every request */
    char request[REQUEST_BYTES]; /* the last one */
    unsigned count;              /* of requests */
};

static void *serve(void *context)
{
    struct served *served = context;

    for (;;) {
        auto_fd int fd = accept(served->listen_fd, NULL, NULL);
        size_t used = 0;
        ssize_t got;

        if (fd < 0)
            return NULL;
        while ((got = read(fd, served->request + used, REQUEST_BYTES - 1 - used)) > 0) {
            used += (size_t)got;
            served->request[used] = '\0';
            if (strstr(served->request, "\r\n\r\n"))
                break;
        }
        served->count++;
        (void)fd_write_all(fd, served->answer, strlen(served->answer));
    }
}

static void serve_begin(struct served *served)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    *served = (struct served){ .listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(served->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(served->listen_fd, 8), 0);
    assert_int_equal(getsockname(served->listen_fd, (struct sockaddr *)&address, &size), 0);
    served->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&served->thread, NULL, serve, served), 0);
}

static void serve_end(struct served *served)
{
    shutdown(served->listen_fd, SHUT_RDWR); /* wakes accept */
    pthread_join(served->thread, NULL);
    close(served->listen_fd);
}

static int setup(void **state)
{
    struct served *both = xcalloc(2, sizeof *both);

    serve_begin(&both[0]);
    serve_begin(&both[1]);
    *state = both;
    return 0;
}

static int teardown(void **state)
{
    struct served *both = *state;

    serve_end(&both[0]);
    serve_end(&both[1]);
    free(both);
    return 0;
}

struct outcome {
    int result;
    struct http_fetched fetched;
    struct error err;
    char data[FILE_BYTES + 1];
};

/* Fetches http://127.0.0.1:port/file with what `fetch` says and usual values for the rest. */
static struct outcome get(const struct served *served, struct http_fetch fetch)
{
    auto_free char *url = xasprintf("http://127.0.0.1:%u/file", served->port);
    auto_fd int fd = memfd_create("fetched", MFD_CLOEXEC);
    struct outcome outcome = { 0 };

    fetch.url = fetch.url ? fetch.url : url;
    fetch.size_limit = fetch.size_limit ? fetch.size_limit : FILE_BYTES;
    fetch.connect_ms = 5000;
    fetch.total_ms = fetch.total_ms ? fetch.total_ms : 20000;
    outcome.result = http_fetch(&fetch, fd, &outcome.fetched, &outcome.err);
    assert_true(pread(fd, outcome.data, FILE_BYTES, 0) >= 0);
    return outcome;
}

#define ANSWER(served, ...) snprintf((served)->answer, sizeof(served)->answer, __VA_ARGS__)

static void a_file_is_fetched(void **state)
{
    struct served *served = *state;
    ANSWER(served, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");

    struct outcome outcome = get(
        served, (struct http_fetch){ .private_addresses = true,
                                     .headers = (const char *const[]){ "X-Key: 1", NULL } });

    assert_int_equal(outcome.result, 0);
    assert_int_equal(outcome.fetched.status, 200);
    assert_int_equal(outcome.fetched.bytes, 5);
    assert_string_equal(outcome.data, "hello");
    assert_non_null(strstr(served->request, "GET /file HTTP/1.1\r\n"));
    assert_non_null(strstr(served->request, "X-Key: 1\r\n"));
}

static void a_private_address_is_refused_before_a_connection_is_made(void **state)
{
    struct served *served = *state;
    auto_free char *name = xasprintf("http://localhost:%u/", served->port);
    auto_free char *number = xasprintf("http://2130706433:%u/", served->port);
    auto_free char *mapped = xasprintf("http://[::ffff:127.0.0.1]:%u/", served->port);
    const char *const urls[] = { NULL, name, number, mapped };

    for (size_t i = 0; i < COUNT(urls); i++) {
        struct outcome outcome = get(served, (struct http_fetch){ .url = urls[i] });
        assert_int_equal(outcome.result, -1);
        assert_int_equal(outcome.err.type, ERROR_GENERAL_BAD_REQUEST);
        assert_non_null(strstr(outcome.err.message, "private or reserved address"));
    }
    assert_int_equal(served->count, 0);
}

static void the_proxy_of_the_environment_is_not_used(void **state)
{
    struct served *served = *state;
    auto_free char *proxy = xasprintf("http://127.0.0.1:%u", served[1].port);
    ANSWER(served, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nme");
    setenv("http_proxy", proxy, 1);
    setenv("all_proxy", proxy, 1);

    struct outcome outcome = get(served, (struct http_fetch){ .private_addresses = true });

    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_string_equal(outcome.data, "me");
    assert_int_equal(served[1].count, 0);
}

static void a_redirect_is_followed_without_the_headers_of_the_first_host(void **state)
{
    struct served *served = *state, *other = served + 1;
    ANSWER(served,
           "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/there\r\nContent-Length: 4\r\n\r\n"
           "page",
           other->port);
    ANSWER(other, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile");

    struct outcome outcome = get(
        served,
        (struct http_fetch){ .private_addresses = true,
                             .redirects = 1,
                             .headers = (const char *const[]){ "Private-Token: secret", NULL } });

    assert_int_equal(outcome.result, 0);
    assert_string_equal(outcome.data, "file");
    assert_non_null(strstr(served->request, "secret"));
    assert_non_null(strstr(other->request, "GET /there "));
    assert_null(strstr(other->request, "secret"));
}

static void redirects_end_at_the_limit(void **state)
{
    struct served *served = *state;
    ANSWER(served, "HTTP/1.1 301 Moved\r\nLocation: /file\r\nContent-Length: 0\r\n\r\n");

    struct outcome outcome = get(served,
                                 (struct http_fetch){ .private_addresses = true, .redirects = 3 });

    assert_int_equal(outcome.result, -1);
    assert_string_equal(outcome.err.message, "127.0.0.1 redirects more than 3 times.");
    assert_int_equal(served->count, 4);
}

static void a_redirect_leads_to_http_alone(void **state)
{
    static const char *const locations[] = { "file:///etc/passwd", "ftp://127.0.0.1/x",
                                             "gopher://127.0.0.1/x" };
    struct served *served = *state;

    for (size_t i = 0; i < COUNT(locations); i++) {
        ANSWER(served, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
               locations[i]);
        struct outcome outcome = get(
            served, (struct http_fetch){ .private_addresses = true, .redirects = 3 });
        assert_int_equal(outcome.result, -1);
        assert_string_equal(outcome.err.message, "Only http and https addresses are fetched from.");
        assert_string_equal(outcome.data, "");
    }
}

static void an_answer_of_another_status_is_not_written(void **state)
{
    struct served *served = *state;
    ANSWER(served, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");

    struct outcome outcome = get(served, (struct http_fetch){ .private_addresses = true });

    assert_int_equal(outcome.result, 0);
    assert_int_equal(outcome.fetched.status, 404);
    assert_int_equal(outcome.fetched.bytes, 0);
    assert_string_equal(outcome.data, "");
}

static void a_file_that_is_too_large_is_given_up_whatever_it_declares(void **state)
{
    static const char *const heads[] = { "Content-Length: 20\r\n", "", "Connection: close\r\n" };
    struct served *served = *state;

    for (size_t i = 0; i < COUNT(heads); i++) {
        ANSWER(served, "HTTP/1.1 200 OK\r\n%s\r\n01234567890123456789", heads[i]);
        struct outcome outcome = get(
            served, (struct http_fetch){ .private_addresses = true, .size_limit = 19 });
        assert_int_equal(outcome.result, -1);
        assert_string_equal(outcome.err.message, "The file at 127.0.0.1 is larger than 19 bytes.");
    }
}

static void a_file_that_ends_early_is_an_error(void **state)
{
    struct served *served = *state;
    ANSWER(served, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");

    struct outcome outcome = get(served, (struct http_fetch){ .private_addresses = true });

    assert_int_equal(outcome.result, -1);
    assert_true(text_starts(outcome.err.message, "Fetching from 127.0.0.1 failed: "));
}

static void a_stopped_fetch_ends(void **state)
{
    const atomic_bool stop = true;

    struct outcome outcome = get(*state,
                                 (struct http_fetch){ .private_addresses = true, .stop = &stop });

    assert_int_equal(outcome.result, -1);
    assert_string_equal(outcome.err.message, "Fetching from 127.0.0.1 was stopped.");
}

static void a_host_that_says_nothing_ends_with_the_time(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    struct served silent = { .listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    (void)state;
    assert_int_equal(bind(silent.listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(silent.listen_fd, 8), 0); /* connects, but nobody accepts */
    assert_int_equal(getsockname(silent.listen_fd, (struct sockaddr *)&address, &size), 0);
    silent.port = ntohs(address.sin_port);

    struct outcome outcome = get(&silent,
                                 (struct http_fetch){ .private_addresses = true, .total_ms = 200 });

    close(silent.listen_fd);
    assert_int_equal(outcome.result, -1);
    assert_string_equal(outcome.err.message, "127.0.0.1 took too long to answer.");
}

static void sentences_name_what_is_wrong_with_the_address(void **state)
{
    struct served *served = *state;
    auto_free char *user = xasprintf("http://name:word@127.0.0.1:%u/", served->port);
    serve_end(&served[1]);

    struct outcome closed = get(&served[1], (struct http_fetch){ .private_addresses = true });
    struct outcome file = get(served, (struct http_fetch){ .url = "file:///etc/passwd" });
    struct outcome named = get(served,
                               (struct http_fetch){ .url = user, .private_addresses = true });

    serve_begin(&served[1]);
    assert_string_equal(closed.err.message, "127.0.0.1 does not accept connections.");
    assert_string_equal(file.err.message, "Only http and https addresses are fetched from.");
    assert_int_equal(named.result, -1);
    assert_int_equal(served->count, 0);
}

#define WITH_SERVERS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_internet_are_public),
        cmocka_unit_test(private_and_reserved_addresses_are_not),
        cmocka_unit_test(an_address_of_another_family_is_not_public),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        WITH_SERVERS(a_file_is_fetched),
        WITH_SERVERS(a_private_address_is_refused_before_a_connection_is_made),
        WITH_SERVERS(the_proxy_of_the_environment_is_not_used),
        WITH_SERVERS(a_redirect_is_followed_without_the_headers_of_the_first_host),
        WITH_SERVERS(redirects_end_at_the_limit),
        WITH_SERVERS(a_redirect_leads_to_http_alone),
        WITH_SERVERS(an_answer_of_another_status_is_not_written),
        WITH_SERVERS(a_file_that_is_too_large_is_given_up_whatever_it_declares),
        WITH_SERVERS(a_file_that_ends_early_is_an_error),
        cmocka_unit_test(a_host_that_says_nothing_ends_with_the_time),
        WITH_SERVERS(a_stopped_fetch_ends),
        WITH_SERVERS(sentences_name_what_is_wrong_with_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
