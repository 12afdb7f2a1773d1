/* Every entity: written, read back, changed, removed, and the errors that belong to it. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* ---- statements ------------------------------------------------------------------------------ */

static int prepare_all(struct db *db, void *context, struct error *err)
{
    (void)context;
    for (int id = 0; id < STATEMENTS; id++) {
        if (!statement_get(db, (enum statement)id, err))
            return fail_add(err, "statement %d", id);
    }
    return 0;
}

static void test_statements__all_prepare(void **state)
{
    struct fixture *fixture = *state;
    struct error err = { 0 };

    write_ok(fixture, prepare_all, NULL);
    if (prepare_all(fixture->reader, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

static void test_reader__cannot_write(void **state)
{
    struct fixture *fixture = *state;
    struct function function = a_function("hello");
    struct error err;

    assert_int_equal(store_function_insert(fixture->reader, &function, &err), -1);
    assert_int_equal(err.type, ERROR_INTERNAL);
}

/* ---- functions ------------------------------------------------------------------------------- */

static int update_function(struct db *db, void *context, struct error *err)
{
    return store_function_update(db, context, err);
}

static int delete_function(struct db *db, void *context, struct error *err)
{
    return store_function_delete(db, "demo", context, err);
}

static void test_function_insert__reads_back_every_field(void **state)
{
    struct fixture *fixture = *state;
    auto_function struct function function = { 0 };
    struct error err;

    given_function(fixture, "hello");
    assert_int_equal(store_function_get(fixture->reader, "demo", "HELLO", &function, &err), 0);

    assert_string_equal(function.id, "hello");
    assert_string_equal(function.project_id, "demo");
    assert_string_equal(function.execute, "[\"any\"]");
    assert_string_equal(function.events, "[]"); /* a list that was not set */
    assert_string_equal(function.commands, "");
    assert_int_equal(function.timeout, 15);
    assert_true(function.enabled);
    assert_false(function.live);
    assert_int_equal(function.created_at, 100);
    assert_true(function.seq > 0);
}

static void test_function_insert__refuses_an_id_that_differs_in_case_only(void **state)
{
    struct fixture *fixture = *state;
    struct function function = a_function("HeLLo");

    given_function(fixture, "hello");
    write_fails(fixture, insert_function, &function, ERROR_FUNCTION_ALREADY_EXISTS);
}

static void test_function_update__leaves_creation_and_deployments_alone(void **state)
{
    struct fixture *fixture = *state;
    auto_function struct function after = { 0 };
    struct function function = a_function("hello"), missing = a_function("missing");
    char name[] = "New name", deployment[] = "forged";
    struct error err;

    given_function(fixture, "hello");
    function.name = name;
    function.created_at = 9999;
    function.updated_at = 300;
    function.deployment_id = deployment;
    write_ok(fixture, update_function, &function);

    assert_int_equal(store_function_get(fixture->reader, "demo", "hello", &after, &err), 0);
    assert_string_equal(after.name, "New name");
    assert_int_equal(after.created_at, 100);
    assert_int_equal(after.updated_at, 300);
    assert_string_equal(after.deployment_id, "");
    write_fails(fixture, update_function, &missing, ERROR_FUNCTION_NOT_FOUND);
}

static int sweep_all(struct db *db, void *context, struct error *err)
{
    bool more = true;

    (void)context;
    while (more) {
        if (garbage_sweep(db, &more, err) < 0)
            return -1;
    }
    return 0;
}

static void test_function_delete__takes_what_belongs_to_it(void **state)
{
    struct fixture *fixture = *state;
    struct execution late = { 0 };
    struct error err;
    int64_t seq;
    char id[] = "hello";

    given_function(fixture, "hello");
    given_function(fixture, "other");
    seq = function_seq(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_deployment(fixture, "other", "d2");
    given_variable(fixture, "hello", "v1", "A");
    given_rule(fixture, "r1", "a.example");
    for (int64_t i = 0; i < 600; i++)
        given_execution(fixture, seq, FIRST_SEQ + i, "completed");
    given_execution(fixture, function_seq(fixture, "other"), FIRST_SEQ + 1000, "completed");

    write_ok(fixture, delete_function, id);
    late = an_owned_execution(seq, FIRST_SEQ + 2000);
    store_execution_record(fixture->store, &late); /* it was running: nobody can read it now */
    execution_release(&late);
    write_ok(fixture, sweep_all, NULL);

    assert_int_equal(number_of(fixture, "SELECT count(*) FROM executions"), 1);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM deployments"), 1);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM variables"), 0);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM rules"), 0);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM garbage"), 0);
    assert_int_equal(store_function_get(fixture->reader, "demo", "hello", NULL, &err), -1);
    assert_int_equal(err.type, ERROR_FUNCTION_NOT_FOUND);
    write_fails(fixture, delete_function, id, ERROR_FUNCTION_NOT_FOUND);
}

static void count_row(void *context, const void *entity)
{
    (void)entity;
    ++*(int *)context;
}

/* ---- variables ------------------------------------------------------------------------------- */

