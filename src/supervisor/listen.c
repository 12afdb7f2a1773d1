/* The listening socket. It outlives the api, so that a restart of the api refuses nobody. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"
#include "inner.h"
#include "mem.h"
#include "text.h"

enum { BACKLOG = 4096, FREE_WAIT_MS = 2000, FREE_STEP_MS = 20 };

/* "host:port" or "[host]:port"; the parts are cut out of copy. */
static int split(char *copy, const char **ret_host, const char **ret_port)
{
    char *colon = strrchr(copy, ':');

    if (colon == NULL || colon == copy || colon[1] == '\0')
        return -1;
    *colon = '\0';
    *ret_port = colon + 1;
    if (copy[0] != '[') {
        *ret_host = text_equals(copy, "localhost") ? "127.0.0.1" : copy;
        return strchr(copy, ':') == NULL ? 0 : -1;
    }
    if (colon[-1] != ']')
        return -1;
    colon[-1] = '\0';
    *ret_host = copy + 1;
    return 0;
}

static int resolve(const char *address, struct addrinfo **ret_info, struct error *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
    auto_free char *copy = xstrdup(address);
    const char *host, *port;

    if (split(copy, &host, &port) < 0 || getaddrinfo(host, port, &hints, ret_info) != 0)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "cannot listen on \"%s\": write an address and a port, such as "
                    "127.0.0.1:8080 or [::]:8080",
                    address);
    return 0;
}

/* The api of a supervisor that was killed a moment ago holds the port until the kernel has ended it
 * too: whoever starts the next one at once need not be told about it. */
static int bind_when_free(int fd, const struct addrinfo *info)
{
    const struct timespec pause = { .tv_nsec = FREE_STEP_MS * 1000000L };

    for (int waited_ms = 0;; waited_ms += FREE_STEP_MS) {
        if (bind(fd, info->ai_addr, info->ai_addrlen) == 0)
            return listen(fd, BACKLOG);
        if (errno != EADDRINUSE || waited_ms >= FREE_WAIT_MS)
            return -1;
        nanosleep(&pause, NULL);
    }
}

static int bind_socket(const struct addrinfo *info, const char *address, int *ret_fd,
                       struct error *err)
{
    auto_fd int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1, off = 0;

    if (fd < 0)
        return fail_errno(err, "cannot listen on %s", address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind_when_free(fd, info) < 0) {
        if (errno == EADDRINUSE)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                        "cannot listen on %s: another program uses that port; "
                        "choose a different one with --listen",
                        address);
        return fail_errno(err, "cannot listen on %s", address);
    }
    *ret_fd = fd_steal(&fd);
    return 0;
}

int listen_open(const char *address, int *ret_fd, uint16_t *ret_port, char **ret_name,
                struct error *err)
{
    struct addrinfo *info = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char host[64], port[8];
    int64_t number;
    int fd = -1;
    int result;

    if (resolve(address, &info, err) < 0)
        return -1;
    result = bind_socket(info, address, &fd, err);
    freeaddrinfo(info);
    if (result < 0)
        return -1;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0 ||
        text_to_int(port, &number) < 0) {
        fd_close(&fd);
        return fail(err, ERROR_INTERNAL, "cannot listen on %s", address);
    }
    *ret_name = xasprintf(strchr(host, ':') != NULL ? "http://[%s]:%s" : "http://%s:%s", host,
                          port);
    *ret_port = (uint16_t)number;
    *ret_fd = fd;
    return 0;
}
