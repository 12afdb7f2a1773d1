/*
 * From the column rows (columns.c): SQL, parameters, structs. No entity is named here but for what
 * a flag asks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "store_private.h"

enum { COLUMNS_MAX = 64 };

static bool is_read(const struct column *column)
{
    return !(column->flags & (COLUMN_FILTER | COLUMN_APART));
}

static bool is_written(const struct column *column)
{
    return !(column->flags & (COLUMN_FILTER | COLUMN_APART | COLUMN_COMPUTED | COLUMN_SERIAL));
}

/* Holds a char * that the struct owns. */
static bool is_owned_text(const struct column *column)
{
    return (column->kind == COLUMN_TEXT || column->kind == COLUMN_LIST) &&
           !(column->flags & (COLUMN_FILTER | COLUMN_INLINE));
}

void entity_add_select_list(struct buffer *sql, enum entity_type type)
{
    const struct entity *entity = &entities[type];
    const char *comma = "";

    for (size_t i = 0; i < entity->column_count; i++) {
        const struct column *column = &entity->columns[i];

        if (!is_read(column))
            continue;
        if (column->expression)
            buffer_addf(sql, "%s%s", comma, column->expression);
        else
            buffer_addf(sql, "%st.%s", comma, column->name);
        comma = ", ";
    }
}

void entity_add_select(struct buffer *sql, enum entity_type type)
{
    buffer_add_text(sql, "SELECT ");
    entity_add_select_list(sql, type);
    buffer_addf(sql, " FROM %s ", entities[type].from);
}

void entity_add_insert(struct buffer *sql, enum entity_type type)
{
    const struct entity *entity = &entities[type];
    int count = 0;

    buffer_addf(sql, "INSERT INTO %s (", entity->table);
    for (size_t i = 0; i < entity->column_count; i++) {
        if (is_written(&entity->columns[i]))
            buffer_addf(sql, "%s%s", count++ ? ", " : "", entity->columns[i].name);
    }
    buffer_add_text(sql, ") SELECT ");
    for (int i = 1; i <= count; i++)
        buffer_addf(sql, "%s?%d", i > 1 ? ", " : "", i);
    buffer_add_char(sql, ' ');
}

void entity_add_update(struct buffer *sql, enum entity_type type)
{
    const struct entity *entity = &entities[type];
    const char *separator = "";
    int parameter = 0;

    buffer_addf(sql, "UPDATE %s SET ", entity->table);
    for (size_t i = 0; i < entity->column_count; i++) {
        const struct column *column = &entity->columns[i];

        if (!is_written(column))
            continue;
        parameter++;
        if (column->flags & COLUMN_FIXED)
            continue;
        if (column->flags & COLUMN_FINAL)
            buffer_addf(sql, "%s%s = CASE %s WHEN 'canceled' THEN 'canceled' ELSE ?%d END",
                        separator, column->name, column->name, parameter);
        else
            buffer_addf(sql, "%s%s = ?%d", separator, column->name, parameter);
        separator = ", ";
    }
    separator = " WHERE ";
    parameter = 0;
    for (size_t i = 0; i < entity->column_count; i++) {
        if (!is_written(&entity->columns[i]))
            continue;
        parameter++;
        if (entity->columns[i].flags & COLUMN_KEY) {
            buffer_addf(sql, "%s%s = ?%d", separator, entity->columns[i].name, parameter);
            separator = " AND ";
        }
    }
}

static void bind_owned_text(sqlite3_stmt *statement, int index, const struct column *column,
                            const char *text)
{
    const char *fallback = column->kind == COLUMN_LIST ? "[]" : "";

    if ((column->flags & COLUMN_NULLABLE) && (!text || !*text))
        bind_text(statement, index, NULL);
    else
        bind_text(statement, index,
                  text && (*text || column->kind == COLUMN_TEXT) ? text : fallback);
}

static int bind_column(struct db *db, sqlite3_stmt *statement, int index,
                       const struct column *column, const void *entity, struct error *err)
{
    const char *field = (const char *)entity + column->offset;

    if (column->flags & COLUMN_SEALED)
        return variable_value_bind(db, statement, index, entity, err);
    switch (column->kind) {
    case COLUMN_TEXT:
    case COLUMN_LIST:
        if (column->flags & COLUMN_INLINE)
            bind_text(statement, index, field);
        else
            bind_owned_text(statement, index, column, *(char *const *)(const void *)field);
        return 0;
    case COLUMN_INTEGER:
    case COLUMN_DATE:
        bind_integer(statement, index, *(const int64_t *)(const void *)field);
        return 0;
    case COLUMN_BOOLEAN:
        bind_integer(statement, index, *(const bool *)field);
        return 0;
    case COLUMN_REAL:
        sqlite3_bind_double(statement, index, *(const double *)(const void *)field);
        return 0;
    }
    return fail(err, ERROR_INTERNAL, "a column of kind %d", (int)column->kind);
}

/* The struct's fields as parameters of a generated insert or update; borrowed. */
static int entity_bind(struct db *db, sqlite3_stmt *statement, enum entity_type type,
                       const void *entity, struct error *err)
{
    const struct entity *row = &entities[type];
    int most = sqlite3_bind_parameter_count(
        statement); /* an update does not mention the last ones */
    int index = 0;

    for (size_t i = 0; i < row->column_count && index < most; i++) {
        if (is_written(&row->columns[i]) &&
            bind_column(db, statement, ++index, &row->columns[i], entity, err) < 0)
            return -1;
    }
    return 0;
}

