/* Inside the writer: what is handed from the threads that write (submit.c) to the one that does. */
#ifndef WRITER_PRIVATE_H
#define WRITER_PRIVATE_H

#include <pthread.h>

#include "store_private.h"

enum item_kind { ITEM_WRITE, ITEM_RECORD, ITEM_FLUSH };

struct item {
    struct item *next;
    enum item_kind kind;
    bool urgent;
    int64_t queued_us;   /* monotonic */
    store_write *write;  /* ITEM_WRITE */
    store_written *done; /* may be NULL */
    void *context;
    struct error *failure; /* its own, allocated; NULL: fine so far */
};

/*
 * A record carries its execution behind the item; the others do without. Records are used again:
 * giving memory back on another thread than it came from makes both wait for each other.
 */
struct record {
    struct item item;
    struct execution execution; /* its texts are in `texts` */
    struct buffer texts;
};

static const size_t TEXTS_MOST = SIZE_MAX / 2; /* bounded where they come from */

struct queue {
    struct item *first, **last;
    size_t count;
};

struct writer {
    struct store *store;
    struct db *db;
    int64_t gather_us;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows up to the blank line */
    pthread_cond_t wake;
    struct queue queue;
    size_t urgent;             /* of the queue's */
    struct queue free_records; /* at most RECORDS_KEPT */
    bool sleeping;             /* without a time limit of its own: somebody must wake it */
    bool busy;                 /* a group is being written */
    bool stopping;
    bool usage_waits; /* counters that are not in the store yet */

    atomic_size_t backlog;
    struct checkpoint *checkpoint;
    bool checkpointing; /* it has been asked */
    int wal_pages;      /* after the last commit; of the writer thread */
    int wal_copied;     /* of them are in the database file already */
    struct usage_gathered usage;
    bool garbage_known; /* there may be executions of deleted functions */
};

static inline void queue_init(struct queue *queue)
{
    *queue = (struct queue){ .last = &queue->first };
}

static inline void queue_add(struct queue *queue, struct item *item)
{
    item->next = NULL;
    *queue->last = item;
    queue->last = &item->next;
    queue->count++;
}

static inline struct item *queue_take(struct queue *queue)
{
    struct item *item = queue->first;

    if (!item)
        return NULL;
    queue->first = item->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->count--;
    return item;
}

static inline struct record *record_of(struct item *item)
{
    return (struct record *)(void *)item;
}

#endif
