/*
 * The writer thread: every write of the program, committed in groups.
 *
 *   any thread --submit--> queue --take all--> BEGIN, each write in a savepoint, COMMIT --> done
 *
 * An urgent write makes the group commit at once, with everything else that waits; others gather
 * until the oldest has waited gather_us. The WAL is checkpointed between groups, never inside a
 * commit: see checkpoint_if_due().
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"
#include "writer_private.h"

enum {
    GROUP_MAX = 4096,         /* writes in one transaction: those behind must not wait for ever */
    RECORDS_KEPT = 4096,      /* for the next executions until it is quiet, each with at most */
    TEXTS_KEPT = 2048,        /* bytes of memory for its texts */
    CHECKPOINT_PAGES = 20000, /* of the WAL: then whatever else waits */
    CHECKPOINT_IDLE_PAGES = 500, /* when there is nothing to write */
    IDLE_US = 200000,
    USAGE_US = 1000000, /* counters of executions gather for so long */
};

/* ---- a group --------------------------------------------------------------------------------- */

static void item_fail(struct item *item, const struct error *err)
{
    if (item->failure)
        return;
    item->failure = xmalloc(sizeof *item->failure);
    *item->failure = *err;
}

static int item_call(struct db *db, struct item *item, struct error *err)
{
    switch (item->kind) {
    case ITEM_WRITE:
        return item->write(db, item->context, err);
    case ITEM_RECORD:
        return execution_record(db, &record_of(item)->execution, err);
    case ITEM_FLUSH:
        return 0;
    }
    return 0;
}

/*
 * One insert undoes itself when it fails; what is more than one statement needs a savepoint for
 * that.
 */
static bool needs_savepoint(const struct item *item)
{
    const struct execution *execution = &((const struct record *)(const void *)item)->execution;

    switch (item->kind) {
    case ITEM_WRITE:
        return true;
    case ITEM_RECORD:
        return !text_is_empty(execution->logs) || !text_is_empty(execution->errors);
    case ITEM_FLUSH:
        return false;
    }
    return true;
}

/* -1: the transaction itself is lost, not just this item. */
static int item_run(struct db *db, struct item *item, struct error *err)
{
    struct error own;
    bool savepoint = needs_savepoint(item);

    if (savepoint && statement_do(db, err, STATEMENT_SAVEPOINT, "") < 0)
        return -1;
    if (item_call(db, item, &own) < 0) {
        item_fail(item, &own);
        if (sqlite3_get_autocommit(
                db->handle)) { /* SQLite has rolled everything back, as it does on a full disk */
            *err = own;
            return -1;
        }
        if (savepoint && statement_do(db, err, STATEMENT_UNDO, "") < 0)
            return -1;
    }
    return savepoint ? statement_do(db, err, STATEMENT_RELEASE, "") : 0;
}

/* Whoever flushes wants to see them. */
static bool usage_is_due(const struct db *db, const struct queue *group)
{
    if (db->usage->count == 0)
        return false;
    for (const struct item *item = group->first; item; item = item->next)
        if (item->kind == ITEM_FLUSH)
            return true;
    return clock_monotonic_us() - db->usage->since_us >= USAGE_US;
}

static int group_write(struct db *db, struct queue *group, struct error *err)
{
    if (statement_do(db, err, STATEMENT_BEGIN, "") < 0)
        return -1;
    for (struct item *item = group->first; item; item = item->next) {
        if (item_run(db, item, err) < 0)
            return -1;
    }
    bool counts = usage_is_due(db, group);
    if (counts && usage_write(db, err) < 0)
        return -1;
    if (statement_do(db, err, STATEMENT_COMMIT, "") < 0)
        return -1;
    if (counts)
        usage_clear(db);
    return 0;
}

static void record_free(struct item *item)
{
    buffer_release(&record_of(item)->texts);
    free(item);
}

/* The record is put on the list `finished`. */
static void record_finish(struct item *item, struct queue *finished)
{
    struct record *record = record_of(item);

    if (item->failure)
        log_error("execution %s was not recorded: %s", record->execution.id,
                  item->failure->message);
    free(steal(item->failure));
    if (record->texts.capacity > TEXTS_KEPT) {
        buffer_release(&record->texts);
        buffer_init(&record->texts, TEXTS_MOST);
    }
    queue_add(finished, item);
}

static void item_finish(struct item *item)
{
    struct item copy = *item;

    free(item);
    if (copy.done)
        copy.done(copy.context, copy.failure);
    free(copy.failure);
}