static void read_inline(sqlite3_stmt *statement, int index, char field[GENERATED_ID + 1])
{
    const unsigned char *text = sqlite3_column_text(statement, index);
    size_t bytes = (size_t)sqlite3_column_bytes(statement, index);

    bytes = bytes > GENERATED_ID ? GENERATED_ID : bytes;
    if (text)
        memcpy(field, text, bytes);
    field[text ? bytes : 0] = '\0';
}

static void read_column(sqlite3_stmt *statement, int index, const struct column *column,
                        void *entity)
{
    void *field = (char *)entity + column->offset;

    switch (column->kind) {
    case COLUMN_TEXT:
    case COLUMN_LIST:
        if (column->flags & COLUMN_INLINE)
            read_inline(statement, index, field);
        else
            *(char **)field = column_text(statement, index);
        return;
    case COLUMN_INTEGER:
    case COLUMN_DATE:
        *(int64_t *)field = sqlite3_column_int64(statement, index);
        return;
    case COLUMN_BOOLEAN:
        *(bool *)field = sqlite3_column_int(statement, index) != 0;
        return;
    case COLUMN_REAL:
        *(double *)field = sqlite3_column_double(statement, index);
        return;
    }
}

int entity_read(struct db *db, sqlite3_stmt *statement, enum entity_type type, void *ret_entity,
                struct error *err)
{
    const struct entity *row = &entities[type];
    union any_entity entity;
    int index = 0;

    assert(row->bytes <= sizeof entity);
    memset(&entity, 0, sizeof entity);
    for (size_t i = 0; i < row->column_count; i++) {
        const struct column *column = &row->columns[i];

        if (column->flags & COLUMN_APART) {
            *(char **)(void *)((char *)&entity + column->offset) = xstrdup("");
        } else if (column->flags & COLUMN_SEALED) {
            if (variable_value_read(db, statement, index++, &entity.variable, err) < 0) {
                entity_release(type, &entity);
                return -1;
            }
        } else if (is_read(column)) {
            read_column(statement, index++, column, &entity);
        }
    }
    memcpy(ret_entity, &entity, row->bytes);
    return 0;
}

void entity_release(enum entity_type type, void *entity)
{
    const struct entity *row = &entities[type];

    for (size_t i = 0; i < row->column_count; i++) {
        if (is_owned_text(&row->columns[i]))
            free(*(char **)(void *)((char *)entity + row->columns[i].offset));
    }
    memset(entity, 0, row->bytes);
}

void entity_copy(enum entity_type type, const void *entity, void *ret_copy, struct buffer *texts)
{
    const struct entity *row = &entities[type];
    const size_t columns = row->column_count;
    size_t sizes[COLUMNS_MAX], total = 0;

    assert(columns <= COLUMNS_MAX);
    for (size_t i = 0; i < columns; i++) {
        const struct column *column = &row->columns[i];
        const char *field = (const char *)entity + column->offset;
        const char *text = is_owned_text(column) ? *(char *const *)(const void *)field : NULL;

        sizes[i] = text ? strlen(text) + 1 : 0;
        total += sizes[i];
    }
    memcpy(ret_copy, entity, row->bytes);
    buffer_reset(texts);
    buffer_reserve(texts, total); /* none of the texts may move */
    for (size_t i = 0; i < columns; i++) {
        char **field = (char **)(void *)((char *)ret_copy + row->columns[i].offset);

        if (sizes[i] == 0)
            continue;
        memcpy(texts->data + texts->size, *field, sizes[i]);
        *field = texts->data + texts->size;
        texts->size += sizes[i];
    }
}

int entity_read_one(struct db *db, sqlite3_stmt *statement, enum entity_type type, void *ret_entity,
                    enum error_type missing, struct error *err)
{
    int row = statement_step(db, statement, err);

    if (row < 0)
        return -1;
    return row ? entity_read(db, statement, type, ret_entity, err) : fail(err, missing, NULL);
}

int entity_read_each(struct db *db, sqlite3_stmt *statement, enum entity_type type, list_row *row,
                     void *context, struct error *err)
{
    int step;

    while ((step = statement_step(db, statement, err)) > 0) {
        union any_entity entity;

        if (entity_read(db, statement, type, &entity, err) < 0)
            return -1;
        row(context, &entity);
        entity_release(type, &entity);
    }
    return step;
}

int entity_insert(struct db *db, enum statement id, enum entity_type type, const void *entity,
                  enum error_type taken, struct error *err)
{
    auto_reset sqlite3_stmt *statement = statement_get(db, id, err);

    if (!statement || entity_bind(db, statement, type, entity, err) < 0)
        return -1;
    return statement_run_unique(db, statement, taken, err);
}

int entity_update(struct db *db, enum statement id, enum entity_type type, const void *entity,
                  enum error_type missing, enum error_type taken, struct error *err)
{
    if (entity_insert(db, id, type, entity, taken, err) < 0)
        return -1;
    return db_changes(db) > 0 ? 0 : fail(err, missing, NULL);
}

/* clang-format off */
#define RELEASE(name, type) \
    void name##_release(struct name *name) { entity_release(type, name); }

RELEASE(project, ENTITY_PROJECT)
RELEASE(key, ENTITY_KEY)
RELEASE(function, ENTITY_FUNCTION)
RELEASE(variable, ENTITY_VARIABLE)
RELEASE(deployment, ENTITY_DEPLOYMENT)
RELEASE(execution, ENTITY_EXECUTION)
RELEASE(rule, ENTITY_RULE)
/* clang-format on */
