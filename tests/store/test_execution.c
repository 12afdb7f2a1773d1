/* Executions: recorded, queued, claimed once, finished, settled, deleted. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static void given_hello(struct fixture *fixture, int64_t *ret_seq)
{
    given_function(fixture, "hello");
    *ret_seq = function_seq(fixture, "hello");
}

static int get(struct fixture *fixture, int64_t seq, struct execution *ret_execution,
               struct error *err)
{
    char id[GENERATED_ID + 1];
    auto_finalize sqlite3_stmt *statement = NULL;

    id_generate(seq, id);
    sqlite3_prepare_v2(fixture->reader->handle, "SELECT id FROM executions WHERE seq = ?1", -1,
                       &statement, NULL);
    sqlite3_bind_int64(statement, 1, seq);
    if (sqlite3_step(statement) == SQLITE_ROW)
        memcpy(id, sqlite3_column_text(statement, 0), sizeof id);
    return store_execution_get(fixture->reader, "demo", "hello", id, ret_execution, err);
}

static void test_record__is_found_after_a_flush(void **state)
{
    struct fixture *fixture = *state;
    auto_execution struct execution found = { 0 };
    struct execution execution;
    int64_t hello;
    struct error err;

    given_hello(fixture, &hello);
    execution = an_owned_execution(hello, FIRST_SEQ);
    execution.logs = xstrdup("out");
    store_execution_record(fixture->store, &execution);
    execution_release(&execution); /* a copy is stored */
    store_flush(fixture->store);

    assert_int_equal(get(fixture, FIRST_SEQ, &found, &err), 0);
    assert_string_equal(found.logs, "out");
    assert_string_equal(found.errors, "");
    assert_string_equal(found.function_id, "hello");
    assert_string_equal(found.project_id, "demo");
    assert_string_equal(found.request_headers, "[]");
    assert_true(found.duration > 0.24 && found.duration < 0.26);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM execution_logs"), 1);
}

static void test_get__wants_the_whole_id_and_the_right_function(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution;
    int64_t hello;
    struct error err;
    char other[GENERATED_ID + 1];

    given_hello(fixture, &hello);
    given_function(fixture, "other");
    execution = an_execution(hello, FIRST_SEQ, "completed");
    write_ok(fixture, insert_execution, &execution);

    memcpy(other, execution.id, sizeof other);
    other[19] = other[19] == '0' ? '1' : '0';
    assert_int_equal(store_execution_get(fixture->reader, "demo", "hello", other, NULL, &err), -1);
    assert_int_equal(err.type, ERROR_EXECUTION_NOT_FOUND);
    assert_int_equal(
        store_execution_get(fixture->reader, "demo", "other", execution.id, NULL, &err), -1);
    assert_int_equal(store_execution_get(fixture->reader, "demo", "hello", "nonsense", NULL, &err),
                     -1);
    assert_int_equal(err.type, ERROR_EXECUTION_NOT_FOUND);
}

static int claim(struct db *db, void *context, struct error *err)
{
    return store_execution_claim(db, FIRST_SEQ, context, err);
}

static int finish(struct db *db, void *context, struct error *err)
{
    return store_execution_finish(db, context, err);
}

static int delete (struct db *db, void *context, struct error *err)
{
    return store_execution_delete(db, "demo", "hello", context, err);
}

static void given_input(struct fixture *fixture, int64_t hello, const char *status, char *id)
{
    struct execution execution = an_execution(hello, FIRST_SEQ, status);
    char headers[] = "a: b\r\n", body[] = { 'x', 0, 'y' };

    execution.input_headers = headers;
    execution.input_body = body;
    execution.input_body_size = sizeof body;
    execution.scheduled_at = strcmp(status, "scheduled") == 0 ? 77 : 0;
    memcpy(id, execution.id, GENERATED_ID + 1);
    write_ok(fixture, insert_execution, &execution);
}

static void test_claim__gives_it_once_with_its_input(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution = { 0 }, again;
    char id[GENERATED_ID + 1], failed[] = "failed";
    int64_t hello;

    given_hello(fixture, &hello);
    given_input(fixture, hello, "waiting", id);
    write_fails(fixture, delete, id, ERROR_EXECUTION_IN_PROGRESS);

    write_ok(fixture, claim, &execution);
    assert_string_equal(execution.status, "processing");
    assert_string_equal(execution.input_headers, "a: b\r\n");
    assert_int_equal(execution.input_body_size, 3);
    assert_memory_equal(execution.input_body, "x\0y", 3);
    write_fails(fixture, claim, &again, ERROR_EXECUTION_NOT_FOUND);
    write_fails(fixture, delete, id, ERROR_EXECUTION_IN_PROGRESS);

    free(execution.status);
    execution.status = xstrdup(failed);
    write_ok(fixture, finish, &execution);
    write_fails(fixture, finish, &execution, ERROR_EXECUTION_NOT_FOUND); /* only once */
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM execution_inputs"), 0);
    write_ok(fixture, delete, id);
    write_fails(fixture, delete, id, ERROR_EXECUTION_NOT_FOUND);
    execution_release(&execution);
}

