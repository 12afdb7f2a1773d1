/*
 * Who children are: the block of user ids they take one slot each from, and helpers that act as a
 * slot.
 *
 * Two daemons on one host must not share a block, since kill(-1) as a slot ends everything of that
 * uid. So the block is held by a bound abstract socket whose name contains its first id, and
 * remembered in the data directory, which lets the next daemon find what this one left behind.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

enum { BLOCK = 1024, BLOCKS_FIRST = 42000, BLOCKS_END = 60000, SMALL_FILE = 1024 * 1024 };
enum { SERVICE_FIRST = 61184, SERVICE_LAST = 65519 }; /* of systemd's dynamic users and homes */

static const char *const account_files[] = { "/etc/passwd", "/etc/group" };
static const char *const delegation_files[] = { "/etc/subuid", "/etc/subgid" };

static bool overlaps(uint64_t a_first, uint64_t a_last, uint64_t b_first, uint64_t b_last)
{
    return a_first <= b_last && b_first <= a_last;
}

static char *read_whole(const char *path)
{
    struct error ignored;
    char *text = NULL;
    return fd_read_file(AT_FDCWD, path, SMALL_FILE, &text, NULL, &ignored) == 0 ? text : NULL;
}

/* Of a line such as name:x:id, the field with this index, if it is a number. */
static bool number_at(const char *line, int index, uint64_t *ret_number)
{
    char *end = NULL;
    for (; index > 0; index--) {
        line = strchr(line, ':');
        if (line == NULL) {
            return false;
        }
        line++;
    }
    *ret_number = strtoull(line, &end, 10);
    return end != line;
}

/* Third field of name:x:id:... */
static bool is_account_inside(const char *path, uint32_t first, uint32_t last)
{
    auto_free char *text = read_whole(path);
    char *rest = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        uint64_t id;
        if (number_at(line, 2, &id) && id >= first && id <= last) {
            return true;
        }
    }
    return false;
}

/* name:first:count */
static bool is_delegation_inside(const char *path, uint32_t first, uint32_t last)
{
    auto_free char *text = read_whole(path);
    char *rest = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        uint64_t begin, count;
        if (number_at(line, 1, &begin) && number_at(line, 2, &count) && count != 0 &&
            overlaps(first, last, begin, begin + count - 1)) {
            return true;
        }
    }
    return false;
}

static bool is_mapped(uint32_t first, uint32_t last)
{
    auto_free char *text = read_whole("/proc/self/uid_map");
    char *rest = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *next = line; /* three numbers, by the kernel: first inside, first outside, count */
        uint64_t inside = strtoull(next, &next, 10);
        strtoull(next, &next, 10);
        uint64_t count = strtoull(next, &next, 10);
        if (first >= inside && last < inside + count) {
            return true;
        }
    }
    return false;
}

/* NULL: the block may be used; else why not. */
static const char *refusal(const struct sandbox_private *inner, uint32_t first, uint32_t last,
                           bool processes_count)
{
    if (!is_mapped(first, last)) {
        return "not mapped in this user namespace";
    }
    if (overlaps(first, last, SERVICE_FIRST, SERVICE_LAST)) {
        return "overlaps the ids of system services";
    }
    for (size_t i = 0; i < COUNT(account_files); i++) {
        if (is_account_inside(account_files[i], first, last)) {
            return "holds an account or group";
        }
    }
    for (size_t i = 0; i < COUNT(delegation_files); i++) {
        if (is_delegation_inside(delegation_files[i], first, last)) {
            return "is delegated in subuid or subgid";
        }
    }
    for (size_t i = 0; processes_count && i < inner->processes.count; i++) {
        if (inner->processes.rows[i].uid >= first && inner->processes.rows[i].uid <= last) {
            return "is used by a running process";
        }
    }
    return NULL;
}

static int lock_block(uint32_t first)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "functiond-uids-%u",
                          first / BLOCK);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0) {
        return -1;
    }
    return fd_steal(&fd);
}

