/*
 * Tokens for users. There is no table of users: whoever holds a key with users.write vouches for
 * the id.
 *
 * Source: appwrite app/controllers/api/users.php (POST /v1/users/:userId/jwts).
 */
#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "services.h"
#include "token.h"

struct jwt_input {
    const char *userId;
    const char *sessionId;
    int64_t duration; /* seconds */
    struct text_list labels;
    struct text_list teams;
    bool verified;
};

static const struct param jwt_params[] = {
    TEXT(struct jwt_input, userId, .check = check_uid, .text = "User ID."),
    TEXT(struct jwt_input, sessionId, .optional = true, .max = 36, .empty = true, .fallback = "",
         .text = "Accepted; there are no sessions."),
    INTEGER(struct jwt_input, duration, .optional = true, .min = 0, .max = 3600, .fallback = "900",
            .text = "Seconds until it expires."),
    LIST(struct jwt_input, labels, .optional = true, .max = 36,
         .text = "Labels of the user; an addition of this server."),
    LIST(struct jwt_input, teams, .optional = true, .max = 73,
         .text = "Teams as id or id/role; an addition of this server."),
    BOOLEAN(struct jwt_input, verified, .optional = true, .fallback = "false",
            .text = "The user is verified; an addition of this server."),
    { 0 },
};

static char *text_copy(struct call *call, const char *text)
{
    return call_textf(call, "%s", text);
}

static int jwts_create(struct call *call, struct error *err)
{
    const struct jwt_input *in = call->params;
    struct token token = {
        .project_id = text_copy(call, call->project_id),
        .user_id = text_copy(call, in->userId),
        .session_id = text_copy(call, ""),
        .labels = text_copy(call, in->labels.json),
        .teams = text_copy(call, in->teams.json),
        .verified = in->verified,
        .expires_at = clock_realtime_us() / 1000000 + in->duration,
    };
    char *text = token_sign(call->api->signer, TOKEN_USER, &token);
    int status = call_answer(call, text, NULL, err);

    free(text);
    return status;
}

const struct endpoint users_endpoints[] = {
    { .id = "users.createJWT",
      .method = "POST",
      .path = "/v1/users/{userId}/jwts",
      .auth = AUTH_KEY,
      .scopes = SCOPES("users.write"),
      .since = "1.6.0",
      .params = jwt_params,
      .params_size = sizeof(struct jwt_input),
      .answers = &model_jwt,
      .status = 201,
      .summary = "Create a token for a user",
      .handle = jwts_create },
    { 0 },
};
