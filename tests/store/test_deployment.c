/* Deployments, their logs, and what the function's row repeats of them. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "mem.h"

static int update_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_update(db, context, err);
}

static int delete_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_delete(db, "demo", "hello", context, err);
}

static int activate_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_activate(db, "demo", "hello", context, err);
}

static int only_activate(struct db *db, void *context, struct error *err)
{
    return store_deployment_only_activate(db, "demo", "hello", context, err);
}

static int move_to_building(struct db *db, void *context, struct error *err)
{
    return store_deployment_move(db, "demo", context, "waiting", "building", err);
}

static int move_to_ready(struct db *db, void *context, struct error *err)
{
    return store_deployment_move(db, "demo", context, "building", "ready", err);
}

static struct function read_function(struct fixture *fixture)
{
    struct function function;
    struct error err;

    assert_int_equal(store_function_get(fixture->reader, "demo", "hello", &function, &err), 0);
    return function;
}

static void test_insert__makes_it_the_latest_of_its_function(void **state)
{
    struct fixture *fixture = *state;
    struct deployment orphan = a_deployment("nobody", "d9");
    auto_function struct function function = { 0 };

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_deployment(fixture, "hello", "d2");

    function = read_function(fixture);
    assert_string_equal(function.latest_deployment_id, "d2");
    assert_string_equal(function.latest_deployment_status, "waiting");
    assert_int_equal(function.latest_deployment_created_at, 5);
    assert_string_equal(function.deployment_id, "");
    write_fails(fixture, insert_deployment, &orphan, ERROR_FUNCTION_NOT_FOUND);
}

static void test_move__compares_and_sets_and_tells_the_function(void **state)
{
    struct fixture *fixture = *state;
    auto_function struct function function = { 0 };
    char id[] = "d1";

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");

    write_ok(fixture, move_to_building, id);
    write_fails(fixture, move_to_building, id, ERROR_BUILD_NOT_FOUND);

    function = read_function(fixture);
    assert_string_equal(function.latest_deployment_status, "building");
}

static void test_activate__needs_a_ready_one(void **state)
{
    struct fixture *fixture = *state;
    auto_function struct function function = { 0 };
    auto_rule struct rule rule = { 0 };
    char id[] = "d1", missing[] = "d9";
    struct error err;

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_rule(fixture, "r1", "a.example");
    write_fails(fixture, activate_deployment, id, ERROR_BUILD_NOT_READY);
    write_fails(fixture, activate_deployment, missing, ERROR_DEPLOYMENT_NOT_FOUND);
    write_ok(fixture, move_to_building, id);
    write_ok(fixture, move_to_ready, id);
    write_ok(fixture, activate_deployment, id);

    function = read_function(fixture);
    assert_string_equal(function.deployment_id, "d1");
    assert_int_equal(function.deployment_created_at, 5);
    assert_true(function.live);
    assert_int_equal(store_rule_get(fixture->reader, "demo", "r1", &rule, &err), 0);
    assert_string_equal(rule.deployment_id, "d1");
}

static void test_delete__clears_what_the_function_says_of_it(void **state)
{
    struct fixture *fixture = *state;
    char d1[] = "d1", d2[] = "d2";
    struct function function;

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_deployment(fixture, "hello", "d2");
    write_ok(fixture, move_to_building, d2);
    write_ok(fixture, move_to_ready, d2);
    write_ok(fixture, activate_deployment, d2);

    write_ok(fixture, delete_deployment, d2);
    function = read_function(fixture);
    assert_string_equal(function.deployment_id, "");
    assert_int_equal(function.deployment_created_at, 0);
    assert_string_equal(function.latest_deployment_id, "d1");
    assert_string_equal(function.latest_deployment_status, "waiting");
    function_release(&function);

    write_ok(fixture, delete_deployment, d1);
    function = read_function(fixture);
    assert_string_equal(function.latest_deployment_id, "");
    assert_int_equal(function.latest_deployment_created_at, 0);
    function_release(&function);
    write_fails(fixture, delete_deployment, d1, ERROR_DEPLOYMENT_NOT_FOUND);
}

static void test_update__leaves_a_canceled_one_canceled(void **state)
{
    struct fixture *fixture = *state;
    auto_deployment struct deployment after = { 0 };
    struct deployment deployment = a_deployment("hello", "d1");
    char canceled[] = "canceled", ready[] = "ready";
    struct error err;

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    deployment.status = canceled;
    write_ok(fixture, update_deployment, &deployment);
    deployment.status = ready;
    deployment.build_size = 77;
    write_ok(fixture, update_deployment, &deployment);

    assert_int_equal(store_deployment_get(fixture->reader, "demo", NULL, "d1", false, &after, &err),
                     0);
    assert_string_equal(after.status, "canceled");
    assert_int_equal(after.build_size, 77);
}

static void test_only_activate__turns_the_others_off(void **state)
{
    struct fixture *fixture = *state;
    char id[] = "d2";

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_deployment(fixture, "hello", "d2");
    write_ok(fixture, only_activate, id);
    assert_int_equal(
        number_of(fixture,
                  "SELECT sum(activate * (id = 'd2')) * 10 + sum(activate) FROM deployments"),
        11);
}

static void count_row(void *context, const void *entity)
{
    (void)entity;
    ++*(int *)context;
}

static void test_each_and_uses__find_by_status_and_content(void **state)
{
    struct fixture *fixture = *state;
    int waiting = 0;
    bool used = false;
    struct error err;

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    assert_int_equal(store_deployment_each(fixture->reader, "waiting", count_row, &waiting, &err),
                     0);
    assert_int_equal(waiting, 1);
    assert_int_equal(store_deployment_uses(fixture->reader, "abc", &used, &err), 0);
    assert_true(used);
    assert_int_equal(store_deployment_uses(fixture->reader, "def", &used, &err), 0);
    assert_false(used);
}

/* ---- logs ------------------------------------------------------------------------------------ */

