/*
 * Filters as SQL conditions. Names come from the column rows only; values are always parameters,
 * but for the states of unusual executions.
 */
#include <string.h>

#include "list_private.h"
#include "mem.h"
#include "text.h"

/* What is compared with each value, and how the comparisons are joined. */
struct comparison {
    const char *each; /* behind the column, in front of the value */
    const char *join;
    const char *before, *after; /* of a pattern's text; NULL: the value as it is */
};

static const struct comparison comparisons[FILTER_METHODS] = {
    [FILTER_LESS] = { " < ", " OR " },
    [FILTER_LESS_EQUAL] = { " <= ", " OR " },
    [FILTER_GREATER] = { " > ", " OR " },
    [FILTER_GREATER_EQUAL] = { " >= ", " OR " },
    [FILTER_CONTAINS] = { " LIKE ", " OR ", "%", "%" },
    [FILTER_NOT_CONTAINS] = { " NOT LIKE ", " AND ", "%", "%" },
    [FILTER_STARTS_WITH] = { " LIKE ", " OR ", "", "%" },
    [FILTER_NOT_STARTS_WITH] = { " NOT LIKE ", " AND ", "", "%" },
    [FILTER_ENDS_WITH] = { " LIKE ", " OR ", "%", "" },
    [FILTER_NOT_ENDS_WITH] = { " NOT LIKE ", " AND ", "%", "" },
};

/* The text between before and after, with what LIKE would read as a pattern escaped. */
static char *pattern_new(const char *before, const char *text, const char *after)
{
    char *pattern = xmalloc(strlen(before) + 2 * strlen(text) + strlen(after) + 1), *end;

    end = stpcpy(pattern, before);
    for (; *text; text++) {
        if (strchr("%_\\", *text))
            *end++ = '\\';
        *end++ = *text;
    }
    strcpy(end, after);
    return pattern;
}

static void add_comparison(struct list_sql *sql, const struct column *column,
                           const struct filter *filter)
{
    const struct comparison *comparison = &comparisons[filter->method];

    for (size_t i = 0; i < filter->value_count; i++) {
        const struct filter_value *value = &filter->values[i];

        if (i > 0)
            list_sql_add(sql, comparison->join);
        list_sql_column(sql, column, !comparison->before);
        list_sql_add(sql, comparison->each);
        if (comparison->before && value->kind == VALUE_TEXT) {
            list_sql_text(sql, list_sql_own(sql, pattern_new(comparison->before, value->text,
                                                             comparison->after)));
            list_sql_add(sql, " ESCAPE '\\'");
        } else {
            list_sql_value(sql, value);
        }
    }
}

static void add_values(struct list_sql *sql, const struct filter *filter)
{
    list_sql_add(sql, "(");
    for (size_t i = 0; i < filter->value_count; i++) {
        if (i > 0)
            list_sql_add(sql, ", ");
        list_sql_value(sql, &filter->values[i]);
    }
    list_sql_add(sql, ")");
}

/*
 * The id of an execution tells its row: without this, each of the function's rows would be looked
 * at.
 */
static void add_rows_of_ids(struct list_sql *sql, const struct filter *filter)
{
    list_sql_add(sql, "t.seq IN (");
    for (size_t i = 0; i < filter->value_count; i++) {
        const struct filter_value *value = &filter->values[i];

        if (i > 0)
            list_sql_add(sql, ", ");
        list_sql_integer(sql, value->kind == VALUE_TEXT ? id_time_us(value->text) : -1);
    }
    list_sql_add(sql, ") AND ");
}

/*
 * A state that is in the index executions_unusual, in the words of the index: SQLite cannot know
 * what a parameter will be, nor compare without regard to case there.
 */
static bool add_unusual_state(struct list_sql *sql, const struct filter *filter)
{
    static const char *const states[] = { "failed", "waiting", "scheduled", "processing" };
    const struct filter_value *value = &filter->values[0];

    for (size_t i = 0; i < COUNT(states); i++)
        if (filter->value_count == 1 && value->kind == VALUE_TEXT &&
            text_equals_nocase(value->text, states[i])) {
            buffer_addf(&sql->text, "t.status = '%s'", states[i]);
            return true;
        }
    return false;
}

