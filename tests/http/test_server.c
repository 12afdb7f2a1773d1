/* The HTTP front over real sockets: framing, keep-alive, answers at once and late, leaving clients,
 * limits. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "echo_server.h"
#include "mem.h"
#include "text.h"

enum { MIB = 1 << 20 };

static int setup(void **state)
{
    *state = echo_start(64 * MIB, 30, 500);
    return 0;
}

static int teardown(void **state)
{
    echo_stop(*state);
    return 0;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("\"%s\" is not in: %.2000s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        print_error("\"%s\" is in: %.2000s\n", part, text);
    assert_null(strstr(text, part));
}

/* Sends and compares what stands behind the answer's head. */
static void exchange(int client, const char *request, const char *status, const char *body_end)
{
    echo_send(client, request);
    auto_free char *answer = echo_receive(client, true);
    assert_has(answer, status);
    assert_has(answer, body_end);
}

static void a_request_is_seen_as_it_was_sent(void **state)
{
    int client = echo_connect(*state);
    echo_send(client,
              "PURGE /echo/a%2Fb//c?x=%20&y[]=+&&z HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-b:2\r\n"
              "X-A: 3\r\nX-Empty:\r\nCookie: a=b\r\n\r\n");
    auto_free char *answer = echo_receive(client, true);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Date: ");
    assert_has(answer, "\r\n\r\nPURGE /echo/a%2Fb//c ?x=%20&y[]=+&&z from 127.0.0.1\n"
                       "Host=h\nX-A=1\nx-b=2\nX-A=3\nX-Empty=\nCookie=a=b\nbody:");
    close(client);
}

static void clients_are_told_by_their_addresses(void **state)
{
    const char *const texts[] = { "127.45.200.9", "127.109.0.10", "127.99.100.255" };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int client = echo_connect_from(*state, ntohl(inet_addr(texts[i])));
        auto_free char *said = xasprintf(" from %s\n", texts[i]);
        exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", said);
        close(client);
    }
}

static void an_empty_query_is_empty(void **state)
{
    int client = echo_connect(*state);
    exchange(client, "GET /echo? HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "GET /echo ? from");
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "GET /echo ? from");
    close(client);
}

static void a_connection_serves_many_requests(void **state)
{
    int client = echo_connect(*state);
    for (int i = 0; i < 20; i++) {
        exchange(client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", " 200 ",
                 "body:abc");
        exchange(client, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ndef", " 200 ",
                 "body:def");
    }
    close(client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int client = echo_connect(*state);
    echo_send(
        client,
        "GET /late HTTP/1.1\r\nHost: h\r\n\r\nPOST /post HTTP/1.1\r\nHost: h\r\nContent-Length: "
        "1\r\n"
        "\r\nxGET /echo?3 HTTP/1.1\r\nHost: h\r\n\r\nGET /echo?4 HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *const parts[] = { "GET /late", "POST /post", "GET /echo ?3", "GET /echo ?4" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        auto_free char *answer = echo_receive(client, true);
        assert_has(answer, parts[i]);
    }
    close(client);
}

static void a_request_may_arrive_in_single_bytes(void **state)
{
    int client = echo_connect(*state);
    const char *text = "POST /post?q HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    for (const char *at = text; *at != '\0'; at++)
        assert_int_equal(send(client, at, 1, MSG_NOSIGNAL), 1);
    auto_free char *answer = echo_receive(client, true);
    assert_has(answer, "body:hello");
    close(client);
}

static void chunked_bodies_are_decoded(void **state)
{
    int client = echo_connect(*state);
    exchange(client,
             "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
             " 200 ", "body:abc0123456789");
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "body:");
    close(client);
}

