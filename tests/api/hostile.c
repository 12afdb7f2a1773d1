#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "limits.h"
#include "mem.h"

enum { ANSWER_MOST = 4096, CALL_MOST_US = 10 * 1000 * 1000 };

/* Values for parameters whose check is known to their own service only. */
static const struct {
    const char *name, *value;
} known_values[] = {
    { "domain", "name.invalid" },
    { "url", "https://name.invalid/" },
    { "deploymentId", "none" },
    { "resourceId", "none" },
};

void hostile_begin(struct hostile *hostile, struct harness *harness)
{
    *hostile = (struct hostile){ .harness = harness };
    const struct reply *reply = harness_call(harness, "POST", "/v1/users/bob/jwts", NULL, "{}");

    assert_status(reply, 201);
    snprintf(hostile->user, sizeof(hostile->user), "x-appwrite-jwt: %s", reply_text(reply, "jwt"));
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool is_envelope(const struct reply *reply)
{
    const char *message = reply_text(reply, "message"), *type = reply_text(reply, "type");
    bool is_known = false;

    for (size_t i = 0; type != NULL && i < ERROR_TYPES; i++)
        is_known = is_known || (strcmp(error_rows[i].type, type) == 0 &&
                                error_rows[i].code == (int)reply->status);
    return message != NULL && *message != '\0' && reply_text(reply, "version") != NULL &&
           is_known && json_integer_value(json_object_get(reply->json, "code")) == reply->status &&
           strlen(reply->body) <= ANSWER_MOST;
}

static bool is_allowed(const struct reply *reply)
{
    const char *type = reply_text(reply, "type");

    return reply->status < 500 || (reply->status == 503 && type != NULL &&
                                   strcmp(type, "health_queue_size_exceeded") == 0);
}

const struct reply *hostile_call(struct hostile *hostile, const struct endpoint *row,
                                 const char *target, const char *const *headers, const char *body,
                                 size_t bytes)
{
    const char *all[8] = { NULL };
    size_t count = 0;
    struct api *api = &hostile->harness->api;

    limits_free(api->limits); /* what is looked at here is not how many requests there were */
    api->limits = limits_new();
    if ((row->auth & AUTH_KEY) == 0) {
        all[count++] = GUEST;
        all[count++] = hostile->user;
    }
    for (; headers != NULL && *headers != NULL && count < COUNT(all) - 1; headers++)
        all[count++] = *headers;
    int64_t begun = clock_monotonic_us();
    const struct reply *reply = harness_call_bytes(hostile->harness, row->method, target, all, body,
                                                   bytes);
    int64_t taken = clock_monotonic_us() - begun;
    hostile->requests++;
    if (taken > hostile->slowest_us)
        hostile->slowest_us = taken;
    if (taken > CALL_MOST_US || !is_allowed(reply) ||
        (reply->status >= 400 && !is_envelope(reply))) {
        print_error("%s %.200s %.200s: %u %.400s (%lld ms)\n", row->id, target, body, reply->status,
                    reply->body, (long long)taken / 1000);
        hostile->failures++;
    }
    return reply;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool hostile_in_path(const struct endpoint *row, const struct param *param)
{
    const char *at = strstr(row->path, "{");
    size_t length = strlen(param->name);

    for (; at != NULL; at = strstr(at + 1, "{"))
        if (strncmp(at + 1, param->name, length) == 0 && at[length + 1] == '}')
            return true;
    return false;
}

static json_t *good_text(struct hostile *hostile, const struct param *param)
{
    struct call call = { .api = &hostile->harness->api };
    json_t *value = NULL;

    if (param->choices != NULL) {
        value = json_string(param->choices(&call)[0]);
        arena_release(&call.arena);
        return value;
    }
    if (param->check == NULL)
        return json_string("a");
    if (param->check == check_uid)
        return json_string("none");
    if (param->check == check_custom_id)
        return json_string("made");
    if (param->fallback != NULL)
        return json_string(param->fallback);
    for (size_t i = 0; i < COUNT(known_values); i++)
        if (strcmp(known_values[i].name, param->name) == 0)
            return json_string(known_values[i].value);
    fail_msg("no good value is known for %s: name one in known_values of hostile.c", param->name);
    return NULL;
}

json_t *hostile_good(struct hostile *hostile, const struct param *param)
{
    switch (param->kind) {
    case PARAM_TEXT:
    case PARAM_BYTES:
        return good_text(hostile, param);
    case PARAM_INTEGER:
        return json_integer(param->min);
    case PARAM_BOOLEAN:
        return json_true();
    case PARAM_LIST:
    case PARAM_QUERIES:
        return json_array();
    case PARAM_OBJECT:
        return json_object();
    }
    return NULL;
}

static void add_good(struct hostile *hostile, const struct param *param, bool as_json,
                     struct buffer *out)
{
    json_t *value = hostile_good(hostile, param);
    auto_free char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (as_json)
        buffer_addf(out, ",\"%s\":%s", param->name, json);
    else
        buffer_addf(out, "&%s=%s", param->name,
                    json_is_string(value) ? json_string_value(value) : json);
    json_decref(value);
}

void hostile_others(struct hostile *hostile, const struct endpoint *row,
                    const struct param *without, bool as_json, struct buffer *out)
{
    const struct param *param = row->params;

    for (; param != NULL && param->name != NULL; param++)
        if (param != without && !param->optional && !hostile_in_path(row, param))
            add_good(hostile, param, as_json, out);
}

static const struct param *named(const struct endpoint *row, const char *name, size_t length)
{
    const struct param *param = row->params;

    for (; param != NULL && param->name != NULL; param++)
        if (strlen(param->name) == length && memcmp(param->name, name, length) == 0)
            return param;
    fail_msg("%s: the path names %.*s, which is no parameter", row->id, (int)length, name);
    return NULL;
}

void hostile_path(struct hostile *hostile, const struct endpoint *row, const char *path,
                  const char *name, const char *value, struct buffer *out)
{
    while (*path != '\0') {
        size_t length = strcspn(path, "{");
        buffer_add(out, path, length);
        path += length;
        if (*path == '\0')
            return;
        length = strcspn(++path, "}");
        if (name != NULL && strlen(name) == length && memcmp(name, path, length) == 0) {
            buffer_add_text(out, value);
        } else {
            json_t *good = hostile_good(hostile, named(row, path, length));
            buffer_add_text(out, json_string_value(good));
            json_decref(good);
        }
        path += length + 1;
    }
}
