#include "limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "map.h"
#include "mem.h"

enum { LIMIT_CALLERS = 20000 };

struct window {
    int64_t ends_at; /* seconds */
    unsigned count;
};

struct limits {
    struct map windows; /* endpoint, project, address, user -> struct window * */
};

struct limits *limits_new(void)
{
    struct limits *limits = xcalloc(1, sizeof(*limits));

    map_init(&limits->windows);
    return limits;
}

/* Forgets windows that are over, or all of them when there are too many. */
static void tidy(struct limits *limits, int64_t now, bool all)
{
    size_t position = 0;
    const char *key;
    void *value;

    while (map_next(&limits->windows, &position, &key, &value)) {
        struct window *window = value;
        if (all || window->ends_at <= now) {
            map_remove(&limits->windows, key);
            free(window);
        }
    }
}

void limits_free(struct limits *limits)
{
    if (limits == NULL)
        return;
    tidy(limits, 0, true);
    map_release(&limits->windows);
    free(limits);
}

static struct window *window_of(struct limits *limits, struct call *call, int64_t now)
{
    const char *key = call_textf(call, "%s %s %s %s", call->endpoint->id, call->project_id,
                                 call->client_ip, call->caller.user_id);
    struct window *window = map_get(&limits->windows, key);

    if (window == NULL) {
        if (limits->windows.count >= LIMIT_CALLERS)
            tidy(limits, now, false);
        if (limits->windows.count >= LIMIT_CALLERS)
            tidy(limits, now, true);
        window = xcalloc(1, sizeof(*window));
        map_set(&limits->windows, key, window);
    }
    if (window->ends_at <= now)
        *window = (struct window){ .ends_at = now + call->endpoint->limit.seconds };
    return window;
}

int limits_check(struct limits *limits, struct call *call, struct error *err)
{
    const struct rate_limit *limit = &call->endpoint->limit;
    int64_t now = loop_realtime_us(call->api->loop) / 1000000;

    if (limit->count == 0 || call_is_key(call) ||
        (limit->below != NULL && !call_below(call, limit->below)))
        return 0;
    struct window *window = window_of(limits, call, now);
    if (window->count <= limit->count)
        window->count++;
    unsigned left = window->count < limit->count ? limit->count - window->count : 0;
    call_answer_header(call, "X-RateLimit-Limit", call_textf(call, "%u", limit->count));
    call_answer_header(call, "X-RateLimit-Remaining", call_textf(call, "%u", left));
    call_answer_header(call, "X-RateLimit-Reset", call_textf(call, "%" PRId64, window->ends_at));
    if (window->count > limit->count)
        return fail(err, ERROR_GENERAL_RATE_LIMIT_EXCEEDED, NULL);
    return 0;
}
