/*
 * Every parameter row of every endpoint row against hostile values. Both the values and the answers
 * that must come follow from the row: whether it is required, its kind, its least and most, its
 * choices and its check. A row that nothing here got refused fails the test.
 */
#include "hostile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "catalog.h"
#include "mem.h"

enum expected {
    REFUSED, /* 400, and the message names the parameter */
    MISSING, /* 400: it is not optional */
    UNREAD,  /* 400: the body cannot be read at all */
    TAKEN,   /* whatever is answered, it is no complaint about this parameter */
    ANY      /* nothing more than what holds for every answer */
};

enum { LONG = 70000, ITEMS_DEFAULT = 100, QUERY_MOST = 4096, DEEP = 1000 };

struct target {
    struct hostile hostile;
    const struct endpoint *row;
    const struct param *param;
    size_t refusals; /* of this parameter, seen as they must be */
    struct buffer path;
};

/* ---- one request ----------------------------------------------------------------------------- */

static bool complains(const struct target *target, const struct reply *reply, const char *before,
                      const char *after)
{
    char expected[160];
    const char *message = reply_text(reply, "message");

    snprintf(expected, sizeof(expected), "%s%s%s", before, target->param->name, after);
    return reply->status == 400 && message != NULL && strstr(message, expected) != NULL;
}

static bool complains_of_body(const struct reply *reply)
{
    const char *message = reply_text(reply, "message");

    return reply->status == 400 && message != NULL &&
           strncmp(message, "The body is no JSON object", 26) == 0;
}

static void judge(struct target *target, const struct reply *reply, const char *what,
                  enum expected expected)
{
    const char *type = reply_text(reply, "type");
    bool is_argument = type != NULL && strcmp(type, "general_argument_invalid") == 0;
    bool is_query = type != NULL && strcmp(type, "general_query_invalid") == 0 &&
                    target->param->kind == PARAM_QUERIES;
    bool is_refused = complains(target, reply, "Invalid `", "` param: ") &&
                      (is_argument || is_query);
    bool is_missing = complains(target, reply, "Param \"", "\" is not optional.") && is_argument;
    bool is_unread = is_argument && complains_of_body(reply);
    bool holds = expected == REFUSED   ? is_refused
                 : expected == MISSING ? is_missing
                 : expected == UNREAD  ? is_unread
                 : expected == TAKEN   ? !is_refused && !is_missing && !is_unread
                                       : true;

    if (!holds) {
        print_error("%s, %s as %.200s: %u %.400s\n", target->row->id, target->param->name, what,
                    reply->status, reply->body);
        target->hostile.failures++;
    }
    target->refusals += expected != TAKEN && expected != ANY ? 1 : 0;
}

/* raw: JSON, or NULL to leave the parameter out. */
static void send_json(struct target *target, const char *raw, size_t bytes, const char *what,
                      enum expected expected)
{
    struct buffer body;

    buffer_init(&body, (size_t)64 << 20);
    buffer_add_text(&body, "{\"hostile\":0");
    if (raw != NULL) {
        buffer_addf(&body, ",\"%s\":", target->param->name);
        buffer_add(&body, raw, bytes);
    }
    hostile_others(&target->hostile, target->row, target->param, true, &body);
    buffer_add_char(&body, '}');
    judge(
        target,
        hostile_call(&target->hostile, target->row, target->path.data, NULL, body.data, body.size),
        what, expected);
    buffer_release(&body);
}

/* raw: what follows the name in a query string or form ("=x", "[]=x"), or NULL. */
static void send_text(struct target *target, const char *raw, const char *what,
                      enum expected expected)
{
    bool is_get = strcmp(target->row->method, "GET") == 0;
    struct buffer form, path;
    const struct reply *reply;

    buffer_init(&form, (size_t)64 << 20);
    buffer_init(&path, (size_t)64 << 20);
    buffer_add_text(&form, "hostile=0");
    if (raw != NULL)
        buffer_addf(&form, "&%s%s", target->param->name, raw);
    hostile_others(&target->hostile, target->row, target->param, false, &form);
    buffer_addf(&path, "%s?%s", target->path.data, form.data);
    if (is_get)
        reply = hostile_call(&target->hostile, target->row, path.data, NULL, "", 0);
    else
        reply = hostile_call(&target->hostile, target->row, target->path.data,
                             HEADERS("content-type: application/x-www-form-urlencoded"), form.data,
                             form.size);
    judge(target, reply, what, expected);
    buffer_release(&form);
    buffer_release(&path);
}