static void add_in(struct list_sql *sql, const struct column *column, const struct filter *filter)
{
    if (filter->method == FILTER_EQUAL && (column->flags & COLUMN_INLINE))
        add_rows_of_ids(sql, filter);
    if (filter->method == FILTER_EQUAL && (column->flags & COLUMN_UNUSUAL) &&
        add_unusual_state(sql, filter))
        return;
    list_sql_column(sql, column, true);
    list_sql_add(sql, filter->method == FILTER_EQUAL ? " IN " : " NOT IN ");
    add_values(sql, filter);
}

static void add_between(struct list_sql *sql, const struct column *column,
                        const struct filter *filter)
{
    list_sql_column(sql, column, true);
    list_sql_add(sql, filter->method == FILTER_BETWEEN ? " BETWEEN " : " NOT BETWEEN ");
    list_sql_value(sql, &filter->values[0]);
    list_sql_add(sql, " AND ");
    list_sql_value(sql, &filter->values[1]);
}

static void add_null(struct list_sql *sql, const struct column *column, const struct filter *filter)
{
    list_sql_column(sql, column, false);
    list_sql_add(sql, filter->method == FILTER_IS_NULL ? " IS NULL" : " IS NOT NULL");
}

static void add_search(struct list_sql *sql, const struct column *column,
                       const struct filter *filter)
{
    list_sql_add(sql, filter->method == FILTER_SEARCH ? "search_words(" : "NOT search_words(");
    list_sql_value(sql, &filter->values[0]);
    list_sql_add(sql, ", ");
    list_sql_column(sql, column, false);
    list_sql_add(sql, ")");
}

typedef void add_condition(struct list_sql *sql, const struct column *column,
                           const struct filter *filter);

/*
 * How many values a method needs at least, and who writes it. FILTER_AND and FILTER_OR have
 * children instead.
 */
static const struct method {
    size_t values;
    add_condition *add;
} methods[FILTER_METHODS] = {
    [FILTER_EQUAL] = { 1, add_in },
    [FILTER_NOT_EQUAL] = { 1, add_in },
    [FILTER_LESS] = { 1, add_comparison },
    [FILTER_LESS_EQUAL] = { 1, add_comparison },
    [FILTER_GREATER] = { 1, add_comparison },
    [FILTER_GREATER_EQUAL] = { 1, add_comparison },
    [FILTER_CONTAINS] = { 1, add_comparison },
    [FILTER_NOT_CONTAINS] = { 1, add_comparison },
    [FILTER_IS_NULL] = { 0, add_null },
    [FILTER_IS_NOT_NULL] = { 0, add_null },
    [FILTER_BETWEEN] = { 2, add_between },
    [FILTER_NOT_BETWEEN] = { 2, add_between },
    [FILTER_STARTS_WITH] = { 1, add_comparison },
    [FILTER_NOT_STARTS_WITH] = { 1, add_comparison },
    [FILTER_ENDS_WITH] = { 1, add_comparison },
    [FILTER_NOT_ENDS_WITH] = { 1, add_comparison },
    [FILTER_SEARCH] = { 1, add_search },
    [FILTER_NOT_SEARCH] = { 1, add_search },
};

static int add_filter(struct list_sql *sql, enum list_entity entity, const struct filter *filter,
                      int depth, struct error *err)
{
    const struct column *column;

    if (depth > FILTER_DEPTH_MAX)
        return fail(err, ERROR_GENERAL_QUERY_INVALID, "Queries may be nested %d deep.",
                    FILTER_DEPTH_MAX);
    list_sql_add(sql, "(");
    if (filter->method == FILTER_AND || filter->method == FILTER_OR) {
        for (size_t i = 0; i < filter->child_count; i++) {
            if (i > 0)
                list_sql_add(sql, filter->method == FILTER_AND ? " AND " : " OR ");
            if (add_filter(sql, entity, &filter->children[i], depth + 1, err) < 0)
                return -1;
        }
        if (filter->child_count == 0)
            list_sql_add(sql, "1");
    } else {
        column = list_column_at(entity, filter->column);
        if (!column || filter->value_count < methods[filter->method].values)
            return fail(err, ERROR_GENERAL_QUERY_INVALID, NULL);
        methods[filter->method].add(sql, column, filter);
    }
    list_sql_add(sql, ")");
    return 0;
}

int list_add_filters(struct list_sql *sql, enum list_entity entity, const struct list_query *query,
                     struct error *err)
{
    for (size_t i = 0; i < query->filter_count; i++) {
        list_sql_add(sql, " AND ");
        if (add_filter(sql, entity, &query->filters[i], 1, err) < 0)
            return -1;
    }
    return 0;
}
