/*
 * One HTTP request inside the api, as a handler sees it: who calls, what was sent, and how to
 * answer.
 *
 * A call is on the loop or in one lane, never in both; it is handed over with the answer of the
 * handler. A lane handler may use everything here but the registry, run and builder of call->api
 * (those are the loop's); what must happen there after a write is said with call_changed() and
 * call_after().
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "daemon.h"
#include "endpoint.h"
#include "model.h"
#include "registry.h"
#include "server.h"
#include "token.h"

enum caller_kind { CALLER_GUEST, CALLER_USER, CALLER_KEY };

struct caller {
    enum caller_kind kind;
    const char *const *scopes; /* NULL-terminated; {"all"} for a key with every scope */
    const char *const *roles;  /* any, guests | users, user:x, ...; keys: {"applications"} */
    const char *user_id;       /* "" unless CALLER_USER */
    struct token user;         /* CALLER_USER: the token itself */
    const char *function_id;   /* a per-execution key: the function that holds it; else NULL */
    bool jwt;                  /* a user token was sent (and checked) */
};

struct call {
    struct api *api;
    const struct endpoint *endpoint;
    size_t alias; /* which of the endpoint's paths: 0 its own, 1 the first alias ... */

    /* What the request says; borrowed from it, valid until the answer. */
    const char *method, *path, *query_text;
    const struct http_header *headers;
    size_t header_count;
    const char *host;      /* lower case, with port; X-Forwarded-Host from a trusted proxy */
    const char *client_ip; /* likewise X-Forwarded-For */
    bool https;            /* likewise X-Forwarded-Proto */

    const char *project_id; /* NULL: none named (AUTH_PUBLIC only) */
    struct caller caller;
    uint64_t format; /* X-Appwrite-Response-Format as format_number(); FORMAT_NEWEST when absent */

    const void *params;  /* the endpoint's params struct */
    struct arena arena;  /* freed after the answer */
    struct store *store; /* = api->store: writes */
    struct db *db;       /* reads; in a lane only */

    void *files_state; /* struct endpoint_files */
    void *state;       /* a loop handler's own; arena memory or released by its last step */

    struct call_inside *inside; /* the frame's part */
};

/* ---- what was sent --------------------------------------------------------------------------- */

const char *call_header(const struct call *call, const char *name); /* first value, or NULL */
/* The parameter was sent and was not null. name: the row's. */
bool call_given(const struct call *call, const char *name);
/* The response format asked for is below this version ("1.7.0"). */
bool call_below(const struct call *call, const char *version);
bool call_is_key(const struct call *call); /* sees sensitive fields, unchecked permissions */
bool call_has_role(const struct call *call, const char *role);
bool call_client_left(const struct call *call);    /* loop: nobody reads the answer */
void *call_alloc(struct call *call, size_t bytes); /* zeroed; lives as long as the call */
char *call_textf(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The call drops its reference to value at its end. */
void call_own_json(struct call *call, json_t *value);

/* ---- answering ------------------------------------------------------------------------------- */
/*
 * In a lane handler these fill the answer, which leaves when the handler has returned 0. In a loop
 * handler fill it, then call_finish(). Status is the endpoint's unless call_status() says
 * otherwise.
 */
void call_status(struct call *call, unsigned status);
void call_answer_header(struct call *call, const char *name, const char *value); /* copied */

/*
 * A document of the endpoint's model. extra: for fields that are not in the entity (model.h), or
 * NULL.
 */
int call_answer(struct call *call, const void *entity, const void *extra, struct error *err);
int call_answer_model(struct call *call, const struct model *model, const void *entity,
                      const void *extra, struct error *err);
/*
 * {"total":n,"<items>":[...]}: begin (queries: for select(), or NULL), a row at a time
 * (call_list_row is a list_row whose context is the call), end.
 */
void call_list_begin(struct call *call, const struct queries *queries);
void call_list_row(void *context, const void *entity);
int call_list_end(struct call *call, int64_t total,
                  struct error *err);     /* INTERNAL when the answer is too large */
int call_answer_empty(struct call *call); /* 204 with the content type clients need */
int call_answer_text(struct call *call, const char *content_type, const char *text);
/* A file: closed by the frame. content-type and the like by call_answer_header(). */
int call_answer_file(struct call *call, int fd, uint64_t offset, uint64_t bytes);
/*
 * Does Accept prefer multipart/form-data to JSON? (rows with multipart_answer; call_answer heeds
 * it)
 */
bool call_wants_multipart(const struct call *call);

/* Loop handlers: the end. */
void call_finish(struct call *call);                        /* what was filled in leaves */
void call_fail(struct call *call, const struct error *err); /* the error envelope leaves */

/* ---- effects --------------------------------------------------------------------------------- */
/*
 * A write has been committed: id (of a function, key, rule) is read again in this lane after the
 * handler and taken over by the loop before the answer leaves. Also when the handler fails
 * afterwards. Of something deleted too. CHANGE_RULES with NULL: all rules of the project.
 */
void call_changed(struct call *call, enum change_kind kind, const char *id);

/*
 * Runs on the loop after the changes have been taken over, before the answer leaves. context:
 * call_alloc() memory.
 */
void call_after(struct call *call, void (*follow)(struct api *api, void *context), void *context);

#endif
