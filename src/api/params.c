/*
 * Reading parameters. The sentences are the API's own, to the letter.
 *
 * Source: utopia-php/http src/Http/Http.php and Validator.
 */
#include "params.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "json_depth.h"
#include "text.h"
#include "versions.h"

enum { LIST_ITEMS = 100, OBJECT_BYTES = 65535, CHOICES_TEXT = 8192 };

struct reader {
    struct call *call;
    const struct param *param;
    bool is_text;
    void *field;
    struct error *err;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reader *reader, const char *format,
                                                        ...)
{
    char text[CHECK_TEXT];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return fail(reader->err, ERROR_GENERAL_ARGUMENT_INVALID, "Invalid `%s` param: %s%s",
                reader->param->name, text, reader->param->nullable ? " or null" : "");
}

/* 36500 -> 36,500 */
static const char *with_thousands(int64_t number, char ret_text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    size_t used = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            ret_text[used++] = ',';
        ret_text[used++] = digits[i];
    }
    ret_text[used] = '\0';
    return ret_text;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void text_rule(const struct param *param, char ret_text[CHECK_TEXT])
{
    int used = snprintf(ret_text, CHECK_TEXT, "Value must be a valid string");

    if (param->max == 0)
        return;
    if (!param->empty)
        used += snprintf(ret_text + used, CHECK_TEXT - (size_t)used, " and at least 1 chars");
    snprintf(ret_text + used, CHECK_TEXT - (size_t)used, " and no longer than %lld chars",
             (long long)param->max);
}

static void choices_rule(const char *const *choices, char ret_text[CHECK_TEXT])
{
    int used = snprintf(ret_text, CHECK_TEXT, "Value must be one of (");

    for (; *choices != NULL && used < CHECK_TEXT - 64; choices++)
        used += snprintf(ret_text + used, CHECK_TEXT - (size_t)used, "%s%s", *choices,
                         choices[1] == NULL ? ")" : ", ");
}

/* The built-in rules of one text; false with the sentence. */
static bool text_holds(struct reader *reader, const char *text, size_t bytes,
                       char ret_text[CHECK_TEXT])
{
    const struct param *param = reader->param;
    bool is_whole = param->kind == PARAM_BYTES || strlen(text) == bytes;

    if (param->choices != NULL) {
        const char *const *choices = param->choices(reader->call);
        for (size_t i = 0; choices[i] != NULL; i++)
            if (is_whole && strcmp(choices[i], text) == 0)
                return true;
        choices_rule(choices, ret_text);
        return false;
    }
    if (param->check != NULL && param->max == 0)
        return is_whole; /* the check speaks for everything */
    size_t characters = text_characters(text, bytes);
    bool is_short = characters == 0 && !param->empty && param->max > 0;
    bool is_long = param->max > 0 && characters > (size_t)param->max;
    bool is_foreign = param->kind != PARAM_BYTES && !text_is_utf8(text, bytes);
    if (is_whole && !is_short && !is_long && !is_foreign)
        return true;
    text_rule(param, ret_text);
    return false;
}

static int read_text(struct reader *reader, const json_t *value)
{
    char text[CHECK_TEXT] = "Value must be a valid string";

    if (!json_is_string(value) && reader->param->max > 0)
        text_rule(reader->param, text);
    if (!json_is_string(value) && reader->param->choices != NULL)
        choices_rule(reader->param->choices(reader->call), text);
    if (!json_is_string(value) ||
        !text_holds(reader, json_string_value(value), json_string_length(value), text))
        return refuse(reader, "%s", text);
    struct bytes bytes = { .size = json_string_length(value) };
    bytes.data = arena_text(&reader->call->arena, json_string_value(value), bytes.size);
    const void *checked = reader->param->kind == PARAM_BYTES ? (const void *)&bytes : bytes.data;
    if (reader->param->check != NULL && !reader->param->check(reader->call, checked, text))
        return refuse(reader, "%s", text);
    if (reader->param->kind == PARAM_BYTES)
        *(struct bytes *)reader->field = bytes;
    else
        *(const char **)reader->field = bytes.data;
    return 0;
}

/* ---- numbers and booleans -------------------------------------------------------------------- */

