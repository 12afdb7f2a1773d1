/*
 * GraphQL over the catalogue: every endpoint that answers JSON is a root field, every model a type.
 *
 *   lexer, parser    a document out of foreign text, bounded in tokens and nesting
 *   schema           types, fields and arguments out of endpoint, parameter and model rows
 *   check, uses      what a document may not say (before anything runs)
 *   values           literals and variables as JSON
 *   plan             the fields of one operation, fragments and directives resolved
 *   execute          root fields, one call of the catalogue each, one after the other
 *   introspection    the schema about itself
 *   service          the endpoints: request forms, batches, uploads
 *
 * Memory of documents, plans and errors is an arena's, the call's in practice. Nothing here is
 * shared between threads but the schema, which never changes.
 */
#ifndef GRAPHQL_H
#define GRAPHQL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "buffer.h"
#include "endpoint.h"
#include "map.h"

enum {
    GQL_TOKENS = 20000,      /* in one document */
    GQL_NESTING = 64,        /* brackets inside brackets, fields inside fields */
    GQL_DEFINITIONS = 200,   /* operations and fragments of one document */
    GQL_FIELDS = 5000,       /* of one operation with fragments expanded, introspection too */
    GQL_ERRORS = 20,         /* reported of one request */
    GQL_NAME = 100,          /* characters of a client's name that a message repeats */
    GQL_TOLD_BYTES = 8 << 20 /* most that introspection writes */
};

/* ---- errors ---------------------------------------------------------------------------------- */

struct gql_at {
    unsigned line, column; /* from 1; line 0: nowhere */
};

struct gql_error {
    struct gql_error *next;
    struct gql_at at;
    const char *path; /* response key of a root field, or NULL */
    const char *message;
};

struct gql_errors {
    struct arena *arena;
    struct gql_error *first, *last;
    size_t count;
};

