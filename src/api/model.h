/*
 * Answer models as field rows, written straight into a buffer. A row says where a value is in the
 * entity; versions.c says how documents differ for older response formats.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct call;
struct model;

enum field_kind {
    FIELD_TEXT,         /* char * (NULL: "") */
    FIELD_TEXT_HERE,    /* char[] inside the struct */
    FIELD_INTEGER,      /* int64_t */
    FIELD_REAL,         /* double */
    FIELD_BOOLEAN,      /* bool */
    FIELD_DATE,         /* int64_t microseconds; 0: "" */
    FIELD_DATE_OR_NULL, /* likewise; 0: null */
    FIELD_JSON,         /* char * that is JSON text already; NULL or "": [] */
    FIELD_CONSTANT,     /* always .constant, a text */
    FIELD_OWN           /* write() does it */
};

/* What a field's write() may look at. */
struct writing {
    struct call *call; /* NULL: not for a client (nothing is hidden) */
    struct buffer *out;
    const void *extra; /* the second argument of call_answer(), or NULL (lists) */
    bool single;       /* a document of its own, not an item of a list */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    bool sensitive; /* "" for callers without a key */
    bool nullable;  /* FIELD_OWN, for the documents: may be null */
    bool in_extra;  /* left out, of the documents too, unless the handler gives an extra */
    const char *constant;
    void (*write)(const struct writing *writing, const void *entity); /* the value, as JSON */
    /* for the documents */
    const char
        *type; /* FIELD_OWN, FIELD_JSON: "string", "array:string", "array:headers", "integer" ... */
    const char *text;
};

struct model {
    const char *name;           /* function */
    const char *items;          /* key of the list: functions; NULL: never listed */
    const struct field *fields; /* ends with { 0 } */
};

/* A text for the documents is always given: an empty variable part is not C11. */
#define FIELD_AT_(structure, member, type) \
    offsetof(structure, member) + 0 * sizeof(char[_Generic(&((structure *)0)->member, type * : 1)])
#define F_TEXT(name_, structure, member, ...)                                              \
    {                                                                                      \
        .name = name_, .kind = FIELD_TEXT, .offset = FIELD_AT_(structure, member, char *), \
        __VA_ARGS__                                                                        \
    }
#define F_INTEGER(name_, structure, member, ...)                                               \
    {                                                                                          \
        .name = name_, .kind = FIELD_INTEGER, .offset = FIELD_AT_(structure, member, int64_t), \
        __VA_ARGS__                                                                            \
    }
#define F_REAL(name_, structure, member, ...)                                              \
    {                                                                                      \
        .name = name_, .kind = FIELD_REAL, .offset = FIELD_AT_(structure, member, double), \
        __VA_ARGS__                                                                        \
    }
#define F_BOOLEAN(name_, structure, member, ...)                                            \
    {                                                                                       \
        .name = name_, .kind = FIELD_BOOLEAN, .offset = FIELD_AT_(structure, member, bool), \
        __VA_ARGS__                                                                         \
    }
#define F_DATE(name_, structure, member, ...)                                               \
    {                                                                                       \
        .name = name_, .kind = FIELD_DATE, .offset = FIELD_AT_(structure, member, int64_t), \
        __VA_ARGS__                                                                         \
    }
#define F_JSON(name_, structure, member, type_, ...)                                       \
    {                                                                                      \
        .name = name_, .kind = FIELD_JSON, .offset = FIELD_AT_(structure, member, char *), \
        .type = type_, __VA_ARGS__                                                         \
    }
#define F_CONSTANT(name_, constant_, ...)                                         \
    {                                                                             \
        .name = name_, .kind = FIELD_CONSTANT, .constant = constant_, __VA_ARGS__ \
    }
#define F_OWN(name_, type_, write_, ...)                                              \
    {                                                                                 \
        .name = name_, .kind = FIELD_OWN, .type = type_, .write = write_, __VA_ARGS__ \
    }

/* Every model, NULL-terminated: for the documents and the precomputation. */
extern const struct model *const all_models[];

extern const struct model model_function, model_variable, model_deployment, model_execution,
    model_build;
extern const struct model model_rule, model_metric, model_usage_functions, model_usage_function;
extern const struct model model_account, model_console_variables;
extern const struct model model_usage_old; /* below 1.5.0 */
extern const struct model model_runtime, model_specification, model_jwt, model_health_status;
extern const struct model model_template_function, model_template_runtime, model_template_variable;
extern const struct model model_health_version, model_error;

/* extra of model_deployment in the answer to a piece of an upload. */
struct deployment_extra {
    int64_t chunks_total, chunks_uploaded;
};

/* extra of model_execution in the answer of POST executions. */
struct execution_extra {
    const char *body; /* responseBody */
    size_t body_bytes;
    const char
        *headers_json; /* all response headers as [{"name","value"}]; NULL: the stored ones */
};

#endif
