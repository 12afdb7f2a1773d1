/*
 * Lists: filters, order, cursor and count of a page, as one SELECT each.
 *
 * A cursor is a position in the order, not a number of rows: the row is looked up first, then the
 * page is what compares beyond it, column by column, with seq as the last word. A page before the
 * cursor is read backwards and turned round.
 */
#include <string.h>

#include "clock.h"
#include "list_private.h"
#include "mem.h"
#include "text.h"

enum { KEYS_MAX = 32 };

/* One step of the order. */
struct key_step {
    const struct column *column;
    bool descending;
};

struct list {
    struct db *db;
    enum list_entity entity;
    enum entity_type type;
    const struct list_query *query;
    struct key_step keys[KEYS_MAX]; /* ends with one that is unique */
    size_t key_count;
    struct filter_value cursor[KEYS_MAX]; /* the cursor row's keys; texts in cursor_texts */
    char *cursor_texts[KEYS_MAX];
};

/*
 * What belongs to the list at all, and what the search parameter looks at (in front of it: the
 * parameter).
 */
static const struct scope {
    const char *search;
    bool by_function; /* has a function_id of its own */
} scopes[LIST_ENTITIES] = {
    [LIST_FUNCTIONS] = { .search = "t.id, t.name, t.runtime" },
    [LIST_DEPLOYMENTS] = { .search = "t.id, t.entrypoint", .by_function = true },
    [LIST_EXECUTIONS] = { .search = "f.id, t.id" }, /* but see add_execution_search() */
    [LIST_VARIABLES] = { .by_function = true },
    [LIST_RULES] = { .search = "t.id, t.domain", .by_function = true },
};

static const struct column *seq_column(enum entity_type type)
{
    return &entities[type].columns[0]; /* seq is the first of each */
}

/* seq itself, under whichever attribute. */
static bool is_seq(enum entity_type type, const struct column *column)
{
    return column == seq_column(type) ||
           (column->expression && text_equals(column->expression, "t.seq"));
}

static int list_order(struct list *list, struct error *err)
{
    for (size_t i = 0; i < list->query->order_count; i++) {
        const struct order *order = &list->query->orders[i];
        const struct column *column = list_column_at(list->entity, order->column);
        bool known = false;

        if (!column)
            return fail(err, ERROR_GENERAL_QUERY_INVALID, NULL);
        for (size_t k = 0; k < list->key_count; k++)
            known = known || list->keys[k].column == column;
        if (!known)
            list->keys[list->key_count++] = (struct key_step){ .column = column,
                                                               .descending = order->descending };
        if (is_seq(list->type, column)) /* unique: nothing behind it matters */
            return 0;
    }
    list->keys[list->key_count++] = (struct key_step){ .column = seq_column(list->type) };
    return 0;
}

static void add_scope(const struct list *list, struct list_sql *sql)
{
    const struct list_query *query = list->query;

    if (list->entity == LIST_EXECUTIONS) {
        list_sql_add(sql, " WHERE t.function_seq = ");
        list_sql_integer(sql, query->function_seq);
        list_sql_add(sql, " AND f.project_id = ");
    } else {
        list_sql_add(sql, " WHERE t.project_id = ");
    }
    list_sql_text(sql, query->project_id);
    if (scopes[list->entity].by_function && query->function_id) {
        list_sql_add(sql, " AND t.function_id = ");
        list_sql_text(sql, query->function_id);
    }
}

/*
 * The function's id matches for all of its executions or for none, and theirs tell their rows: so
 * this need not look at every one.
 */
static void add_execution_search(const struct list_query *query, struct list_sql *sql)
{
    int64_t first, last;

    if (search_matches(query->search, query->function_id))
        return;
    if (!search_id_times(query->search, &first, &last)) {
        list_sql_add(sql, " AND t.seq = -1"); /* no execution's */
        return;
    }
    list_sql_add(sql, " AND t.seq BETWEEN ");
    list_sql_integer(sql, first);
    list_sql_add(sql, " AND ");
    list_sql_integer(sql, last);
    list_sql_add(sql, " AND search_words(");
    list_sql_text(sql, query->search);
    list_sql_add(sql, ", t.id)");
}

static int add_where(const struct list *list, struct list_sql *sql, struct error *err)
{
    const struct list_query *query = list->query;

    add_scope(list, sql);
    if (list->entity == LIST_EXECUTIONS && (query->reader_roles || query->reader_user_id)) {
        list_sql_add(sql, " AND t.user_id <> '' AND t.user_id = ");
        list_sql_text(sql, query->reader_user_id ? query->reader_user_id : "");
    }
    if (!text_is_empty(query->search) && list->entity == LIST_EXECUTIONS && query->function_id) {
        add_execution_search(query, sql);
    } else if (!text_is_empty(query->search) && scopes[list->entity].search) {
        list_sql_add(sql, " AND search_words(");
        list_sql_text(sql, query->search);
        buffer_addf(&sql->text, ", %s)", scopes[list->entity].search);
    }
    return list_add_filters(sql, list->entity, query, err);
}