/* The text of a value, or NULL: it is none, or a NUL byte hides a part of it. */
static const char *whole_text(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

static int read_integer(struct reader *reader, const json_t *value)
{
    const struct param *param = reader->param;
    int64_t number = json_integer_value(value);
    const char *digits = whole_text(value);
    bool is_number = json_is_integer(value) ||
                     (digits != NULL && text_to_int(digits, &number) == 0);
    char text[CHECK_TEXT], least[32], most[32];

    if (param->range != NULL) {
        if (!is_number)
            number = INT64_MIN;
        if (!param->range(reader->call, &number, text))
            return refuse(reader, "%s", text);
    } else if (!is_number && param->max == 0) {
        return refuse(reader, "Value must be a valid integer");
    } else if (!is_number || (param->max > 0 && (number < param->min || number > param->max))) {
        return refuse(reader, "Value must be a valid range between %s and %s",
                      with_thousands(param->min, least), with_thousands(param->max, most));
    }
    *(int64_t *)reader->field = number;
    return 0;
}

static int read_boolean(struct reader *reader, const json_t *value)
{
    const char *text = whole_text(value);
    bool is_loose = reader->param->loose || reader->is_text;
    bool is_true = json_is_true(value), is_false = json_is_false(value);

    if (is_loose) {
        is_true = is_true || text_equals(text, "true") || text_equals(text, "1") ||
                  (json_is_integer(value) && json_integer_value(value) == 1);
        is_false = is_false || text_equals(text, "false") || text_equals(text, "0") ||
                   (json_is_integer(value) && json_integer_value(value) == 0);
        is_false = is_false ||
                   (reader->is_text && text_equals(text, "")); /* PHP's false in forms */
    }
    if (!is_true && !is_false)
        return refuse(reader, "Value must be a valid boolean");
    *(bool *)reader->field = is_true;
    return 0;
}

/* ---- lists and objects ----------------------------------------------------------------------- */

static int refuse_list(struct reader *reader, const char *rule)
{
    int64_t items = reader->param->items == 0 ? LIST_ITEMS : reader->param->items;

    return refuse(reader, "Value must a valid array no longer than %lld items and %s",
                  (long long)items, rule);
}

static int read_items(struct reader *reader, json_t *value, struct text_list *ret_list)
{
    size_t count = json_array_size(value);
    const char **items = arena_alloc(&reader->call->arena, (count + 1) * sizeof(*items));
    char rule[CHECK_TEXT] = "";

    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        const char *text = json_string_value(item);
        if (text == NULL || strlen(text) != json_string_length(item) ||
            !text_is_utf8(text, strlen(text)) || !text_holds(reader, text, strlen(text), rule)) {
            if (*rule == '\0')
                text_rule(reader->param, rule);
            return refuse_list(reader, rule);
        }
        items[i] = arena_text(&reader->call->arena, text, strlen(text));
    }
    char *json = json_dumps(value, JSON_COMPACT);
    *ret_list = (struct text_list){ .items = items, .count = count };
    ret_list->json = arena_text(&reader->call->arena, json == NULL ? "[]" : json,
                                json == NULL ? 2 : strlen(json));
    free(json);
    return 0;
}

static int read_list(struct reader *reader, json_t *value)
{
    const struct param *param = reader->param;
    size_t most = param->items == 0 ? LIST_ITEMS : (size_t)param->items;
    bool is_empty_object = json_is_object(value) && json_object_size(value) == 0;
    struct text_list list = { .items = NULL };
    json_t *none = json_array();
    char rule[CHECK_TEXT] = "";
    int status = -1;

    /*
     * With a check of the whole list the sentences are its own, so it sees the list before the
     * items are judged.
     */
    if (param->check != NULL && !param->check(reader->call, value, rule)) {
        status = refuse(reader, "%s", rule);
    } else if ((!json_is_array(value) && !is_empty_object) || json_array_size(value) > most) {
        text_rule(param, rule);
        if (param->choices != NULL)
            choices_rule(param->choices(reader->call), rule);
        status = refuse_list(reader, rule);
    } else {
        status = read_items(reader, is_empty_object ? none : value, &list);
    }
    json_decref(none);
    if (status == 0)
        *(struct text_list *)reader->field = list;
    return status;
}

