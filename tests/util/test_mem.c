/* Memory that never fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mem.h"

static void test_mem__copies_at_most_the_given_bytes(void **state)
{
    (void)state;

    auto_free char *part = xstrndup("hello", 2);
    auto_free char *whole = xstrndup("hello", 20);

    assert_string_equal(part, "he");
    assert_string_equal(whole, "hello");
    assert_null(xstrdup(NULL));
}

static void test_mem__zero_bytes_are_a_valid_pointer(void **state)
{
    (void)state;

    auto_free void *none = xmalloc(0);
    auto_free void *also = xcalloc(0, 8);

    assert_non_null(none);
    assert_non_null(also);
}

static void test_mem__steal_leaves_null_behind(void **state)
{
    (void)state;
    auto_free char *text = xasprintf("%d-%s", 7, "x");

    char *taken = steal(text);

    assert_null(text);
    assert_string_equal(taken, "7-x");
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem__copies_at_most_the_given_bytes),
        cmocka_unit_test(test_mem__zero_bytes_are_a_valid_pointer),
        cmocka_unit_test(test_mem__steal_leaves_null_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
