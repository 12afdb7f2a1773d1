/*
 * What interpreters this host has. Each candidate is asked for its version by running it:
 * posix_spawn with a pipe, since the process that asks must never fork, and a limit, since a
 * candidate may be anything.
 */
#include "runtimes_private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "log.h"
#include "mem.h"
#include "text.h"

enum {
    ANSWER_US = 2000000, /* how long an interpreter may take to tell its version */
    ANSWER_BYTES = 256,
    INTERPRETERS_MOST = 64
};

static const char *const directories[] = { "/usr/local/bin", "/usr/bin" };

/* Starts `path --version` with its output in write_end. */
static int spawn_version(const char *path, int write_end, pid_t *ret_pid)
{
    char *const argv[] = { (char *)(uintptr_t)path, (char *)(uintptr_t) "--version", NULL };
    char *const envp[] = { (char *)(uintptr_t) "PATH=/usr/local/bin:/usr/bin:/bin",
                           (char *)(uintptr_t) "LANG=C.UTF-8", NULL };
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    int failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) ||
                 posix_spawn_file_actions_adddup2(&actions, write_end, 1) ||
                 posix_spawn_file_actions_adddup2(&actions, write_end, 2) ||
                 posix_spawn(ret_pid, path, &actions, NULL, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? -1 : 0;
}

/* Until the end of the output, the limit of bytes or of time. */
static size_t read_answer(int fd, char *answer, size_t room)
{
    int64_t until = clock_monotonic_us() + ANSWER_US;
    size_t size = 0;
    while (size < room) {
        int64_t left_ms = (until - clock_monotonic_us()) / 1000;
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            break;
        ssize_t got = read(fd, answer + size, room - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    return size;
}

/* What `path --version` prints, as text; "" if it does not answer. */
static void ask_version(const char *path, char ret_answer[ANSWER_BYTES])
{
    auto_fd int read_end = -1;
    auto_fd int write_end = -1;
    struct error ignored;
    pid_t pid;
    ret_answer[0] = '\0';
    if (access(path, X_OK) < 0 || fd_pipe(&read_end, &write_end, &ignored) < 0)
        return;
    if (spawn_version(path, write_end, &pid) < 0)
        return;
    fd_close(&write_end);
    size_t size = read_answer(read_end, ret_answer, ANSWER_BYTES - 1);
    ret_answer[size] = '\0';
    kill(pid, SIGKILL); /* it has answered, or it never will */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* "v20.20.2" or "Python 3.11.2" to its numbers; the text behind the prefix is cut at the version's
 * end. */
static bool parse_version(char *answer, const char *prefix, const char **ret_version,
                          int *ret_major, int *ret_minor)
{
    if (!text_starts(answer, prefix))
        return false;
    char *version = answer + strlen(prefix);
    size_t length = strspn(version, "0123456789.");
    char *dot = NULL;
    long major = strtol(version, &dot, 10);
    if (length == 0 || length > 32 || *dot != '.' || !isdigit((unsigned char)dot[1]) ||
        major > 9999)
        return false;
    long minor = strtol(dot + 1, NULL, 10);
    if (minor > 9999)
        return false;
    version[length] = '\0';
    *ret_version = version;
    *ret_major = (int)major;
    *ret_minor = (int)minor;
    return true;
}

static bool is_known(const struct runtimes *runtimes, const char *path)
{
    for (size_t i = 0; i < runtimes->count; i++)
        if (text_equals(runtimes->interpreters[i].path, path))
            return true;
    return false;
}

static bool has_version(const struct runtimes *runtimes, const struct runtime_family *family,
                        int major, int minor)
{
    for (size_t i = 0; i < runtimes->count; i++) {
        const struct interpreter *other = &runtimes->interpreters[i];
        if (other->family == family && other->major == major &&
            (family->version_parts < 2 || other->minor == minor))
            return true;
    }
    return false;
}

bool runtimes_add(struct runtimes *runtimes, const struct runtime_family *family, const char *path)
{
    auto_free char *resolved = realpath(path, NULL);
    if (!resolved)
        return false;
    if (is_known(runtimes, resolved))
        return true;
    char answer[ANSWER_BYTES];
    const char *version;
    int major, minor;
    ask_version(resolved, answer);
    if (!parse_version(answer, family->version_prefix, &version, &major, &minor))
        return false;
    if (has_version(runtimes, family, major, minor) || runtimes->count >= INTERPRETERS_MOST)
        return true;
    runtimes->interpreters[runtimes->count++] = (struct interpreter){
        .family = family,
        .path = xstrdup(resolved),
        .version = xstrdup(version),
        .major = major,
        .minor = minor,
    };
    return true;
}

static bool is_program(const struct runtime_family *family, const char *name)
{
    for (const char *const *pattern = family->programs; *pattern; pattern++)
        if (fnmatch(*pattern, name, 0) == 0)
            return true;
    return false;
}

static void add_directory(struct runtimes *runtimes, const char *directory)
{
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    struct dirent **entries = NULL;
    int found = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        for (size_t k = 0; k < count; k++) {
            if (!is_program(&families[k], entries[i]->d_name))
                continue;
            auto_free char *path = xasprintf("%s/%s", directory, entries[i]->d_name);
            runtimes_add(runtimes, &families[k], path);
        }
        free(entries[i]);
    }
    free(entries);
}

static void add_named(struct runtimes *runtimes, const char *path)
{
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    for (size_t i = 0; i < count; i++)
        if (path[0] == '/' && runtimes_add(runtimes, &families[i], path))
            return;
    log_warning("runtime path %s: no interpreter that is known here", path);
}

int runtimes_detect(const char *extra_paths, struct runtimes **ret_runtimes, struct error *err)
{
    (void)err; /* nothing installed is an answer too */
    struct runtimes *runtimes = xcalloc(1, sizeof(*runtimes));
    runtimes->interpreters = xcalloc(INTERPRETERS_MOST, sizeof(*runtimes->interpreters));

    auto_free char *list = xstrdup(extra_paths ? extra_paths : "");
    char *rest = NULL;
    for (char *path = strtok_r(list, ", ", &rest); path; path = strtok_r(NULL, ", ", &rest))
        add_named(runtimes, path);
    for (size_t i = 0; i < COUNT(directories); i++)
        add_directory(runtimes, directories[i]);
    *ret_runtimes = runtimes;
    return 0;
}
