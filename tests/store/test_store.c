/* Opening, refusing, migrating, backing up; projects, keys and usage. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

static void execute_in(const char *directory, const char *sql)
{
    auto_free char *file = xasprintf("%s/functiond.db", directory);
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(file, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void open_fails(const char *directory, const char *part)
{
    struct store_options options = { .directory = directory };
    struct store *store = NULL;
    struct error err = { 0 };

    assert_int_equal(store_open(&options, &store, &err), -1);
    assert_null(store);
    if (!strstr(err.message, part) || !strstr(err.message, directory))
        fail_msg("'%s' does not say '%s'", err.message, part);
}

static void test_open__creates_files_for_the_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *names[] = { "functiond.db", "functiond.db-wal", "secret" };

    for (size_t i = 0; i < COUNT(names); i++) {
        auto_free char *file = xasprintf("%s/%s", fixture->directory, names[i]);
        struct stat status;

        assert_int_equal(stat(file, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
}

static void test_open__finds_again_what_was_closed(void **state)
{
    struct fixture *fixture = *state;
    auto_project struct project project = { 0 };
    unsigned char before[32], after[32], other[32];
    struct error err;

    store_derive_key(fixture->store, "tokens", before);
    store_derive_key(fixture->store, "variables", other);
    fixture_close(fixture);
    fixture_open(fixture);

    store_derive_key(fixture->store, "tokens", after);
    assert_memory_equal(before, after, sizeof before);
    assert_memory_not_equal(before, other, sizeof before);
    assert_int_equal(store_project_get(fixture->reader, "DEMO", &project, &err), 0);
    assert_string_equal(project.id, "demo");
}

static void test_open__refuses_a_newer_schema_and_names_both(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    execute_in(fixture->directory, "PRAGMA user_version = 99");

    open_fails(fixture->directory, "has schema 99, this program knows up to 4");

    execute_in(fixture->directory, "PRAGMA user_version = 4"); /* and it was left alone */
    fixture_open(fixture);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM projects"), 1);
}

static void test_open__refuses_what_is_no_database_and_leaves_it_alone(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *file = xasprintf("%s/functiond.db", fixture->directory);
    char text[2048], *after;
    struct error err;
    size_t size;

    fixture_close(fixture);
    memset(text, 'x', sizeof text);
    assert_int_equal(fd_write_file(AT_FDCWD, file, text, sizeof text, 0600, &err), 0);

    open_fails(fixture->directory, "is not a database");

    assert_int_equal(fd_read_file(AT_FDCWD, file, 1 << 20, &after, &size, &err), 0);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(text, after, size);
    free(after);
}

static void test_open__refuses_the_database_of_another_program(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    execute_in(fixture->directory, "PRAGMA application_id = 1");
    open_fails(fixture->directory, "another program");
}

static void test_open__refuses_a_directory_that_cannot_be(void **state)
{
    (void)state;
    open_fails("/dev/null/data", "cannot be created");
    open_fails("/proc/self/fdinfo", "secret");
}

static void test_open__refuses_a_database_without_its_secret(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *file = xasprintf("%s/secret", fixture->directory);

    fixture_close(fixture);
    assert_int_equal(truncate(file, 5), 0);
    open_fails(fixture->directory, "damaged");
    assert_int_equal(unlink(file), 0);
    open_fails(fixture->directory, "missing");
}

/* Each older schema, as the fixtures keep it, is brought up to date and keeps its rows. */
static void test_migrate__brings_every_older_fixture_up_to_date(void **state)
{
    struct fixture *fixture = *state;
    static const char *const fixtures[] = { "fixtures/store_0001.sql" };

    for (size_t i = 0; i < COUNT(fixtures); i++) {
        auto_free char *file = xasprintf("%s/functiond.db", fixture->directory);
        auto_function struct function function = { 0 };
        struct error err = { 0 };
        char *sql;

        if (fixture->store)
            fixture_close(fixture);
        assert_int_equal(unlink(file), 0);
        if (fd_read_file(AT_FDCWD, fixtures[i], 1 << 20, &sql, NULL, &err) < 0)
            fail_msg("%s", err.message);
        execute_in(fixture->directory, sql);
        free(sql);

        fixture_open(fixture);
        assert_int_equal(store_function_get(fixture->reader, "old", "hello", &function, &err), 0);
        assert_string_equal(function.name, "From the past");
        assert_int_equal(number_of(fixture, "PRAGMA user_version"), 4);
    }
}