static void take(struct sandbox_host *host, uint32_t first, uint32_t last, int lock)
{
    host->uid_first = first;
    host->uid_count = last - first + 1;
    host->inner->uid_lock = lock;
    char path[600], text[64];
    snprintf(path, sizeof(path), "%s/run/uids", host->inner->data_directory);
    int length = snprintf(text, sizeof(text), "%u-%u\n", first, last);
    struct error ignored;
    fd_write_file(AT_FDCWD, path, text, (size_t)length, 0600,
                  &ignored); /* only the next sweep would miss it */
}

static bool parse_range(const char *text, uint32_t *ret_first, uint32_t *ret_last)
{
    char *end = NULL;
    uint64_t first = strtoull(text, &end, 10);
    if (*end != '-') {
        return false;
    }
    uint64_t last = strtoull(end + 1, &end, 10);
    end += strspn(end, " \n");
    if (*end != '\0' || first == 0 || last < first || last - first >= 1u << 20 ||
        last > UINT32_MAX) {
        return false;
    }
    *ret_first = (uint32_t)first;
    *ret_last = (uint32_t)last;
    return true;
}

static bool choose_remembered(struct sandbox_host *host)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/run/uids", host->inner->data_directory);
    auto_free char *text = read_whole(path);
    uint32_t first, last;
    /* The account of the api can write this file: it may say which of our own blocks, no more. */
    if (text == NULL || !parse_range(text, &first, &last) || first < BLOCKS_FIRST ||
        first % BLOCK != BLOCKS_FIRST % BLOCK || last != first + BLOCK - 1 || last >= BLOCKS_END ||
        refusal(host->inner, first, last, false) != NULL) {
        return false;
    }
    int lock = lock_block(first);
    if (lock < 0) {
        return false;
    }
    take(host, first, last, lock);
    return true;
}

int identity_choose(struct sandbox_host *host, const char *uid_range, struct error *err)
{
    uint32_t first, last;
    if (!text_is_empty(uid_range)) {
        if (!parse_range(uid_range, &first, &last)) {
            return fail(err, ERROR_INTERNAL, "setting uid_range: \"%s\" is not first-last",
                        uid_range);
        }
        const char *why = refusal(host->inner, first, last, false);
        if (why != NULL) {
            return fail(err, ERROR_INTERNAL, "setting uid_range: %u-%u: %s", first, last, why);
        }
        int lock = lock_block(first);
        if (lock < 0) {
            return fail(err, ERROR_INTERNAL, "setting uid_range: %u-%u: another daemon uses it",
                        first, last);
        }
        take(host, first, last, lock);
        return 0;
    }
    if (choose_remembered(host)) {
        return 0;
    }
    const char *why = "none tried";
    for (first = BLOCKS_FIRST; first + BLOCK <= BLOCKS_END; first += BLOCK) {
        const char *this_one = refusal(host->inner, first, first + BLOCK - 1, true);
        int lock = this_one == NULL ? lock_block(first) : -1;
        if (lock >= 0) {
            take(host, first, first + BLOCK - 1, lock);
            return 0;
        }
        why = this_one != NULL ? this_one : "another daemon uses it";
    }
    return fail(err, ERROR_INTERNAL, "no free block of %d user ids; the last one tried: %s", BLOCK,
                why);
}

bool identity_hold(const struct sandbox_host *host, uint32_t first, int *ret_lock)
{
    if (host->inner->uid_lock >= 0 && first / BLOCK == host->uid_first / BLOCK) {
        return true;
    }
    int lock = lock_block(first);
    if (lock < 0) {
        return false;
    }
    *ret_lock = lock;
    return true;
}

void identity_release(struct sandbox_host *host)
{
    fd_close(&host->inner->uid_lock);
}

int identity_run_as(uint32_t uid, int (*routine)(void *context), void *context)
{
    pid_t pid = fork();
    if (pid < 0) {
        return -1;
    }
    if (pid == 0) {
        if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, uid, uid, uid) != 0 ||
            syscall(SYS_setresuid, uid, uid, uid) != 0) {
            _exit(127);
        }
        _exit(routine(context) == 0 ? 0 : 1);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int signal_everybody(void *context)
{
    return kill(-1, *(int *)context) == 0 || errno == ESRCH ? 0 : -1;
}

int identity_signal_all(uint32_t uid, int signal)
{
    if (uid == 0) {
        return -1; /* never as root */
    }
    return identity_run_as(uid, signal_everybody, &signal);
}