static void records_keep(struct writer *writer, struct queue *finished)
{
    struct item *item;

    pthread_mutex_lock(&writer->mutex);
    while (writer->free_records.count < RECORDS_KEPT && (item = queue_take(finished)))
        queue_add(&writer->free_records, item);
    pthread_mutex_unlock(&writer->mutex);
    while ((item = queue_take(finished)))
        record_free(item);
}

static void group_run(struct writer *writer, struct queue *group)
{
    struct error err;
    struct item *item;
    bool nothing = group->first && !group->first->next && group->first->kind == ITEM_FLUSH &&
                   writer->usage.count == 0;

    if (!nothing && group_write(writer->db, group, &err) < 0) {
        if (!sqlite3_get_autocommit(writer->db->handle))
            sqlite3_exec(writer->db->handle, "ROLLBACK", NULL, NULL, NULL);
        for (item = group->first; item; item = item->next)
            item_fail(item, &err);
    }
    struct queue finished;
    queue_init(&finished);
    while ((item = queue_take(group))) {
        atomic_fetch_sub_explicit(&writer->backlog, 1, memory_order_relaxed);
        if (item->kind == ITEM_RECORD)
            record_finish(item, &finished);
        else
            item_finish(item);
    }
    if (finished.first)
        records_keep(writer, &finished);
}

/* ---- checkpoints and other work between groups ----------------------------------------------- */