static void continue_is_sent_before_the_body(void **state)
{
    int client = echo_connect(*state);
    echo_send(
        client,
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    auto_free char *go_on = echo_receive(client, false);
    assert_string_equal(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
    exchange(client, "xyz", " 200 ", "body:xyz");
    close(client);
}

static void a_refused_body_is_not_asked_for(void **state)
{
    int client = echo_connect(*state);
    exchange(
        client,
        "POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 401 ", "refused");
    assert_true(echo_is_closed(client));
    close(client);
}

static void a_refusal_keeps_the_connection(void **state)
{
    int client = echo_connect(*state);
    exchange(client, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", " 401 ",
             "refused");
    exchange(client, "GET /refuse HTTP/1.1\r\nHost: h\r\n\r\n", " 401 ", "refused");
    exchange(
        client,
        "POST /refuse HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        " 401 ", "refused");
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "body:");
    close(client);
}

static void head_has_the_length_and_no_body(void **state)
{
    int client = echo_connect(*state);
    echo_send(client, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    auto_free char *answer = echo_receive(client, false);
    assert_has(answer, "Content-Length: 1\r\n");
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK", "body:");
    close(client);
}

static void answer_headers_are_kept_apart(void **state)
{
    int client = echo_connect(*state);
    echo_send(client, "GET /refuse HTTP/1.1\r\nHost: h\r\n\r\n");
    auto_free char *answer = echo_receive(client, true);
    assert_has(answer, "x-block: one\r\nx-block: two\r\n");
    assert_has(answer, "x-empty: ");
    assert_has(answer, "Content-Length: 7\r\n");
    assert_has_not(answer, "999");
    assert_has_not(answer, "x-bad");
    close(client);
}

static void headers_that_do_not_fit_become_an_error(void **state)
{
    int client = echo_connect(*state);
    exchange(client, "GET /wide HTTP/1.1\r\nHost: h\r\n\r\n", " 500 ", "too large");
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "body:");
    close(client);
}

static void a_file_is_answered_from_its_offset(void **state)
{
    int client = echo_connect(*state);
    exchange(client, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n", " 206 ", "\r\n\r\n234567");
    exchange(client, "GET /file HTTP/1.1\r\nHost: h\r\n\r\n", " 206 ", "\r\n\r\n234567");
    close(client);
}

static void late_answers_of_many_connections_arrive(void **state)
{
    enum { CLIENTS = 200 };
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = echo_connect(*state);
        echo_send(clients[i], i % 3 == 0 ? "GET /post HTTP/1.1\r\nHost: h\r\n\r\n"
                                         : "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        auto_free char *answer = echo_receive(clients[i], true);
        assert_has(answer, " 200 ");
        close(clients[i]);
    }
}

static void a_client_that_resets_is_noticed_at_the_answer(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    struct linger reset = { .l_onoff = 1 };
    echo_send(client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    echo_wait(&echo->completes, 1);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client);
    echo_release(echo);
    echo_wait(&echo->ended, 1);
    assert_int_equal(echo->left, 1);
}

static void a_client_that_leaves_during_its_body_ends_the_request(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    echo_send(client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    echo_wait(&echo->heads, 1);
    close(client);
    echo_wait(&echo->ended, 1);
    assert_int_equal(echo->left, 1);
    assert_int_equal(echo->completes, 0);
}

static void open_requests_end_with_the_server(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    echo_send(client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    echo_wait(&echo->completes, 1);
    close(echo_connect(echo));
}

static void open_connections_go_on_when_no_more_are_accepted(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "body:");
    echo_stop_accepting(echo);
    int late = echo_connect(echo); /* the socket is still there, and the caller's */
    echo_send(late, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    exchange(client, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "body:");
    assert_int_equal(echo->heads, 2);
    close(client);
    close(late);
}

static char *letters(size_t bytes)
{
    char *text = xmalloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + i % 26);
    text[bytes] = '\0';
    return text;
}

static void too_large_bodies_are_answered(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    exchange(client, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890",
             " 413 ", "too large");
    exchange(client,
             "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
             "6\r\n012345\r\n6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n",
             " 413 ", "too large");
    exchange(client, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
             " 200 ", "body:0123456789");
    assert_int_equal(echo->too_large, 2);
    close(client);
}

static void a_stream_that_is_refused_comes_again(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    auto_free char *body = letters(3 * MIB);
    echo_send(client, "POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
    echo_send(client, body);
    auto_free char *answer = echo_receive(client, true);
    assert_has(answer, "\r\n\r\n3145728");
    assert_true(echo->refused > 10);
    echo_send(client,
              "POST /stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n");
    body[MIB] = '\0';
    echo_send(client, body);
    exchange(client, "\r\n0\r\n\r\n", " 200 ", "\r\n\r\n1048576");
    close(client);
}

static void a_large_body_comes_back_whole(void **state)
{
    int client = echo_connect(*state);
    auto_free char *body = letters(2 * MIB);
    echo_send(client, "POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 2097152\r\n\r\n");
    echo_send(client, body);
    auto_free char *answer = echo_receive(client, true);
    assert_string_equal(strstr(answer, "body:") + 5, body);
    close(client);
}

/* The answer is the handlers' whoever refuses: us, or libmicrohttpd with a page of its own. */
static void what_is_no_request_is_refused(void **state)
{
    struct echo_server *echo = *state;
    static const struct {
        const char *head, *said;
    } rows[] = {
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
          "Transfer-Encoding: chunked\r\n\r\n",
          "400 framing" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
          "400 framing" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "400 framing" },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "400 " },
        { "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
          "413 " },
        { "GET /echo HTTP/1.1\r\n\r\n", "400 " },
        { "GET /echo HTTP/3.0\r\nHost: h\r\n\r\n", "505 " },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int client = echo_connect(echo);
        auto_free char *start = xasprintf("HTTP/1.1 %.3s ", rows[i].said);
        auto_free char *end = xasprintf("\r\n\r\nrefused: %s", rows[i].said);
        echo_send(client, rows[i].head);
        auto_free char *answer = echo_receive(client, true);
        assert_int_equal(strncmp(answer, start, strlen(start)), 0);
        assert_true(text_ends(answer, end));
        assert_null(strstr(answer + 1, "HTTP/1.1 ")); /* one head */
        assert_null(strstr(answer, "999"));
        assert_null(strstr(answer, "x-bad"));
        assert_has(answer, "x-block: two\r\n");
        assert_true(echo_is_closed(client));
        close(client);
    }
    assert_int_equal(echo->heads, 0);
    assert_int_equal(echo->unread, COUNT(rows));
}

static void a_body_that_breaks_off_in_nonsense_is_refused(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    exchange(client, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
             "HTTP/1.1 400 ", "\r\n\r\nrefused: 400 ");
    assert_true(echo_is_closed(client));
    close(client);
    echo_wait(&echo->ended, 2); /* the request itself, and its refusal */
    assert_int_equal(echo->completes, 0);
}

static void a_head_beyond_its_memory_is_refused(void **state)
{
    struct echo_server *echo = *state;
    int client = echo_connect(echo);
    auto_free char *value = letters(40000);
    auto_free char *request = xasprintf("GET /echo HTTP/1.1\r\nHost: h\r\nX-Long: %s\r\n\r\n",
                                        value);
    exchange(client, request, "HTTP/1.1 431 ", "\r\n\r\nrefused: 431 ");
    close(client);
    client = echo_connect(echo);
    echo_send(client, "GET /");
    echo_send(client, value);
    exchange(client, "", "HTTP/1.1 414 ", "\r\n\r\nrefused: 414 ");
    close(client);
    assert_int_equal(echo->heads, 0);
}

/* ---- servers of their own -------------------------------------------------------------------- */

static void bodies_wait_for_memory(void **state)
{
    enum { CLIENTS = 8 };
    struct echo_server *echo = echo_start(100 * 1024, 30, 500);
    int clients[CLIENTS];
    auto_free char *body = letters(90000);
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = echo_connect(echo);
        echo_send(
            clients[i],
            i % 2 == 0
                ? "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n"
                : "POST /late HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n15F90\r\n");
        echo_send(clients[i], "abc");
    }
    echo_wait(&echo->heads, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        echo_send(clients[i], body + 3);
        if (i % 2 == 1)
            echo_send(clients[i], "\r\n0\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        auto_free char *answer = echo_receive(clients[i], true);
        assert_string_equal(strstr(answer, "body:") + 5, body);
        close(clients[i]);
    }
    echo_stop(echo);
}

static void a_silent_connection_is_closed(void **state)
{
    struct echo_server *echo = echo_start(MIB, 1, 500);
    int client = echo_connect(echo);
    (void)state;
    echo_send(client, "GET /echo HTTP/1.1\r\nHost");
    assert_true(echo_is_closed(client));
    close(client);
    assert_int_equal(echo->heads, 0);
    echo_stop(echo);
}

static void a_head_that_comes_too_slowly_is_not_waited_for(void **state)
{
    struct echo_server *echo = echo_start(MIB, 1, 500);
    int client = echo_connect(echo);
    struct pollfd poll_fd = { .fd = client, .events = POLLIN };
    int bytes = 0;

    (void)state;
    echo_send(client, "GET /echo HTTP/1.1\r\nX: ");
    while (bytes < 40 && poll(&poll_fd, 1, 200) == 0) {
        echo_send(client, "x");
        bytes++;
    }
    assert_in_range(bytes, 2, 39);
    assert_int_equal(echo->heads, 0);
    close(client);
    echo_stop(echo);
}

static void who_only_sits_makes_room_for_who_comes(void **state)
{
    enum { LIMIT = 20, SITTING = 150 };
    struct echo_server *echo = echo_start(MIB, 30, LIMIT);
    int sitting[SITTING], held = echo_connect(echo);

    (void)state;
    echo_send(held, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    echo_wait(&echo->completes, 1);
    for (int i = 0; i < SITTING; i++) {
        sitting[i] = echo_connect(echo);
        echo_send(sitting[i], "GET /echo HTTP/1.1\r\n");
    }
    int client = echo_connect(echo);
    exchange(client, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", " 200 ", "");
    assert_true(echo_is_closed(sitting[0]));
    echo_release(echo); /* who waits for us is not closed */
    auto_free char *answer = echo_receive(held, true);
    assert_has(answer, " 200 ");

    close(client);
    close(held);
    for (int i = 0; i < SITTING; i++)
        close(sitting[i]);
    echo_stop(echo);
}

static void a_chunk_whose_head_does_not_end_is_closed(void **state)
{
    int client = echo_connect(*state);
    auto_free char *extension = letters(100000);

    echo_send(client, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4;");
    echo_send(client, extension);
    assert_true(echo_is_closed(client));
    close(client);
}

static void an_end_right_behind_a_request_is_noticed(void **state)
{
    enum { TIMES = 20 };
    int clients[TIMES];

    for (int i = 0; i < TIMES; i++) {
        clients[i] = echo_connect(*state);
        echo_send(clients[i], "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
        shutdown(clients[i], SHUT_WR);
    }
    for (int i = 0; i < TIMES; i++) {
        auto_free char *answer = echo_receive(clients[i], true);
        assert_has(answer, " 200 ");
        assert_true(echo_is_closed(clients[i]));
        close(clients[i]);
    }
}

static void bodies_that_hardly_move_free_their_memory(void **state)
{
    enum { SLOW = 8, SENT = 40000 };
    struct echo_server *echo = echo_start(256 * 1024, 30, 500);
    auto_free char *begun = letters(SENT);
    int slow[SLOW];

    (void)state;
    for (int i = 0; i < SLOW; i++) {
        slow[i] = echo_connect(echo);
        echo_send(slow[i], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
        echo_send(slow[i], begun);
    }
    echo_wait(&echo->heads, SLOW);
    auto_free char *body = letters(100000);
    auto_free char *request = xasprintf(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n%s", body);
    int client = echo_connect(echo);
    struct timeval patience = { .tv_sec = 20 };
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    exchange(client, request, " 200 ", "");

    close(client);
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    echo_stop(echo);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_request_is_seen_as_it_was_sent),
        SERVED(clients_are_told_by_their_addresses),
        SERVED(an_empty_query_is_empty),
        SERVED(a_connection_serves_many_requests),
        SERVED(pipelined_requests_are_answered_in_order),
        SERVED(a_request_may_arrive_in_single_bytes),
        SERVED(chunked_bodies_are_decoded),
        SERVED(continue_is_sent_before_the_body),
        SERVED(a_refused_body_is_not_asked_for),
        SERVED(a_refusal_keeps_the_connection),
        SERVED(head_has_the_length_and_no_body),
        SERVED(answer_headers_are_kept_apart),
        SERVED(headers_that_do_not_fit_become_an_error),
        SERVED(a_file_is_answered_from_its_offset),
        SERVED(late_answers_of_many_connections_arrive),
        SERVED(a_client_that_resets_is_noticed_at_the_answer),
        SERVED(a_client_that_leaves_during_its_body_ends_the_request),
        SERVED(open_requests_end_with_the_server),
        SERVED(open_connections_go_on_when_no_more_are_accepted),
        SERVED(too_large_bodies_are_answered),
        SERVED(a_stream_that_is_refused_comes_again),
        SERVED(a_large_body_comes_back_whole),
        SERVED(what_is_no_request_is_refused),
        SERVED(a_body_that_breaks_off_in_nonsense_is_refused),
        SERVED(a_head_beyond_its_memory_is_refused),
        SERVED(a_chunk_whose_head_does_not_end_is_closed),
        SERVED(an_end_right_behind_a_request_is_noticed),
        cmocka_unit_test(bodies_wait_for_memory),
        cmocka_unit_test(a_silent_connection_is_closed),
        cmocka_unit_test(a_head_that_comes_too_slowly_is_not_waited_for),
        cmocka_unit_test(who_only_sits_makes_room_for_who_comes),
        cmocka_unit_test(bodies_that_hardly_move_free_their_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
