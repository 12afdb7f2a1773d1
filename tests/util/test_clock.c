/* Dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "clock.h"
#include "mem.h"

static const int64_t moment_us = INT64_C(1602743880000000); /* 2020-10-15T06:38:00Z */

static void test_clock__formats_as_the_api_does(void **state)
{
    (void)state;
    char text[CLOCK_TEXT];

    assert_int_equal(clock_format(moment_us + 123999, text), 29);
    assert_string_equal(text, "2020-10-15T06:38:00.123+00:00");
    clock_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999+00:00");
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999+00:00");
    clock_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000+00:00");
}

static void test_clock__agrees_with_the_c_library(void **state)
{
    (void)state;

    for (int64_t seconds = -5000000000; seconds < 20000000000; seconds += 12345677) {
        struct tm date;
        time_t time = (time_t)seconds;
        char expected[CLOCK_TEXT];
        char text[CLOCK_TEXT];
        assert_non_null(gmtime_r(&time, &date));
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000+00:00", &date);
        clock_format(seconds * 1000000, text);
        assert_string_equal(text, expected);

        int64_t back_us = 0;
        assert_int_equal(clock_parse(text, &back_us), 0);
        assert_true(back_us == seconds * 1000000);
    }
}

static void test_clock__parses_the_usual_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "2020-10-15T06:38:00.000+00:00", "2020-10-15T06:38:00Z",      "2020-10-15 06:38",
        "2020-10-15T08:38:00+02:00",     "2020-10-15T08:38:00+0200",  "2020-10-15T08:38+02",
        "2020-10-15T01:08:00.0-05:30",   "2020-10-15T06:38:00,0000z",
    };

    for (size_t i = 0; i < COUNT(forms); i++) {
        int64_t parsed_us = 0;
        assert_int_equal(clock_parse(forms[i], &parsed_us), 0);
        assert_true(parsed_us == moment_us);
    }
    int64_t day_us = 1;
    assert_int_equal(clock_parse("1970-01-01", &day_us), 0);
    assert_true(day_us == 0);
    assert_int_equal(clock_parse("1970-01-01T00:00:00.1234567Z", &day_us), 0);
    assert_true(day_us == 123456);
}

static void test_clock__refuses_what_is_no_date(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2020",
        "2020-13-01",
        "2021-02-29",
        "1900-02-29",
        "2020-04-31",
        "2020-00-01",
        "2020-10-15T",
        "2020-10-15T24:00",
        "2020-10-15T06:60",
        "20-10-15",
        "2020-1-1",
        "2020-10-15T06:38x",
        "2020-10-15T06:38:00.",
        "2020-10-15T06:38+2",
        "now",
        "2020-10-15T06:38:00+02:",
        "2020-10-15T06:38:00+25:00",
        "2020-10-15T06:38Z ",
    };
    int64_t parsed_us = 7;

    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(clock_parse(bad[i], &parsed_us), -1);
    assert_true(parsed_us == 7);
    assert_int_equal(clock_parse("2000-02-29", &parsed_us), 0);
}

static void test_clock__monotonic_does_not_go_back(void **state)
{
    (void)state;
    int64_t before_us = clock_monotonic_us();

    assert_true(clock_monotonic_us() >= before_us);
    assert_true(clock_realtime_us() > moment_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__formats_as_the_api_does),
        cmocka_unit_test(test_clock__agrees_with_the_c_library),
        cmocka_unit_test(test_clock__parses_the_usual_forms),
        cmocka_unit_test(test_clock__refuses_what_is_no_date),
        cmocka_unit_test(test_clock__monotonic_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
