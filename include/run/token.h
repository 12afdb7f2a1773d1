/*
 * Signed tokens (JWT, HS256): user tokens, per-execution keys, upload and download tokens. Nothing
 * is stored.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum token_kind { TOKEN_USER, TOKEN_KEY }; /* each kind is signed with a key of its own */

struct token {
    char *project_id;
    char *user_id;      /* TOKEN_USER */
    char *session_id;   /* TOKEN_USER, may be "" */
    char *labels;       /* TOKEN_USER: JSON list */
    char *teams;        /* TOKEN_USER: JSON list of "id" or "id/role" */
    bool verified;      /* TOKEN_USER */
    char *function_id;  /* TOKEN_KEY */
    char *scopes;       /* TOKEN_KEY: JSON list */
    int64_t expires_at; /* seconds */
};

struct token_signer;
int token_signer_new(const unsigned char secret[32], struct token_signer **ret_signer);
void token_signer_free(struct token_signer *signer);

/* Caller frees. */
char *token_sign(const struct token_signer *signer, enum token_kind kind,
                 const struct token *token);

/*
 * Errors: USER_JWT_INVALID "Failed to verify JWT. <reason>" (TOKEN_USER), PROJECT_KEY_EXPIRED
 * (TOKEN_KEY).
 */
int token_verify(const struct token_signer *signer, enum token_kind kind, const char *text,
                 int64_t now_seconds, struct token *ret_token, struct error *err);
void token_release(struct token *token);

#endif
