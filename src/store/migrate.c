/*
 * Brings a database to the newest schema: the files of migrations/, embedded, in order of their
 * numbers.
 *
 * The number of the last one applied is user_version; all that are missing are applied in one
 * transaction. A database newer than this program is refused, so that an older program never writes
 * what a newer one must read.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "embedded.h"
#include "store_private.h"

enum { APPLICATION_ID = 0x66756e64 }; /* "fund", in the header of the file */

static long number_of(const struct embedded_file *migration)
{
    return strtol(migration->name, NULL, 10);
}

static int read_number(struct db *db, const char *sql, int64_t *ret_number, struct error *err)
{
    auto_finalize sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fail(db, err);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_number = sqlite3_column_int64(statement, 0);
    return 0;
}

static int apply(struct db *db, const struct embedded_file *migration, struct error *err)
{
    char version[64];

    if (db_execute(db, (const char *)migration->start, err) < 0)
        return fail_add(err, "%s", migration->name);
    sqlite3_snprintf(sizeof version, version, "PRAGMA user_version = %d",
                     (int)number_of(migration));
    return db_execute(db, version, err);
}

static int apply_missing(struct db *db, int64_t version, struct error *err)
{
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        if (number_of(&embedded_migrations[i]) > version &&
            apply(db, &embedded_migrations[i], err) < 0)
            return -1;
    }
    return db_execute(db, "PRAGMA application_id = 0x66756e64; COMMIT", err);
}

/* An empty version with tables, or with another program's mark, is not ours to change. */
static int check_owner(struct db *db, const char *file, int64_t version, struct error *err)
{
    int64_t application, tables;

    if (read_number(db, "PRAGMA application_id", &application, err) < 0 ||
        read_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (application == APPLICATION_ID || (version == 0 && tables == 0))
        return 0;
    return fail(err, ERROR_INTERNAL, "%s is the database of another program", file);
}

int migrate(struct db *db, const char *file, struct error *err)
{
    int64_t newest = number_of(&embedded_migrations[embedded_migrations_count - 1]);
    int64_t version;

    if (db_execute(db, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    if (read_number(db, "PRAGMA user_version", &version, err) < 0 ||
        check_owner(db, file, version, err) < 0)
        goto undo;
    if (version > newest) {
        fail(err, ERROR_INTERNAL,
             "%s has schema %" PRId64 ", this program knows up to %" PRId64 ": use a newer program",
             file, version, newest);
        goto undo;
    }
    if (version == newest)
        return db_execute(db, "COMMIT", err);
    if (apply_missing(db, version, err) == 0)
        return 0;
undo:
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}
