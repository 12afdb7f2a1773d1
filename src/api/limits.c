/*
 * Windows are found by key, and kept in the order of their ends, so that those that are over go
 * first; there are at most rate_callers of them.
 */
#include "limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "map.h"
#include "mem.h"
#include "origins.h"

struct window {
    TAILQ_ENTRY(window) link;
    int64_t ends_at; /* seconds */
    int64_t count;
    char key[];
};

struct limits {
    struct map windows;               /* key -> struct window * */
    TAILQ_HEAD(queue, window) by_end; /* the one that ends first is first */
};

struct limits *limits_new(void)
{
    struct limits *limits = xcalloc(1, sizeof(*limits));

    map_init(&limits->windows);
    TAILQ_INIT(&limits->by_end);
    return limits;
}

static void forget(struct limits *limits, struct window *window)
{
    TAILQ_REMOVE(&limits->by_end, window, link);
    map_remove(&limits->windows, window->key);
    free(window);
}

void limits_free(struct limits *limits)
{
    struct window *window;

    if (limits == NULL)
        return;
    while ((window = TAILQ_FIRST(&limits->by_end)) != NULL)
        forget(limits, window);
    map_release(&limits->windows);
    free(limits);
}

/* Forgets windows that are over, and those over soonest while there is no room for another. */
static void make_room(struct limits *limits, int64_t now, size_t most)
{
    struct window *window;

    while ((window = TAILQ_FIRST(&limits->by_end)) != NULL &&
           (window->ends_at <= now || limits->windows.count >= most))
        forget(limits, window);
}

/* Past the longer windows, which are few: one a project. */
static void queue_add(struct limits *limits, struct window *window)
{
    struct window *before = TAILQ_LAST(&limits->by_end, queue);

    while (before != NULL && before->ends_at > window->ends_at)
        before = TAILQ_PREV(before, queue, link);
    if (before != NULL)
        TAILQ_INSERT_AFTER(&limits->by_end, before, window, link);
    else
        TAILQ_INSERT_HEAD(&limits->by_end, window, link);
}

static const char *key_of(struct call *call)
{
    char owner[ADDRESS_OWNER_SIZE];

    if (call->endpoint->limit.counts_keys)
        return call_textf(call, "%s %s", call->endpoint->id, call->project_id);
    address_owner(call->client_ip, owner);
    return call_textf(call, "%s %s %s %s", call->endpoint->id, call->project_id, owner,
                      call->caller.user_id);
}

static struct window *window_of(struct limits *limits, struct call *call, int64_t now)
{
    const char *key = key_of(call);
    struct window *window = map_get(&limits->windows, key);

    if (window != NULL && window->ends_at > now)
        return window;
    if (window != NULL)
        forget(limits, window);
    make_room(limits, now, (size_t)call->api->settings->rate_callers);
    window = xcalloc(1, sizeof(*window) + strlen(key) + 1);
    strcpy(window->key, key);
    window->ends_at = now + call->endpoint->limit.seconds;
    queue_add(limits, window);
    map_set(&limits->windows, window->key, window);
    return window;
}

/* 0: none. */
static int64_t limit_of(const struct call *call)
{
    const struct rate_limit *limit = &call->endpoint->limit;
    const struct settings *settings = call->api->settings;
    int64_t most;

    if (limit->setting == NULL || !settings->rate_limits ||
        (call_is_key(call) && !limit->counts_keys) ||
        (limit->below != NULL && !call_below(call, limit->below)))
        return 0;
    memcpy(&most, (const char *)settings + limit->offset, sizeof(most));
    return most;
}

int limits_check(struct limits *limits, struct call *call, struct error *err)
{
    int64_t now = loop_realtime_us(call->api->loop) / 1000000;
    const int64_t most = limit_of(call);

    if (most == 0)
        return 0;
    struct window *window = window_of(limits, call, now);
    if (window->count <= most)
        window->count++;
    int64_t left = window->count < most ? most - window->count : 0;
    call_answer_header(call, "X-RateLimit-Limit", call_textf(call, "%" PRId64, most));
    call_answer_header(call, "X-RateLimit-Remaining", call_textf(call, "%" PRId64, left));
    call_answer_header(call, "X-RateLimit-Reset", call_textf(call, "%" PRId64, window->ends_at));
    if (window->count > most)
        return fail(err, ERROR_GENERAL_RATE_LIMIT_EXCEEDED, "%s (setting %s)",
                    error_rows[ERROR_GENERAL_RATE_LIMIT_EXCEEDED].message,
                    call->endpoint->limit.setting);
    return 0;
}
