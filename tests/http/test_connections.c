/* Who is looked at, and who must go: over real sockets, with a clock that the tests move on. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "echo_server.h"
#include "mem.h"

enum { MIB = 1 << 20 };

/* ---- instead of the C library's -------------------------------------------------------------- */

static atomic_int ahead; /* seconds */
static atomic_int peeks; /* since a clock was read, which every turn of the loop begins with */
static atomic_int most_peeks;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    long result = syscall(SYS_clock_gettime, clock, ret_time);

    ret_time->tv_sec += ahead;
    peeks = 0;
    return (int)result;
}

ssize_t recv(int fd, void *ret_data, size_t bytes, int flags)
{
    if ((flags & MSG_PEEK) != 0 && ++peeks > most_peeks)
        most_peeks = peeks;
    return recvfrom(fd, ret_data, bytes, flags, NULL, NULL);
}

/* ---- answers that are read, and those that are not ------------------------------------------- */

static void pass(int seconds)
{
    const struct timespec pause = { .tv_nsec = 20 * 1000000 };

    nanosleep(&pause, NULL);
    ahead += seconds;
}

/* Until it begins to be answered. */
static int ask_for(struct echo_server *echo, const char *body)
{
    int client = echo_connect(echo), buffer = 256 * 1024;
    struct pollfd answer = { .fd = client, .events = POLLIN };
    auto_free char *head = xasprintf(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", strlen(body));

    setsockopt(client, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    echo_send(client, head);
    echo_send(client, body);
    assert_int_equal(poll(&answer, 1, 5000), 1);
    return client;
}

/* At most this much; less: the end. */
static size_t read_some(int client, size_t most)
{
    static char data[MIB];
    size_t have = 0;
    ssize_t got = 1;

    while (have < most && got > 0) {
        got = recv(client, data, most - have < MIB ? most - have : MIB, 0);
        have += got > 0 ? (size_t)got : 0;
    }
    return have;
}

static void only_who_hardly_reads_makes_room(void **state)
{
    enum { BODY = 24 * MIB, A_SECOND = 256 * 1024, LIMIT = 2, ALONE = 45, FULL = 15 };
    struct echo_server *echo = echo_start(64 * MIB, 600, LIMIT);
    auto_free char *body = xmalloc(BODY + 1);
    size_t taken = 0;

    (void)state;
    memset(body, 'a', BODY);
    body[BODY] = '\0';
    int reader = ask_for(echo, body), sitter = ask_for(echo, body), third = -1;
    for (int second = 0; second < ALONE + FULL; second++) {
        if (second == ALONE)
            third = echo_connect(echo);
        taken += read_some(reader, A_SECOND);
        pass(1);
    }
    taken += read_some(reader, (size_t)BODY - taken);
    assert_int_equal(taken, BODY);
    assert_true(read_some(sitter, BODY) < BODY);
    close(reader);
    close(sitter);
    close(third);
    echo_stop(echo);
}

/* ---- many ------------------------------------------------------------------------------------ */

static void all_are_looked_at_and_few_at_once(void **state)
{
    enum { SITTING = 1500, ENDING = 20, AT_ONCE = 1024 };
    struct rlimit files;
    static int sitting[SITTING];
    int ending[ENDING];

    (void)state;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * SITTING + 200)
        skip();
    struct echo_server *echo = echo_start(MIB, 600, 2 * SITTING);
    for (int i = 0; i < SITTING; i++) {
        sitting[i] = echo_connect(echo);
        echo_send(sitting[i], "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
        free(echo_receive(sitting[i], true));
    }
    for (int i = 0; i < ENDING; i++) {
        ending[i] = echo_connect(echo);
        echo_send(ending[i], "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
        shutdown(ending[i], SHUT_WR);
    }
    for (int i = 0; i < ENDING; i++) {
        assert_true(echo_is_closed(ending[i]));
        close(ending[i]);
    }
    echo_wait(&most_peeks, AT_ONCE / 2);
    assert_true(most_peeks <= AT_ONCE);
    for (int i = 0; i < SITTING; i++)
        close(sitting[i]);
    echo_stop(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_hardly_reads_makes_room),
        cmocka_unit_test(all_are_looked_at_and_few_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
