/*
 * From the JSON of queries[] to filters the store knows. The sentences are the API's own, to the
 * letter.
 *
 * Source: utopia-php/database src/Database/Query.php and Validator.
 */
#include "queries.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "json_depth.h"
#include "mem.h"
#include "old_queries.h"
#include "text.h"

enum { QUERIES_MAX = 100, QUERY_BYTES = 16384, QUERY_CHARACTERS = 4096, VALUES_MAX = 500 };
enum { LIMIT_DEFAULT = 25, LIMIT_MAX = 5000 };

enum method_kind { KIND_FILTER, KIND_GROUP, KIND_ORDER, KIND_PAGE, KIND_CURSOR, KIND_SELECT };
enum value_count { NONE, ONE, TWO, SOME };

struct method {
    const char *name;
    enum method_kind kind;
    enum filter_method filter;
    enum value_count values;
};

static const struct method methods[] = {
    { "equal", KIND_FILTER, FILTER_EQUAL, SOME },
    { "notEqual", KIND_FILTER, FILTER_NOT_EQUAL, ONE },
    { "lessThan", KIND_FILTER, FILTER_LESS, ONE },
    { "lessThanEqual", KIND_FILTER, FILTER_LESS_EQUAL, ONE },
    { "greaterThan", KIND_FILTER, FILTER_GREATER, ONE },
    { "greaterThanEqual", KIND_FILTER, FILTER_GREATER_EQUAL, ONE },
    { "contains", KIND_FILTER, FILTER_CONTAINS, SOME },
    { "notContains", KIND_FILTER, FILTER_NOT_CONTAINS, SOME },
    { "isNull", KIND_FILTER, FILTER_IS_NULL, NONE },
    { "isNotNull", KIND_FILTER, FILTER_IS_NOT_NULL, NONE },
    { "between", KIND_FILTER, FILTER_BETWEEN, TWO },
    { "notBetween", KIND_FILTER, FILTER_NOT_BETWEEN, TWO },
    { "startsWith", KIND_FILTER, FILTER_STARTS_WITH, ONE },
    { "notStartsWith", KIND_FILTER, FILTER_NOT_STARTS_WITH, ONE },
    { "endsWith", KIND_FILTER, FILTER_ENDS_WITH, ONE },
    { "notEndsWith", KIND_FILTER, FILTER_NOT_ENDS_WITH, ONE },
    { "search", KIND_FILTER, FILTER_SEARCH, ONE },
    { "notSearch", KIND_FILTER, FILTER_NOT_SEARCH, ONE },
    { "and", KIND_GROUP, FILTER_AND },
    { "or", KIND_GROUP, FILTER_OR },
    { "orderAsc", KIND_ORDER },
    { "orderDesc", KIND_ORDER },
    { "orderRandom", KIND_ORDER },
    { "limit", KIND_PAGE },
    { "offset", KIND_PAGE },
    { "cursorAfter", KIND_CURSOR },
    { "cursorBefore", KIND_CURSOR },
    { "select", KIND_SELECT },
};

struct reading {
    struct arena *arena;
    const struct queries_options *options;
    const struct list_column *columns;
    struct queries *out;
    struct filter *filters;
    struct order *orders;
    bool has_limit, has_offset;
    struct error *err;
};

/* ---- sentences ------------------------------------------------------------------------------- */

/* What goes wrong inside a query: the validator's words wrap the parser's. */
__attribute__((format(printf, 2, 3))) static void set_reason(struct reading *reading,
                                                             const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fail(reading->err, ERROR_GENERAL_ARGUMENT_INVALID, "Invalid `queries` param: Invalid query: %s",
         text);
}

#define refuse(...) (set_reason(__VA_ARGS__), -1)

/* PHP's gettype(). */
static const char *type_name(const json_t *value)
{
    if (value == NULL)
        return "NULL";
    switch (json_typeof(value)) {
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "double";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    case JSON_ARRAY:
    case JSON_OBJECT:
        return "array";
    case JSON_NULL:
        return "NULL";
    }
    return "NULL";
}

/* equal -> Equal */
static const char *capital(const struct method *method, char ret_name[32])
{
    snprintf(ret_name, 32, "%s", method->name);
    ret_name[0] = (char)toupper((unsigned char)ret_name[0]);
    return ret_name;
}

/* ---- filters --------------------------------------------------------------------------------- */