static bool takes_json(const struct target *target)
{
    return strcmp(target->row->method, "GET") != 0;
}

/* `count` times a text, between a begin and an end, in both encodings. */
static void send_repeated(struct target *target, const char *text, size_t count,
                          enum expected expected)
{
    struct buffer raw;
    auto_free char *what = xasprintf("%zu times %s", count, text);

    buffer_init(&raw, (size_t)64 << 20);
    buffer_add_char(&raw, '"');
    for (size_t i = 0; i < count; i++)
        buffer_add_text(&raw, text);
    buffer_add_char(&raw, '"');
    if (takes_json(target))
        send_json(target, raw.data, raw.size, what, expected);
    raw.data[0] = '=';
    raw.data[raw.size - 1] = '\0';
    send_text(target, raw.data, what, expected);
    buffer_release(&raw);
}

/* ---- values that are wrong for a kind -------------------------------------------------------- */

#define KIND(kind) (1U << PARAM_##kind)

enum {
    TEXTS = KIND(TEXT) | KIND(BYTES),
    SCALARS = TEXTS | KIND(INTEGER) | KIND(BOOLEAN),
    LISTS = KIND(LIST) | KIND(QUERIES),
    ALL = SCALARS | LISTS | KIND(OBJECT)
};

static const struct wrong {
    const char *raw;
    unsigned kinds; /* which refuse it */
} wrong_json[] = {
    { "{\"a\":1}", ALL & ~KIND(OBJECT) },
    { "{}", SCALARS | KIND(QUERIES) },
    { "[]", SCALARS },
    { "[1]", ALL },
    { "[null]", ALL },
    { "[[]]", ALL },
    { "[{}]", ALL },
    { "5", ALL & ~(KIND(INTEGER)) },
    { "-9223372036854775808", ALL & ~KIND(INTEGER) },
    { "1.5", ALL },
    { "1e300", ALL },
    { "true", ALL & ~KIND(BOOLEAN) },
    { "\"x\"", ALL & ~TEXTS },
    { "\"\"", ALL & ~TEXTS },
    { "\"1e3\"", ALL & ~TEXTS },
    { "\"99999999999999999999\"", ALL & ~TEXTS },
    { "\"a\\u0000b\"", ALL & ~KIND(BYTES) },
    { "\"5\\u0000\"", ALL & ~KIND(BYTES) },
    { "\"true\\u0000\"", ALL & ~KIND(BYTES) },
    { "\"[1]\"", ALL & ~TEXTS },
}, wrong_text[] = {
    { "[]=x", SCALARS | KIND(OBJECT) },
    { "[a]=x", ALL & ~KIND(OBJECT) },
    { "[a][b][c][d][e][f][g][h][i][j][k][l]=x", ALL & ~KIND(OBJECT) },
    { "[][][][][][][][][][][][][][][][][][]=x", ALL },
    { "=x", ALL & ~TEXTS },
    { "=", ALL & ~TEXTS & ~KIND(BOOLEAN) },
    { "=1e3", ALL & ~TEXTS },
    { "=0x10", ALL & ~TEXTS },
    { "=1.0", ALL & ~TEXTS },
    { "=99999999999999999999", ALL & ~TEXTS },
    { "=%FF", ALL & ~KIND(BYTES) },
    { "=%C3%28", ALL & ~KIND(BYTES) },
    { "=%ED%A0%80", ALL & ~KIND(BYTES) }, /* half of a pair */
    { "=a%00b", ALL & ~KIND(BYTES) },
    { "=1%00", ALL & ~KIND(BYTES) },
    { "=%7B%22a%22:1,%22a%22:2%7D", ALL & ~TEXTS },
    { "[]=%FF", ALL },
};

