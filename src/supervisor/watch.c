/*
 * Limits that no kernel feature of this host holds: memory where there is no memory cgroup that
 * ends a whole tree, processes where they are counted for the daemon's account as a whole, and disk
 * where a directory is no file system of its own. A child above its limit is ended and its end says
 * why.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "clock.h"
#include "inner.h"
#include "log.h"
#include "walk.h"

static const int64_t TREE_PERIOD_US = 100000, DISK_PERIOD_US = 1000000;
enum { TMP_ENTRIES = 16384, BUILD_ENTRIES = 200000 };

/* ---- memory and processes ------------------------------------------------------------------- */

static void tree_look(void *context)
{
    struct supervisor *supervisor = context;
    bool again = false;

    for (size_t i = supervisor->child_count; i-- > 0;) {
        struct child *child = supervisor->children[i];

        if (child->state != CHILD_RUNNING)
            continue;
        again = true;
        /* either may end the child, and with it its row */
        if (sandbox_is_over_memory(&supervisor->host, &child->process, child->slot_uid,
                                   child->limit.memory_bytes))
            child_end(child, KILL_MEMORY);
        else if (sandbox_is_over_processes(&supervisor->host, &child->process, child->slot_uid,
                                           child->limit.processes))
            child_end(child, KILL_PROCESSES);
    }
    if (again)
        loop_timer_arm(supervisor->loop, &supervisor->watch.tree_timer,
                       clock_monotonic_us() + TREE_PERIOD_US, tree_look, supervisor);
}

/* ---- disk ----------------------------------------------------------------------------------- */

struct disk_row {
    uint64_t serial; /* of the child */
    int dirfd;
    char name[CACHE_NAME];
    uint64_t most_bytes, most_entries;
    bool is_over; /* the helper's answer */
};

struct disk_table { /* shared memory: the helper writes into it */
    size_t count, bytes;
    struct disk_row rows[];
};

static void add_row(struct disk_table *table, const struct child *child, int dirfd,
                    const char *name, uint64_t most_bytes, uint64_t most_entries)
{
    struct disk_row *row = &table->rows[table->count++];

    row->serial = child->serial;
    row->dirfd = dirfd;
    snprintf(row->name, sizeof(row->name), "%s", name);
    row->most_bytes = most_bytes;
    row->most_entries = most_entries;
}

static struct disk_table *table_new(const struct supervisor *supervisor)
{
    size_t bytes = sizeof(struct disk_table) +
                   3 * supervisor->child_count * sizeof(struct disk_row);
    struct disk_table *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                    -1, 0);
    uint64_t most = (uint64_t)supervisor->settings->package_unpacked;

    if (table == MAP_FAILED)
        return NULL;
    table->bytes = bytes;
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = supervisor->children[i];

        if (child->state != CHILD_RUNNING)
            continue;
        if (child->tmp[0] != '\0')
            add_row(table, child, supervisor->data.tmp_fd, child->tmp, child->limit.tmp_bytes,
                    TMP_ENTRIES);
        if (child->kind == SANDBOX_UNPACK || child->kind == SANDBOX_BUILD)
            add_row(table, child, supervisor->data.builds_fd, child->tree, most, BUILD_ENTRIES);
        if (child->cache[0] != '\0')
            add_row(table, child, supervisor->data.cache_fd, child->cache, most, BUILD_ENTRIES);
    }
    return table;
}

static int disk_work(void *context, struct error *err)
{
    struct disk_table *table = context;

    (void)err;
    for (size_t i = 0; i < table->count; i++) {
        struct disk_row *row = &table->rows[i];
        uint64_t bytes, entries;

        walk_measure(row->dirfd, row->name, row->most_entries, &bytes, &entries);
        row->is_over = bytes > row->most_bytes || entries > row->most_entries;
    }
    return 0;
}

static void disk_look(void *context);

static void disk_done(struct supervisor *supervisor, void *context, const char *error)
{
    struct disk_table *table = context;
    bool again = table->count > 0;

    supervisor->watch.measuring = false;
    if (error[0] != '\0' && supervisor->phase != STOPPED)
        log_warning("cannot measure directories: %s", error);
    for (size_t i = 0; i < table->count; i++) {
        struct child *child = children_find_serial(supervisor, table->rows[i].serial);

        if (table->rows[i].is_over && child != NULL)
            child_end(child, KILL_DISK);
    }
    munmap(table, table->bytes);
    if (again)
        loop_timer_arm(supervisor->loop, &supervisor->watch.disk_timer,
                       clock_monotonic_us() + DISK_PERIOD_US, disk_look, supervisor);
}

static void disk_look(void *context)
{
    struct supervisor *supervisor = context;
    struct disk_table *table = table_new(supervisor);
    struct error err;

    if (table == NULL)
        return;
    if (table->count == 0 || helper_start(supervisor, disk_work, disk_done, table, &err) < 0) {
        munmap(table, table->bytes);
        return;
    }
    supervisor->watch.measuring = true;
}

/* --------------------------------------------------------------------------------------------- */

void watch_wake(struct supervisor *supervisor)
{
    struct watch *watch = &supervisor->watch;
    int64_t now_us = clock_monotonic_us();

    if (watch->tree_timer.heap_index == 0 && supervisor->host.limits != LIMITS_CGROUP2)
        loop_timer_arm(supervisor->loop, &watch->tree_timer, now_us + TREE_PERIOD_US, tree_look,
                       supervisor);
    if (watch->disk_timer.heap_index == 0 && !watch->measuring)
        loop_timer_arm(supervisor->loop, &watch->disk_timer, now_us + DISK_PERIOD_US, disk_look,
                       supervisor);
}

void watch_release(struct supervisor *supervisor)
{
    loop_timer_cancel(supervisor->loop, &supervisor->watch.tree_timer);
    loop_timer_cancel(supervisor->loop, &supervisor->watch.disk_timer);
}
