#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "catalog.h"
#include "control.h"
#include "exchange.h"
#include "fd.h"
#include "graphql/graphql.h"
#include "limits.h"
#include "mem.h"
#include "origins.h"
#include "reload.h"
#include "text.h"
#include "versions.h"

enum { HARNESS_HEADERS = 32 };

static void *lane_open(void *context)
{
    struct db *db = NULL;
    struct error err;

    assert_int_equal(store_reader_open(context, &db, &err), 0);
    return db;
}

static void lane_close(void *lane_state)
{
    store_reader_close(lane_state);
}

static void open_parts(struct harness *harness)
{
    struct api *api = &harness->api;
    struct error err;
    unsigned char secret[32];
    const struct store_options store = { .directory = harness->directory,
                                         .query_limit_us = 5000000 };

    assert_int_equal(loop_new(&api->loop, &err), 0);
    assert_int_equal(store_open(&store, &api->store, &err), 0);
    store_derive_key(api->store, "tokens", secret);
    assert_int_equal(token_signer_new(secret, &api->signer), 0);
    assert_int_equal(registry_new(&api->registry), 0);
    assert_int_equal(runtimes_detect("", &api->runtimes, &err), 0);
    const struct lanes_options lanes = { .threads = 1,
                                         .queue_limit = 8,
                                         .name = "lane",
                                         .lane_open = lane_open,
                                         .lane_close = lane_close,
                                         .context = api->store };
    assert_int_equal(lanes_new(&lanes, &api->lanes, &err), 0);
    api->models = models_new();
    api->graphql = gql_schema_new(api->models);
    api->limits = limits_new();
    assert_int_equal(catalog_router(&api->router, &api->routes, &err), 0);
    assert_int_equal(proxies_new("", &api->proxies, &err), 0);
}

int harness_setup(void **state)
{
    struct harness *harness = xcalloc(1, sizeof(*harness));
    struct error err;
    bool is_created;
    char *key;
    size_t size;

    strcpy(harness->directory, "/tmp/functiond-api-XXXXXX");
    assert_non_null(mkdtemp(harness->directory));
    static char flag[] = "--data";
    char *argv[] = { flag, harness->directory, NULL };
    char *environment[] = { NULL };
    assert_int_equal(settings_load(&harness->settings, 2, argv, environment, &err), 0);
    harness->api.settings = &harness->settings;
    open_parts(harness);
    assert_int_equal(control_first_start(harness->api.store, harness->directory, &is_created, &err),
                     0);
    assert_true(is_created);
    auto_free char *path = xasprintf("%s/first-key", harness->directory);
    assert_int_equal(fd_read_file(AT_FDCWD, path, 1024, &key, &size, &err), 0);
    key[strcspn(key, "\n")] = '\0';
    snprintf(harness->key, sizeof(harness->key), "%s", key);
    free(key);
    assert_int_equal(store_reader_open(harness->api.store, &harness->db, &err), 0);
    assert_int_equal(registry_load(harness->api.registry, harness->db, &err), 0);
    *state = harness;
    return 0;
}

static void reply_release(struct reply *reply)
{
    free(reply->body);
    free(reply->headers);
    json_decref(reply->json);
    *reply = (struct reply){ 0 };
}