/* No JSON, whatever the parameter is. */
static const char *const unread[] = {
    "9223372036854775808",
    "1e400",
    "\"\\ud800\"",
    "\"\xff\"",
    "\"\xed\xa0\x80\"",
    "\"\n\"",
    "'x'",
    "undefined",
    "0x10",
    "01",
    "+1",
    "",
};

static void wrong_values(struct target *target)
{
    unsigned kind = 1U << target->param->kind;

    for (size_t i = 0; takes_json(target) && i < COUNT(wrong_json); i++)
        send_json(target, wrong_json[i].raw, strlen(wrong_json[i].raw), wrong_json[i].raw,
                  (wrong_json[i].kinds & kind) != 0 ? REFUSED : ANY);
    for (size_t i = 0; i < COUNT(wrong_text); i++)
        send_text(target, wrong_text[i].raw, wrong_text[i].raw,
                  (wrong_text[i].kinds & kind) != 0 ? REFUSED : ANY);
    for (size_t i = 0; takes_json(target) && i < COUNT(unread); i++)
        send_json(target, unread[i], strlen(unread[i]), unread[i], UNREAD);
}

static void absent_values(struct target *target)
{
    enum expected expected = target->param->optional ? TAKEN : MISSING;

    send_text(target, NULL, "nothing", expected);
    if (!takes_json(target))
        return;
    send_json(target, NULL, 0, "nothing", expected);
    send_json(target, "null", 4, "null", expected);
}

static void twice_and_deep(struct target *target)
{
    auto_free char *twice = xasprintf("0,\"%s\":0", target->param->name);
    char deep[2 * DEEP + 1];

    send_text(target, "=1&hostile=1", "twice another", ANY);
    if (!takes_json(target))
        return;
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    send_json(target, deep, sizeof(deep) - 1, "a deep list", UNREAD);
    send_json(target, deep, DEEP, "an open list", UNREAD);
    send_json(target, twice, strlen(twice), "twice the same", UNREAD);
}

/* ---- least and most -------------------------------------------------------------------------- */

static bool offers(struct target *target, const char *word)
{
    struct call call = { .api = &target->hostile.harness->api };
    bool is_offered = false;

    if (target->param->choices == NULL)
        return false;
    for (const char *const *at = target->param->choices(&call); *at != NULL; at++)
        is_offered = is_offered || strcmp(*at, word) == 0;
    arena_release(&call.arena);
    return is_offered;
}

static void text_limits(struct target *target)
{
    const struct param *param = target->param;
    size_t most = (size_t)param->max;
    bool is_free = param->check == NULL && param->choices == NULL;
    bool may_be_empty = param->empty || param->check == check_cron ||
                        (is_free && param->max == 0) || offers(target, "");

    send_repeated(target, "", 0, may_be_empty ? TAKEN : REFUSED);
    if (!is_free || most == 0) {
        send_repeated(target, "a", LONG, is_free ? ANY : REFUSED);
        send_repeated(target, "\xc3\xa4", LONG, is_free ? ANY : REFUSED);
        send_repeated(target, "no such word", 1, is_free ? ANY : REFUSED);
        return;
    }
    send_repeated(target, "a", most, TAKEN);
    send_repeated(target, "a", most + 1, REFUSED);
    if (most > LONG)
        return; /* the same code, ten times as long */
    send_repeated(target, "\xc3\xa4", most, TAKEN);
    send_repeated(target, "\xc3\xa4", most + 1, REFUSED);
}

static void send_number(struct target *target, int64_t number, enum expected expected)
{
    auto_free char *json = xasprintf("%" PRId64, number);
    auto_free char *text = xasprintf("=%" PRId64, number);

    if (takes_json(target))
        send_json(target, json, strlen(json), json, expected);
    send_text(target, text, text, expected);
}

static void number_limits(struct target *target)
{
    const struct param *param = target->param;
    bool is_bounded = param->max > 0 || param->range != NULL;

    send_number(target, INT64_MAX, is_bounded ? REFUSED : TAKEN);
    send_number(target, INT64_MIN, is_bounded ? REFUSED : TAKEN);
    if (!is_bounded)
        return;
    send_number(target, param->min - 1, REFUSED);
    send_number(target, param->min, TAKEN);
    send_number(target, param->max, TAKEN);
    send_number(target, param->max + 1, REFUSED);
}