static void note_scheduled(void *context, int64_t seq, int64_t scheduled_at, const char *project_id,
                           const char *function_id)
{
    assert_int_equal(seq, FIRST_SEQ);
    assert_int_equal(scheduled_at, 77);
    assert_string_equal(project_id, "demo");
    assert_string_equal(function_id, "hello");
    ++*(int *)context;
}

static void test_scheduled__is_listed_claimed_or_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution = { 0 };
    char id[GENERATED_ID + 1];
    int64_t hello;
    int count = 0;
    struct error err;

    given_hello(fixture, &hello);
    given_input(fixture, hello, "scheduled", id);
    assert_int_equal(store_execution_each_scheduled(fixture->reader, note_scheduled, &count, &err),
                     0);
    assert_int_equal(count, 1);
    write_ok(fixture, delete, id);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM execution_inputs"), 0);

    given_input(fixture, hello, "scheduled", id);
    write_ok(fixture, claim, &execution);
    execution_release(&execution);
}

static void note_waiting(void *context, int64_t seq, const char *project_id,
                         const char *function_id)
{
    int64_t *last = context;

    assert_true(seq > *last);
    assert_string_equal(project_id, "demo");
    assert_string_equal(function_id, "hello");
    *last = seq;
}

static int settle(struct db *db, void *context, struct error *err)
{
    return store_execution_settle(db, "The server was restarted.", context, err);
}

static void test_settle__ends_what_was_running_and_keeps_what_waits(void **state)
{
    struct fixture *fixture = *state;
    auto_execution struct execution found = { 0 };
    int64_t hello, count = -1, last = 0, newest = 0;
    struct error err;

    given_hello(fixture, &hello);
    given_execution(fixture, hello, FIRST_SEQ, "processing");
    given_execution(fixture, hello, FIRST_SEQ + 2, "waiting");
    given_execution(fixture, hello, FIRST_SEQ + 1, "waiting");
    given_execution(fixture, hello, FIRST_SEQ + 3, "completed");
    write_ok(fixture, settle, &count);
    assert_int_equal(count, 1);

    assert_int_equal(get(fixture, FIRST_SEQ, &found, &err), 0);
    assert_string_equal(found.status, "failed");
    assert_string_equal(found.errors, "The server was restarted.");
    assert_int_equal(store_execution_each_waiting(fixture->reader, note_waiting, &last, &err), 0);
    assert_int_equal(last, FIRST_SEQ + 2);
    assert_int_equal(store_execution_last_seq(fixture->reader, &newest, &err), 0);
    assert_int_equal(newest, FIRST_SEQ + 3);
}

static void test_insert__needs_its_function(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution = an_execution(12345, FIRST_SEQ, "waiting");

    write_fails(fixture, insert_execution, &execution, ERROR_FUNCTION_NOT_FOUND);
}

