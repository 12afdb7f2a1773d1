/*
 * The project is the one named; when none is, the key's own: some clients forget the header. A
 * valid key wins over a user token beside it, which is then not looked at.
 */
#include "auth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli_session.h"
#include "mem.h"
#include "reload.h"
#include "text.h"

static const char *const guest_scopes[] = {
    "executions.write", "execution.write", "locale.read", "graphql", "public", "global", NULL
};
static const char *const user_scopes[] = {
    "executions.write", "execution.write", "executions.read", "execution.read", "locale.read",
    "graphql",          "public",          "global",          "account",        NULL
};
/* What every key may, whatever it was made with. */
static const char *const key_scopes[] = { "global", "health.read", "graphql", NULL };
static const char *const guest_roles[] = { "any", "guests", NULL };
static const char *const key_roles[] = { "applications", NULL };

static bool is_among(const char *const *words, const char *word)
{
    for (; *words != NULL; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* The items of a JSON list of texts, in the call's memory. */
static const char *const *text_items(struct call *call, const char *json)
{
    json_t *list = json_loads(json == NULL ? "[]" : json, 0, NULL);
    size_t count = json_array_size(list), used = 0;
    const char **items = call_alloc(call, (count + 1) * sizeof(*items));

    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL)
            items[used++] = arena_text(&call->arena, text, strlen(text));
    }
    json_decref(list);
    return items;
}

/* ---- project --------------------------------------------------------------------------------- */

/* The value of ?project= as it stands: an id needs no decoding. */
static const char *project_of_query(struct call *call)
{
    for (const char *at = call->query_text; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "&");
        if (strncmp(at, "project=", 8) == 0 && length > 8)
            return arena_text(&call->arena, at + 8, length - 8);
        at += length;
        at += *at == '&' ? 1 : 0;
    }
    return NULL;
}