/* ---- cursor ---------------------------------------------------------------------------------- */

static int cursor_value(struct list *list, sqlite3_stmt *statement, int index, struct error *err)
{
    struct filter_value *value = &list->cursor[index];

    switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
        *value = (struct filter_value){ .kind = VALUE_INTEGER,
                                        .integer = sqlite3_column_int64(statement, index) };
        return 0;
    case SQLITE_FLOAT:
        *value = (struct filter_value){ .kind = VALUE_REAL,
                                        .real = sqlite3_column_double(statement, index) };
        return 0;
    case SQLITE_TEXT:
        list->cursor_texts[index] = column_text(statement, index);
        *value = (struct filter_value){ .kind = VALUE_TEXT, .text = list->cursor_texts[index] };
        return 0;
    default: /* not our enum */
        return fail(err, ERROR_DATABASE_QUERY_ORDER_NULL, NULL);
    }
}

static int cursor_find(struct list *list, struct error *err)
{
    const struct list_query *query = list->query;
    auto_list_sql struct list_sql sql;
    auto_list_statement struct list_statement statement = { 0 };
    int row;

    list_sql_init(&sql);
    list_sql_add(&sql, "SELECT ");
    for (size_t i = 0; i < list->key_count; i++) {
        list_sql_add(&sql, i ? ", " : "");
        list_sql_column(&sql, list->keys[i].column, false);
    }
    buffer_addf(&sql.text, " FROM %s", entities[list->type].from);
    add_scope(list, &sql);
    if (list->entity == LIST_EXECUTIONS) {
        list_sql_add(&sql, " AND t.seq = ");
        list_sql_integer(&sql, id_time_us(query->cursor_id));
    }
    list_sql_add(&sql, " AND t.id COLLATE NOCASE = ");
    list_sql_text(&sql, query->cursor_id);

    if (list_sql_prepare(list->db, &sql, &statement, err) < 0)
        return -1;
    row = statement_step(list->db, statement.sql, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return fail(err, ERROR_GENERAL_CURSOR_NOT_FOUND,
                    "%s '%s' for the 'cursor' value not found.", entities[list->type].noun,
                    query->cursor_id);
    for (size_t i = 0; i < list->key_count; i++) {
        if (cursor_value(list, statement.sql, (int)i, err) < 0)
            return -1;
    }
    return 0;
}

/*
 * (a > ?) OR (a = ? AND b > ?) ...; with one key, the usual case, just that: SQLite then seeks to
 * it in the index.
 */
static void add_beyond_cursor(const struct list *list, struct list_sql *sql)
{
    list_sql_add(sql, " AND (");
    for (size_t last = 0; last < list->key_count; last++) {
        list_sql_add(sql, last ? " OR (" : "(");
        for (size_t i = 0; i <= last; i++) {
            bool descending = list->keys[i].descending != list->query->cursor_before;

            list_sql_column(sql, list->keys[i].column, true);
            list_sql_add(sql, i < last ? " = " : descending ? " < " : " > ");
            list_sql_value(sql, &list->cursor[i]);
            list_sql_add(sql, i < last ? " AND " : ")");
        }
    }
    list_sql_add(sql, ")");
}

/* ---- page and count -------------------------------------------------------------------------- */

static bool is_backwards(const struct list *list)
{
    return list->query->cursor_id && list->query->cursor_before && !list->query->random;
}

static void add_order(const struct list *list, struct list_sql *sql)
{
    list_sql_add(sql, list->query->random ? " ORDER BY random()" : " ORDER BY ");
    for (size_t i = 0; i < list->key_count && !list->query->random; i++) {
        list_sql_add(sql, i ? ", " : "");
        list_sql_column(sql, list->keys[i].column, true);
        list_sql_add(sql, list->keys[i].descending != is_backwards(list) ? " DESC" : " ASC");
    }
    list_sql_add(sql, " LIMIT ");
    list_sql_integer(sql, list->query->limit);
    list_sql_add(sql, " OFFSET ");
    list_sql_integer(sql, list->query->offset);
}

/* Around a page that was read backwards. Its keys stand behind the columns as k0, k1 ... */
static void add_turned_order(const struct list *list, struct list_sql *sql)
{
    list_sql_add(sql, ") ORDER BY ");
    for (size_t i = 0; i < list->key_count; i++)
        buffer_addf(&sql->text, "%sk%zu%s %s", i ? ", " : "", i,
                    list->keys[i].column->kind == COLUMN_TEXT ? " COLLATE NOCASE" : "",
                    list->keys[i].descending ? "DESC" : "ASC");
}

static int page_sql(const struct list *list, struct list_sql *sql, struct error *err)
{
    list_sql_add(sql, is_backwards(list) ? "SELECT * FROM (SELECT " : "SELECT ");
    entity_add_select_list(&sql->text, list->type);
    for (size_t i = 0; i < list->key_count && is_backwards(list); i++) {
        list_sql_add(sql, ", ");
        list_sql_column(sql, list->keys[i].column, false);
        buffer_addf(&sql->text, " AS k%zu", i);
    }
    buffer_addf(&sql->text, " FROM %s", entities[list->type].from);
    if (add_where(list, sql, err) < 0)
        return -1;
    if (list->query->cursor_id && !list->query->random)
        add_beyond_cursor(list, sql);
    add_order(list, sql);
    if (is_backwards(list))
        add_turned_order(list, sql);
    return 0;
}

static int read_logs(const struct list *list, void *entity, struct error *err)
{
    if (!list->query->with_logs)
        return 0;
    if (list->entity == LIST_DEPLOYMENTS)
        return deployment_read_logs(list->db, ((struct deployment *)entity)->seq, entity, err);
    return list->entity == LIST_EXECUTIONS ? execution_read_logs(list->db, entity, err) : 0;
}

static int page_read(const struct list *list, list_row *row, void *context, struct error *err)
{
    auto_list_sql struct list_sql sql;
    auto_list_statement struct list_statement statement = { 0 };
    int step;

    list_sql_init(&sql);
    if (page_sql(list, &sql, err) < 0 || list_sql_prepare(list->db, &sql, &statement, err) < 0)
        return -1;
    while ((step = statement_step(list->db, statement.sql, err)) > 0) {
        union any_entity entity;
        int result;

        if (entity_read(list->db, statement.sql, list->type, &entity, err) < 0)
            return -1;
        result = read_logs(list, &entity, err);
        if (result == 0)
            row(context, &entity);
        entity_release(list->type, &entity);
        if (result < 0)
            return -1;
    }
    return step;
}

static int count_rows(const struct list *list, int64_t *ret_total, struct error *err)
{
    auto_list_sql struct list_sql sql;
    auto_list_statement struct list_statement statement = { 0 };

    list_sql_init(&sql);
    buffer_addf(&sql.text, "SELECT count(*) FROM (SELECT 1 FROM %s", entities[list->type].from);
    if (add_where(list, &sql, err) < 0)
        return -1;
    buffer_addf(&sql.text, " LIMIT %d)", LIST_TOTAL_MAX);
    if (list_sql_prepare(list->db, &sql, &statement, err) < 0 ||
        statement_step(list->db, statement.sql, err) < 0)
        return -1;
    *ret_total = sqlite3_column_int64(statement.sql, 0);
    return 0;
}

/*
 * Most lists ask for the total of a function with very many executions, and counting to the most
 * that is told costs more than the page. That there are so many stays true until some are removed.
 */
static int count(const struct list *list, int64_t *ret_total, struct error *err)
{
    const struct list_query *query = list->query;
    struct kept_count *kept = &list->db->counts[(uint64_t)query->function_seq % KEPT_COUNTS];
    unsigned long removals = atomic_load(&list->db->store->removals); /* before the rows are read */
    bool is_of_function = list->entity == LIST_EXECUTIONS && query->filter_count == 0 &&
                          text_is_empty(query->search) && !query->reader_roles &&
                          !query->reader_user_id;

    if (is_of_function && kept->function_seq == query->function_seq && kept->removals == removals) {
        *ret_total = LIST_TOTAL_MAX;
        return 0;
    }
    if (count_rows(list, ret_total, err) < 0)
        return -1;
    if (is_of_function && *ret_total == LIST_TOTAL_MAX)
        *kept = (struct kept_count){ query->function_seq, removals };
    return 0;
}

static int list_run(struct list *list, list_row *row, void *context, int64_t *ret_total,
                    struct error *err)
{
    const struct list_query *query = list->query;
    int64_t total = 0;

    if (list_order(list, err) < 0 ||
        (query->cursor_id && !query->random && cursor_find(list, err) < 0) ||
        (query->count && count(list, &total, err) < 0) || page_read(list, row, context, err) < 0)
        return -1;
    if (ret_total)
        *ret_total = total;
    return 0;
}

int store_list(struct db *db, enum list_entity entity, const struct list_query *query,
               list_row *row, void *context, int64_t *ret_total, struct error *err)
{
    struct list list = {
        .db = db, .entity = entity, .type = list_entity_type(entity), .query = query
    };
    int result;

    if (db->limit_us) /* for all of it; what we read of our own accord has none */
        db->deadline_us = clock_monotonic_us() + db->limit_us;
    result = list_run(&list, row, context, ret_total, err);
    db->deadline_us = 0;
    for (size_t i = 0; i < list.key_count; i++)
        mem_auto_free(&list.cursor_texts[i]);
    return result;
}
