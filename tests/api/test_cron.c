/* Cron expressions against dates that were looked up in a calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "cron.h"
#include "mem.h"

static const struct {
    const char *cron, *from, *next, *previous;
} rows[] = {
    { "* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z", "2026-01-01T00:00:00Z" },
    { "*/15 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z", "2025-12-31T23:45:00Z" },
    { "30 4 1,15 * *", "2026-02-02T00:00:00Z", "2026-02-15T04:30:00Z", "2026-02-01T04:30:00Z" },
    { "0 9 * * MON-FRI", "2026-08-01T00:00:00Z", "2026-08-03T09:00:00Z", "2026-07-31T09:00:00Z" },
    { "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z", "2024-02-29T00:00:00Z" },
    { "0 0 L * *", "2026-02-10T00:00:00Z", "2026-02-28T00:00:00Z", "2026-01-31T00:00:00Z" },
    { "0 0 15W * *", "2026-08-01T00:00:00Z", "2026-08-14T00:00:00Z", "2026-07-15T00:00:00Z" },
    { "0 0 * * 5#3", "2026-08-01T00:00:00Z", "2026-08-21T00:00:00Z", "2026-07-17T00:00:00Z" },
    { "0 0 * * 7", "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z", "2026-07-26T00:00:00Z" },
    { "0 0 13 * 5", "2026-08-01T12:00:00Z", "2026-08-07T00:00:00Z", "2026-07-31T00:00:00Z" },
    { "@hourly", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z", "2026-01-01T00:00:00Z" },
    { "0 12 * JAN,JUL *", "2026-02-01T00:00:00Z", "2026-07-01T12:00:00Z", "2026-01-31T12:00:00Z" },
};

static int64_t seconds(const char *text)
{
    int64_t us;

    assert_int_equal(clock_parse(text, &us), 0);
    return us / 1000000;
}

static void the_runs_before_and_after_a_moment_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cron cron;
        int64_t at;

        assert_true(cron_parse(rows[i].cron, &cron));
        assert_true(cron_next(&cron, seconds(rows[i].from), &at));
        assert_int_equal(at, seconds(rows[i].next));
        assert_true(cron_previous(&cron, seconds(rows[i].from), &at));
        assert_int_equal(at, seconds(rows[i].previous));
    }
}

static void what_is_no_expression_is_refused(void **state)
{
    static const char *const texts[] = { "",           "* * * *",     "* * * * * *", "60 * * * *",
                                         "* 24 * * *", "* * 0 * *",   "* * * 13 *",  "* * * * 8",
                                         "a * * * *",  "*/0 * * * *", "5-1 * * * *", "1, * * * *",
                                         "@never",     "1#2 * * * *" };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct cron cron;
        assert_false(cron_parse(texts[i], &cron));
    }
}

static void an_expression_without_a_date_has_no_run(void **state)
{
    struct cron cron;
    int64_t at;

    (void)state;
    assert_true(cron_parse("0 0 30 2 *", &cron));
    assert_false(cron_next(&cron, seconds("2026-01-01T00:00:00Z"), &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_runs_before_and_after_a_moment_are_found),
        cmocka_unit_test(what_is_no_expression_is_refused),
        cmocka_unit_test(an_expression_without_a_date_has_no_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
