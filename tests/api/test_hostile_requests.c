/*
 * Every endpoint row, on each of its paths, against requests that are hostile as a whole: bodies
 * that cannot be read, floods of parameters, tricks with the path, callers who may not, headers of
 * any bytes. What must come follows from the row's method, path, auth and kind of body.
 */
#include "hostile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog.h"
#include "mem.h"

enum { FLOOD = 100000, DEEP = 100000, LONG = 16000 };

struct target {
    struct hostile hostile;
    const struct endpoint *row;
    const char *path; /* the row's own or an alias, as it stands there */
    struct buffer good;
};

enum { ANY = 0 };

/* status: what must be answered, and with it type (NULL: any); ANY: only what always holds */
static void send_with(struct target *target, const char *path, const char *const *headers,
                      const char *body, size_t bytes, const char *what, unsigned status,
                      const char *type)
{
    const struct reply *reply = hostile_call(&target->hostile, target->row, path, headers, body,
                                             bytes);
    const char *seen = reply_text(reply, "type");

    if (status == ANY ||
        (reply->status == status && (type == NULL || (seen != NULL && strcmp(seen, type) == 0))))
        return;
    print_error("%s %.200s with %s: %u %.300s\n", target->row->id, path, what, reply->status,
                reply->body);
    target->hostile.failures++;
}

static bool is_get(const struct target *target)
{
    return strcmp(target->row->method, "GET") == 0;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static const char invalid[] = "general_argument_invalid";

/* JSON that is none, or no object. */
static const struct body {
    const char *text;
    size_t bytes;
} bodies[] = {
#define BODY(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }
    BODY("{"),          BODY("}"),
    BODY("\""),         BODY("\"x\""),
    BODY("5"),          BODY("[1]"),
    BODY("[[]]"),       BODY("true"),
    BODY("{]"),         BODY("{\"a\""),
    BODY("{\"a\":"),    BODY("{\"a\":1"),
    BODY("{\"a\":1,}"), BODY("{\"a\":1}x"),
    BODY("{\"a\":1}{"), BODY("{'a':1}"),
    BODY("{a:1}"),      BODY("{\"\xff\":1}"),
    BODY("\xff\xfe{"),  BODY("\xef\xbb\xbf{}"),
    BODY("{\"a\":\0}"), BODY("\0"),
    BODY("{}\0"),       BODY("{\"a\":\"\\u12\"}"),
    BODY("/**/{}"),     BODY("{\"a\":1,\"a\":2}"),
    BODY("{\"a\":NaN}")
#undef BODY
};

/* Multipart bodies with boundary B that break off or contradict themselves. */
static const char *const parts[] = {
    "",
    "--",
    "--B",
    "--B\r\n",
    "--B\r\n\r\n",
    "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue",
    "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B",
    "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n",
    "--B\r\nContent-Disposition: form-data; name=\"a",
    "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n",
    "--B\r\nContent-Disposition: form-data; name=\"\"; filename=\"\"\r\n\r\nx\r\n--B--\r\n",
    "--B\r\nContent-Disposition: form-data; name=\"code\"; filename=\"../../x\r\n\r\n\r\n--B--\r\n",
    "--C\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--C--\r\n",
    "no part at all",
};

static void unreadable_bodies(struct target *target)
{
    const char *good = target->good.data;
    /* A body that is no multipart goes through the endpoint's own reader. */
    unsigned status = target->row->raw_body ? ANY : 400;

    for (size_t i = 0; i < COUNT(bodies); i++)
        send_with(target, good, NULL, bodies[i].text, bodies[i].bytes, bodies[i].text, status,
                  invalid);
    static const char *const types[] = {
        "content-type: multipart/form-data",
        "content-type: multipart/form-data; boundary=",
        "content-type: multipart/form-data; boundary=B",
    };
    for (size_t type = 0; type < COUNT(types); type++)
        for (size_t i = 0; i < COUNT(parts); i++)
            send_with(target, good, HEADERS(types[type]), parts[i], strlen(parts[i]), parts[i],
                      type < 2 && *parts[i] != '\0' && !target->row->raw_body ? 400 : ANY, NULL);
}

static void deep_bodies(struct target *target)
{
    static const char *const opened[] = { "[", "{\"a\":", "[{\"a\":" };
    struct buffer body;

    buffer_init(&body, (size_t)16 << 20);
    for (size_t i = 0; i < COUNT(opened); i++) {
        buffer_reset(&body);
        for (size_t level = 0; level < DEEP; level++)
            buffer_add_text(&body, opened[i]);
        send_with(target, target->good.data, NULL, body.data, body.size, "deep nesting",
                  target->row->raw_body ? ANY : 400, invalid);
    }
    buffer_release(&body);
}

/* 100 000 parameters, all different or all the same, in each encoding. */
static void add_flood(struct buffer *out, size_t count, const char *name, bool numbered,
                      const char *between)
{
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, name);
        if (numbered)
            buffer_add_int(out, (int64_t)i);
        buffer_add_text(out, between);
    }
}

