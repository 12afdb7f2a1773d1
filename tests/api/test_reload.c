/* links: PkgConfig::SQLITE */
/* What cannot be read back after a change: who is refused meanwhile, and how long. */
#include "harness.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "../../src/store/store_fault.h"
#include "clock.h"
#include "mem.h"
#include "reload.h"

enum { LATE_US = 1000000 };

static void alter(const struct harness *harness, const char *statement)
{
    auto_free char *path = xasprintf("%s/functiond.db", harness->directory);
    sqlite3 *database;

    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 30000);
    assert_int_equal(sqlite3_exec(database, statement, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void hide_keys(const struct harness *harness)
{
    alter(harness, "ALTER TABLE keys RENAME TO elsewhere");
}

static void show_keys(const struct harness *harness)
{
    alter(harness, "ALTER TABLE elsewhere RENAME TO keys");
}

/* A lane that reads the keys of project default for unread. */
struct reader {
    struct harness *harness;
    struct unread *unread;
    struct registry_change *change;
    pthread_t thread;
};

static void *read_keys(void *context)
{
    struct reader *reader = context;
    struct db *db;
    struct error err;

    if (store_reader_open(reader->harness->api.store, &db, &err) < 0)
        return NULL;
    reader->change = reload_read(reader->unread, db, CHANGE_KEYS, "default", NULL);
    store_reader_close(db);
    return NULL;
}

static void begin(struct reader *reader)
{
    assert_int_equal(pthread_create(&reader->thread, NULL, read_keys, reader), 0);
}

static void take_over(struct reader *reader)
{
    assert_int_equal(pthread_join(reader->thread, NULL), 0);
    assert_non_null(reader->change);
    registry_apply(reader->harness->api.registry, steal(reader->change), NULL, NULL);
}

static bool is_refused(const struct harness *harness)
{
    struct error err;

    if (reload_check(&harness->api, &err) == 0)
        return false;
    assert_int_equal(err.type, ERROR_GENERAL_OVERLOADED);
    return true;
}

static void pause_us(int64_t us)
{
    const struct timespec pause = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    nanosleep(&pause, NULL);
}

static void wait_for_refusal(const struct harness *harness)
{
    const int64_t since_us = clock_monotonic_us();

    while (!is_refused(harness)) {
        assert_true(clock_monotonic_us() - since_us < 60 * (int64_t)LATE_US);
        pause_us(1000);
    }
}

/* The keys are there again, what the lane read is taken over, and requests are served. */
static void recover(struct reader *reader)
{
    show_keys(reader->harness);
    take_over(reader);
    reload_applied(reader->unread);
    assert_false(is_refused(reader->harness));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void nobody_is_refused_within_the_first_second(void **state)
{
    struct harness *harness = *state;
    struct unread unread = { .freshness = &harness->api.freshness };
    struct reader reader = { .harness = harness, .unread = &unread };
    const int64_t since_us = clock_monotonic_us();

    hide_keys(harness);
    begin(&reader);
    wait_for_refusal(harness);
    assert_true(clock_monotonic_us() - since_us >= LATE_US);
    recover(&reader);
}

/* However many tries there were: one that waits for a lock may take seconds. */
static void the_first_failure_after_a_second_refuses(void **state)
{
    struct harness *harness = *state;

    for (int is_late = 0; is_late <= 1; is_late++) {
        struct unread unread = { .freshness = &harness->api.freshness,
                                 .since_us = clock_monotonic_us() +
                                             (is_late ? -(LATE_US + 1) : LATE_US) };
        struct reader reader = { .harness = harness, .unread = &unread };

        store_fail_after(harness->api.store, 1); /* the second try succeeds */
        begin(&reader);
        take_over(&reader);
        assert_int_equal(is_refused(harness), is_late);
        reload_applied(&unread);
        assert_false(is_refused(harness));
    }
}

static void what_was_read_and_not_taken_over_still_refuses(void **state)
{
    struct harness *harness = *state;
    struct unread unread = { .freshness = &harness->api.freshness };
    struct reader first = { .harness = harness, .unread = &unread };
    struct reader second = { .harness = harness, .unread = &unread };

    hide_keys(harness);
    begin(&first);
    wait_for_refusal(harness);
    show_keys(harness);
    assert_int_equal(pthread_join(first.thread, NULL), 0);
    assert_non_null(first.change);
    assert_true(is_refused(harness));
    assert_status(harness_call(harness, "GET", "/v1/functions", NULL, NULL), 503);

    hide_keys(harness); /* the next one of the same call */
    begin(&second);
    pause_us(50000);
    assert_true(is_refused(harness));
    show_keys(harness);
    take_over(&second);
    assert_int_equal(atomic_load(&harness->api.freshness.behind), 1);

    registry_apply(harness->api.registry, first.change, NULL, NULL);
    assert_true(is_refused(harness));
    reload_applied(&unread);
    assert_status(harness_call(harness, "GET", "/v1/functions", NULL, NULL), 200);
}

/* A minute is over, and it is not ended: this process would be. */
static void a_stop_is_not_cut_short(void **state)
{
    struct harness *harness = *state;
    struct unread unread = { .freshness = &harness->api.freshness,
                             .since_us = clock_monotonic_us() - 100 * (int64_t)LATE_US };
    struct reader reader = { .harness = harness, .unread = &unread };

    atomic_store(&harness->api.freshness.stopping, true);
    hide_keys(harness);
    begin(&reader);
    wait_for_refusal(harness);
    recover(&reader);
}

static void who_waits_is_let_go_at_the_end(void **state)
{
    struct harness *harness = *state;
    struct unread unread = { .freshness = &harness->api.freshness };
    struct reader reader = { .harness = harness, .unread = &unread };

    hide_keys(harness);
    begin(&reader);
    atomic_store(&harness->api.freshness.ended, true);
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    assert_null(reader.change);
    show_keys(harness);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_refused_within_the_first_second),
        TEST(the_first_failure_after_a_second_refuses),
        TEST(what_was_read_and_not_taken_over_still_refuses),
        TEST(a_stop_is_not_cut_short),
        TEST(who_waits_is_let_go_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
