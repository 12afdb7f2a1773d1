/*
 * The api role: hands the descriptors the supervisor prepared to the api, and knows nothing else.
 */
#include <stdlib.h>
#include <sys/prctl.h>

#include "api.h"
#include "cli.h"
#include "error.h"
#include "fd.h"
#include "log.h"
#include "mem.h"

enum {
    LISTEN_FD = 3,
    MESSAGE_FD = 4,
    SETTINGS_FD = 5,
    SETTINGS_BYTES = 1 << 20,
    CANNOT_SERVE = 78
};

static int read_settings(char **ret_lines, struct error *err)
{
    auto_free char *lines = xmalloc(SETTINGS_BYTES + 1);
    int fd = SETTINGS_FD;
    ssize_t got = fd_read_all(fd, lines, SETTINGS_BYTES);

    fd_close(&fd);
    if (got < 0)
        return fail(err, ERROR_INTERNAL, "the role api is started by functiond serve alone");
    lines[got] = '\0';
    *ret_lines = steal(lines);
    return 0;
}

int role_api(int argc, char **argv)
{
    auto_free char *lines = NULL;
    struct error err;

    (void)argc;
    (void)argv;
    prctl(PR_SET_NAME, "functiond-api");
#ifndef __SANITIZE_ADDRESS__ /* the leak checker traces its own process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    if (read_settings(&lines, &err) < 0) {
        log_error("%s", err.message);
        return CANNOT_SERVE;
    }
    fd_set_blocking(MESSAGE_FD, true);
    return api_run(LISTEN_FD, MESSAGE_FD, lines);
}