static int update_variable(struct db *db, void *context, struct error *err)
{
    return store_variable_update(db, context, err);
}

static int delete_variable(struct db *db, void *context, struct error *err)
{
    return store_variable_delete(db, "demo", "hello", context, err);
}

static void test_variable__a_secret_one_is_sealed_in_the_file(void **state)
{
    struct fixture *fixture = *state;
    auto_variable struct variable variable = { 0 };
    struct variable secret = a_variable("hello", "v1", "TOKEN", "do not tell");
    struct error err;

    secret.secret = true;
    write_ok(fixture, insert_variable, &secret);

    assert_int_equal(number_of(fixture,
                               "SELECT typeof(value) = 'blob' AND instr(value, 'do not') = 0"
                               " FROM variables"),
                     1);
    assert_int_equal(store_variable_get(fixture->reader, "demo", "hello", "v1", &variable, &err),
                     0);
    assert_string_equal(variable.value, "do not tell");
    assert_true(variable.secret);
}

static int swap_values(struct db *db, void *context, struct error *err)
{
    (void)context;
    return db_execute(
        db, "UPDATE variables SET value = (SELECT value FROM variables WHERE id = 'v1')", err);
}

static void test_variable__a_sealed_value_does_not_open_in_another_row(void **state)
{
    struct fixture *fixture = *state;
    struct variable one = a_variable("hello", "v1", "ONE", "1"),
                    two = a_variable("hello", "v2", "TWO", "2");
    struct variable variable;
    struct error err;

    one.secret = two.secret = true;
    write_ok(fixture, insert_variable, &one);
    write_ok(fixture, insert_variable, &two);
    write_ok(fixture, swap_values, NULL);

    assert_int_equal(store_variable_get(fixture->reader, "demo", "hello", "v2", &variable, &err),
                     -1);
    assert_non_null(strstr(err.message, "does not open"));
}

static void test_variable__changes_key_value_and_secrecy(void **state)
{
    struct fixture *fixture = *state;
    auto_variable struct variable after = { 0 };
    struct variable variable = a_variable("hello", "v1", "B", "new");
    struct error err;

    given_variable(fixture, "hello", "v1", "A");
    variable.secret = true;
    write_ok(fixture, update_variable, &variable);

    assert_int_equal(store_variable_get(fixture->reader, "demo", "hello", "v1", &after, &err), 0);
    assert_string_equal(after.key, "B");
    assert_string_equal(after.value, "new");
}

static void test_variable__keys_are_unique_in_their_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct variable again = a_variable("hello", "v2", "A", ""),
                    of_project = a_variable("", "v3", "A", "");
    char id[] = "v1";
    int count = 0;
    struct error err;

    given_variable(fixture, "hello", "v1", "A");
    write_fails(fixture, insert_variable, &again, ERROR_VARIABLE_ALREADY_EXISTS);
    write_ok(fixture, insert_variable, &of_project);
    assert_int_equal(store_variable_each(fixture->reader, "demo", "", count_row, &count, &err), 0);
    assert_int_equal(count, 1);

    write_ok(fixture, delete_variable, id);
    write_fails(fixture, delete_variable, id, ERROR_VARIABLE_NOT_FOUND);
    write_fails(fixture, update_variable, &again, ERROR_VARIABLE_NOT_FOUND);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static int update_rule(struct db *db, void *context, struct error *err)
{
    return store_rule_update(db, context, err);
}

static int delete_rule(struct db *db, void *context, struct error *err)
{
    return store_rule_delete(db, "demo", context, err);
}

static void test_rule__a_domain_belongs_to_one(void **state)
{
    struct fixture *fixture = *state;
    struct rule again = a_rule("r2", "A.example"), changed = a_rule("r1", "b.example");
    auto_rule struct rule rule = { 0 };
    char id[] = "r1";
    struct error err;

    given_rule(fixture, "r1", "a.example");
    write_fails(fixture, insert_rule, &again, ERROR_RULE_ALREADY_EXISTS);
    write_ok(fixture, update_rule, &changed);
    write_ok(fixture, insert_rule, &again);
    assert_int_equal(store_rule_get(fixture->reader, "demo", "r1", &rule, &err), 0);
    assert_string_equal(rule.domain, "b.example");
    assert_string_equal(rule.deployment_id, "");

    write_ok(fixture, delete_rule, id);
    write_fails(fixture, delete_rule, id, ERROR_RULE_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_statements__all_prepare),
        TEST(test_reader__cannot_write),
        TEST(test_function_insert__reads_back_every_field),
        TEST(test_function_insert__refuses_an_id_that_differs_in_case_only),
        TEST(test_function_update__leaves_creation_and_deployments_alone),
        TEST(test_function_delete__takes_what_belongs_to_it),
        TEST(test_variable__a_secret_one_is_sealed_in_the_file),
        TEST(test_variable__a_sealed_value_does_not_open_in_another_row),
        TEST(test_variable__changes_key_value_and_secrecy),
        TEST(test_variable__keys_are_unique_in_their_owner_alone),
        TEST(test_rule__a_domain_belongs_to_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
