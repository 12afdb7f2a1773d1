/* Header lines the platform adds to a request: who calls, why, and with which keys the function may
 * call back. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "headers.h"
#include "internal.h"
#include "live.h"
#include "mem.h"
#include "text.h"

enum { EXTRA_SECONDS = 60 }; /* a key outlives the function's timeout by this */

static void add(struct buffer *block, const char *name, size_t name_size, const char *value)
{
    size_t size = value == NULL ? 0 : strlen(value);
    if (size > 0 && !header_value_is_valid(value, size))
        size = 0;
    buffer_add(block, name, name_size);
    buffer_add(block, ": ", 2);
    if (size > 0)
        buffer_add(block, value, size);
    buffer_add(block, "\r\n", 2);
}

#define ADD(block, name, value) add(block, name, sizeof(name) - 1, value)

/* All executions of a function within a second carry the same key: signing costs more than the rest
 * of the line. */
static const char *function_key(const struct run *run, const struct live_function *function,
                                int64_t now_seconds)
{
    struct live_cache *cache = function->cache;
    if (cache->key != NULL && cache->key_second == now_seconds)
        return cache->key;
    struct token token = {
        .project_id = function->function.project_id,
        .function_id = function->function.id,
        .scopes = function->function.scopes,
        .expires_at = now_seconds + function->function.timeout + EXTRA_SECONDS,
    };
    auto_free char *text = token_sign(run->options.signer, TOKEN_KEY, &token);
    free(cache->key);
    cache->key = xasprintf("ephemeral_%s", text);
    cache->key_second = now_seconds;
    return cache->key;
}

static char *user_token(const struct run *run, const struct live_function *function,
                        const struct token *user, int64_t now_seconds)
{
    struct token token = *user;
    token.project_id = function->function.project_id;
    token.expires_at = now_seconds + function->function.timeout + EXTRA_SECONDS;
    return token_sign(run->options.signer, TOKEN_USER, &token);
}

void run_add_identity(const struct run *run, const struct live_function *function,
                      const struct run_identity *identity, struct buffer *header_block)
{
    int64_t now_seconds = loop_realtime_us(run->loop) / 1000000;
    buffer_reserve(header_block, 1024);
    ADD(header_block, "x-appwrite-execution-id", identity->execution_id);
    ADD(header_block, "x-appwrite-trigger", identity->trigger);
    if (identity->event != NULL)
        ADD(header_block, "x-appwrite-event", identity->event);
    ADD(header_block, "x-appwrite-key", function_key(run, function, now_seconds));
    ADD(header_block, "x-appwrite-user-id", identity->user_id);
    auto_free char *token = identity->user == NULL
                                ? NULL
                                : user_token(run, function, identity->user, now_seconds);
    ADD(header_block, "x-appwrite-user-jwt", token);
    if (identity->client_ip != NULL)
        ADD(header_block, "x-appwrite-client-ip", identity->client_ip);
    const struct geo_place place = geo_find(run->options.geo, identity->client_ip);
    ADD(header_block, "x-appwrite-country-code", place.country);
    ADD(header_block, "x-appwrite-continent-code", place.continent);
    ADD(header_block, "x-appwrite-continent-eu", place.is_eu ? "true" : "false");
}
