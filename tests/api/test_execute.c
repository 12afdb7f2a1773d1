/* What a synchronous execution is told that took too long. */
#include "execute.h"

#include <cmocka.h>
#include <string.h>

static void by_default_it_is_the_published_sentence(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(execute_fail_late(30, &err), -1);
    assert_int_equal(err.type, ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT);
    assert_string_equal(err.message, error_rows[ERROR_FUNCTION_SYNCHRONOUS_TIMEOUT].message);
}

static void it_says_the_seconds_there_were(void **state)
{
    struct error err;

    (void)state;
    execute_fail_late(900, &err);
    assert_non_null(strstr(err.message, "doesn't exceed 900 seconds."));
    execute_fail_late(1, &err);
    assert_non_null(strstr(err.message, "doesn't exceed 1 second."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_it_is_the_published_sentence),
        cmocka_unit_test(it_says_the_seconds_there_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
