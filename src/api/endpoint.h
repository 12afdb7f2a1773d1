/*
 * Endpoint and parameter rows: what the router, the checks, the documents and the tests read.
 *
 * An endpoint is one row of an array in services/, next to its handler; catalog.c lists the arrays.
 * A parameter is one row of the endpoint's params, in the order in which they are checked (which
 * error wins depends on it).
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "multipart.h"
#include "queries.h"
#include "settings.h"
#include "store.h"

struct call;
struct model;

/* ---- parameters ------------------------------------------------------------------------------ */

/* What a LIST parameter leaves in the params struct. */
struct text_list {
    const char *const *items; /* NULL-terminated */
    size_t count;
    const char *json; /* the same as JSON text, as the store wants it: ["any"] */
};

/* What a BYTES parameter leaves: not necessarily text (a multipart part may hold anything). */
struct bytes {
    const char *data; /* NUL-terminated all the same; NULL when absent */
    size_t size;
};

enum param_kind {
    PARAM_TEXT,    /* const char *; absent: fallback, or NULL */
    PARAM_BYTES,   /* struct bytes */
    PARAM_INTEGER, /* int64_t */
    PARAM_BOOLEAN, /* bool */
    PARAM_LIST,    /* struct text_list; absent: empty */
    PARAM_OBJECT,  /* json_t * (object, owned by the call); absent: NULL */
    PARAM_QUERIES  /* struct queries */
};

enum { CHECK_TEXT = 640 };
/*
 * A rule about a present value of the right kind. Returns true when it holds; else writes the
 * sentence that follows "Invalid `name` param: ". May run on any thread; call gives settings
 * (call->api->settings), never the registry. value: const char *, struct bytes *, int64_t *, bool
 * *, json_t * (LIST, OBJECT: as it was sent) by the row's kind.
 */
typedef bool param_check(struct call *call, const void *value, char ret_text[CHECK_TEXT]);
/* The allowed words, "NULL"-terminated; for whitelists. */
typedef const char *const *param_choices(struct call *call);

struct param {
    const char *name;
    enum param_kind kind;
    size_t offset;
    bool optional;
    bool loose;         /* BOOLEAN: also "true", "1", 1 ... */
    bool hidden;        /* accepted, not documented */
    const char *below;  /* documented for response formats below this alone; NULL: for all */
    bool nullable;      /* documented as such, and the validator text ends " or null" */
    bool empty;         /* TEXT, BYTES, LIST items: "" is fine; else at least one character */
    int64_t min;        /* INTEGER: range; with max 0: any */
    int64_t max;        /* TEXT, BYTES, LIST items: characters; 0: any length */
    int64_t items;      /* LIST: most entries (100 when 0) */
    param_check *check; /* after the built-in rules of the kind; for LIST it sees the whole list */
    param_choices *choices;  /* TEXT: one of; LIST: each item one of */
    param_check *range;      /* INTEGER: instead of min and max, where a setting has a say */
    const char *fallback;    /* as text: "15", "true", "s-1vcpu-512mb" */
    enum list_entity entity; /* QUERIES */
    bool selectable;         /* QUERIES: select() is offered */
    const char *text;        /* for the documents */
};

/* Refuses at compile time a field of another type than the row's kind. */
#define PARAM_FIELD_(structure, field, type) \
    offsetof(structure, field) + 0 * sizeof(char[_Generic(&((structure *)0)->field, type * : 1)])
#define PARAM_(structure, field, kind_, type, ...)                                                 \
    {                                                                                              \
        .name = #field, .kind = kind_, .offset = PARAM_FIELD_(structure, field, type), __VA_ARGS__ \
    }
#define TEXT(structure, field, ...) PARAM_(structure, field, PARAM_TEXT, const char *, __VA_ARGS__)
#define BYTES(structure, field, ...) \
    PARAM_(structure, field, PARAM_BYTES, struct bytes, __VA_ARGS__)
#define INTEGER(structure, field, ...) PARAM_(structure, field, PARAM_INTEGER, int64_t, __VA_ARGS__)
#define BOOLEAN(structure, field, ...) PARAM_(structure, field, PARAM_BOOLEAN, bool, __VA_ARGS__)
#define LIST(structure, field, ...) \
    PARAM_(structure, field, PARAM_LIST, struct text_list, __VA_ARGS__)
#define OBJECT(structure, field, ...) PARAM_(structure, field, PARAM_OBJECT, json_t *, __VA_ARGS__)
#define QUERIES(structure, field, ...) \
    PARAM_(structure, field, PARAM_QUERIES, struct queries, .optional = true, __VA_ARGS__)

