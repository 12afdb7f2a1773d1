/*
 * Build logs: appended to in parts, so that a long log is never rewritten, and cut at the front
 * when it grows too long.
 *
 * Part 0, if there is one, is the line that says so; it counts towards the limit as the API has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_private.h"

enum { LOG_BYTES_MAX = 64 * 1024 * 1024, WARNING_BYTES = 128 };

/* The end of a text, at most so many bytes of it, not beginning inside a UTF-8 sequence. */
static void tail_of(const char **text, size_t *bytes, size_t most)
{
    if (*bytes <= most)
        return;
    *text += *bytes - most;
    *bytes = most;
    while (*bytes && ((unsigned char)**text & 0xc0) == 0x80) {
        (*text)++;
        (*bytes)--;
    }
}

static int deployment_seq(struct db *db, const char *project_id, const char *id, int64_t *ret_seq,
                          struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_DEPLOYMENT_SEQ, err);
    int row;

    if (!statement)
        return -1;
    bind_text(statement, 1, project_id);
    bind_text(statement, 2, id);
    row = statement_step(db, statement, err);
    if (row <= 0)
        return row < 0 ? -1 : fail(err, ERROR_DEPLOYMENT_NOT_FOUND, NULL);
    *ret_seq = sqlite3_column_int64(statement, 0);
    return 0;
}

/* text is free of NULs, which would end it for whoever reads it. */
static int log_add(struct db *db, int64_t seq, const char *text, size_t bytes, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_LOG_ADD, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, seq);
    bind_integer(statement, 2, (int64_t)bytes);
    sqlite3_bind_text64(statement, 3, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    return statement_run(db, statement, err);
}

static int log_bytes(struct db *db, int64_t seq, size_t *ret_bytes, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_LOG_BYTES, err);

    if (!statement)
        return -1;
    bind_integer(statement, 1, seq);
    if (statement_step(db, statement, err) < 0)
        return -1;
    *ret_bytes = (size_t)sqlite3_column_int64(statement, 0);
    return 0;
}

/* The part in which the newest `room` bytes begin, and what of it stays. 0: all parts fit. */
static int find_cut(struct db *db, int64_t seq, size_t room, int64_t *ret_part, char **ret_rest,
                    struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_LOG_NEWEST, err);
    int row;

    if (!statement)
        return -1;
    bind_integer(statement, 1, seq);
    while ((row = statement_step(db, statement, err)) > 0) {
        size_t bytes = (size_t)sqlite3_column_int64(statement, 1);

        if (bytes > room) {
            const char *text = (const char *)sqlite3_column_text(statement, 2);

            tail_of(&text, &bytes, room);
            *ret_rest = xstrndup(text, bytes);
            *ret_part = sqlite3_column_int64(statement, 0);
            return 0;
        }
        room -= bytes;
    }
    return row;
}

static int log_shorten(struct db *db, int64_t seq, size_t limit_bytes, struct error *err)
{
    char warning[WARNING_BYTES];
    auto_free char *rest = NULL;
    int64_t part = 0, bytes;
    size_t room;

    snprintf(warning, sizeof warning,
             "[WARNING] Logs truncated. The output exceeded %zu characters.\n", limit_bytes);
    room = limit_bytes > strlen(warning) ? limit_bytes - strlen(warning) : 0;
    bytes = (int64_t)strlen(warning);
    if (find_cut(db, seq, room, &part, &rest, err) < 0 ||
        statement_do(db, err, STATEMENT_LOG_MARK, "iit", seq, bytes, warning) < 0)
        return -1;
    if (!rest)
        return 0;
    bytes = (int64_t)strlen(rest);
    if (statement_do(db, err, STATEMENT_LOG_CUT, "iiit", seq, part, bytes, rest) < 0)
        return -1;
    return statement_do(db, err, STATEMENT_LOG_DROP, "ii", seq, part);
}

int store_deployment_log(struct db *db, const char *project_id, const char *id, const char *text,
                         size_t bytes, size_t limit_bytes, struct error *err)
{
    auto_free char *clean = NULL;
    size_t total = 0;
    int64_t seq = 0;

    if (deployment_seq(db, project_id, id, &seq, err) < 0)
        return -1;
    if (bytes == 0)
        return 0;
    /* One byte more than the limit, so that it shows that it was exceeded. */
    tail_of(&text, &bytes, limit_bytes + 1);
    if (memchr(text, '\0', bytes)) {
        clean = xmalloc(bytes);
        for (size_t i = 0; i < bytes; i++)
            clean[i] = text[i] ? text[i] : ' ';
        text = clean;
    }
    if (log_add(db, seq, text, bytes, err) < 0 || log_bytes(db, seq, &total, err) < 0)
        return -1;
    return total > limit_bytes ? log_shorten(db, seq, limit_bytes, err) : 0;
}

int deployment_read_logs(struct db *db, int64_t seq, struct deployment *deployment,
                         struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, STATEMENT_LOG_READ, err);
    auto_buffer struct buffer logs;
    int row;

    buffer_init(&logs, LOG_BYTES_MAX);
    if (!statement)
        return -1;
    bind_integer(statement, 1, seq);
    while ((row = statement_step(db, statement, err)) > 0) {
        const unsigned char *text = sqlite3_column_text(statement, 0);

        buffer_add(&logs, text, (size_t)sqlite3_column_bytes(statement, 0));
    }
    if (row < 0)
        return -1;
    free(deployment->build_logs);
    deployment->build_logs = buffer_steal(&logs, NULL);
    return 0;
}