static int find_column(struct reading *reading, const char *attribute, int *ret_column)
{
    const struct queries_options *options = reading->options;

    if (options->rename != NULL)
        attribute = options->rename(options->context, attribute);
    for (int i = 0; reading->columns[i].attribute != NULL; i++)
        if (strcmp(reading->columns[i].attribute, attribute) == 0) {
            *ret_column = i;
            return 0;
        }
    return refuse(reading, "Attribute not found in schema: %.64s", attribute);
}

static bool read_value(struct reading *reading, const struct list_column *column,
                       const json_t *json, struct filter_value *value)
{
    const char *text = json_string_value(json);

    switch (column->kind) {
    case COLUMN_TEXT:
    case COLUMN_LIST:
        if (text == NULL || strlen(text) != json_string_length(json))
            return false;
        value->kind = VALUE_TEXT;
        value->text = arena_text(reading->arena, text, strlen(text));
        return true;
    case COLUMN_INTEGER:
        value->kind = VALUE_INTEGER;
        value->integer = json_integer_value(json);
        return json_is_integer(json);
    case COLUMN_BOOLEAN:
        value->kind = VALUE_INTEGER;
        value->integer = json_is_true(json);
        return json_is_boolean(json);
    case COLUMN_DATE:
        value->kind = VALUE_INTEGER;
        return text != NULL && clock_parse(text, &value->integer) == 0;
    case COLUMN_REAL:
        value->kind = VALUE_REAL;
        value->real = json_number_value(json);
        return json_is_number(json);
    }
    return false;
}

static int check_count(struct reading *reading, const struct method *method, size_t count)
{
    char name[32];

    switch (method->values) {
    case NONE:
        return 0;
    case ONE:
        if (count != 1)
            return refuse(reading, "%s queries require exactly one value.", capital(method, name));
        return 0;
    case TWO:
        if (count != 2)
            return refuse(reading, "%s queries require exactly two values.", capital(method, name));
        return 0;
    case SOME:
        if (count == 0)
            return refuse(reading, "%s queries require at least one value.", capital(method, name));
        return 0;
    }
    return 0;
}

static bool is_for_text(enum filter_method method)
{
    return method == FILTER_STARTS_WITH || method == FILTER_NOT_STARTS_WITH ||
           method == FILTER_ENDS_WITH || method == FILTER_NOT_ENDS_WITH ||
           method == FILTER_SEARCH || method == FILTER_NOT_SEARCH;
}

static int read_filter(struct reading *reading, const struct method *method, const char *attribute,
                       const json_t *values, struct filter *filter)
{
    size_t count = json_array_size(values);
    bool is_contains = method->filter == FILTER_CONTAINS || method->filter == FILTER_NOT_CONTAINS;

    if (find_column(reading, attribute, &filter->column) < 0)
        return -1;
    const struct list_column *column = &reading->columns[filter->column];
    if (check_count(reading, method, count) < 0)
        return -1;
    if (count > VALUES_MAX)
        return refuse(reading, "Query on attribute has greater than %d values: %s", VALUES_MAX,
                      attribute);
    if (column->kind == COLUMN_LIST && !is_contains && method->values != NONE)
        return refuse(reading, "Cannot query %s on attribute \"%s\" because it is an array.",
                      method->name, attribute);
    if (is_contains && column->kind != COLUMN_LIST && column->kind != COLUMN_TEXT)
        return refuse(reading,
                      "Cannot query %s on attribute \"%s\" because it is not an array, string, or "
                      "object.",
                      method->name, attribute);
    filter->method = method->filter;
    if (method->values == NONE)
        return 0;
    struct filter_value *list = arena_alloc(reading->arena, count * sizeof(*list));
    for (size_t i = 0; i < count; i++)
        if ((is_for_text(method->filter) && column->kind != COLUMN_TEXT) ||
            !read_value(reading, column, json_array_get(values, i), &list[i]))
            return refuse(reading, "Query value is invalid for attribute \"%s\"", attribute);
    filter->values = list;
    filter->value_count = count;
    return 0;
}

static int read_query(struct reading *reading, const json_t *query,
                      const struct method **ret_method, const char **ret_attribute,
                      const json_t **ret_values);

static int read_group(struct reading *reading, const struct method *method, const json_t *values,
                      struct filter *filter)
{
    size_t count = json_array_size(values);
    char name[32];

