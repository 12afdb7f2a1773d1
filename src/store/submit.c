/*
 * How other threads reach the writer: each write becomes an item of its queue, and whoever must
 * know the end of it waits or is called back.
 */
#include <assert.h>
#include <semaphore.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "writer_private.h"

static void submit(struct writer *writer, struct item *item)
{
    bool wake;

    item->queued_us = clock_monotonic_us();
    atomic_fetch_add_explicit(&writer->backlog, 1, memory_order_relaxed);
    pthread_mutex_lock(&writer->mutex);
    queue_add(&writer->queue, item);
    writer->urgent += item->urgent;
    wake = writer->sleeping || (item->urgent && writer->urgent == 1);
    writer->sleeping = false;
    pthread_mutex_unlock(&writer->mutex);
    if (wake)
        pthread_cond_signal(&writer->wake);
}

static struct item *item_new(enum item_kind kind, store_written *done, void *context, bool urgent)
{
    struct item *item = xcalloc(1, sizeof *item);

    item->kind = kind;
    item->done = done;
    item->context = context;
    item->urgent = urgent;
    return item;
}

/* Somebody who waits for one item. */
struct wait {
    sem_t finished;
    bool failed;
    struct error err;
};

static void wait_finished(void *context, const struct error *err)
{
    struct wait *wait = context;

    if (err) {
        wait->failed = true;
        wait->err = *err;
    }
    sem_post(&wait->finished);
}

/* The write gets the caller's context, the end of it the wait. */
struct write_wait {
    struct wait wait;
    store_write *write;
    void *context;
};

static int write_call(struct db *db, void *context, struct error *err)
{
    struct write_wait *write = context;

    return write->write(db, write->context, err);
}

static void wait_for(struct store *store, struct item *item, struct wait *wait)
{
    assert(!pthread_equal(pthread_self(), store->writer->thread)); /* it would wait for itself */
    sem_init(&wait->finished, 0, 0);
    submit(store->writer, item);
    while (sem_wait(&wait->finished) < 0)
        continue;
    sem_destroy(&wait->finished);
}

int store_write_wait(struct store *store, store_write *write, void *context, struct error *err)
{
    struct write_wait waiting = { .write = write, .context = context };
    struct item *item = item_new(ITEM_WRITE, wait_finished, &waiting, true);

    item->write = write_call;
    wait_for(store, item, &waiting.wait);
    if (!waiting.wait.failed)
        return 0;
    *err = waiting.wait.err;
    return -1;
}

void store_write_later(struct store *store, store_write *write, store_written *done, void *context,
                       bool urgent)
{
    struct item *item = item_new(ITEM_WRITE, done, context, urgent);

    item->write = write;
    submit(store->writer, item);
}

static struct record *record_take(struct writer *writer)
{
    struct item *item;

    pthread_mutex_lock(&writer->mutex);
    item = queue_take(&writer->free_records);
    pthread_mutex_unlock(&writer->mutex);
    struct record *record = item ? record_of(item) : xcalloc(1, sizeof *record);
    if (!item)
        buffer_init(&record->texts, TEXTS_MOST);
    return record;
}

void store_execution_record(struct store *store, const struct execution *execution)
{
    struct record *record = record_take(store->writer);

    entity_copy(ENTITY_EXECUTION, execution, &record->execution, &record->texts);
    record->item = (struct item){ .kind = ITEM_RECORD };
    submit(store->writer, &record->item);
}

void store_flush(struct store *store)
{
    struct writer *writer = store->writer;
    struct wait wait = { 0 };
    bool idle;

    pthread_mutex_lock(&writer->mutex);
    idle = !writer->queue.first && !writer->busy && !writer->usage_waits;
    pthread_mutex_unlock(&writer->mutex);
    if (!idle)
        wait_for(store, item_new(ITEM_FLUSH, wait_finished, &wait, true), &wait);
}

size_t store_backlog(const struct store *store)
{
    return atomic_load_explicit(&store->writer->backlog, memory_order_relaxed);
}