static void floods(struct target *target)
{
    static const struct {
        const char *name, *between;
        bool numbered;
    } shapes[] = { { "a", "=1&", true }, { "a[]", "=1&", false }, { "a", "[b]=&", true } };
    struct buffer text;

    buffer_init(&text, (size_t)16 << 20);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        buffer_reset(&text);
        if (is_get(target))
            buffer_addf(&text, "%s?", target->good.data);
        add_flood(&text, FLOOD, shapes[i].name, shapes[i].numbered, shapes[i].between);
        if (is_get(target))
            send_with(target, text.data, NULL, "", 0, "a flood", 400, invalid);
        else
            send_with(target, target->good.data,
                      HEADERS("content-type: application/x-www-form-urlencoded"), text.data,
                      text.size, "a flood", target->row->raw_body ? ANY : 400, invalid);
    }
    buffer_reset(&text);
    buffer_add_char(&text, '{');
    add_flood(&text, FLOOD / 10, "\"a", true, "\":1,"); /* the sanitizers make it slow */
    buffer_add_text(&text, "\"b\":1}");
    if (!is_get(target)) /* names nobody asks for are passed over, however many */
        send_with(target, target->good.data, NULL, text.data, text.size, "a flood", ANY, NULL);
    buffer_release(&text);
}

/* ---- paths ----------------------------------------------------------------------------------- */

static const char not_found[] = "general_route_not_found";

static void send_path(struct target *target, const char *path, unsigned status)
{
    send_with(target, path, NULL, "", 0, "a tricky path", status, status == 404 ? not_found : NULL);
}

/* Another path made of the good one: what stands before and behind each of its slashes. */
static void tricky_paths(struct target *target)
{
    static const char *const instead[] = { "//", "/./", "/../", "/%2e%2e/", "%2F", "\\", "/;/" };
    const char *good = target->good.data;
    struct buffer path;

    buffer_init(&path, HOSTILE_TARGET);
    for (const char *slash = good; slash != NULL; slash = strchr(slash + 1, '/'))
        for (size_t i = 0; i < COUNT(instead); i++) {
            buffer_reset(&path);
            buffer_add(&path, good, (size_t)(slash - good));
            buffer_add_text(&path, instead[i]);
            buffer_add_text(&path, slash + 1);
            send_path(target, path.data, ANY); /* a parameter may stand there: then it is judged */
            if (slash == good || strncmp(slash, "/functions", 10) == 0)
                send_path(target, path.data, 404);
        }
    static const char *const behind[] = { "/", "//", "/x/y/z/w", "/%00", "%00", "/..", "%0a" };
    for (size_t i = 0; i < COUNT(behind); i++) {
        buffer_reset(&path);
        buffer_addf(&path, "%s%s", good, behind[i]);
        send_path(target, path.data, strcmp(behind[i], "/x/y/z/w") == 0 ? 404 : ANY);
    }
    buffer_reset(&path);
    for (size_t i = 0; i < LONG; i++)
        buffer_add_text(&path, "/a");
    send_path(target, path.data, 404);
    buffer_release(&path);
}

