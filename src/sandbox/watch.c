/*
 * How much memory and how many processes a tree holds, and changing the limits of one that runs.
 * With cgroups the kernel counts and enforces; without, the sum of resident sizes is the first look
 * and the proportional sizes the exact one, and processes are counted where they share the daemon's
 * uid.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum { TABLE_AGE_US = 50000, ROLLUP_BYTES = 8192 };

static bool is_counted(const struct sandbox_host *host, const struct process *process,
                       const struct sandbox_child *child, uint32_t slot_uid)
{
    if (slot_uid != 0 && host->inner->use_slots) {
        return process->uid == slot_uid;
    }
    return processes_is_of(process, child);
}

/* What lies in the child's own /tmp counts as memory: it is a tmpfs. */
static uint64_t tmpfs_bytes(const struct sandbox_host *host, const struct sandbox_child *child)
{
    char path[64];
    struct statfs status;
    if (!host->inner->use_namespaces) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/%d/root/tmp", child->pid);
    if (statfs(path, &status) != 0) {
        return 0;
    }
    return (uint64_t)(status.f_blocks - status.f_bfree) * (uint64_t)status.f_bsize;
}

/* Shared pages count in parts; falls back to the resident size where the kernel does not let us
 * look. */
static uint64_t proportional_bytes(const struct process *process)
{
    char path[64];
    struct error ignored;
    auto_free char *text = NULL;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process->pid);
    if (fd_read_file(AT_FDCWD, path, ROLLUP_BYTES, &text, NULL, &ignored) != 0) {
        return process->resident_bytes;
    }
    const char *at = strstr(text, "\nPss:");
    return at != NULL ? strtoull(at + 5, NULL, 10) * 1024 : process->resident_bytes;
}

static uint64_t sum(struct sandbox_host *host, const struct sandbox_child *child, uint32_t slot_uid,
                    bool exact)
{
    const struct process_table *table = processes_read(host->inner, TABLE_AGE_US);
    uint64_t bytes = tmpfs_bytes(host, child);
    for (size_t i = 0; i < table->count; i++) {
        const struct process *process = &table->rows[i];
        if (is_counted(host, process, child, slot_uid)) {
            bytes += exact ? proportional_bytes(process) : process->resident_bytes;
        }
    }
    return bytes;
}

uint64_t sandbox_memory(struct sandbox_host *host, const struct sandbox_child *child,
                        uint32_t slot_uid)
{
    uint64_t bytes = 0;
    if (child->pid <= 0) {
        return 0;
    }
    if (child->cgroup[0] != '\0' && cgroup_memory(host, child->cgroup, &bytes)) {
        return bytes;
    }
    return sum(host, child, slot_uid, false);
}

bool sandbox_is_over_memory(struct sandbox_host *host, const struct sandbox_child *child,
                            uint32_t slot_uid, uint64_t limit_bytes)
{
    if (child->pid <= 0) {
        return false;
    }
    if (child->cgroup[0] != '\0') {
        return cgroup_oom_kills(host, child->cgroup) != 0;
    }
    return limit_bytes != 0 && sum(host, child, slot_uid, false) > limit_bytes &&
           sum(host, child, slot_uid, true) > limit_bytes;
}

bool sandbox_is_over_processes(struct sandbox_host *host, const struct sandbox_child *child,
                               uint32_t slot_uid, uint32_t limit_tasks)
{
    const struct sandbox_private *inner = host->inner;
    bool kernel_holds = child->cgroup[0] != '\0' || (slot_uid != 0 && inner->use_slots) ||
                        inner->use_user_namespace;
    if (child->pid <= 0 || limit_tasks == 0 || kernel_holds) {
        return false;
    }
    const struct process_table *table = processes_read(host->inner, TABLE_AGE_US);
    uint64_t tasks = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (processes_is_of(&table->rows[i], child)) {
            tasks += table->rows[i].tasks;
        }
    }
    return tasks > limit_tasks;
}

bool sandbox_hit_memory(struct sandbox_host *host, const struct sandbox_child *child)
{
    return child->cgroup[0] != '\0' && cgroup_oom_kills(host, child->cgroup) != 0;
}

struct change {
    const struct sandbox_limit *limit;
    const struct process_table *table;
    const struct sandbox_child *child;
    const struct sandbox_host *host;
    uint32_t slot_uid;
};

/* May run in a helper that took the slot's uid: another uid's limits are only changed with a right
 * we may not have. */
static int change_limits(void *context)
{
    const struct change *change = context;
    struct rlimit data = { change->limit->memory_bytes, change->limit->memory_bytes };
    for (size_t i = 0; i < change->table->count; i++) {
        const struct process *process = &change->table->rows[i];
        if (change->limit->memory_bytes != 0 &&
            is_counted(change->host, process, change->child, change->slot_uid)) {
            prlimit(process->pid, RLIMIT_DATA, &data, NULL);
        }
    }
    return 0;
}

void sandbox_apply_limit(struct sandbox_host *host, const struct sandbox_child *child,
                         uint32_t slot_uid, const struct sandbox_limit *limit)
{
    if (child->pid <= 0) {
        return;
    }
    if (child->cgroup[0] != '\0') {
        cgroup_set(host, child->cgroup, limit, true);
        return;
    }
    if (child->own_program) {
        return;
    }
    struct change change = { .limit = limit,
                             .table = processes_read(host->inner, 0),
                             .child = child,
                             .host = host,
                             .slot_uid = slot_uid };
    if (slot_uid != 0 && host->inner->use_slots) {
        identity_run_as(slot_uid, change_limits, &change);
    } else {
        change_limits(&change);
    }
}
