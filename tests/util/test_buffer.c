/* The growing byte string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "buffer.h"

static void test_buffer__takes_exactly_its_limit(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, 5);

    assert_int_equal(buffer_add_text(&buffer, "hello"), 0);
    assert_false(buffer.overflowed);
    assert_int_equal(buffer_add_char(&buffer, '!'), -1);

    assert_true(buffer.overflowed);
    assert_string_equal(buffer.data, "hello");
    buffer_reset(&buffer);
    assert_false(buffer.overflowed);
    assert_string_equal(buffer.data, "");
}

static void test_buffer__serves_one_text_after_the_other(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer = { 0 };

    buffer_begin(&buffer, 100);
    buffer_add_text(&buffer, "first");
    const char *memory = buffer.data;
    buffer_end(&buffer, 100);
    buffer_begin(&buffer, 3);
    assert_ptr_equal(buffer.data, memory);
    assert_string_equal(buffer.data, "");
    assert_int_equal(buffer_add_text(&buffer, "four"), -1);
    assert_int_equal(buffer_add_text(&buffer, "two"), 0);
    buffer_end(&buffer, 1);
    assert_null(buffer.data);
}

static void test_buffer__a_format_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, 8);
    buffer_add_text(&buffer, "ab");

    assert_int_equal(buffer_addf(&buffer, "%s", "1234567"), -1);
    assert_string_equal(buffer.data, "ab");
    assert_int_equal(buffer_addf(&buffer, "%s", "123456"), 0);
    assert_string_equal(buffer.data, "ab123456");
    assert_int_equal(buffer_addf(&buffer, "%s", ""), 0);
}

static void test_buffer__grows_under_formats_and_numbers(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);

    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer_addf(&buffer, "%03d,", i), 0);
    buffer_add_int(&buffer, INT64_MIN);
    buffer_add_int(&buffer, 0);
    buffer_add_int(&buffer, INT64_MAX);

    assert_memory_equal(buffer.data, "000,001,002", 11);
    assert_string_equal(buffer.data + 4000, "-922337203685477580809223372036854775807");
    assert_int_equal(buffer.size, strlen(buffer.data));
}

static void test_buffer__forgets_the_front(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_cut_front(&buffer, 3);
    buffer_add(&buffer, "a\0bcd", 5);

    buffer_cut_front(&buffer, 2);
    assert_string_equal(buffer.data, "bcd");
    buffer_cut_front(&buffer, 99);

    assert_int_equal(buffer.size, 0);
    assert_string_equal(buffer.data, "");
}

static void test_buffer__stolen_text_is_never_null(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, 4);
    size_t size = 9;

    char *empty = buffer_steal(&buffer, &size);
    assert_string_equal(empty, "");
    assert_int_equal(size, 0);
    buffer_add_text(&buffer, "four");
    char *full = buffer_steal(&buffer, NULL);
    assert_string_equal(full, "four");

    assert_int_equal(buffer.limit, 4);
    free(empty);
    free(full);
}

static void test_buffer__limit_zero_takes_nothing(void **state)
{
    (void)state;
    auto_buffer struct buffer buffer;
    buffer_init(&buffer, 0);

    assert_int_equal(buffer_add_char(&buffer, 'x'), -1);
    assert_int_equal(buffer_add(&buffer, NULL, 0), 0);

    buffer_release(&buffer);
    buffer_release(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer__takes_exactly_its_limit),
        cmocka_unit_test(test_buffer__serves_one_text_after_the_other),
        cmocka_unit_test(test_buffer__a_format_that_does_not_fit_changes_nothing),
        cmocka_unit_test(test_buffer__grows_under_formats_and_numbers),
        cmocka_unit_test(test_buffer__forgets_the_front),
        cmocka_unit_test(test_buffer__stolen_text_is_never_null),
        cmocka_unit_test(test_buffer__limit_zero_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
