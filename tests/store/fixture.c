/* See fixture.h. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "mem.h"

/* Borrowed text where a struct wants to own it: these structs are never released. */
static char *borrow(const char *text)
{
    union {
        const char *constant;
        char *text;
    } both = { .constant = text };

    return both.text;
}

void fixture_open(struct fixture *fixture)
{
    struct store_options options = { .directory = fixture->directory,
                                     .gather_us = 5000,
                                     .query_limit_us = 5000000 };
    struct error err = { 0 };

    if (store_open(&options, &fixture->store, &err) < 0 ||
        store_reader_open(fixture->store, &fixture->reader, &err) < 0)
        fail_msg("%s", err.message);
}

void fixture_close(struct fixture *fixture)
{
    store_reader_close(fixture->reader);
    store_close(fixture->store);
    fixture->reader = NULL;
    fixture->store = NULL;
}

int fixture_setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    struct project project = a_project("demo");

    strcpy(fixture->directory, "/tmp/test-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture_open(fixture);
    write_ok(fixture, insert_project, &project);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    struct error err;

    if (fixture->store)
        fixture_close(fixture);
    assert_int_equal(fd_remove_tree(AT_FDCWD, fixture->directory, &err), 0);
    free(fixture);
    return 0;
}

void write_ok(struct fixture *fixture, store_write *write, void *context)
{
    struct error err = { 0 };

    if (store_write_wait(fixture->store, write, context, &err) < 0)
        fail_msg("%s", err.message);
}

void write_fails(struct fixture *fixture, store_write *write, void *context, enum error_type type)
{
    struct error err = { 0 };

    assert_int_equal(store_write_wait(fixture->store, write, context, &err), -1);
    assert_string_equal(error_rows[err.type].name, error_rows[type].name);
}

struct project a_project(const char *id)
{
    return (struct project){
        .id = borrow(id), .name = borrow("A project"), .created_at = 1, .updated_at = 1
    };
}

struct function a_function(const char *id)
{
    return (struct function){
        .project_id = borrow("demo"),
        .id = borrow(id),
        .name = borrow(id),
        .runtime = borrow("node-22"),
        .execute = borrow("[\"any\"]"),
        .timeout = 15,
        .enabled = true,
        .entrypoint = borrow("index.js"),
        .version = borrow("v5"),
        .created_at = 100,
        .updated_at = 200,
    };
}

struct variable a_variable(const char *function_id, const char *id, const char *key,
                           const char *value)
{
    return (struct variable){
        .project_id = borrow("demo"),
        .function_id = borrow(function_id),
        .id = borrow(id),
        .key = borrow(key),
        .value = borrow(value),
        .created_at = 1,
        .updated_at = 1,
    };
}

struct deployment a_deployment(const char *function_id, const char *id)
{
    return (struct deployment){
        .project_id = borrow("demo"),
        .function_id = borrow(function_id),
        .id = borrow(id),
        .type = borrow("manual"),
        .status = borrow("waiting"),
        .entrypoint = borrow("index.js"),
        .activate = true,
        .source_hash = borrow("abc"),
        .source_size = 10,
        .created_at = 5,
        .updated_at = 5,
    };
}

struct execution an_execution(int64_t function_seq, int64_t seq, const char *status)
{
    struct execution execution = {
        .seq = seq,
        .function_seq = function_seq,
        .deployment_id = borrow("d1"),
        .trigger = borrow("http"),
        .status = borrow(status),
        .request_method = borrow("POST"),
        .request_path = borrow("/"),
        .response_status = 200,
        .duration = 0.25,
        .updated_at = seq,
    };

    id_generate(seq, execution.id);
    return execution;
}

struct execution an_owned_execution(int64_t function_seq, int64_t seq)
{
    struct execution execution = an_execution(function_seq, seq, "completed");

    execution.deployment_id = xstrdup("d1");
    execution.trigger = xstrdup("http");
    execution.status = xstrdup("completed");
    execution.request_method = xstrdup("POST");
    execution.request_path = xstrdup("/");
    return execution;
}

struct rule a_rule(const char *id, const char *domain)
{
    return (struct rule){
        .project_id = borrow("demo"),
        .id = borrow(id),
        .domain = borrow(domain),
        .type = borrow("deployment"),
        .trigger = borrow("manual"),
        .function_id = borrow("hello"),
        .status = borrow("verified"),
        .created_at = 1,
        .updated_at = 1,
    };
}

/* clang-format off */
#define INSERT(entity) \
    int insert_##entity(struct db *db, void *context, struct error *err) \
    { \
        return store_##entity##_insert(db, context, err); \
    }
INSERT(project)
INSERT(function)
INSERT(variable)
INSERT(deployment)
INSERT(execution)
INSERT(rule)
/* clang-format on */

void given_function(struct fixture *fixture, const char *id)
{
    struct function function = a_function(id);

    write_ok(fixture, insert_function, &function);
}

int64_t function_seq(struct fixture *fixture, const char *id)
{
    auto_function struct function function = { 0 };
    struct error err;

    assert_int_equal(store_function_get(fixture->reader, "demo", id, &function, &err), 0);
    return function.seq;
}

void given_deployment(struct fixture *fixture, const char *function_id, const char *id)
{
    struct deployment deployment = a_deployment(function_id, id);

    write_ok(fixture, insert_deployment, &deployment);
}

void given_variable(struct fixture *fixture, const char *function_id, const char *id,
                    const char *key)
{
    struct variable variable = a_variable(function_id, id, key, "value");

    write_ok(fixture, insert_variable, &variable);
}

void given_execution(struct fixture *fixture, int64_t of_function, int64_t seq, const char *status)
{
    struct execution execution = an_execution(of_function, seq, status);

    write_ok(fixture, insert_execution, &execution);
}

void given_rule(struct fixture *fixture, const char *id, const char *domain)
{
    struct rule rule = a_rule(id, domain);

    write_ok(fixture, insert_rule, &rule);
}

int64_t number_of(struct fixture *fixture, const char *sql)
{
    auto_finalize sqlite3_stmt *statement = NULL;

    assert_int_equal(sqlite3_prepare_v2(fixture->reader->handle, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    return sqlite3_column_int64(statement, 0);
}
