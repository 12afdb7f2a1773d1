/* A store in a directory of its own, and the domain in a few words. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <cmocka.h>

#include "store_private.h"

enum { FIRST_SEQ = 1700000000 };

struct fixture {
    char directory[64];
    struct store *store;
    struct db *reader;
};

int fixture_setup(void **state); /* a new directory and a reader; project "demo" exists */
int fixture_teardown(void **state);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture); /* the directory stays */

/* Runs one write and expects it to succeed. */
void write_ok(struct fixture *fixture, store_write *write, void *context);
/* Expects this error; returns with it in err. */
void write_fails(struct fixture *fixture, store_write *write, void *context, enum error_type type);

/* Borrowed texts in a struct that is never released. */
struct project a_project(const char *id);
struct function a_function(const char *id);
struct variable a_variable(const char *function_id, const char *id, const char *key,
                           const char *value);
struct deployment a_deployment(const char *function_id, const char *id);
struct execution an_execution(int64_t function_seq, int64_t seq, const char *status);
struct rule a_rule(const char *id, const char *domain);

/* Owned, for store_execution_record(). */
struct execution an_owned_execution(int64_t function_seq, int64_t seq);

void given_function(struct fixture *fixture, const char *id);
int64_t function_seq(struct fixture *fixture, const char *id);
void given_deployment(struct fixture *fixture, const char *function_id, const char *id);
void given_variable(struct fixture *fixture, const char *function_id, const char *id,
                    const char *key);
void given_execution(struct fixture *fixture, int64_t function_seq, int64_t seq,
                     const char *status);
void given_rule(struct fixture *fixture, const char *id, const char *domain);

/* Store functions as writes: the context is the entity. */
int insert_project(struct db *db, void *context, struct error *err);
int insert_function(struct db *db, void *context, struct error *err);
int insert_variable(struct db *db, void *context, struct error *err);
int insert_deployment(struct db *db, void *context, struct error *err);
int insert_execution(struct db *db, void *context, struct error *err);
int insert_rule(struct db *db, void *context, struct error *err);

/* One number from a statement, behind the store's back. */
int64_t number_of(struct fixture *fixture, const char *sql);

#endif
