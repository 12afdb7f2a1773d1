/* Writing JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "mem.h"

static void assert_written(const char *text, size_t bytes, const char *expected)
{
    auto_buffer struct buffer out;
    buffer_init(&out, 1000);
    json_text_string(&out, text, bytes);
    assert_string_equal(out.data, expected);
}

static void test_json_text__escapes_strings(void **state)
{
    (void)state;

    assert_written("plain", 5, "\"plain\"");
    assert_written(NULL, 0, "\"\"");
    assert_written("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_written("\b\t\n\f\r\x01\x1f\x7f", 8, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"");
    assert_written("a\0b", 3, "\"a\\u0000b\"");
    assert_written("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void test_json_text__replaces_what_is_not_utf8(void **state)
{
    (void)state;

    assert_written("a\xff", 2, "\"a\xef\xbf\xbd\"");
    assert_written("\xc3(", 2, "\"\xef\xbf\xbd(\"");
    assert_written("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_json_text__puts_commas_between_members(void **state)
{
    (void)state;
    auto_buffer struct buffer out;
    buffer_init(&out, 1000);

    buffer_add_char(&out, '{');
    json_text_key(&out, "a");
    buffer_add_char(&out, '1');
    json_text_key(&out, "b");
    buffer_add_text(&out, "{");
    json_text_key(&out, "c");
    buffer_add_text(&out, "[]}}");

    assert_string_equal(out.data, "{\"a\":1,\"b\":{\"c\":[]}}");
}

static void test_json_text__numbers_read_back_the_same(void **state)
{
    (void)state;
    static const double values[] = { 0.1,  1.0 / 3,      0.013,   1e-7, 123456.789, 2.5e14, 1e300,
                                     -7.5, DBL_TRUE_MIN, DBL_MAX, 1e15, 0.00001,    1.23e-9 };

    for (size_t i = 0; i < COUNT(values); i++) {
        auto_buffer struct buffer out;
        buffer_init(&out, 100);
        json_text_double(&out, values[i]);
        assert_true(strtod(out.data, NULL) == values[i]);
    }
}

static void assert_number(double value, const char *expected)
{
    auto_buffer struct buffer out;
    buffer_init(&out, 100);
    json_text_double(&out, value);
    assert_string_equal(out.data, expected);
}

static void test_json_text__numbers_are_short_and_plain(void **state)
{
    (void)state;

    assert_number(0, "0");
    assert_number(-0.0, "0");
    assert_number(15, "15");
    assert_number(0.1, "0.1");
    assert_number(0.000012, "0.000012");
    assert_number(-2.25, "-2.25");
    assert_number((double)NAN, "null");
    assert_number((double)INFINITY, "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_text__escapes_strings),
        cmocka_unit_test(test_json_text__replaces_what_is_not_utf8),
        cmocka_unit_test(test_json_text__puts_commas_between_members),
        cmocka_unit_test(test_json_text__numbers_read_back_the_same),
        cmocka_unit_test(test_json_text__numbers_are_short_and_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