static int wal_grown(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct writer *writer = context;

    (void)handle;
    (void)name;
    if (writer->db->removing) /* after the commit: a reader that counts now sees it */
        atomic_fetch_add(&writer->store->removals, 1);
    writer->db->removing = false;
    if (pages < writer->wal_pages)
        writer->wal_copied = 0; /* it has begun again at the front */
    writer->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint_here(struct writer *writer)
{
    int size, copied;

    if (sqlite3_wal_checkpoint_v2(writer->db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &size,
                                  &copied) == SQLITE_OK &&
        copied >= 0)
        writer->wal_copied = copied;
    else
        writer->wal_copied = writer->wal_pages; /* try again when it has grown by as much */
}

/* The bulk is copied by the other thread; the rest, which came in meanwhile, here. */
static void checkpoint_if_due(struct writer *writer)
{
    if (writer->checkpointing && checkpoint_take_done(writer->checkpoint)) {
        writer->checkpointing = false;
        checkpoint_here(writer);
    } else if (!writer->checkpointing &&
               writer->wal_pages - writer->wal_copied >= CHECKPOINT_PAGES) {
        writer->checkpointing = true;
        checkpoint_request(writer->checkpoint);
    }
}

static int sweep(struct db *db, bool *ret_more, struct error *err)
{
    if (statement_do(db, err, STATEMENT_BEGIN, "") < 0)
        return -1;
    if (garbage_sweep(db, ret_more, err) == 0 && statement_do(db, err, STATEMENT_COMMIT, "") == 0)
        return 0;
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* In a transaction of its own: nothing else is to be written. */
static void write_usage(struct writer *writer)
{
    struct queue nothing;
    struct error err;

    writer->usage.since_us = 0;
    queue_init(&nothing);
    if (writer->usage.count == 0 || group_write(writer->db, &nothing, &err) == 0)
        return;
    if (!sqlite3_get_autocommit(writer->db->handle))
        sqlite3_exec(writer->db->handle, "ROLLBACK", NULL, NULL, NULL);
    log_warning("%zu counters of executions are lost: %s", writer->usage.count, err.message);
    usage_clear(writer->db);
}

/* It may be long until they are needed again. */
static void records_free(struct writer *writer)
{
    struct queue records;
    struct item *item;

    pthread_mutex_lock(&writer->mutex);
    records = writer->free_records;
    queue_init(&writer->free_records);
    pthread_mutex_unlock(&writer->mutex);
    if (!records.first)
        return;
    while ((item = queue_take(&records)))
        record_free(item);
}

static void work_when_idle(struct writer *writer)
{
    struct error err;

    records_free(writer);

    write_usage(writer);
    checkpoint_if_due(writer);
    if (!writer->checkpointing && writer->wal_pages - writer->wal_copied >= CHECKPOINT_IDLE_PAGES)
        checkpoint_here(writer);
    if (writer->garbage_known && sweep(writer->db, &writer->garbage_known, &err) < 0) {
        log_warning("executions of deleted functions stay for now: %s", err.message);
        writer->garbage_known = false; /* until the next group */
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void wait_until(struct writer *writer, int64_t monotonic_us)
{
    struct timespec time = { .tv_sec = monotonic_us / 1000000,
                             .tv_nsec = (long)(monotonic_us % 1000000) * 1000 };

    pthread_cond_timedwait(&writer->wake, &writer->mutex, &time);
}

static bool is_group_due(const struct writer *writer, int64_t now_us)
{
    return writer->urgent || writer->stopping || writer->queue.count >= GROUP_MAX ||
           now_us >= writer->queue.first->queued_us + writer->gather_us;
}

/*
 * With the mutex: sleeps until a group is due (true), or there is nothing to do for a while
 * (false).
 */
static bool wait_for_group(struct writer *writer)
{
    int64_t now_us = clock_monotonic_us(), idle_us = now_us + IDLE_US;
    bool has_chores = writer->garbage_known || writer->usage_waits ||
                      writer->wal_pages - writer->wal_copied >= CHECKPOINT_IDLE_PAGES;

    while (!writer->queue.first && !writer->stopping) {
        writer->sleeping = true;
        if (has_chores)
            wait_until(writer, idle_us);
        else
            pthread_cond_wait(&writer->wake, &writer->mutex);
        writer->sleeping = false;
        if (has_chores && !writer->queue.first && clock_monotonic_us() >= idle_us)
            return false;
    }
    while (writer->queue.first && !is_group_due(writer, clock_monotonic_us()))
        wait_until(writer, writer->queue.first->queued_us + writer->gather_us);
    return true;
}

static void take_group(struct writer *writer, struct queue *group)
{
    struct item *item;

    queue_init(group);
    if (writer->queue.count <= GROUP_MAX && writer->queue.first) { /* all, without a look at each */
        *group = writer->queue;
        queue_init(&writer->queue);
        writer->urgent = 0;
        return;
    }
    while (group->count < GROUP_MAX && (item = queue_take(&writer->queue))) {
        writer->urgent -= item->urgent;
        queue_add(group, item);
    }
}

static void *writer_main(void *context)
{
    struct writer *writer = context;
    struct queue group;

    pthread_mutex_lock(&writer->mutex);
    while (!writer->stopping || writer->queue.first) {
        bool due = wait_for_group(writer);

        take_group(writer, &group);
        writer->busy = true;
        pthread_mutex_unlock(&writer->mutex);
        if (group.first) {
            group_run(writer, &group);
            writer->garbage_known = true;
            checkpoint_if_due(writer);
        } else if (!due) {
            work_when_idle(writer);
        }
        pthread_mutex_lock(&writer->mutex);
        writer->busy = false;
        writer->usage_waits = writer->usage.count > 0;
    }
    pthread_mutex_unlock(&writer->mutex);
    write_usage(writer);
    return NULL;
}

static void writer_free(struct writer *writer)
{
    struct item *item;

    while ((item = queue_take(&writer->free_records)))
        record_free(item);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

/* The thread takes no signals: those belong to the loop. */
static int thread_start(struct writer *writer)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_setname_np(writer->thread, "writer");
    return result;
}

int writer_start(struct store *store, struct db *db, int64_t gather_us, struct error *err)
{
    struct writer *writer = xcalloc(1, sizeof *writer);
    pthread_condattr_t attributes;
    int result;

    *writer = (struct writer){
        .store = store, .db = db, .gather_us = gather_us, .garbage_known = true
    };
    queue_init(&writer->queue);
    queue_init(&writer->free_records);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sqlite3_wal_hook(db->handle, wal_grown, writer);
    db->usage = &writer->usage;

    if (checkpoint_start(store, &writer->checkpoint, err) < 0) {
        sqlite3_wal_hook(db->handle, NULL, NULL);
        writer_free(writer);
        return -1;
    }
    result = thread_start(writer);
    if (result) {
        checkpoint_stop(writer->checkpoint);
        sqlite3_wal_hook(db->handle, NULL, NULL);
        writer_free(writer);
        return fail(err, ERROR_INTERNAL, "the writer thread cannot start: %s", strerror(result));
    }
    store->writer = writer;
    return 0;
}

void writer_stop(struct store *store)
{
    struct writer *writer = store->writer;

    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_signal(&writer->wake);
    pthread_join(writer->thread, NULL);

    checkpoint_stop(writer->checkpoint);
    sqlite3_wal_checkpoint_v2(writer->db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    db_close(writer->db);
    writer_free(writer);
    store->writer = NULL;
}
