/*
 * What an unclean end leaves behind where workers have no user ids of their own: DIR/run/workers
 * has a line for each worker, "boot-id pid start-ticks". A process is ended only if all three are
 * still true of it and it is of our own account; never by its bare pid. Where slots exist the
 * sandbox finds leftovers by their user ids and reads no file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"
#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "text.h"

enum { FILE_BYTES = 1 << 20, SPARE_LINES = 256, BOOT_ID = 37 };

static bool is_used(const struct supervisor *supervisor)
{
    return supervisor->slots.count == 0 && geteuid() != 0;
}

static void read_boot_id(char ret_id[BOOT_ID])
{
    auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_id, BOOT_ID - 1);

    ret_id[got > 0 ? got : 0] = '\0';
}

/* Field 22 of /proc/pid/stat: when the process began, in ticks since boot. 0: there is none, or it
 * is not ours. */
static uint64_t start_ticks(pid_t pid)
{
    char path[40], text[1024];
    auto_fd int fd = -1;
    struct stat status;
    const char *at;
    ssize_t got;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || (got = read(fd, text, sizeof(text) - 1)) <= 0)
        return 0;
    text[got] = '\0';
    at = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static bool end_if_ours(pid_t pid, uint64_t ticks)
{
    auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    /* The descriptor holds the process before its start is looked at, so the pid cannot change
     * hands in between. */
    if (pidfd < 0 || ticks == 0 || start_ticks(pid) != ticks)
        return false;
    return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
}

int leftovers_sweep(struct supervisor *supervisor)
{
    auto_free char *text = NULL;
    char boot_id[BOOT_ID];
    struct error err;
    size_t size;
    int ended = 0;

    if (!is_used(supervisor) ||
        fd_read_file(supervisor->data.run_fd, "workers", FILE_BYTES, &text, &size, &err) < 0)
        return 0;
    read_boot_id(boot_id);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *fields = NULL;
        const char *line_boot_id = strtok_r(line, " ", &fields);
        const char *pid = strtok_r(NULL, " ", &fields), *ticks = strtok_r(NULL, " ", &fields);
        int64_t pid_number, tick_number;

        if (ticks != NULL && text_equals(line_boot_id, boot_id) &&
            text_to_int(pid, &pid_number) == 0 && pid_number > 1 && pid_number <= INT32_MAX &&
            text_to_int(ticks, &tick_number) == 0 &&
            end_if_ours((pid_t)pid_number, (uint64_t)tick_number))
            ended++;
    }
    unlinkat(supervisor->data.run_fd, "workers", 0);
    return ended;
}

static void add_line(struct buffer *out, const char *boot_id, pid_t pid)
{
    buffer_addf(out, "%s %d %" PRIu64 "\n", boot_id, pid, start_ticks(pid));
}

void leftovers_note(struct supervisor *supervisor, const struct child *child)
{
    auto_buffer struct buffer out = { 0 };
    auto_fd int fd = -1;
    char boot_id[BOOT_ID];
    bool anew;

    if (!is_used(supervisor))
        return;
    anew = supervisor->noted_workers >= supervisor->child_count + SPARE_LINES;
    buffer_init(&out, FILE_BYTES);
    read_boot_id(boot_id);
    if (anew) {
        supervisor->noted_workers = 0;
        for (size_t i = 0; i < supervisor->child_count; i++)
            if (supervisor->children[i]->state == CHILD_RUNNING) {
                add_line(&out, boot_id, supervisor->children[i]->process.pid);
                supervisor->noted_workers++;
            }
    } else {
        add_line(&out, boot_id, child->process.pid);
        supervisor->noted_workers++;
    }
    fd = openat(supervisor->data.run_fd, "workers",
                O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (anew ? O_TRUNC : O_APPEND), 0600);
    if (fd < 0 || fd_write_all(fd, out.data, out.size) < 0)
        log_warning("run/workers: %s", strerror(errno));
}
