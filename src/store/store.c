/* Opening, closing and backing up the store. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "store_private.h"

static struct store *store_new(const char *directory)
{
    struct store *store = xcalloc(1, sizeof *store);

    store->directory = xstrdup(directory);
    store->file = xasprintf("%s/functiond.db", directory);
    return store;
}

static void store_free(struct store *store)
{
    sodium_memzero(store->secret, sizeof store->secret);
    free(store->directory);
    free(store->file);
    free(store);
}

/*
 * A file of no bytes is what is left when a first start ended between creating it and the first
 * commit.
 */
static bool has_content(const char *file)
{
    struct stat status;

    return stat(file, &status) == 0 && status.st_size > 0;
}

static int directory_create(const char *directory, struct error *err)
{
    if (mkdir(directory, 0700) == 0 || errno == EEXIST)
        return 0;
    return fail(err, ERROR_INTERNAL, "%s: cannot be created: %s", directory, strerror(errno));
}

int store_open(const struct store_options *options, struct store **ret_store, struct error *err)
{
    struct store *store;
    struct db *db = NULL;

    if (sodium_init() < 0)
        return fail(err, ERROR_INTERNAL, "the crypto library cannot start: no random numbers");
    if (directory_create(options->directory, err) < 0)
        return -1;

    store = store_new(options->directory);
    store->query_limit_us = options->query_limit_us;
    if (secret_open(store, has_content(store->file), err) < 0 ||
        db_open(store, true, &db, err) < 0 || migrate(db, store->file, err) < 0 ||
        writer_start(store, db, options->gather_us, err) < 0) {
        if (!store->writer)
            db_close(db);
        store_free(store);
        return -1;
    }
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    writer_stop(store);
    store_free(store);
}

/*
 * VACUUM INTO creates the file with the process's umask: it is made first, so that nobody else may
 * read it.
 */
static int backup_prepare(const char *target_file, struct error *err)
{
    auto_fd int fd = open(target_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(err, ERROR_INTERNAL, "%s: cannot be created: %s", target_file, strerror(errno));
    return 0;
}

static int backup_write(struct db *db, const char *target_file, struct error *err)
{
    auto_finalize sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db->handle, "VACUUM INTO ?1", -1, &statement, NULL) != SQLITE_OK)
        return db_fail(db, err);
    bind_text(statement, 1, target_file);
    return statement_run(db, statement, err);
}

static int backup_sync(const char *target_file, struct error *err)
{
    auto_fd int fd = open(target_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return fail(err, ERROR_INTERNAL, "%s: cannot be synced: %s", target_file, strerror(errno));
    return 0;
}

int store_backup(const char *directory, const char *target_file, struct error *err)
{
    struct store *store = store_new(directory);
    struct db *db = NULL;
    int result = -1;

    if (!has_content(store->file)) {
        fail(err, ERROR_INTERNAL, "%s does not exist", store->file);
    } else if (db_open(store, false, &db, err) == 0 && backup_prepare(target_file, err) == 0) {
        result = backup_write(db, target_file, err) < 0 ? -1 : backup_sync(target_file, err);
        if (result < 0)
            unlink(target_file);
    }
    db_close(db);
    store_free(store);
    return result;
}
