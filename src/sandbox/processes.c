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
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"

enum { STATUS_BYTES = 4096, DEPTH_MAX = 4096 };

static bool number_after(const char *text, const char *word, uint64_t *ret_value)
{
    const char *at = strstr(text, word);
    if (at == NULL) {
        return false;
    }
    *ret_value = strtoull(at + strlen(word), NULL, 10);
    return true;
}

/* Zombies have neither memory nor a say; they are left out. */
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
    uint64_t parent = 0, uid = 0, kibibytes = 0;
    const char *state = strstr(text, "\nState:\t");
    if (state == NULL || state[8] == 'Z' || state[8] == 'X' ||
        !number_after(text, "\nPPid:", &parent) || !number_after(text, "\nUid:", &uid)) {
        return false;
    }
    number_after(text, "\nVmRSS:", &kibibytes); /* absent while a process ends */
    *ret_process = (struct process){ .pid = (pid_t)strtol(name, NULL, 10),
                                     .parent = (pid_t)parent,
                                     .uid = (uint32_t)uid,
                                     .resident_bytes = kibibytes * 1024 };
    return true;
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
    return table;
}

void processes_release(struct process_table *table)
{
    free(table->rows);
    *table = (struct process_table){ 0 };
}

static const struct process *find(const struct process_table *table, pid_t pid)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].pid == pid) {
            return &table->rows[i];
        }
    }
    return NULL;
}

bool processes_is_below(const struct process_table *table, pid_t pid, pid_t ancestor)
{
    for (int depth = 0; pid > 1 && depth < DEPTH_MAX; depth++) {
        if (pid == ancestor) {
            return true;
        }
        const struct process *process = find(table, pid);
        if (process == NULL) {
            return false;
        }
        pid = process->parent;
    }
    return false;
}