/* Ready-made checks with the API's literal sentences. */
param_check check_uid, check_custom_id, check_roles, check_events, check_cron, check_specification;
param_choices choices_runtimes, choices_scopes;
param_choices choices_runtimes_or_none; /* also "" */

/* ---- endpoints ------------------------------------------------------------------------------- */

enum endpoint_auth { /* who may call; scopes apply to keys and clients alike */
                     AUTH_KEY = 1,
                     AUTH_CLIENT = 2,  /* guests and users, as far as the scopes are theirs */
                     AUTH_PROJECT = 4, /* anybody, but a real project must be named */
                     AUTH_PUBLIC = 8   /* anybody, no project needed */
};

enum endpoint_runs { RUNS_IN_LANE, RUNS_ON_LOOP };

enum endpoint_body {
    BODY_MEMORY, /* JSON, form or multipart, gathered up to body_limit */
    BODY_FILES   /* as BODY_MEMORY, but files of a multipart body go to `files` as they arrive */
};

/*
 * Where file parts of a multipart body go. begin, data, end run in a lane, in order, and may block;
 * an error ends the call with it. Plain fields are gathered by the frame (64 KiB each, 1 MiB in
 * all) and become parameters. state lives in call->files_state. release runs exactly once a call,
 * on the loop, when nothing of it is in a lane; also when the client went away half-way. The
 * handler runs after the last byte.
 */
struct endpoint_files {
    int (*begin)(struct call *call, const struct multipart_part *part, struct error *err);
    int (*data)(struct call *call, const char *data, size_t bytes, struct error *err);
    int (*end)(struct call *call, struct error *err);
    void (*release)(struct call *call);
    /* Parts of these names are files even without a file name; NULL-terminated. */
    const char *const *names;
    const char *file; /* the part of the package, for the documents */
    /* Loop, before the first byte: the most bytes the whole body may have. NULL: body_limit. */
    uint64_t (*limit)(const struct call *call);
    const char *limit_setting; /* that limit() comes from; NULL: none */
};

struct rate_limit {
    const char *setting; /* that has the number; NULL: no limit */
    size_t offset;       /* of it in struct settings, an int64_t; 0 there: no limit */
    unsigned seconds;
    bool counts_keys;  /* all callers of a project together; otherwise each, and keys never */
    const char *below; /* only for response formats below this; NULL: all */
};
/* RATE(rate_rules, 60): as many a minute as the setting says. */
#define RATE(setting_, seconds_)                                                      \
    .setting = #setting_, .offset = PARAM_FIELD_(struct settings, setting_, int64_t), \
    .seconds = (seconds_)

struct endpoint {
    const char *id; /* the operation's name in SDKs: functions.create. Unique */
    const char *method;
    const char *path; /* "/v1/functions/{functionId}" */
    const char *const
        *aliases;  /* further paths, NULL-terminated; call->alias tells which (0: path, 1: first) */
    unsigned auth; /* enum endpoint_auth */
    const char *const *scopes;  /* any of them suffices, NULL-terminated; the message names all */
    const char *since, *until;  /* response formats that document it; NULL: all */
    const struct param *params; /* ends with { 0 } */
    size_t params_size;
    const struct model *answers; /* NULL: no body (204), or the handler's own bytes */
    const char *bytes_type;      /* content type of the handler's own bytes, for the documents */
    bool list;                   /* answers a list of the model */
    bool multipart_answer;       /* Accept may ask for multipart/form-data */
    unsigned status;
    struct rate_limit limit;
    const char *event; /* functions.[functionId].create; fired by later parts of the server */
    enum endpoint_runs runs;
    enum endpoint_body body;
    bool raw_body;     /* the handler reads call->inside->body itself; params are for documents */
    size_t body_limit; /* bytes; 0: the setting api_body_bytes */
    const struct endpoint_files *files;
    const char *summary; /* for the documents */

    /*
     * RUNS_IN_LANE: a plain blocking function; call->db is this lane's reader. -1: the envelope of
     * *err is answered.
     */
    int (*handle)(struct call *call, struct error *err);
    /*
     * RUNS_ON_LOOP: must not block; ends, now or later, with exactly one of call_answer*,
     * call_fail. With RUNS_IN_LANE it follows a handle() that returned 0.
     */
    void (*begin)(struct call *call);
};

#define SCOPES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define PATHS(...)  ((const char *const[]){ __VA_ARGS__, NULL })

/* All arrays of endpoints, each closed by { 0 }; NULL-terminated. */
extern const struct endpoint *const catalog[];

#endif