    if (count < 2)
        return refuse(reading, "%s queries require at least two queries", capital(method, name));
    struct filter *children = arena_alloc(reading->arena, count * sizeof(*children));
    for (size_t i = 0; i < count; i++) {
        const struct method *inner;
        const char *attribute;
        const json_t *inner_values;

        if (read_query(reading, json_array_get(values, i), &inner, &attribute, &inner_values) < 0)
            return -1;
        if (inner->kind != KIND_FILTER && inner->kind != KIND_GROUP)
            return refuse(reading, "%s queries can only contain filter queries",
                          capital(method, name));
        int status = inner->kind == KIND_GROUP
                         ? read_group(reading, inner, inner_values, &children[i])
                         : read_filter(reading, inner, attribute, inner_values, &children[i]);
        if (status < 0)
            return -1;
    }
    filter->method = method->filter;
    filter->children = children;
    filter->child_count = count;
    return 0;
}

/* ---- everything else ------------------------------------------------------------------------- */

static int read_order(struct reading *reading, const struct method *method, const char *attribute)
{
    struct list_query *query = &reading->out->query;
    struct order *order = &reading->orders[query->order_count];

    if (strcmp(method->name, "orderRandom") == 0) {
        query->random = true;
        return 0;
    }
    /* Without an attribute: the order of creation. */
    if (find_column(reading, *attribute == '\0' ? "$createdAt" : attribute, &order->column) < 0)
        return -1;
    order->descending = strcmp(method->name, "orderDesc") == 0;
    query->order_count++;
    return 0;
}

static int read_page(struct reading *reading, const struct method *method, const json_t *values)
{
    const json_t *value = json_array_get(values, 0);
    bool is_limit = strcmp(method->name, "limit") == 0;
    struct list_query *query = &reading->out->query;
    int64_t number = json_integer_value(value);
    int64_t least = is_limit ? 1 : 0;

    if (json_is_string(value) && text_to_int(json_string_value(value), &number) < 0)
        return refuse(reading, "Invalid limit: Value must be a valid numeric");
    if (!json_is_integer(value) && !json_is_string(value))
        return refuse(reading, "Invalid limit: Value must be a valid numeric");
    if (number < least)
        return refuse(reading,
                      "Invalid %s: Value must be a valid range between %d and "
                      "9,223,372,036,854,775,807",
                      method->name, (int)least);
    if (is_limit && !reading->has_limit) { /* the first one counts */
        query->limit = number > LIMIT_MAX ? LIMIT_MAX : number;
        reading->has_limit = true;
    } else if (!is_limit && !reading->has_offset) {
        query->offset = number;
        reading->has_offset = true;
    }
    return 0;
}

static bool is_uid(const char *text)
{
    if (text == NULL || !isalnum((unsigned char)*text) || strlen(text) > ID_MAX)
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
            return false;
    return true;
}

static int read_cursor(struct reading *reading, const struct method *method, const json_t *values)
{
    const char *id = json_string_value(json_array_get(values, 0));
    struct list_query *query = &reading->out->query;

    if (!is_uid(id))
        return refuse(reading, "Invalid cursor: UID must contain at most 36 chars. Valid chars are "
                               "a-z, A-Z, 0-9, and underscore. Can't start with a leading "
                               "underscore");
    if (query->cursor_id == NULL) {
        query->cursor_id = arena_text(reading->arena, id, strlen(id));
        query->cursor_before = strcmp(method->name, "cursorBefore") == 0;
    }
    return 0;
}

