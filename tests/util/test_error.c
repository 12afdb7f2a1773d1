/* Errors as values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "error.h"

static void test_error__null_format_takes_the_sentence_of_the_row(void **state)
{
    (void)state;
    struct error err;

    assert_int_equal(fail(&err, ERROR_FUNCTION_NOT_FOUND, NULL), -1);

    assert_int_equal(err.type, ERROR_FUNCTION_NOT_FOUND);
    assert_string_equal(err.message, "Function with the requested ID could not be found.");
    assert_string_equal(error_rows[err.type].type, "function_not_found");
    assert_string_equal(error_rows[err.type].name, "FUNCTION_NOT_FOUND");
    assert_int_equal(error_rows[err.type].code, 404);
}

static void test_error__every_row_is_complete(void **state)
{
    (void)state;

    for (int i = 0; i < ERROR_TYPES; i++) {
        assert_in_range(error_rows[i].code, 400, 599);
        assert_true(strlen(error_rows[i].type) > 0);
        assert_in_range(strlen(error_rows[i].message), 1, sizeof(((struct error *)0)->message) - 1);
    }
}

static void test_error__context_comes_in_front(void **state)
{
    (void)state;
    struct error err;

    fail(&err, ERROR_BUILD_FAILED, "no file %s", "a");
    assert_int_equal(fail_add(&err, "unpack %d", 3), -1);

    assert_int_equal(err.type, ERROR_BUILD_FAILED);
    assert_string_equal(err.message, "unpack 3: no file a");
}

static void test_error__a_message_may_be_built_from_itself(void **state)
{
    (void)state;
    struct error err;

    fail(&err, ERROR_INTERNAL, "inner");
    fail(&err, ERROR_INTERNAL, "outer (%s)", err.message);

    assert_string_equal(err.message, "outer (inner)");
}

static void test_error__errno_is_named_and_kept(void **state)
{
    (void)state;
    struct error err;

    errno = ENOENT;
    fail_errno(&err, "open %s", "x");

    assert_int_equal(errno, ENOENT);
    assert_int_equal(err.type, ERROR_INTERNAL);
    assert_string_equal(err.message, "open x: No such file or directory");
}

static void test_error__a_long_message_is_cut(void **state)
{
    (void)state;
    struct error err;
    char text[2048];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    fail(&err, ERROR_INTERNAL, "%s", text);
    fail_add(&err, "context");

    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__null_format_takes_the_sentence_of_the_row),
        cmocka_unit_test(test_error__every_row_is_complete),
        cmocka_unit_test(test_error__context_comes_in_front),
        cmocka_unit_test(test_error__a_message_may_be_built_from_itself),
        cmocka_unit_test(test_error__errno_is_named_and_kept),
        cmocka_unit_test(test_error__a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