/* ---- callers --------------------------------------------------------------------------------- */

/* The first of the headers wins over what the harness and hostile_call() add. */
static void foreign_callers(struct target *target)
{
    const char *path = target->good.data;
    bool is_open = (target->row->auth & AUTH_PUBLIC) != 0;
    bool needs_key = (target->row->auth & (AUTH_PUBLIC | AUTH_PROJECT | AUTH_CLIENT)) == 0;
    struct buffer header;

    send_with(target, path, HEADERS("x-appwrite-project: none"), "", 0, "an unknown project",
              is_open ? ANY : 404, is_open ? NULL : "project_not_found");
    if (needs_key)
        send_with(target, path, HEADERS(GUEST), "", 0, "no key", 401, "general_unauthorized_scope");
    if (needs_key)
        send_with(target, path, HEADERS("x-appwrite-key: standard_0"), "", 0, "a wrong key", 401,
                  "user_unauthorized");
    if (!is_open && (target->row->auth & AUTH_PROJECT) == 0)
        send_with(target, path, HEADERS(GUEST, "x-appwrite-jwt: a.b.c"), "", 0, "a wrong token",
                  401, NULL);

    static const char *const names[] = {
        "x-appwrite-key",
        "x-appwrite-project",
        "x-appwrite-jwt",
        "x-appwrite-response-format",
        "x-appwrite-locale",
        "origin",
        "accept-language",
        "content-type",
        "content-range",
        "range",
        "x-appwrite-id",
        "accept",
        "x-forwarded-for",
        "x-appwrite-mode",
        "cookie",
    };
    static const char *const values[] = { "\xff\xfe\xfd",
                                          "\x01\x7f",
                                          "../../..",
                                          "%00%0d%0a",
                                          "99999999999999999999.9.9",
                                          "bytes=0-99999999999999999999" };
    buffer_init(&header, 1 << 20);
    for (size_t name = 0; name < COUNT(names); name++)
        for (size_t value = 0; value <= COUNT(values); value++) {
            buffer_reset(&header);
            buffer_addf(&header, "%s: ", names[name]);
            if (value < COUNT(values))
                buffer_add_text(&header, values[value]);
            for (size_t i = 0; value == COUNT(values) && i < LONG; i++)
                buffer_add_char(&header, 'x');
            send_with(target, path, HEADERS(header.data), "{}", is_get(target) ? 0 : 2, names[name],
                      ANY, NULL);
        }
    buffer_release(&header);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void attack(struct target *target)
{
    buffer_reset(&target->good);
    hostile_path(&target->hostile, target->row, target->path, NULL, NULL, &target->good);
    if (!is_get(target)) {
        unreadable_bodies(target);
        deep_bodies(target);
    }
    floods(target);
    tricky_paths(target);
    foreign_callers(target);
}

static void every_endpoint_answers_hostile_requests_with_the_envelope(void **state)
{
    struct target target = { .row = NULL };
    struct harness *harness = *state;
    size_t position = 0, endpoints = 0, paths = 0, missed = 0;

    hostile_begin(&target.hostile, harness);
    buffer_init(&target.good, HOSTILE_TARGET);
    auto_free char *uploads = xasprintf("%s/uploads", harness->directory);
    assert_int_equal(mkdir(uploads, 0700), 0);
    while ((target.row = catalog_next(&position)) != NULL) {
        const char *const *alias = target.row->aliases;
        for (target.path = target.row->path; target.path != NULL; paths++) {
            attack(&target);
            target.path = alias == NULL ? NULL : *alias++;
        }
        missed += harness->endpoints_hit[position - 1] ? 0 : 1;
        endpoints++;
    }
    buffer_release(&target.good);
    print_message("%zu endpoints on %zu paths, %zu requests, the slowest took %lld ms\n", endpoints,
                  paths, target.hostile.requests, (long long)target.hostile.slowest_us / 1000);
    assert_int_equal(missed, 0);
    assert_int_equal(target.hostile.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_endpoint_answers_hostile_requests_with_the_envelope,
                                        harness_setup, harness_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