int harness_teardown(void **state)
{
    struct harness *harness = *state;
    struct api *api = &harness->api;
    struct error err;

    lanes_free(api->lanes);
    registry_free(api->registry);
    store_reader_close(harness->db);
    store_close(api->store);
    runtimes_free(api->runtimes);
    token_signer_free(api->signer);
    gql_schema_free(api->graphql);
    models_free(api->models);
    limits_free(api->limits);
    proxies_free(api->proxies);
    buffer_release(&api->headers);
    router_free(api->router);
    free(api->routes);
    loop_free(api->loop);
    settings_release(&harness->settings);
    reply_release(&harness->reply);
    fd_remove_tree(AT_FDCWD, harness->directory, &err);
    free(harness);
    return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void note_what_was_hit(struct harness *harness, const struct call *call)
{
    size_t position = 0;
    const char *type = reply_text(&harness->reply, "type");

    for (const struct endpoint *row; (row = catalog_next(&position)) != NULL;)
        if (row == call->endpoint) {
            harness->endpoints_hit[position - 1] = true;
            harness->params_hit[position - 1] |= call->inside->given;
        }
    for (size_t i = 0; harness->reply.status >= 400 && type != NULL && i < ERROR_TYPES; i++)
        if (strcmp(error_rows[i].type, type) == 0 &&
            error_rows[i].code == (int)harness->reply.status)
            harness->errors_hit[i] = true;
}

static void deliver(struct call_inside *inside, const struct http_answer *answer)
{
    struct harness *harness = inside->deliver_context;
    struct buffer headers;

    reply_release(&harness->reply);
    buffer_init(&headers, 1 << 16);
    for (size_t i = 0; i < answer->header_count; i++)
        buffer_addf(&headers, "%s: %s\n", answer->headers[i].name, answer->headers[i].value);
    harness->reply.status = answer->status;
    harness->reply.headers = buffer_steal(&headers, NULL);
    if (answer->body != NULL && answer->body->data != NULL) {
        harness->reply.body = xstrndup(answer->body->data, answer->body->size);
        harness->reply.json = json_loads(harness->reply.body, 0, NULL);
    } else {
        harness->reply.body = xstrdup("");
    }
    note_what_was_hit(harness, &inside->call);
    harness->is_answered = true;
    loop_stop(harness->api.loop);
}

const char *reply_text(const struct reply *reply, const char *name)
{
    return json_string_value(json_object_get(reply->json, name));
}

bool reply_has_header(const struct reply *reply, const char *line)
{
    size_t length = strlen(line);

    for (const char *at = reply->headers; (at = strstr(at, line)) != NULL; at += length)
        if ((at == reply->headers || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

/* ---- requests -------------------------------------------------------------------------------- */

struct asked {
    struct http_header headers[HARNESS_HEADERS];
    char *texts[HARNESS_HEADERS];
    size_t count;
};

static void add_header(struct asked *asked, const char *line)
{
    char *text = xstrdup(line), *colon = strchr(text, ':');
    size_t at = asked->count;

    assert_non_null(colon);
    *colon++ = '\0';
    colon += strspn(colon, " ");
    for (size_t i = 0; i < asked->count; i++)
        if (strcasecmp(asked->headers[i].name, text) == 0)
            at = i; /* what the test says replaces what the harness adds */
    assert_true(at < HARNESS_HEADERS);
    if (at < asked->count)
        free(asked->texts[at]);
    asked->texts[at] = text;
    asked->headers[at] = (struct http_header){ .name = text, .value = colon };
    asked->count += at == asked->count ? 1 : 0;
}

static void begin(struct harness *harness, const struct incoming *incoming, const char *body,
                  size_t bytes)
{
    struct call_inside *inside = exchange_new(&harness->api, incoming);
    struct error err;
    struct buffer taken;

    inside->deliver = deliver;
    inside->deliver_context = harness;
    if (exchange_admit(inside, &err) < 0 || !stream_begin(inside, &err)) {
        exchange_fail(inside, &err);
        return;
    }
    if (inside->stream != NULL) {
        while (bytes > 0 && !harness->is_answered) {
            size_t piece = bytes > 100 ? 100 : bytes;
            assert_true(stream_data(&inside->exchange, NULL, body, piece));
            body += piece;
            bytes -= piece;
        }
        stream_complete(&inside->exchange, NULL);
        return;
    }
    buffer_init(&taken, bytes + 1);
    buffer_add(&taken, body, bytes);
    exchange_go(inside, &taken);
    buffer_release(&taken);
}

const struct reply *harness_call_bytes(struct harness *harness, const char *method,
                                       const char *target, const char *const *headers,
                                       const char *body, size_t bytes)
{
    struct asked asked = { .count = 0 };
    struct arena arena = { 0 };
    auto_free char *path = xstrdup(target);
    auto_free char *key = xasprintf("x-appwrite-key: %s", harness->key);
    char *query = strchr(path, '?');
    struct incoming incoming = { .method = method, .path = path, .query = "", .peer = "127.0.0.1" };

    if (query != NULL) {
        *query = '\0';
        incoming.query = query + 1;
    }
    add_header(&asked, "host: localhost:8080");
    add_header(&asked, "content-type: application/json");
    add_header(&asked, "x-appwrite-project: default");
    add_header(&asked, key);
    for (; headers != NULL && *headers != NULL; headers++)
        add_header(&asked, *headers);
    incoming.headers = asked.headers;
    incoming.header_count = asked.count;
    proxies_origin(harness->api.proxies, &arena, incoming.peer, asked.headers, asked.count,
                   &incoming.origin);
    harness->is_answered = false;
    begin(harness, &incoming, body, bytes);
    while (!harness->is_answered)
        loop_run(harness->api.loop);
    arena_release(&arena);
    for (size_t i = 0; i < asked.count; i++)
        free(asked.texts[i]);
    return &harness->reply;
}

const struct reply *harness_call(struct harness *harness, const char *method, const char *target,
                                 const char *const *headers, const char *body)
{
    return harness_call_bytes(harness, method, target, headers, body == NULL ? "" : body,
                              body == NULL ? 0 : strlen(body));
}

char *harness_control(struct harness *harness, const char *request)
{
    struct unread unread = { .freshness = &harness->api.freshness };
    struct registry_change *change = NULL;
    struct buffer out;
    struct error err;

    buffer_init(&out, 1 << 16);
    if (control_run(harness->api.store, &unread, request, &out, &change, &err) < 0)
        fail_msg("%s: %s", request, err.message);
    if (change != NULL)
        registry_apply(harness->api.registry, change, NULL, NULL);
    reload_applied(&unread);
    char *text = buffer_steal(&out, NULL);
    text[strcspn(text, "\n")] = '\0';
    return text;
}
