/*
 * All processes of this host (of our pid namespace), read from /proc in one pass and kept for a
 * moment: the watch asks for each child in turn.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum { STATUS_BYTES = 4096 };

static bool number_after(const char *text, const char *word, uint64_t *ret_value)
{
    const char *at = strstr(text, word);
    if (at == NULL) {
        return false;
    }
    *ret_value = strtoull(at + strlen(word), NULL, 10);
    return true;
}

static bool read_process(int proc, const char *name, struct process *ret_process)
{
    char path[64], text[STATUS_BYTES];
    snprintf(path, sizeof(path), "%.20s/status", name);
    auto_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t bytes = read(fd, text, sizeof(text) - 1);
    if (bytes <= 0) {
        return false;
    }
    text[bytes] = '\0';
    uint64_t parent = 0, uid = 0, kibibytes = 0, threads = 1;
    const char *state = strstr(text, "\nState:\t");
    if (state == NULL || state[8] == 'X' || !number_after(text, "\nPPid:", &parent) ||
        !number_after(text, "\nUid:", &uid)) {
        return false;
    }
    number_after(text, "\nVmRSS:", &kibibytes); /* absent while a process ends */
    number_after(text, "\nThreads:", &threads);
    *ret_process = (struct process){ .pid = (pid_t)strtol(name, NULL, 10),
                                     .parent = (pid_t)parent,
                                     .top = -1,
                                     .uid = (uint32_t)uid,
                                     .tasks = (uint32_t)threads,
                                     /* else its first thread alone has ended */
                                     .has_ended = state[8] == 'Z' && threads <= 1,
                                     .resident_bytes = kibibytes * 1024 };
    return true;
}

static int by_pid(const void *left, const void *right)
{
    pid_t one = ((const struct process *)left)->pid, other = ((const struct process *)right)->pid;
    return (one > other) - (one < other);
}

static struct process *find(const struct process_table *table, pid_t pid)
{
    const struct process key = { .pid = pid };
    return table->count == 0 ? NULL : bsearch(&key, table->rows, table->count, sizeof(key), by_pid);
}

/* The ended have neither memory nor a say; they count as tasks until their parent waits for them.
 */
static void drop_ended(struct process_table *table)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct process *parent = NULL;
        if (table->rows[i].has_ended) {
            parent = find(table, table->rows[i].parent);
        }
        if (parent != NULL) {
            parent->tasks++;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        if (!table->rows[i].has_ended) {
            table->rows[kept++] = table->rows[i];
        }
    }
    table->count = kept;
}

static uint32_t read_tag(pid_t pid)
{
    struct rlimit id, rest;
    if (prlimit(pid, RLIMIT_LOCKS, NULL, &id) != 0 ||
        prlimit(pid, RLIMIT_RTTIME, NULL, &rest) != 0 || id.rlim_max > TAG_SUM ||
        rest.rlim_max != TAG_SUM - id.rlim_max) {
        return 0;
    }
    return (uint32_t)id.rlim_max;
}

/* Goes up from a row to the first one whose top is known or can be told, then gives it to all on
 * the way. A table is no snapshot: it may have gaps and even circles. */
static void find_top(struct process_table *table, struct process *row, pid_t supervisor)
{
    struct process *end = row;
    for (size_t steps = 0; end->top < 0; steps++) {
        struct process *parent = find(table, end->parent);
        if (end->parent == supervisor) {
            end->top = end->pid;
            end->worker_id = read_tag(end->pid);
        } else if (parent == NULL || steps > table->count) {
            end->top = 0;
        } else {
            end = parent;
        }
    }
    for (; row != NULL && row->top < 0; row = find(table, row->parent)) {
        row->top = end->top;
        row->worker_id = end->worker_id;
    }
}

const struct process_table *processes_read(struct sandbox_private *inner, int64_t max_age_us)
{
    struct process_table *table = &inner->processes;
    int64_t now_us = clock_monotonic_us();
    if (table->read_at_us != 0 && now_us - table->read_at_us < max_age_us) {
        return table;
    }
    table->count = 0;
    table->read_at_us = now_us;
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        return table;
    }
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        struct process process;
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !read_process(dirfd(proc), entry->d_name, &process)) {
            continue;
        }
        if (table->count == table->capacity) {
            table->capacity = table->capacity != 0 ? table->capacity * 2 : 256;
            table->rows = xrealloc(table->rows, table->capacity * sizeof(*table->rows));
        }
        table->rows[table->count++] = process;
    }
    closedir(proc);
    if (table->count != 0) {
        qsort(table->rows, table->count, sizeof(*table->rows), by_pid);
    }
    for (size_t i = 0; i < table->count; i++) {
        find_top(table, &table->rows[i], inner->supervisor);
    }
    drop_ended(table);
    return table;
}

void processes_release(struct process_table *table)
{
    free(table->rows);
    *table = (struct process_table){ 0 };
}

bool processes_is_of(const struct process *process, const struct sandbox_child *child)
{
    return process->top == child->pid ||
           (process->worker_id != 0 && process->worker_id == child->worker_id);
}