/* What SQLite says it will do must name this index and never a sorter. */
static void plan_uses(struct fixture *fixture, enum statement id, const char *index)
{
    auto_free char *sql = xasprintf("EXPLAIN QUERY PLAN %s", statement_rows[id].sql);
    auto_finalize sqlite3_stmt *statement = NULL;
    bool used = false;

    assert_int_equal(sqlite3_prepare_v2(fixture->reader->handle, sql, -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        used = used || strstr((const char *)sqlite3_column_text(statement, 3), index);
    assert_true(used);
}

static void test_pending__is_read_through_its_own_index(void **state)
{
    struct fixture *fixture = *state;

    plan_uses(fixture, STATEMENT_EXECUTION_WAITING, "executions_unusual");
    plan_uses(fixture, STATEMENT_EXECUTION_SCHEDULED, "executions_unusual");
    plan_uses(fixture, STATEMENT_SETTLE, "executions_unusual");
}

/* ---- usage ----------------------------------------------------------------------------------- */

static int64_t total_of(struct fixture *fixture, const char *metric)
{
    struct error err;
    int64_t total = -1;

    assert_int_equal(store_usage_total(fixture->reader, "demo", "hello", metric, &total, &err), 0);
    return total;
}

static void test_usage__counts_what_ran_and_what_was_finished(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution, late;
    int64_t hello;

    given_hello(fixture, &hello);
    for (int64_t i = 0; i < 3; i++) {
        execution = an_owned_execution(hello, FIRST_SEQ + i);
        execution.mb_milli = 512000;
        store_execution_record(fixture->store, &execution);
        execution_release(&execution);
    }
    late = an_execution(hello, FIRST_SEQ + 3, "waiting");
    write_ok(fixture, insert_execution, &late);
    late = an_execution(hello, FIRST_SEQ + 3, "failed");
    write_ok(fixture, finish, &late);
    store_flush(fixture->store);

    assert_int_equal(total_of(fixture, "executions"), 4);
    assert_int_equal(total_of(fixture, "executions.failed"), 1);
    assert_int_equal(total_of(fixture, "executions.compute"), 1000);
    assert_int_equal(total_of(fixture, "executions.mbSeconds"), 384);
}

static void test_usage__is_written_before_the_store_is_closed(void **state)
{
    struct fixture *fixture = *state;
    struct execution execution;
    int64_t hello;

    given_hello(fixture, &hello);
    execution = an_owned_execution(hello, FIRST_SEQ);
    store_execution_record(fixture->store, &execution);
    execution_release(&execution);
    fixture_close(fixture);
    fixture_open(fixture);

    assert_int_equal(total_of(fixture, "executions"), 1);
}

static void test_usage__of_many_functions_is_all_written(void **state)
{
    enum { MANY = USAGE_FUNCTIONS + 5 };
    struct fixture *fixture = *state;

    for (int i = 0; i < MANY; i++) {
        auto_free char *id = xasprintf("f%d", i);
        given_function(fixture, id);
        struct execution execution = an_owned_execution(function_seq(fixture, id), FIRST_SEQ + i);
        store_execution_record(fixture->store, &execution);
        execution_release(&execution);
    }
    store_flush(fixture->store);

    assert_int_equal(
        number_of(fixture, "SELECT sum(amount) FROM usage WHERE metric = 'executions'"), MANY);
}

static int fold(struct db *db, void *context, struct error *err)
{
    (void)context;
    if (store_usage_add(db, "demo", "hello", "executions", 5, 2, err) < 0 ||
        store_usage_add(db, "demo", "hello", "executions", 6, 3, err) < 0 ||
        store_usage_add(db, "demo", "hello", "executions", 9, 4, err) < 0)
        return -1;
    return store_usage_fold(db, "demo", "hello", 9, err);
}

static void test_usage__of_long_ago_stays_in_the_sum(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    bool is_old = true;

    given_function(fixture, "hello");
    write_ok(fixture, fold, NULL);
    write_ok(fixture, fold, NULL);

    assert_int_equal(total_of(fixture, "executions"), 18);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM usage WHERE metric = 'executions'"),
                     2);
    assert_int_equal(store_usage_is_old(fixture->reader, "demo", "hello", 9, &is_old, &err), 0);
    assert_false(is_old);
    assert_int_equal(store_usage_is_old(fixture->reader, "demo", "hello", 10, &is_old, &err), 0);
    assert_true(is_old);
}

static int expire(struct db *db, void *context, struct error *err)
{
    return store_execution_expire(db, FIRST_SEQ + 4, 2, context, err);
}

static void test_expire__removes_finished_ones_a_few_at_a_time(void **state)
{
    static const char *const statuses[] = { "completed", "waiting",    "failed",
                                            "completed", "processing", "completed" };
    struct fixture *fixture = *state;
    int64_t hello, count = 0;

    given_hello(fixture, &hello);
    for (int i = 0; i < 6; i++)
        given_execution(fixture, hello, FIRST_SEQ + i, statuses[i]);

    write_ok(fixture, expire, &count);
    assert_int_equal(count, 2);
    write_ok(fixture, expire, &count);
    assert_int_equal(count, 1);
    write_ok(fixture, expire, &count);
    assert_int_equal(count, 0);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM executions"), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_record__is_found_after_a_flush),
        TEST(test_get__wants_the_whole_id_and_the_right_function),
        TEST(test_claim__gives_it_once_with_its_input),
        TEST(test_scheduled__is_listed_claimed_or_deleted),
        TEST(test_settle__ends_what_was_running_and_keeps_what_waits),
        TEST(test_insert__needs_its_function),
        TEST(test_pending__is_read_through_its_own_index),
        TEST(test_usage__counts_what_ran_and_what_was_finished),
        TEST(test_usage__is_written_before_the_store_is_closed),
        TEST(test_usage__of_many_functions_is_all_written),
        TEST(test_usage__of_long_ago_stays_in_the_sum),
        TEST(test_expire__removes_finished_ones_a_few_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
