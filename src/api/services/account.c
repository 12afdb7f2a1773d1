/*
 * The account of whoever shows a user token. There is no table of users and there are no sessions:
 * an account is what its token says.
 *
 * Source: appwrite app/controllers/api/account.php.
 */
#include <stdlib.h>

#include "call.h"
#include "clock.h"
#include "services.h"
#include "token.h"

/* ---- the account ----------------------------------------------------------------------------- */

static void write_true(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "true");
}

static void write_false(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "false");
}

static void write_nothing(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "{}");
}

static void write_no_targets(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "[]");
}

#define UNKNOWN(name) F_CONSTANT(name, "", .text = "Always empty.")

static const struct field account_fields[] = {
    F_TEXT("$id", struct token, user_id, .text = "User ID."),
    UNKNOWN("$createdAt"),
    UNKNOWN("$updatedAt"),
    UNKNOWN("name"),
    UNKNOWN("registration"),
    F_OWN("status", "boolean", write_true, .text = "Always true."),
    F_JSON("labels", struct token, labels, "array:string", .text = "Labels in the token."),
    UNKNOWN("passwordUpdate"),
    UNKNOWN("email"),
    UNKNOWN("phone"),
    F_BOOLEAN("emailVerification", struct token, verified, .text = "As the token says."),
    F_OWN("phoneVerification", "boolean", write_false, .text = "Always false."),
    F_OWN("mfa", "boolean", write_false, .text = "Always false."),
    F_OWN("prefs", "object", write_nothing, .text = "Always empty."),
    F_OWN("targets", "array:string", write_no_targets, .text = "Always empty."),
    UNKNOWN("accessedAt"),
    { 0 },
};
const struct model model_account = { "user", NULL, account_fields };

static int account_get(struct call *call, struct error *err)
{
    return call_answer(call, &call->caller.user, NULL, err);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

struct account_jwt_input {
    int64_t duration; /* seconds */
};

/*
 * The newest clients may not make a token with a token. Older ones could, with what was their
 * session then; theirs never outlives the one it was made with, or a token would be for ever.
 */
static int account_create_jwt(struct call *call, struct error *err)
{
    const struct account_jwt_input *in = call->params;
    struct token token = call->caller.user;
    int64_t until = clock_realtime_us() / 1000000 + in->duration;

    if (!call_below(call, "2.0.0"))
        return fail(err, ERROR_USER_JWT_CREATION_DENIED, NULL);
    if (until < token.expires_at)
        token.expires_at = until;
    char *text = token_sign(call->api->signer, TOKEN_USER, &token);
    int status = call_answer(call, text, NULL, err);

    free(text);
    return status;
}

static const struct param jwt_params[] = {
    INTEGER(struct account_jwt_input, duration, .optional = true, .min = 0, .max = 3600,
            .fallback = "900", .text = "Seconds until it expires, but no later than this one."),
    { 0 },
};

const struct endpoint account_endpoints[] = {
    { .id = "account.get",
      .method = "GET",
      .path = "/v1/account",
      .auth = AUTH_CLIENT,
      .scopes = SCOPES("account"),
      .answers = &model_account,
      .status = 200,
      .summary = "Who the token is of",
      .handle = account_get },
    { .id = "account.createJWT",
      .method = "POST",
      .path = "/v1/account/jwts",
      .aliases = PATHS("/v1/account/jwt"),
      .auth = AUTH_CLIENT,
      .scopes = SCOPES("account"),
      .params = jwt_params,
      .params_size = sizeof(struct account_jwt_input),
      .answers = &model_jwt,
      .status = 201,
      .limit = { RATE(rate_tokens, 60) },
      .summary = "Create a token from a token",
      .handle = account_create_jwt },
    { 0 },
};
