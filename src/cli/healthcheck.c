/* functiond healthcheck: one plain HTTP request to our own address, for container engines and the
 * like. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"
#include "error.h"
#include "fd.h"
#include "mem.h"
#include "text.h"

enum { TIMEOUT_SECONDS = 5 };

/* Where "all addresses" is listened on, loopback is asked. */
static int split(char *address, const char **ret_host, const char **ret_port)
{
    char *colon = strrchr(address, ':');
    size_t length;

    if (colon == NULL)
        return -1;
    *colon = '\0';
    *ret_port = colon + 1;
    length = strlen(address);
    if (length > 1 && address[0] == '[' && address[length - 1] == ']') {
        address[length - 1] = '\0';
        address++;
    }
    *ret_host = text_equals(address, "0.0.0.0")     ? "127.0.0.1"
                : text_equals(address, "::")        ? "::1"
                : text_equals(address, "localhost") ? "127.0.0.1"
                                                    : address;
    return 0;
}

static int open_connection(const char *address, struct error *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    const struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
    auto_free char *copy = xstrdup(address);
    struct addrinfo *info;
    const char *host, *port;
    auto_fd int fd = -1;
    int result = -1;

    if (split(copy, &host, &port) < 0 || getaddrinfo(host, port, &hints, &info) != 0)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "\"%s\" is no address", address);
    fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        result = connect(fd, info->ai_addr, info->ai_addrlen);
    }
    freeaddrinfo(info);
    if (result < 0)
        return fail_errno(err, "%s", address);
    return fd_steal(&fd);
}

static int ask(const char *address, struct error *err)
{
    static const char request[] = "GET /v1/health/version HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    auto_fd int fd = open_connection(address, err);
    char answer[16];
    ssize_t got;

    if (fd < 0)
        return -1;
    if (fd_write_all(fd, request, strlen(request)) < 0)
        return fail_errno(err, "%s", address);
    got = fd_read_all(fd, answer, sizeof(answer) - 1);
    if (got < 0)
        return fail_errno(err, "%s", address);
    answer[got] = '\0';
    if (!text_starts(answer, "HTTP/1.1 200"))
        return fail(err, ERROR_INTERNAL, "%s: answered \"%s\"", address, answer);
    return 0;
}

int command_healthcheck(int argc, char **argv)
{
    struct settings settings;
    struct error err;
    int status = EXIT_DONE;

    if (cli_wants_help(argc, argv)) {
        printf("functiond healthcheck [--listen ADDRESS]\n\nAsks the server at the setting listen "
               "for its version. Exit status 0: it answers.\n");
        return EXIT_DONE;
    }
    if (cli_settings(argc, argv, &settings) < 0)
        return EXIT_USAGE;
    if (ask(settings.listen, &err) < 0) {
        fprintf(stderr, "functiond: %s\n", err.message);
        status = EXIT_FAILED;
    }
    settings_release(&settings);
    return status;
}
