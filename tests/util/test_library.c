/* Libraries that are loaded when they are first needed. */
#include "library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"

struct table {
    double (*root)(double number);
    double (*power)(double base, double exponent);
};

static void fills_the_table(void **state)
{
    static const struct library_row rows[] = {
        { "sqrt", offsetof(struct table, root) },
        { "pow", offsetof(struct table, power) },
    };
    struct table table = { 0 };
    struct error err;

    (void)state;
    assert_int_equal(library_load("libm.so.6", rows, COUNT(rows), &table, &err), 0);
    assert_true(table.root(9) > 2.9 && table.root(9) < 3.1);
    assert_true(table.power(2, 5) > 31.9 && table.power(2, 5) < 32.1);
}

static void says_which_library_is_missing(void **state)
{
    struct table table;
    struct error err;

    (void)state;
    assert_int_equal(library_load("libnowhere.so.1", NULL, 0, &table, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_SERVICE_DISABLED);
    assert_non_null(strstr(err.message, "libnowhere.so.1"));
}

static void says_which_function_is_missing(void **state)
{
    static const struct library_row rows[] = { { "square_of_circle", 0 } };
    struct table table;
    struct error err;

    (void)state;
    assert_int_equal(library_load("libm.so.6", rows, COUNT(rows), &table, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_SERVICE_DISABLED);
    assert_non_null(strstr(err.message, "square_of_circle"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_the_table),
        cmocka_unit_test(says_which_library_is_missing),
        cmocka_unit_test(says_which_function_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
