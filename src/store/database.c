/* Connections: how each is opened, and what SQLite's errors become. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "store_private.h"

enum { BUSY_MS = 5000, PROGRESS_OPERATIONS = 2000, HANDLE_ERROR_TEXT = 256 };

#undef db_fail
int db_fail(struct db *db, struct error *err)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    const char *file = db->store->file;

    switch (code) {
    case SQLITE_INTERRUPT:
        return fail(err, ERROR_DATABASE_TIMEOUT, NULL);
    case SQLITE_FULL:
        return fail(err, ERROR_GENERAL_STORAGE_FULL, "%s: the disk is full", file);
    case SQLITE_NOTADB:
        return fail(err, ERROR_INTERNAL, "%s is not a database", file);
    case SQLITE_CORRUPT:
        return fail(err, ERROR_INTERNAL, "%s is damaged: %s; restore a backup", file,
                    sqlite3_errmsg(db->handle));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return fail(err, ERROR_INTERNAL, "%s: cannot be written: %s", file,
                    sqlite3_errmsg(db->handle));
    case SQLITE_BUSY:
        return fail(err, ERROR_INTERNAL, "%s: another process keeps it locked", file);
    default: /* not our enum */
        return fail(err, ERROR_INTERNAL, "%s: %s", file, sqlite3_errmsg(db->handle));
    }
}

int db_execute(struct db *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db, err);
}

static int interrupt_when_late(void *context)
{
    const struct db *db = context;

    return db->deadline_us != 0 && clock_monotonic_us() > db->deadline_us;
}

static int file_fail(const char *file, struct error *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return fail(err, ERROR_GENERAL_STORAGE_FULL, "%s: the disk is full", file);
    return fail(err, ERROR_INTERNAL, "%s: cannot be written: %s", file, strerror(errno));
}

/*
 * Before the process has a connection. SQLite gives its other files the mode of this one, so that
 * the process's umask need not change.
 */
static int file_create(const char *file, struct error *err)
{
    auto_fd int fd = open(file, O_RDWR | O_CLOEXEC | O_CREAT, 0600);

    return fd < 0 ? file_fail(file, err) : 0;
}

/*
 * Never by opening it: whoever closes a file loses the locks its process has on it, those of all
 * our connections. Then the next program that looks into the database (a backup) would take itself
 * for the last one and remove the write-ahead log from under us. access(), for we are no
 * set-user-id program, and faccessat2() is what older container runtimes refuse.
 */
static int file_check(const char *file, struct error *err)
{
    return access(file, R_OK | W_OK) < 0 ? file_fail(file, err) : 0;
}

static int db_configure(struct db *db, struct error *err)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    if (search_register(db->handle) != SQLITE_OK)
        return db_fail(db, err);
    /* The first statement that reads the file: here it shows that it is no database. */
    return db_execute(db,
                      "PRAGMA journal_mode = WAL;"
                      "PRAGMA synchronous = FULL;"
                      "PRAGMA wal_autocheckpoint = 0;"
                      "PRAGMA journal_size_limit = 67108864;"
                      "PRAGMA trusted_schema = OFF;"
                      "PRAGMA temp_store = MEMORY;"
                      "PRAGMA cache_size = -8192;",
                      err);
}

int db_open(struct store *store, bool create, struct db **ret_db, struct error *err)
{
    struct db *db;

    if ((create ? file_create(store->file, err) : file_check(store->file, err)) < 0)
        return -1;
    db = xcalloc(1, sizeof *db);
    db->store = store;
    if (sqlite3_open_v2(store->file, &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK ||
        db_configure(db, err) < 0) {
        if (sqlite3_errcode(db->handle) != SQLITE_OK)
            db_fail(db, err);
        db_close(db);
        return -1;
    }
    *ret_db = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    for (size_t i = 0; i < KEPT_STATEMENTS; i++)
        sqlite3_finalize(db->kept[i]);
    sqlite3_close_v2(db->handle);
    free(db);
}

int store_reader_open(struct store *store, struct db **ret_db, struct error *err)
{
    struct db *db;

    if (db_open(store, false, &db, err) < 0)
        return -1;
    if (db_execute(db, "PRAGMA query_only = ON", err) < 0) {
        db_close(db);
        return -1;
    }
    if (store->query_limit_us > 0) {
        db->limit_us = store->query_limit_us;
        sqlite3_progress_handler(db->handle, PROGRESS_OPERATIONS, interrupt_when_late, db);
    }
    *ret_db = db;
    return 0;
}

void store_reader_close(struct db *db)
{
    db_close(db);
}

int store_ping(struct db *db, int64_t *ret_us, struct error *err)
{
    int64_t start_us = clock_monotonic_us();
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_PING, err);

    if (!statement || statement_step(db, statement, err) < 0)
        return -1;
    *ret_us = clock_monotonic_us() - start_us;
    return 0;
}
