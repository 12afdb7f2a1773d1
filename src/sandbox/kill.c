/*
 * Ending a child with everything it started, by the surest means there is: the init of its
 * namespace, its cgroup, its uid; and where there is none of these, its descendants and what
 * carries its tag or its mark.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum {
    ENVIRONMENT_BYTES = 2 * 1024 * 1024,
    STOP_ROUNDS = 40,
    SWEEP_ROUNDS = 500,
    SWEEP_WAIT_US = 10000
};

void live_add(struct sandbox_private *inner, uint64_t worker_id, pid_t pid)
{
    if (inner->live_count < LIVE_MAX) {
        inner->live[inner->live_count++] = (struct live){ .worker_id = worker_id, .pid = pid };
    }
}

void live_remove(struct sandbox_private *inner, pid_t pid)
{
    for (size_t i = 0; i < inner->live_count; i++) {
        if (inner->live[i].pid == pid) {
            inner->live[i] = inner->live[--inner->live_count];
            return;
        }
    }
}

static bool is_known(const struct sandbox_private *inner, pid_t pid)
{
    for (size_t i = 0; i < inner->live_count; i++) {
        if (inner->live[i].pid == pid) {
            return true;
        }
    }
    for (size_t i = 0; i < inner->protected_count; i++) {
        if (inner->protected_pids[i] == pid) {
            return true;
        }
    }
    return pid == inner->supervisor;
}

static char *read_of(pid_t pid, const char *name, size_t limit, size_t *ret_bytes)
{
    char path[64];
    struct error ignored;
    char *data = NULL;
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return fd_read_file(AT_FDCWD, path, limit, &data, ret_bytes, &ignored) == 0 ? data : NULL;
}

/* worker_id NULL: of any worker of this data directory */
static bool carries_mark(const struct sandbox_private *inner, pid_t pid, const uint64_t *worker_id)
{
    size_t bytes = 0;
    auto_free char *environment = read_of(pid, "environ", ENVIRONMENT_BYTES, &bytes);
    char mark[64];
    int length = worker_id != NULL
                     ? snprintf(mark, sizeof(mark), "FUNCTIOND_WORKER=%08x.%llu", inner->mark,
                                (unsigned long long)*worker_id)
                     : snprintf(mark, sizeof(mark), "FUNCTIOND_WORKER=%08x.", inner->mark);
    size_t wanted = (size_t)length + (worker_id != NULL ? 1 : 0); /* with its NUL: 1 is not 12 */
    return environment != NULL && memmem(environment, bytes + 1, mark, wanted) != NULL;
}

static bool is_live(const struct sandbox_private *inner, uint64_t worker_id)
{
    for (size_t i = 0; i < inner->live_count; i++) {
        if (inner->live[i].worker_id == worker_id) {
            return true;
        }
    }
    return false;
}

/* What a worker left whose end is long over. Our own helpers have no tag. */
static bool is_stray(const struct sandbox_private *inner, const struct process *process)
{
    return process->worker_id != 0 && !is_live(inner, process->worker_id) &&
           !is_known(inner, process->pid);
}

static bool is_member(const struct sandbox_private *inner, const struct process *process,
                      const struct sandbox_child *child)
{
    if (process->uid != geteuid() || process->top == 0) {
        return false;
    }
    return processes_is_of(process, child) ||
           (!is_known(inner, process->pid) && carries_mark(inner, process->pid, &child->worker_id));
}

struct members {
    pid_t *pids; /* rising */
    size_t count;
};

static int by_number(const void *left, const void *right)
{
    pid_t one = *(const pid_t *)left, other = *(const pid_t *)right;
    return (one > other) - (one < other);
}

static bool has_member(const struct members *members, pid_t pid)
{
    return members->count != 0 &&
           bsearch(&pid, members->pids, members->count, sizeof(pid), by_number) != NULL;
}

/* Stops whoever belongs to the child, and puts them in place of those who did a look ago. Returns
 * whether somebody is new. */
static bool stop_members(struct sandbox_private *inner, const struct sandbox_child *child,
                         struct members *members)
{
    const struct process_table *table = processes_read(inner, 0);
    struct members now = { .pids = xcalloc(table->count + 1, sizeof(pid_t)) };
    bool is_more = false;
    for (size_t i = 0; i < table->count; i++) {
        pid_t pid = table->rows[i].pid;
        if (!is_member(inner, &table->rows[i], child) && !is_stray(inner, &table->rows[i])) {
            continue;
        }
        now.pids[now.count++] = pid;
        if (!has_member(members, pid)) {
            kill(pid, SIGSTOP);
            is_more = true;
        }
    }
    free(members->pids);
    *members = now;
    return is_more;
}