/* A list of `count` items, each of `length` times a. */
static void send_list(struct target *target, size_t count, size_t length, enum expected expected)
{
    struct buffer json, text;
    auto_free char *item = xcalloc(length + 1, 1);
    auto_free char *what = xasprintf("%zu items of %zu characters", count, length);

    memset(item, 'a', length);
    buffer_init(&json, (size_t)64 << 20);
    buffer_init(&text, (size_t)64 << 20);
    buffer_add_char(&json, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_addf(&json, "%s\"%s\"", i == 0 ? "" : ",", item);
        buffer_addf(&text, "%s%s[%zu]=%s", i == 0 ? "" : "&", i == 0 ? "" : target->param->name, i,
                    item);
    }
    buffer_add_char(&json, ']');
    if (takes_json(target))
        send_json(target, json.data, json.size, what, expected);
    send_text(target, text.data + (text.size > 0 && text.data[0] == '&' ? 1 : 0), what, expected);
    buffer_release(&json);
    buffer_release(&text);
}

static void list_limits(struct target *target)
{
    const struct param *param = target->param;
    size_t most = param->items == 0 ? ITEMS_DEFAULT : (size_t)param->items;
    bool is_free = param->kind == PARAM_LIST && param->check == NULL && param->choices == NULL;
    size_t length = param->kind == PARAM_QUERIES ? QUERY_MOST : (size_t)param->max;

    send_list(target, most, 1, is_free ? TAKEN : REFUSED);
    send_list(target, most + 1, 1, REFUSED);
    send_list(target, 1, 0, REFUSED);
    send_list(target, 1, length + 1, REFUSED);
    send_list(target, 1, LONG, REFUSED);
    if (is_free)
        send_list(target, 1, length, TAKEN);
}

static const char *const wrong_queries[] = {
    "{",
    "[]",
    "{}",
    "5",
    "\\\"x\\\"",
    "null",
    "{\\\"method\\\":\\\"drop\\\"}",
    "{\\\"method\\\":5}",
    "{\\\"method\\\":\\\"limit\\\",\\\"values\\\":[99999999999999999999]}",
    "{\\\"method\\\":\\\"limit\\\",\\\"values\\\":[-1]}",
    "{\\\"method\\\":\\\"offset\\\",\\\"values\\\":[-1]}",
    "{\\\"method\\\":\\\"limit\\\",\\\"values\\\":[[]]}",
    "{\\\"method\\\":\\\"limit\\\",\\\"values\\\":[]}",
    "{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"no\\\",\\\"values\\\":[1]}",
    "{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"$id' OR 1=1 --\\\",\\\"values\\\":[1]}",
    "{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"$id\\\",\\\"values\\\":[]}",
    "{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"$id\\\",\\\"values\\\":[{}]}",
    "{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":[],\\\"values\\\":[1]}",
    "{\\\"method\\\":\\\"orderAsc\\\",\\\"attribute\\\":\\\"no\\\"}",
    "{\\\"method\\\":\\\"and\\\",\\\"values\\\":[]}",
    "{\\\"method\\\":\\\"or\\\",\\\"values\\\":[1,2]}",
    "{\\\"method\\\":\\\"limit\\\",\\\"method\\\":\\\"limit\\\",\\\"values\\\":[1]}",
};

/* The rows that list are GET: the text is the JSON, one escape less. */
static void query_values(struct target *target)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < COUNT(wrong_queries); i++) {
        buffer_reset(&text);
        buffer_add_text(&text, "[0]=");
        for (const char *c = wrong_queries[i]; *c != '\0'; c++)
            if (*c != '\\')
                buffer_add_char(&text, *c);
        send_text(target, text.data, wrong_queries[i], REFUSED);
    }
    buffer_reset(&text);
    buffer_add_text(&text, "[0]=");
    for (size_t i = 0; i < 60; i++)
        buffer_add_text(&text, "{\"method\":\"and\",\"values\":[");
    send_text(target, text.data, "a deep query, cut off", REFUSED);
    for (size_t i = 0; i < 60; i++)
        buffer_add_text(&text, "]}");
    send_text(target, text.data, "a deep query", REFUSED);
    buffer_release(&text);
}