static void test_backup__is_a_whole_database_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    auto_free char *directory = xasprintf("%s/copy", fixture->directory);
    auto_free char *target = xasprintf("%s/copy/functiond.db", fixture->directory);
    auto_free char *secret = xasprintf("%s/secret", fixture->directory);
    auto_free char *secret_copy = xasprintf("%s/copy/secret", fixture->directory);
    struct fixture copy = { 0 };
    struct error err = { 0 };
    struct stat status;

    given_function(fixture, "hello");
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(link(secret, secret_copy), 0);
    if (store_backup(fixture->directory, target, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(store_backup(fixture->directory, target, &err),
                     -1); /* never over another file */

    assert_int_equal(stat(target, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    snprintf(copy.directory, sizeof copy.directory, "%s", directory);
    fixture_open(&copy);
    assert_true(function_seq(&copy, "hello") > 0);
    fixture_close(&copy);
}

static void test_ping__reads_and_tells_the_time(void **state)
{
    struct fixture *fixture = *state;
    int64_t us = -1;
    struct error err;

    assert_int_equal(store_ping(fixture->reader, &us, &err), 0);
    assert_true(us >= 0);
}

static int insert_key(struct db *db, void *context, struct error *err)
{
    return store_key_insert(db, context, err);
}

static int delete_key(struct db *db, void *context, struct error *err)
{
    return store_key_delete(db, "demo", context, err);
}

static void count_row(void *context, const void *entity)
{
    (void)entity;
    ++*(int *)context;
}

static void test_keys__are_listed_by_project_and_go(void **state)
{
    struct fixture *fixture = *state;
    char project[] = "demo", id[] = "k1", name[] = "Key", hash[] = "00ff", scopes[] = "[\"all\"]";
    struct key key = {
        .project_id = project, .id = id, .name = name, .hash = hash, .scopes = scopes
    };
    int all = 0, of_other = 0;
    struct error err;

    write_ok(fixture, insert_key, &key);
    assert_int_equal(store_key_each(fixture->reader, NULL, count_row, &all, &err), 0);
    assert_int_equal(store_key_each(fixture->reader, "other", count_row, &of_other, &err), 0);
    assert_int_equal(all, 1);
    assert_int_equal(of_other, 0);

    write_ok(fixture, delete_key, id);
    write_fails(fixture, delete_key, id, ERROR_GENERAL_BAD_REQUEST);
}

static int delete_project(struct db *db, void *context, struct error *err)
{
    return store_project_delete(db, context, err);
}

static void test_project_delete__takes_everything_in_it(void **state)
{
    struct fixture *fixture = *state;
    char demo[] = "demo";
    struct function function = a_function("kept");
    struct project other = a_project("other");
    char other_id[] = "other";

    given_function(fixture, "hello");
    given_deployment(fixture, "hello", "d1");
    given_variable(fixture, "hello", "v1", "A");
    given_variable(fixture, "", "v2", "B");
    given_rule(fixture, "r1", "a.example");
    given_execution(fixture, function_seq(fixture, "hello"), FIRST_SEQ, "completed");
    function.project_id = other_id;
    write_ok(fixture, insert_project, &other);
    write_ok(fixture, insert_function, &function);

    write_ok(fixture, delete_project, demo);

    assert_int_equal(number_of(fixture, "SELECT count(*) FROM projects"), 1);
    assert_int_equal(number_of(fixture, "SELECT count(*) FROM functions"), 1);
    assert_int_equal(number_of(fixture,
                               "SELECT (SELECT count(*) FROM deployments) + (SELECT count(*) FROM"
                               " variables) + (SELECT count(*) FROM rules)"),
                     0);
    write_fails(fixture, delete_project, demo, ERROR_PROJECT_NOT_FOUND);
}

static int add_usage(struct db *db, void *context, struct error *err)
{
    (void)context;
    if (store_usage_add(db, "demo", "hello", "executions", 10, 2, err) < 0 ||
        store_usage_add(db, "demo", "hello", "executions", 10, 3, err) < 0 ||
        store_usage_add(db, "demo", "other", "executions", 11, 4, err) < 0)
        return -1;
    return store_usage_add(db, "demo", "hello", "builds", 10, 7, err);
}

static void note_hour(void *context, int64_t hour, int64_t amount)
{
    int64_t *hours = context;

    hours[hour] = amount;
}

static void test_usage__adds_up_by_hour_and_for_ever(void **state)
{
    struct fixture *fixture = *state;
    int64_t hours[24] = { 0 }, total = 0;
    struct error err;

    write_ok(fixture, add_usage, NULL);

    assert_int_equal(store_usage_each(fixture->reader, "demo", NULL, "executions", 0, 11, note_hour,
                                      hours, &err),
                     0);
    assert_int_equal(hours[10], 5);
    assert_int_equal(hours[11], 0);
    assert_int_equal(store_usage_total(fixture->reader, "demo", NULL, "executions", &total, &err),
                     0);
    assert_int_equal(total, 9);
    assert_int_equal(
        store_usage_total(fixture->reader, "demo", "hello", "executions", &total, &err), 0);
    assert_int_equal(total, 5);
}

static void test_ids__carry_their_time(void **state)
{
    char id[GENERATED_ID + 1];

    (void)state;
    id_generate(1700000000123456, id);
    assert_int_equal(strlen(id), 20);
    assert_int_equal(id_time_us(id), 1700000000123456);
    assert_int_equal(id_time_us("hello"), -1);
    assert_int_equal(id_time_us("6553f100fffff0000000"),
                     -1); /* more than a second of microseconds */
    assert_int_equal(id_time_us("6553f1001e240000000g"), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_open__creates_files_for_the_owner_alone),
        TEST(test_open__finds_again_what_was_closed),
        TEST(test_open__refuses_a_newer_schema_and_names_both),
        TEST(test_open__refuses_what_is_no_database_and_leaves_it_alone),
        TEST(test_open__refuses_the_database_of_another_program),
        TEST(test_open__refuses_a_directory_that_cannot_be),
        TEST(test_open__refuses_a_database_without_its_secret),
        TEST(test_migrate__brings_every_older_fixture_up_to_date),
        TEST(test_backup__is_a_whole_database_of_its_own),
        TEST(test_ping__reads_and_tells_the_time),
        TEST(test_keys__are_listed_by_project_and_go),
        TEST(test_project_delete__takes_everything_in_it),
        TEST(test_usage__adds_up_by_hour_and_for_ever),
        TEST(test_ids__carry_their_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
