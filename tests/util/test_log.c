/* Log lines, read back from a pipe in place of stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "log.h"

static char line[65536];

/* What log_write() puts on stderr. */
static const char *when_logged(enum log_level level, const char *message)
{
    struct error err;
    auto_fd int read_end = -1;
    auto_fd int write_end = -1;
    assert_int_equal(fd_pipe(&read_end, &write_end, &err), 0);
    auto_fd int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(write_end, STDERR_FILENO);
    fd_close(&write_end);

    log_write(level, "%s", message);

    dup2(kept, STDERR_FILENO);
    ssize_t size = fd_read_all(read_end, line, sizeof(line) - 1);
    line[size < 0 ? 0 : size] = '\0';
    return line;
}

static void test_log__text_line_has_date_level_and_role(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_TEXT, "api");

    const char *text = when_logged(LOG_WARNING, "hello");

    assert_int_equal(text[10], 'T');
    assert_string_equal(text + 23, "Z warning api: hello\n");
}

static void test_log__control_characters_cannot_break_a_line(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_TEXT, "api");

    const char *text = when_logged(LOG_INFO, "a\nb\tc\x1b[0m\x7f \xc3\xa9");

    assert_string_equal(text + 23, "Z info api: a\\nb\\tc\\x1b[0m\\x7f \xc3\xa9\n");
}

static void test_log__json_line_is_one_object(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_JSON, "supervisor");

    const char *text = when_logged(LOG_ERROR, "a\"b\n");

    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_string_equal(
        text + 33, "\",\"level\":\"error\",\"role\":\"supervisor\",\"message\":\"a\\\"b\\n\"}\n");
}

static void test_log__below_the_least_level_nothing_is_written(void **state)
{
    (void)state;
    log_configure(LOG_WARNING, LOG_TEXT, "api");

    assert_string_equal(when_logged(LOG_INFO, "quiet"), "");
    assert_true(strlen(when_logged(LOG_ERROR, "loud")) > 0);
}

static void test_log__a_long_message_is_cut_to_one_line(void **state)
{
    (void)state;
    char message[10000];
    memset(message, '\x01', sizeof(message));
    message[sizeof(message) - 1] = '\0';
    log_configure(LOG_INFO, LOG_JSON, "api");

    errno = EBUSY;
    const char *text = when_logged(LOG_INFO, message);

    assert_string_equal(text + strlen(text) - 3, "\"}\n");
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__text_line_has_date_level_and_role),
        cmocka_unit_test(test_log__control_characters_cannot_break_a_line),
        cmocka_unit_test(test_log__json_line_is_one_object),
        cmocka_unit_test(test_log__below_the_least_level_nothing_is_written),
        cmocka_unit_test(test_log__a_long_message_is_cut_to_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