static int read_object(struct reader *reader, json_t *value)
{
    const char *reason = "";
    char text[CHECK_TEXT] = "Value must be a valid object";
    json_t *object = NULL;

    if (json_is_string(value) && json_string_length(value) <= OBJECT_BYTES)
        object = json_read(json_string_value(value), json_string_length(value), &reason);
    else
        object = json_incref(value);
    if (json_is_array(object) && json_array_size(object) == 0) { /* PHP's empty map */
        json_decref(object);
        object = json_object();
    }
    if (!json_is_object(object)) {
        json_decref(object);
        return refuse(reader, "%s", text);
    }
    call_own_json(reader->call, object);
    if (reader->param->check != NULL && !reader->param->check(reader->call, object, text))
        return refuse(reader, "%s", text);
    *(json_t **)reader->field = object;
    return 0;
}

/* ---- queries --------------------------------------------------------------------------------- */

static const char *rename_attribute(void *context, const char *attribute)
{
    const struct call *call = context;

    return versions_attribute(call->format, call->endpoint->id, attribute);
}

static int read_queries(struct reader *reader, const json_t *value)
{
    struct call *call = reader->call;
    struct queries_options options = {
        .entity = reader->param->entity,
        .selectable = reader->param->selectable,
        .old_syntax = call_below(call, "1.5.0"),
        .rename = rename_attribute,
        .context = call,
    };
    struct queries *queries = reader->field;

    if (queries_read(&call->arena, &options, value, queries, reader->err) < 0)
        return -1;
    queries->query.project_id = call->project_id;
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int read_one(struct reader *reader, json_t *value)
{
    switch (reader->param->kind) {
    case PARAM_TEXT:
    case PARAM_BYTES:
        return read_text(reader, value);
    case PARAM_INTEGER:
        return read_integer(reader, value);
    case PARAM_BOOLEAN:
        return read_boolean(reader, value);
    case PARAM_LIST:
        return read_list(reader, value);
    case PARAM_OBJECT:
        return read_object(reader, value);
    case PARAM_QUERIES:
        return read_queries(reader, value);
    }
    return -1;
}

static void set_fallback(const struct param *param, void *field)
{
    int64_t number = 0;

    switch (param->kind) {
    case PARAM_TEXT:
        *(const char **)field = param->fallback;
        return;
    case PARAM_BYTES:
        if (param->fallback != NULL)
            *(struct bytes *)field = (struct bytes){ .data = param->fallback,
                                                     .size = strlen(param->fallback) };
        return;
    case PARAM_INTEGER:
        if (param->fallback != NULL && text_to_int(param->fallback, &number) == 0)
            *(int64_t *)field = number;
        return;
    case PARAM_BOOLEAN:
        *(bool *)field = text_equals(param->fallback, "true");
        return;
    case PARAM_LIST: {
        static const char *const nothing[] = { NULL };
        *(struct text_list *)field = (struct text_list){ .items = nothing, .json = "[]" };
        return;
    }
    case PARAM_OBJECT:
    case PARAM_QUERIES:
        return;
    }
}

int params_read(struct call *call, const struct param *params, size_t size, json_t *input,
                bool is_text, void **ret_struct, uint64_t *ret_given, struct error *err)
{
    void *structure = arena_alloc(&call->arena, size);
    uint64_t given = 0;

    for (size_t i = 0; params != NULL && params[i].name != NULL && i < PARAMS_MAX; i++) {
        struct reader reader = {
            .call = call,
            .param = &params[i],
            .is_text = is_text,
            .err = err,
            .field = (char *)structure + params[i].offset,
        };
        json_t *value = json_object_get(input, params[i].name);
        bool is_absent = value == NULL || json_is_null(value);

        if (is_absent && !params[i].optional)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "Param \"%s\" is not optional.",
                        params[i].name);
        if (is_absent)
            set_fallback(&params[i], reader.field);
        if (is_absent && params[i].kind != PARAM_QUERIES)
            continue;
        if (read_one(&reader, is_absent ? NULL : value) < 0)
            return -1;
        if (!is_absent)
            given |= 1ULL << i;
    }
    *ret_struct = structure;
    *ret_given = given;
    return 0;
}