/* ---- parameters of the path ------------------------------------------------------------------ */

static void send_path(struct target *target, const char *value, enum expected expected)
{
    struct buffer path, body;

    buffer_init(&path, 1 << 20);
    buffer_init(&body, 1 << 20);
    hostile_path(&target->hostile, target->row, target->row->path, target->param->name, value,
                 &path);
    buffer_addf(&body, "{\"%s\":{}", target->param->name); /* the path's value wins */
    hostile_others(&target->hostile, target->row, target->param, true, &body);
    buffer_add_char(&body, '}');
    bool is_get = strcmp(target->row->method, "GET") == 0;
    if (is_get) {
        buffer_reset(&body);
        buffer_addf(&path, "?%s[]=x", target->param->name);
        hostile_others(&target->hostile, target->row, target->param, false, &path);
    }
    judge(target,
          hostile_call(&target->hostile, target->row, path.data, NULL, is_get ? "" : body.data,
                       body.size),
          value, expected);
    buffer_release(&path);
    buffer_release(&body);
}

static void path_values(struct target *target)
{
    const struct param *param = target->param;
    bool is_word = param->check != NULL || param->choices != NULL;
    size_t most = param->max == 0 ? ID_MAX : (size_t)param->max;
    char text[600];

    assert_int_equal(param->kind, PARAM_TEXT);
    assert_true(most + 2 < sizeof(text));
    memset(text, 'a', sizeof(text));
    text[most + 1] = '\0';
    send_path(target, text, REFUSED);
    text[most] = '\0';
    send_path(target, text, param->choices != NULL ? REFUSED : TAKEN);
    static const char *const never[] = { "%FF", "%C3%28", "%ED%A0%80", "a%FFb" };
    for (size_t i = 0; i < COUNT(never); i++)
        send_path(target, never[i], REFUSED);
    static const char *const no_words[] = {
        "%2e%2e", "..",       ".",        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a%2Fb",  "%20",      "a%0D%0Ab", "%",
        "%zz",    "-",        "a%5Cb",    "*",
        "a;b",    "%22",      "'",        "a%27%20OR%201=1",
        "%C3%A4", "unique()",
    };
    for (size_t i = 0; i < COUNT(no_words); i++)
        send_path(target, no_words[i], is_word ? REFUSED : TAKEN);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void attack(struct target *target)
{
    buffer_reset(&target->path);
    hostile_path(&target->hostile, target->row, target->row->path, NULL, NULL, &target->path);
    target->refusals = 0;
    if (hostile_in_path(target->row, target->param)) {
        path_values(target);
        return;
    }
    absent_values(target);
    wrong_values(target);
    twice_and_deep(target);
    if (target->param->kind == PARAM_TEXT || target->param->kind == PARAM_BYTES)
        text_limits(target);
    else if (target->param->kind == PARAM_INTEGER)
        number_limits(target);
    else if (target->param->kind == PARAM_LIST || target->param->kind == PARAM_QUERIES)
        list_limits(target);
    if (target->param->kind == PARAM_QUERIES)
        query_values(target);
}

static void every_parameter_refuses_what_its_row_says(void **state)
{
    struct target target = { .row = NULL };
    size_t position = 0, endpoints = 0, params = 0, untouched = 0;

    hostile_begin(&target.hostile, *state);
    buffer_init(&target.path, HOSTILE_TARGET);
    while ((target.row = catalog_next(&position)) != NULL) {
        endpoints++;
        if (target.row->raw_body) /* its params are for the documents: api/graphql */
            continue;
        for (target.param = target.row->params; target.param != NULL && target.param->name != NULL;
             target.param++, params++) {
            attack(&target);
            if (target.refusals == 0) {
                print_error("%s: nothing about %s was refused\n", target.row->id,
                            target.param->name);
                untouched++;
            }
        }
    }
    buffer_release(&target.path);
    print_message("%zu endpoints, %zu parameters, %zu requests, the slowest took %lld ms\n",
                  endpoints, params, target.hostile.requests,
                  (long long)target.hostile.slowest_us / 1000);
    assert_int_equal(untouched + target.hostile.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_parameter_refuses_what_its_row_says, harness_setup,
                                        harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