static int read_select(struct reading *reading, const json_t *values)
{
    size_t count = json_array_size(values);

    if (!reading->options->selectable)
        return fail(reading->err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `queries` param: Invalid query method: select");
    if (count == 0)
        return refuse(reading, "No attributes selected");
    const char **names = arena_alloc(reading->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(values, i);
        if (!json_is_string(value))
            return refuse(reading, "Attribute selection must be a string, got %s",
                          json_is_integer(value) ? "int" : type_name(value));
        names[i] = arena_text(reading->arena, json_string_value(value),
                              strlen(json_string_value(value)));
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return refuse(reading, "Duplicate attributes selected");
    }
    reading->out->selected = names;
    return 0;
}

/* ---- one query ------------------------------------------------------------------------------- */

static int read_query(struct reading *reading, const json_t *query,
                      const struct method **ret_method, const char **ret_attribute,
                      const json_t **ret_values)
{
    if (!json_is_object(query) && !json_is_array(query))
        return refuse(reading, "Invalid query. Must be an array, got %s", type_name(query));
    const json_t *method = json_object_get(query, "method");
    const json_t *attribute = json_object_get(query, "attribute");
    const json_t *values = json_object_get(query, "values");
    const char *name = method == NULL ? "" : json_string_value(method);

    if (name == NULL)
        return refuse(reading, "Invalid query method. Must be a string, got %s", type_name(method));
    *ret_method = NULL;
    for (size_t i = 0; i < COUNT(methods); i++)
        if (strcmp(methods[i].name, name) == 0)
            *ret_method = &methods[i];
    if (*ret_method == NULL)
        return refuse(reading, "Invalid query method: %.64s", name);
    if (attribute != NULL && !json_is_string(attribute))
        return refuse(reading, "Invalid query attribute. Must be a string, got %s",
                      type_name(attribute));
    if (values != NULL && !json_is_array(values))
        return refuse(reading, "Invalid query values. Must be an array, got %s", type_name(values));
    *ret_attribute = attribute == NULL ? "" : json_string_value(attribute);
    *ret_values = values;
    return 0;
}

static int take_query(struct reading *reading, const json_t *json)
{
    const struct method *method;
    const char *attribute;
    const json_t *values;
    struct list_query *query = &reading->out->query;

    if (read_query(reading, json, &method, &attribute, &values) < 0)
        return -1;
    switch (method->kind) {
    case KIND_FILTER:
        return read_filter(reading, method, attribute, values,
                           &reading->filters[query->filter_count++]);
    case KIND_GROUP:
        return read_group(reading, method, values, &reading->filters[query->filter_count++]);
    case KIND_ORDER:
        return read_order(reading, method, attribute);
    case KIND_PAGE:
        return read_page(reading, method, values);
    case KIND_CURSOR:
        return read_cursor(reading, method, values);
    case KIND_SELECT:
        return read_select(reading, values);
    }
    return -1;
}

static int take_text(struct reading *reading, const char *text, size_t bytes)
{
    const char *reason = "";
    json_t *json;

    if (reading->options->old_syntax && *text != '{')
        json = old_query_read(text, bytes, reading->err);
    else
        json = json_read(text, bytes, &reason);
    if (json == NULL && reading->options->old_syntax && *text != '{')
        return -1;
    if (json == NULL)
        return refuse(reading, "Invalid query: %s", reason);
    int status = take_query(reading, json);
    json_decref(json);
    return status;
}

static int check_entry(struct reading *reading, const json_t *entry)
{
    size_t bytes = json_string_length(entry);

    if (!json_is_string(entry))
        return refuse(reading, "Invalid query. Must be an array, got %s", type_name(entry));
    if (bytes > QUERY_BYTES || text_characters(json_string_value(entry), bytes) > QUERY_CHARACTERS)
        return fail(reading->err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `queries` param: Value must a valid array no longer than %d items and "
                    "Value must be a valid string and at least 1 chars and no longer than %d chars",
                    QUERIES_MAX, QUERY_CHARACTERS);
    return 0;
}

int queries_read(struct arena *arena, const struct queries_options *options, const json_t *list,
                 struct queries *ret_queries, struct error *err)
{
    size_t count = json_array_size(list);
    struct queries queries = { .query = { .limit = LIMIT_DEFAULT, .count = true } };
    struct reading reading = {
        .arena = arena,
        .options = options,
        .out = &queries,
        .err = err,
        .columns = store_columns(options->entity),
    };

    if (list != NULL && !json_is_array(list))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `queries` param: Queries must be an array");
    if (count > QUERIES_MAX)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `queries` param: Value must a valid array no longer than %d items and "
                    "Value must be a valid string and at least 1 chars and no longer than %d chars",
                    QUERIES_MAX, QUERY_CHARACTERS);
    reading.filters = arena_alloc(arena, (count + 1) * sizeof(*reading.filters));
    reading.orders = arena_alloc(arena, (count + 1) * sizeof(*reading.orders));
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        if (check_entry(&reading, entry) < 0 ||
            take_text(&reading, json_string_value(entry), json_string_length(entry)) < 0)
            return -1;
    }
    queries.query.filters = reading.filters;
    queries.query.orders = reading.orders;
    *ret_queries = queries;
    return 0;
}
