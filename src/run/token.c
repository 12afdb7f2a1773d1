/* JSON Web Tokens with HS256 and nothing else: the algorithm is ours to choose, not the token's. */
#include "token.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "buffer.h"
#include "json_text.h"
#include "mem.h"
#include "text.h"

enum { TOKEN_BYTES = 65536, KINDS = 2 };

struct token_signer {
    unsigned char keys[KINDS][crypto_auth_hmacsha256_KEYBYTES];
};

static const char *const purposes[KINDS] = {
    [TOKEN_USER] = "token user", [TOKEN_KEY] = "token key"
};

/* {"typ":"JWT","alg":"HS256"} */
static const char encoded_header[] = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

int token_signer_new(const unsigned char secret[32], struct token_signer **ret_signer)
{
    if (sodium_init() < 0)
        return -1;
    struct token_signer *signer = xcalloc(1, sizeof(*signer));
    for (int kind = 0; kind < KINDS; kind++)
        crypto_generichash(signer->keys[kind], sizeof(signer->keys[kind]),
                           (const unsigned char *)purposes[kind], strlen(purposes[kind]), secret,
                           32);
    *ret_signer = signer;
    return 0;
}

void token_signer_free(struct token_signer *signer)
{
    if (signer == NULL)
        return;
    sodium_memzero(signer, sizeof(*signer));
    free(signer);
}

static void compute(const struct token_signer *signer, enum token_kind kind, const char *text,
                    size_t size, unsigned char ret_signature[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256(ret_signature, (const unsigned char *)text, size, signer->keys[kind]);
}

/* ---- signing ------------------------------------------------------------------------------- */

static void add_text(struct buffer *out, const char *name, const char *value)
{
    json_text_key(out, name);
    json_text_string(out, value, value == NULL ? 0 : strlen(value));
}

static void add_list(struct buffer *out, const char *name, const char *json)
{
    json_text_key(out, name);
    buffer_add_text(out, text_is_empty(json) ? "[]" : json);
}

static void add_claims(struct buffer *out, enum token_kind kind, const struct token *token)
{
    buffer_add_char(out, '{');
    add_text(out, "projectId", token->project_id);
    if (kind == TOKEN_USER) {
        add_text(out, "userId", token->user_id);
        add_text(out, "sessionId", token->session_id);
        add_list(out, "labels", token->labels);
        add_list(out, "teams", token->teams);
        json_text_key(out, "verified");
        buffer_add_text(out, token->verified ? "true" : "false");
    } else {
        add_text(out, "functionId", token->function_id);
        add_list(out, "scopes", token->scopes);
    }
    json_text_key(out, "exp");
    buffer_add_int(out, token->expires_at);
    buffer_add_char(out, '}');
}

char *token_sign(const struct token_signer *signer, enum token_kind kind, const struct token *token)
{
    auto_buffer struct buffer claims, text;
    buffer_init(&claims, TOKEN_BYTES);
    buffer_init(&text, (size_t)2 * TOKEN_BYTES);
    add_claims(&claims, kind, token);
    auto_free char *payload = text_base64url(claims.data, claims.size);
    buffer_add(&text, encoded_header, sizeof(encoded_header) - 1);
    buffer_add_char(&text, '.');
    buffer_add_text(&text, payload);

    unsigned char signature[crypto_auth_hmacsha256_BYTES];
    compute(signer, kind, text.data, text.size, signature);
    auto_free char *encoded = text_base64url(signature, sizeof(signature));
    buffer_add_char(&text, '.');
    buffer_add_text(&text, encoded);
    return buffer_steal(&text, NULL);
}

/* ---- verifying ----------------------------------------------------------------------------- */

static int refuse(enum token_kind kind, const char *reason, struct error *err)
{
    if (kind == TOKEN_KEY)
        return fail(err, ERROR_PROJECT_KEY_EXPIRED, NULL);
    return fail(err, ERROR_USER_JWT_INVALID, "Failed to verify JWT. Invalid token: %s", reason);
}

static json_t *decode(const char *text, size_t size)
{
    unsigned char *bytes;
    size_t count;
    if (text_from_base64url(text, size, &bytes, &count) < 0)
        return NULL;
    json_t *root = json_loadb((const char *)bytes, count, JSON_REJECT_DUPLICATES, NULL);
    free(bytes);
    return root;
}

static bool is_signed(const struct token_signer *signer, enum token_kind kind, const char *text,
                      const char *last_dot)
{
    unsigned char expected[crypto_auth_hmacsha256_BYTES];
    unsigned char *given;
    size_t count;
    if (text_from_base64url(last_dot + 1, strlen(last_dot + 1), &given, &count) < 0)
        return false;
    compute(signer, kind, text, (size_t)(last_dot - text), expected);
    bool is_same = count == sizeof(expected) && sodium_memcmp(given, expected, count) == 0;
    free(given);
    return is_same;
}

static bool has_our_algorithm(const char *text, size_t size)
{
    json_t *header = decode(text, size);
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    bool is_ours = algorithm != NULL && strcmp(algorithm, "HS256") == 0;
    json_decref(header);
    return is_ours;
}

static char *copy_text(const json_t *claims, const char *name)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return xstrdup(text == NULL ? "" : text);
}

static char *copy_list(const json_t *claims, const char *name)
{
    const json_t *list = json_object_get(claims, name);
    char *text = json_is_array(list) ? json_dumps(list, JSON_COMPACT) : NULL;
    char *copy = xstrdup(text == NULL ? "[]" : text);
    free(text);
    return copy;
}

static int read_claims(const json_t *claims, enum token_kind kind, int64_t now_seconds,
                       struct token *ret_token, struct error *err)
{
    const json_t *expiry = json_object_get(claims, "exp");
    if (!json_is_object(claims) || !json_is_integer(expiry))
        return refuse(kind, "Incomplete segments", err);
    if (json_integer_value(expiry) <= now_seconds)
        return refuse(kind, "Expired", err);
    *ret_token = (struct token){
        .project_id = copy_text(claims, "projectId"),
        .user_id = copy_text(claims, "userId"),
        .session_id = copy_text(claims, "sessionId"),
        .labels = copy_list(claims, "labels"),
        .teams = copy_list(claims, "teams"),
        .verified = json_is_true(json_object_get(claims, "verified")),
        .function_id = copy_text(claims, "functionId"),
        .scopes = copy_list(claims, "scopes"),
        .expires_at = json_integer_value(expiry),
    };
    return 0;
}

int token_verify(const struct token_signer *signer, enum token_kind kind, const char *text,
                 int64_t now_seconds, struct token *ret_token, struct error *err)
{
    const char *first = strchr(text, '.');
    const char *last = strrchr(text, '.');
    if (first == NULL || first == last || strlen(text) > (size_t)2 * TOKEN_BYTES ||
        memchr(first + 1, '.', (size_t)(last - first - 1)) != NULL)
        return refuse(kind, "Incomplete segments", err);
    /* The signature first: nothing of an unsigned token is parsed. */
    if (!is_signed(signer, kind, text, last))
        return refuse(kind, "Signature failed", err);
    if (!has_our_algorithm(text, (size_t)(first - text)))
        return refuse(kind, "Unsupported header algo", err);
    json_t *claims = decode(first + 1, (size_t)(last - first - 1));
    int result = read_claims(claims, kind, now_seconds, ret_token, err);
    json_decref(claims);
    return result;
}

void token_release(struct token *token)
{
    free(token->project_id);
    free(token->user_id);
    free(token->session_id);
    free(token->labels);
    free(token->teams);
    free(token->function_id);
    free(token->scopes);
    *token = (struct token){ 0 };
}