struct log_piece {
    const char *text;
    size_t bytes, limit;
};

static int append_log(struct db *db, void *context, struct error *err)
{
    const struct log_piece *piece = context;

    return store_deployment_log(db, "demo", "d1", piece->text, piece->bytes, piece->limit, err);
}

static char *read_log(struct fixture *fixture)
{
    struct deployment deployment;
    struct error err;
    char *log;

    assert_int_equal(
        store_deployment_get(fixture->reader, "demo", "hello", "d1", true, &deployment, &err), 0);
    log = steal(deployment.build_logs);
    deployment_release(&deployment);
    return log;
}

static void append(struct fixture *fixture, const char *text, size_t limit)
{
    struct log_piece piece = { text, strlen(text), limit };

    write_ok(fixture, append_log, &piece);
}

static void test_log__grows_up_to_its_limit(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *log = NULL;

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    append(fixture, "one\n", 12);
    append(fixture, "two\n", 12);
    append(fixture, "333\n", 12);
    log = read_log(fixture);
    assert_string_equal(log, "one\ntwo\n333\n");
}

#define WARNING_100 "[WARNING] Logs truncated. The output exceeded 100 characters.\n"

static void test_log__keeps_its_end_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *log = NULL;
    char line[16];

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "line %03d\n", i);
        append(fixture, line, 100);
    }
    log = read_log(fixture);
    assert_int_equal(strlen(log), 100);
    assert_true(strncmp(log, WARNING_100, strlen(WARNING_100)) == 0);
    assert_string_equal(log + 100 - 18, "line 048\nline 049\n");
}

static void test_log__cuts_one_long_piece_between_characters(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *log = NULL;
    struct buffer text;

    buffer_init(&text, 4096);
    for (int i = 0; i < 300; i++)
        buffer_add_text(&text, "\xc3\xa9");
    buffer_add_char(&text, '.');

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    append(fixture, text.data, 100);
    buffer_release(&text);

    log = read_log(fixture);
    assert_true(strlen(log) <= 100 && strlen(log) >= 98);
    assert_int_equal((unsigned char)log[strlen(WARNING_100)], 0xc3);
}

static void test_log__of_a_missing_deployment_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct log_piece piece = { "a\0b", 3, 100 };
    auto_free char *log = NULL;

    write_fails(fixture, append_log, &piece, ERROR_DEPLOYMENT_NOT_FOUND);
    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    write_ok(fixture, append_log, &piece);
    log = read_log(fixture);
    assert_string_equal(log, "a b");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_insert__makes_it_the_latest_of_its_function),
        TEST(test_move__compares_and_sets_and_tells_the_function),
        TEST(test_activate__needs_a_ready_one),
        TEST(test_delete__clears_what_the_function_says_of_it),
        TEST(test_update__leaves_a_canceled_one_canceled),
        TEST(test_only_activate__turns_the_others_off),
        TEST(test_each_and_uses__find_by_status_and_content),
        TEST(test_log__grows_up_to_its_limit),
        TEST(test_log__keeps_its_end_and_says_so),
        TEST(test_log__cuts_one_long_piece_between_characters),
        TEST(test_log__of_a_missing_deployment_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