static const char *named_project(struct call *call, const char *body_project)
{
    const char *header = call_header(call, "x-appwrite-project");

    if (!text_is_empty(header))
        return header;
    const char *query = project_of_query(call);
    return query != NULL ? query : text_is_empty(body_project) ? NULL : body_project;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int take_signed_key(struct call *call, const char *text, struct error *err)
{
    struct token token;
    int64_t now = loop_realtime_us(call->api->loop) / 1000000;

    if (token_verify(call->api->signer, TOKEN_KEY, text, now, &token, err) < 0)
        return -1;
    if (call->project_id != NULL && !text_equals(call->project_id, token.project_id)) {
        token_release(&token);
        return fail(err, ERROR_USER_UNAUTHORIZED, NULL);
    }
    call->caller.kind = CALLER_KEY;
    call->caller.roles = key_roles;
    call->caller.scopes = text_items(call, token.scopes);
    call->caller.function_id = arena_text(&call->arena, token.function_id,
                                          strlen(token.function_id));
    call->project_id = arena_text(&call->arena, token.project_id, strlen(token.project_id));
    token_release(&token);
    return 0;
}

static int take_stored_key(struct call *call, const char *secret, struct error *err)
{
    const struct live_key *key = registry_key(call->api->registry, secret);
    bool is_of_project = key != NULL && (call->project_id == NULL ||
                                         text_equals(call->project_id, key->project_id));

    /*
     * Upstream takes other prefixes for kinds of keys it does not know, and their callers for
     * guests.
     */
    if (!is_of_project && strchr(secret, '_') != NULL && !text_starts(secret, "standard_"))
        return 0;
    if (!is_of_project)
        return fail(err, ERROR_USER_UNAUTHORIZED, NULL);
    if (key->expires_at != 0 && key->expires_at <= loop_realtime_us(call->api->loop))
        return fail(err, ERROR_PROJECT_KEY_EXPIRED, NULL);
    size_t count = 0;
    while (key->scopes[count] != NULL)
        count++;
    const char **scopes = call_alloc(call, (count + 1) * sizeof(*scopes));
    for (size_t i = 0; i < count; i++) /* a copy: the key may be gone before the call is */
        scopes[i] = arena_text(&call->arena, key->scopes[i], strlen(key->scopes[i]));
    call->caller.kind = CALLER_KEY;
    call->caller.roles = key_roles;
    call->caller.scopes = scopes;
    if (call->project_id == NULL)
        call->project_id = arena_text(&call->arena, key->project_id, strlen(key->project_id));
    return 0;
}

static int take_key(struct call *call, struct error *err)
{
    const char *key = call_header(call, "x-appwrite-key");

    if (text_is_empty(key))
        key = cli_session_key(call);
    if (text_is_empty(key))
        return 0;
    if (text_starts(key, "dynamic_"))
        return take_signed_key(call, key + strlen("dynamic_"), err);
    if (text_starts(key, "ephemeral_"))
        return take_signed_key(call, key + strlen("ephemeral_"), err);
    return take_stored_key(call, key, err);
}

/* ---- users ----------------------------------------------------------------------------------- */

static const char *const *user_roles(struct call *call, const struct token *token)
{
    const char *const *teams = text_items(call, token->teams);
    const char *const *labels = text_items(call, token->labels);
    const char *verified = token->verified ? "verified" : "unverified";
    size_t count = 6, used = 0;

    for (size_t i = 0; teams[i] != NULL; i++)
        count += 2;
    for (size_t i = 0; labels[i] != NULL; i++)
        count++;
    const char **roles = call_alloc(call, count * sizeof(*roles));
    roles[used++] = "any";
    roles[used++] = call_textf(call, "user:%s", token->user_id);
    roles[used++] = call_textf(call, "user:%s/%s", token->user_id, verified);
    roles[used++] = "users";
    roles[used++] = call_textf(call, "users/%s", verified);
    for (size_t i = 0; teams[i] != NULL; i++) { /* "id" or "id/role"; a role also means the team */
        const char *slash = strchr(teams[i], '/');
        char *team = slash == NULL
                         ? call_textf(call, "team:%s", teams[i])
                         : call_textf(call, "team:%.*s", (int)(slash - teams[i]), teams[i]);
        if (used == 0 || !is_among(roles, team))
            roles[used++] = team;
        if (slash != NULL)
            roles[used++] = call_textf(call, "team:%s", teams[i]);
    }
    for (size_t i = 0; labels[i] != NULL; i++)
        roles[used++] = call_textf(call, "label:%s", labels[i]);
    return roles;
}

static int take_user(struct call *call, struct error *err)
{
    const char *text = call_header(call, "x-appwrite-jwt");
    struct token token;

    if (text_is_empty(text))
        return 0;
    if (token_verify(call->api->signer, TOKEN_USER, text,
                     loop_realtime_us(call->api->loop) / 1000000, &token, err) < 0)
        return -1;
    /* A user of another project is nobody here. */
    if (!text_equals(token.project_id, call->project_id)) {
        token_release(&token);
        return 0;
    }
    call->caller.kind = CALLER_USER;
    call->caller.scopes = user_scopes;
    call->caller.roles = user_roles(call, &token);
    call->caller.user = token;
    call->caller.user_id = call->caller.user.user_id;
    call->caller.jwt = true;
    return 0;
}

/* ---- scopes ---------------------------------------------------------------------------------- */

static bool has_scope(const struct call *call, const char *scope)
{
    if (call_is_key(call) && (call->endpoint->auth & AUTH_KEY) == 0)
        return false; /* only of clients: a key with every scope has no account either */
    if (!call_is_key(call) && (call->endpoint->auth & AUTH_CLIENT) == 0)
        return false; /* only of keys, though clients have the scope for something else */
    return is_among(call->caller.scopes, scope) || is_among(call->caller.scopes, "all") ||
           (call_is_key(call) && is_among(key_scopes, scope));
}

/* Who is refused, in the API's words. */
static const char *caller_text(struct call *call)
{
    switch (call->caller.kind) {
    case CALLER_GUEST:
        return "User (role: guests)";
    case CALLER_USER: /* tokens carry no address, which is what stands in front of it */
        return " (role: users)";
    case CALLER_KEY:
        return call_textf(call, "app.%s@service.%.*s (role: applications)", call->project_id,
                          (int)strcspn(call->host, ":"), call->host);
    }
    return "";
}

static int check_scopes(struct call *call, struct error *err)
{
    const char *const *scopes = call->endpoint->scopes;
    const char *list = "";
    size_t last = 0;

    for (size_t i = 0; scopes[i] != NULL; i++)
        if (has_scope(call, scopes[i]))
            return 0;
    for (size_t i = 0; scopes[i] != NULL; i++) {
        list = call_textf(call, "%s%s\"%s\"", list, i == 0 ? "" : ",", scopes[i]);
        last = i;
    }
    if (call_below(call, "1.8.0"))
        return fail(err, ERROR_GENERAL_UNAUTHORIZED_SCOPE, "%s missing scope (%s)",
                    caller_text(call), scopes[last]);
    return fail(err, ERROR_GENERAL_UNAUTHORIZED_SCOPE, "%s missing scopes ([%s])",
                caller_text(call), list);
}

/* ---- all together ---------------------------------------------------------------------------- */

static int check_project(struct call *call, struct error *err)
{
    if (text_equals(call->project_id, "console"))
        return fail(err, ERROR_GENERAL_ACCESS_FORBIDDEN,
                    "This endpoint is not available for the console project. The Appwrite Console "
                    "is a reserved project ID and cannot be used with the Appwrite SDKs and APIs. "
                    "Please check if your project ID is correct.");
    if (!registry_has_project(call->api->registry, call->project_id))
        return fail(err, ERROR_PROJECT_NOT_FOUND, NULL);
    return 0;
}

int auth_check(struct call *call, const char *body_project, bool *ret_needs_project,
               struct error *err)
{
    unsigned auth = call->endpoint->auth;

    call->caller = (struct caller){
        .kind = CALLER_GUEST, .scopes = guest_scopes, .roles = guest_roles, .user_id = ""
    };
    *ret_needs_project = false;
    if ((auth & AUTH_PUBLIC) != 0)
        return 0;
    if (reload_check(call->api, err) < 0)
        return -1;
    call->project_id = named_project(call, body_project);
    if (text_equals(call->project_id, "console") && cli_session_key(call) != NULL)
        call->project_id = NULL; /* the key's own */
    bool is_named = call->project_id != NULL;
    if ((auth & AUTH_PROJECT) != 0)
        return is_named ? check_project(call, err) : fail(err, ERROR_PROJECT_NOT_FOUND, NULL);
    if (is_named && check_project(call, err) < 0)
        return -1;
    if (take_key(call, err) < 0)
        return -1;
    if (!is_named && call->project_id != NULL && check_project(call, err) < 0)
        return -1; /* a signed key outlives its project */
    if (call->project_id == NULL) {
        *ret_needs_project = body_project == NULL;
        return fail(err, ERROR_GENERAL_ACCESS_FORBIDDEN,
                    "No Appwrite project was specified. Please specify your project ID when "
                    "initializing your Appwrite SDK.");
    }
    if (call->caller.kind == CALLER_GUEST && take_user(call, err) < 0)
        return -1;
    return check_scopes(call, err);
}

void auth_release(struct call *call)
{
    if (call->caller.kind == CALLER_USER)
        token_release(&call->caller.user);
}
