/*
 * The api without a network: a store in a temporary directory, one lane, the whole catalogue.
 * Requests go in as structs, answers come out as structs. Workers and builds are not there.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon.h"

struct reply {
    unsigned status;
    char *body;
    json_t *json;  /* NULL: the body is none */
    char *headers; /* "name: value\n" lines */
};

struct harness {
    struct api api;
    struct settings settings;
    struct db *db;
    char directory[64];
    char key[320];      /* of project default, all scopes */
    struct reply reply; /* the last one */
    bool is_answered;
    bool endpoints_hit[256];  /* by position in the catalogue */
    uint64_t params_hit[256]; /* likewise: the parameters that were given and taken, a bit each */
    bool errors_hit[ERROR_TYPES];
};

int harness_setup(void **state); /* *state = struct harness * */
int harness_teardown(void **state);

/*
 * Calls and waits for the answer. headers: "name: value" texts, NULL-terminated, or NULL. With a
 * key unless headers name another; project default likewise ("x-appwrite-project:" with nothing
 * behind: none).
 */
const struct reply *harness_call(struct harness *harness, const char *method, const char *target,
                                 const char *const *headers, const char *body);
/* The same with a body of any bytes. */
const struct reply *harness_call_bytes(struct harness *harness, const char *method,
                                       const char *target, const char *const *headers,
                                       const char *body, size_t bytes);

#define HEADERS(...) ((const char *const[]){ __VA_ARGS__, NULL })
/* A call as nobody. */
#define GUEST "x-appwrite-key:"

const char *reply_text(const struct reply *reply,
                       const char *name); /* a text of the JSON, or NULL */
bool reply_has_header(const struct reply *reply, const char *line);

#define assert_status(reply, expected)                                                         \
    do {                                                                                       \
        if ((reply)->status != (expected))                                                     \
            fail_msg("%u instead of %d: %s", (reply)->status, (int)(expected), (reply)->body); \
    } while (0)

/* Runs a command of the command line on the harness's store and takes its change over. */
char *harness_control(struct harness *harness, const char *request);

#endif