/*
 * The tree of a child that shares the daemon's uid and has no namespace. All are stopped before any
 * is killed: the stopped cannot fork, keep their children below them and keep the account's limit
 * of processes used up, so that a fork bomb runs out of members that are new.
 */
static void kill_members(struct sandbox_host *host, const struct sandbox_child *child)
{
    struct members members = { 0 };
    int round = 0;
    while (round < STOP_ROUNDS && stop_members(host->inner, child, &members)) {
        round++;
    }
    for (size_t i = 0; i < members.count; i++) {
        kill(members.pids[i], SIGKILL);
    }
    free(members.pids);
}

static bool is_init(const struct sandbox_child *child)
{
    return child->status_fd >= 0;
}

void sandbox_kill(struct sandbox_host *host, const struct sandbox_child *child, uint32_t slot_uid)
{
    struct sandbox_private *inner = host->inner;
    if (child->pid <= 0) {
        return;
    }
    bool is_slot = slot_uid != 0 && inner->use_slots;
    if (!is_init(child) && !is_slot) {
        kill_members(host, child); /* while its descendants still hang below it */
    }
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    if (is_init(child)) {
        return; /* the kernel ends the namespace with it */
    }
    if (child->cgroup[0] != '\0' && cgroup_kill(host, child->cgroup)) {
        return;
    }
    if (is_slot) {
        identity_signal_all(slot_uid, SIGKILL);
    } else {
        kill_members(host, child);
    }
}

static bool has_ended(const struct sandbox_child *child)
{
    struct pollfd end = { .fd = child->pidfd, .events = POLLIN };
    return poll(&end, 1, 0) == 1 && (end.revents & POLLIN) != 0;
}

/* slot_uid 0: the child has none */
static bool is_anybody_left(struct sandbox_private *inner, const struct sandbox_child *child,
                            uint32_t slot_uid)
{
    const struct process_table *table = processes_read(inner, 0);
    for (size_t i = 0; i < table->count; i++) {
        const struct process *process = &table->rows[i];
        if (slot_uid != 0 ? process->uid == slot_uid : is_member(inner, process, child)) {
            return true;
        }
    }
    return false;
}

bool sandbox_is_empty(struct sandbox_host *host, const struct sandbox_child *child,
                      uint32_t slot_uid)
{
    struct sandbox_private *inner = host->inner;
    if (child->pid <= 0) {
        return true;
    }
    if (!has_ended(child)) {
        return false;
    }
    if (is_init(child)) {
        return true;
    }
    if (child->cgroup[0] != '\0' && !cgroup_is_empty(host, child->cgroup)) {
        return false;
    }
    bool is_slot = slot_uid != 0 && inner->use_slots;
    return !is_anybody_left(inner, child, is_slot ? slot_uid : 0) &&
           (is_slot || !is_anybody_left(inner, child, 0)); /* a table is no snapshot: look twice */
}

static int sweep_slots(struct sandbox_host *host)
{
    int killed = 0;
    uint32_t last = 0;
    const struct process_table *table = processes_read(host->inner, 0);
    for (size_t i = 0; i < table->count; i++) {
        uint32_t uid = table->rows[i].uid;
        if (uid < host->uid_first || uid - host->uid_first >= host->uid_count) {
            continue;
        }
        killed++;
        if (uid != last) {
            identity_signal_all(uid, SIGKILL);
            last = uid;
        }
    }
    return killed;
}

static int sweep_marked(struct sandbox_host *host)
{
    int killed = 0;
    const struct process_table *table = processes_read(host->inner, 0);
    for (size_t i = 0; i < table->count; i++) {
        pid_t pid = table->rows[i].pid;
        if (table->rows[i].uid == geteuid() && !is_known(host->inner, pid) &&
            carries_mark(host->inner, pid, NULL)) {
            kill(pid, SIGKILL);
            killed++;
        }
    }
    return killed;
}

int sandbox_sweep(struct sandbox_host *host)
{
    int killed = cgroup_sweep(host);
    bool by_uid = host->uid_count != 0;
    int first = by_uid ? sweep_slots(host) : sweep_marked(host);
    int left = first;
    for (int round = 0; left != 0 && round < SWEEP_ROUNDS; round++) {
        usleep(SWEEP_WAIT_US);
        left = by_uid ? sweep_slots(host) : sweep_marked(host);
    }
    return killed > first ? killed : first; /* both may have counted the same ones */
}

void sandbox_protect(struct sandbox_host *host, pid_t pid)
{
    struct sandbox_private *inner = host->inner;
    inner->protected_count = 1; /* row 0 is the supervisor; an earlier api is gone */
    if (pid > 0) {
        inner->protected_pids[inner->protected_count++] = pid;
    }
    if (inner->refuse_signals) {
        struct error ignored; /* the filter without the new pid stays in force */
        seccomp_build_deny(inner, true, &ignored);
    }
}