/* Beyond GQL_ERRORS it only counts. Returns the error, or NULL. */
struct gql_error *gql_refuse(struct gql_errors *errors, struct gql_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* However many there are. */
struct gql_error *gql_add_error(struct gql_errors *errors, struct gql_at at, const char *message);
void gql_write_errors(struct buffer *out, const struct gql_errors *errors); /* [{"message":... */

/* ---- lexer ----------------------------------------------------------------------------------- */

enum gql_token_kind {
    GQL_END,
    GQL_PUNCTUATION, /* one of ! $ & ( ) : = @ [ ] { | } */
    GQL_SPREAD,      /* ... */
    GQL_NAME_TOKEN,
    GQL_INT,
    GQL_FLOAT,
    GQL_STRING /* decoded; block strings too */
};

struct gql_token {
    enum gql_token_kind kind;
    char punctuation;
    const char *text; /* NUL-terminated: name, number as written, string's value */
    size_t bytes;     /* of text; a string may hold NUL */
    struct gql_at at;
};

struct gql_lexer {
    struct arena *arena;
    struct gql_errors *errors;
    const char *text;
    size_t bytes, position;
    unsigned line;
    size_t column_position; /* where column was counted last */
    unsigned column, tokens;
};

/* text must be UTF-8. False after an error, which is then in lexer->errors. */
bool gql_next_token(struct gql_lexer *lexer, struct gql_token *ret_token);
const char *gql_token_text(struct arena *arena, const struct gql_token *token); /* for messages */

/* strings.c: the parts of literals. */
bool gql_read_string(struct gql_lexer *lexer, struct gql_token *ret_token);
bool gql_syntax_error(struct gql_lexer *lexer, struct gql_at at, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* false */

/* ---- documents ------------------------------------------------------------------------------- */

enum gql_value_kind {
    GQL_VARIABLE,
    GQL_VALUE_INT,
    GQL_VALUE_FLOAT,
    GQL_VALUE_STRING,
    GQL_VALUE_BOOLEAN,
    GQL_VALUE_NULL,
    GQL_VALUE_ENUM,
    GQL_VALUE_LIST,
    GQL_VALUE_OBJECT
};

struct gql_value {
    struct gql_value *next; /* in a list or an object */
    const char *key;        /* in an object */
    enum gql_value_kind kind;
    const char *text; /* VARIABLE: its name */
    size_t bytes;
    struct gql_value *items;
    struct gql_at at;
};

struct gql_pair { /* an argument */
    struct gql_pair *next;
    const char *name;
    struct gql_value *value;
    struct gql_at at;
};

struct gql_directive {
    struct gql_directive *next;
    const char *name;
    struct gql_pair *arguments;
    struct gql_at at;
};

enum gql_selection_kind { GQL_FIELD, GQL_FRAGMENT_SPREAD, GQL_INLINE_FRAGMENT };

struct gql_selection {
    struct gql_selection *next;
    enum gql_selection_kind kind;
    const char *key;  /* FIELD: the alias or the name */
    const char *name; /* FIELD, FRAGMENT_SPREAD */
    const char *on;   /* INLINE_FRAGMENT: type, or NULL */
    struct gql_pair *arguments;
    struct gql_directive *directives;
    struct gql_selection *selections;
    struct gql_at at;

    /* what check.c found */
    const struct gql_field *field; /* NULL for __typename */
    struct gql_fragment *fragment;
};

struct gql_variable {
    struct gql_variable *next;
    const char *name;
    const char *type; /* as text without spaces: [String!] */
    struct gql_value *fallback;
    struct gql_at at;
    bool used;
};

enum gql_operation_kind { GQL_QUERY, GQL_MUTATION, GQL_SUBSCRIPTION };

struct gql_operation {
    struct gql_operation *next;
    enum gql_operation_kind kind;
    const char *name; /* NULL: none */
    struct gql_variable *variables;
    struct gql_directive *directives;
    struct gql_selection *selections;
    struct gql_at at;
};

/* How large something is with its fragments expanded; counts stop at a great number. */
struct gql_measure {
    uint64_t fields, all_fields; /* all: what introspection asks for too */
    uint64_t depth, all_depth;   /* fields with selections inside each other */
};

struct gql_fragment {
    struct gql_fragment *next;
    const char *name, *on;
    struct gql_directive *directives;
    struct gql_selection *selections;
    struct gql_at at;
    bool used;
    enum { GQL_UNMEASURED, GQL_MEASURING, GQL_MEASURED } state;
    struct gql_measure measure;
    const struct gql_operation *walked_for; /* uses.c */
};

struct gql_document {
    struct gql_operation *operations;
    struct gql_fragment *fragments;
    struct map fragments_by_name; /* empty until check.c filled it; released by gql_check */
};

/* NULL after a syntax error, which is then in errors. */
struct gql_document *gql_parse(struct arena *arena, const char *text, size_t bytes,
                               struct gql_errors *errors);

/* ---- types ----------------------------------------------------------------------------------- */

/* A type as text, or a part of such a text: String, [Function], String! */
struct gql_type {
    const char *text;
    size_t bytes;
};

struct gql_type gql_type(const char *text);
bool gql_is_required(struct gql_type type);
bool gql_is_list(struct gql_type type);             /* of a type that is not required */
struct gql_type gql_optional(struct gql_type type); /* without its ! */
struct gql_type gql_item(struct gql_type list);     /* what is in the brackets */
struct gql_type gql_named(struct gql_type type);    /* without all of them */
bool gql_is_named(struct gql_type type, const char *name);
/* A value of the first may go where one of the second is asked for. */
bool gql_type_fits(struct gql_type given, struct gql_type asked);

/* ---- schema ---------------------------------------------------------------------------------- */

enum gql_kind { GQL_SCALAR, GQL_OBJECT, GQL_ENUM };

struct gql_argument {
    const char *name, *type, *text;
};

struct gql_telling; /* introspection.c */
struct gql_step;

struct gql_field {
    const char *name, *type, *text;
    const struct gql_argument *arguments; /* ends with { 0 } */
    const struct endpoint *endpoint;      /* root fields */
    size_t alias;                         /* which of the endpoint's paths it stands for */
    const char *member;                   /* name in the JSON document: $id */
    void (*tell)(struct gql_telling *telling, const struct gql_step *step, const void *node);
};

struct gql_object { /* or scalar, or enum */
    const char *name, *text;
    enum gql_kind kind;
    const struct gql_field *fields; /* ends with { 0 } */
    const char *const *values;      /* of an enum, NULL-terminated */
};

struct gql_schema {
    struct arena arena;
    struct map by_name;          /* -> struct gql_object * */
    struct gql_object **objects; /* in order of the catalogue, NULL-terminated */
    size_t count, room;
    const struct gql_object *query, *mutation;
};

struct models;
struct gql_schema *gql_schema_new(const struct models *models);
void gql_schema_free(struct gql_schema *schema);
const struct gql_object *gql_schema_find(const struct gql_schema *schema, struct gql_type type);
const struct gql_field *gql_find_field(const struct gql_object *object, const char *name);
const struct gql_argument *gql_find_argument(const struct gql_argument *arguments,
                                             const char *name);
void gql_schema_add(struct gql_schema *schema, struct gql_object *object);

struct gql_directive_row {
    const char *name, *text;
    const struct gql_argument *arguments;
};
extern const struct gql_directive_row gql_directives[]; /* ends with { 0 } */

void gql_add_introspection(struct gql_schema *schema);        /* its types */
extern const struct gql_field gql_root_schema, gql_root_type; /* __schema, __type */

/* ---- requests -------------------------------------------------------------------------------- */

/* What one field of the answer comes from: all selections with its key, merged. */
struct gql_step {
    struct gql_step *next;
    const char *key;
    const struct gql_field *field; /* NULL: __typename */
    const struct gql_object *on;   /* the type it is a field of */
    const struct gql_selection *selection;
    json_t *arguments; /* owned by the request; NULL below root fields without any */
    struct gql_step *steps;
};

struct gql_limits {
    uint64_t complexity, depth;
    bool introspection;
};

struct gql_request {
    const char *text;
    size_t bytes;
    const char *operation_name; /* NULL or "": the only one */
    json_t *given;              /* variables as sent; borrowed; NULL: none */

    struct gql_document *document;
    struct gql_operation *operation;
    json_t *variables; /* checked, with defaults; owned */
    json_t *owned;     /* list of the arguments of steps */
    struct gql_step *steps;
    struct gql_errors errors;
    bool is_ready; /* nothing is wrong: it may run */
};

/* Everything before running. False: only errors. Any thread. */
bool gql_prepare(struct arena *arena, const struct gql_schema *schema,
                 const struct gql_limits *limits, struct gql_request *request);
void gql_request_release(struct gql_request *request);

/* Parts of gql_prepare, in order; each says what it finds in request->errors. */
void gql_check(const struct gql_schema *schema, struct gql_request *request);
void gql_check_uses(const struct gql_schema *schema, struct gql_request *request);
void gql_read_variables(const struct gql_schema *schema, struct gql_request *request);

/* A literal may stand for the type; variables inside are not looked at. */
void gql_check_literal(const struct gql_schema *schema, struct gql_errors *errors,
                       struct gql_type type, const struct gql_value *value);
/* New reference; NULL: a variable without a value. */
json_t *gql_value_json(struct gql_type type, const struct gql_value *value,
                       const json_t *variables);

const struct gql_object *gql_root(const struct gql_schema *schema,
                                  const struct gql_operation *operation);

/* ---- answers --------------------------------------------------------------------------------- */

/* The value of a field as its steps ask for it. */
void gql_shape(struct buffer *out, const struct gql_step *step, const json_t *value);
void gql_tell(const struct gql_schema *schema, struct buffer *out, const struct gql_step *step);

#endif
