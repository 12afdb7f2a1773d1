/*
 * The thread that copies the bulk of a long WAL into the database file, so that no commit waits for
 * it.
 *
 * Commits go on meanwhile, so it never reaches the end by itself: what has been added is left to
 * the writer, which copies that little between two groups, and the WAL begins again at its front.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_private.h"

struct checkpoint {
    struct db *db;
    pthread_t thread;
    sem_t wanted;
    atomic_bool stopping;
    atomic_bool done; /* since the last request */
};

static void *checkpoint_main(void *context)
{
    struct checkpoint *checkpoint = context;

    for (;;) {
        while (sem_wait(&checkpoint->wanted) < 0)
            continue;
        if (atomic_load(&checkpoint->stopping))
            return NULL;
        /* A failure shows in the writer's own checkpoint, which tries the same. */
        sqlite3_wal_checkpoint_v2(checkpoint->db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL);
        atomic_store(&checkpoint->done, true);
    }
}

int checkpoint_start(struct store *store, struct checkpoint **ret_checkpoint, struct error *err)
{
    struct checkpoint *checkpoint = xcalloc(1, sizeof *checkpoint);
    sigset_t all, before;
    int result;

    if (db_open(store, false, &checkpoint->db, err) < 0) {
        free(checkpoint);
        return -1;
    }
    sem_init(&checkpoint->wanted, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&checkpoint->thread, NULL, checkpoint_main, checkpoint);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result) {
        sem_destroy(&checkpoint->wanted);
        db_close(checkpoint->db);
        free(checkpoint);
        return fail(err, ERROR_INTERNAL, "the checkpoint thread cannot start: %s",
                    strerror(result));
    }
    pthread_setname_np(checkpoint->thread, "checkpoint");
    *ret_checkpoint = checkpoint;
    return 0;
}

void checkpoint_stop(struct checkpoint *checkpoint)
{
    atomic_store(&checkpoint->stopping, true);
    sem_post(&checkpoint->wanted);
    pthread_join(checkpoint->thread, NULL);
    sem_destroy(&checkpoint->wanted);
    db_close(checkpoint->db);
    free(checkpoint);
}

void checkpoint_request(struct checkpoint *checkpoint)
{
    sem_post(&checkpoint->wanted);
}

bool checkpoint_take_done(struct checkpoint *checkpoint)
{
    return atomic_exchange(&checkpoint->done, false);
}
