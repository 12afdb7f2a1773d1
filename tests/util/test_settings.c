/* Settings from all their sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "settings.h"

static struct error err;
static struct settings settings;

static char *const no_environment[] = { NULL };

static int setup(void **state)
{
    (void)state;
    settings = (struct settings){ 0 };
    err = (struct error){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settings_release(&settings);
    settings_release(&settings);
    return 0;
}

/* Loads from words that end with a NULL. */
static int when_loaded(char *const *words, char *const *environment)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return settings_load(&settings, count, words, environment, &err);
}

static char *word(const char *text)
{
    static char words[16][160];
    static size_t next;
    char *place = words[next++ % COUNT(words)];
    snprintf(place, sizeof(words[0]), "%s", text);
    return place;
}

static void assert_refused(const char *flag, const char *value, const char *sentence)
{
    char *words[] = { word(flag), value == NULL ? NULL : word(value), NULL };

    assert_int_equal(when_loaded(words, no_environment), -1);

    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    assert_string_equal(err.message, sentence);
    assert_null(settings.listen);
}

static void test_settings__defaults_are_those_of_the_rows(void **state)
{
    (void)state;
    char *none[] = { NULL };

    assert_int_equal(when_loaded(none, no_environment), 0);

    assert_string_equal(settings.listen, "127.0.0.1:8080");
    assert_string_equal(settings.origins, "");
    assert_int_equal(settings.spares, 1);
    assert_true(settings.runtime_substitute);
    assert_false(settings.egress_private);
    assert_string_equal(settings.sandbox, "auto");
}

static void test_settings__flags_take_both_forms_and_the_last_wins(void **state)
{
    (void)state;
    char *words[] = { word("--spares"),
                      word("3"),
                      word("--spares=4"),
                      word("--egress-private"),
                      word("--log_level"),
                      word("debug"),
                      word("--runtime-substitute=off"),
                      word("--data"),
                      word("/x=y"),
                      NULL };

    assert_int_equal(when_loaded(words, no_environment), 0);

    assert_int_equal(settings.spares, 4);
    assert_true(settings.egress_private);
    assert_false(settings.runtime_substitute);
    assert_string_equal(settings.log_level, "debug");
    assert_string_equal(settings.data, "/x=y");
}

static void test_settings__a_switch_takes_the_next_word_only_if_it_is_a_value(void **state)
{
    (void)state;
    char *words[] = { word("--egress-private"), word("--runtime-substitute"), word("no"), NULL };

    assert_int_equal(when_loaded(words, no_environment), 0);

    assert_true(settings.egress_private);
    assert_false(settings.runtime_substitute);
}

static void test_settings__what_is_unknown_is_refused_with_the_nearest(void **state)
{
    (void)state;

    assert_refused("--sparse=1", NULL, "unknown setting --sparse; did you mean --spares?");
    assert_refused("--log-levle", "info", "unknown setting --log-levle; did you mean --log-level?");
    assert_refused("--completely-different", "1", "unknown setting --completely-different");
    assert_refused("serve", NULL, "unexpected argument \"serve\"");
    assert_refused("--listen", NULL, "--listen needs a value");
    assert_refused("--", NULL, "unknown setting --");
}

static void test_settings__values_are_checked_against_their_row(void **state)
{
    (void)state;

    assert_refused("--spares", "17",
                   "setting spares: \"17\" is not a whole number from 0 to 16 (processes)");
    assert_refused("--spares", "-1",
                   "setting spares: \"-1\" is not a whole number from 0 to 16 (processes)");
    assert_refused("--spares", "two",
                   "setting spares: \"two\" is not a whole number from 0 to 16 (processes)");
    assert_refused("--log-format", "xml", "setting log_format: \"xml\" is none of text|json");
    assert_refused("--log-format", "tex", "setting log_format: \"tex\" is none of text|json");
    assert_refused("--egress-private=maybe", NULL,
                   "setting egress_private: \"maybe\" is neither true nor false");
}

static void test_settings__the_limits_themselves_are_allowed(void **state)
{
    (void)state;
    char *words[] = { word("--spares=16"), word("--worker-limit=1"), NULL };

    assert_int_equal(when_loaded(words, no_environment), 0);

    assert_int_equal(settings.spares, 16);
    assert_int_equal(settings.worker_limit, 1);
}

static void test_settings__unknown_names_in_the_environment_are_refused(void **state)
{
    (void)state;
    char *none[] = { NULL };
    char *environment[] = { word("HOME=/x"), word("FUNCTIOND=/bin/x"), word("FUNCTIOND_DATE=x"),
                            NULL };

    assert_int_equal(when_loaded(none, environment), -1);

    assert_string_equal(err.message,
                        "unknown setting FUNCTIOND_DATE; did you mean FUNCTIOND_DATA?");
}

static char config_path[] = "/tmp/test_settings_XXXXXX";

static void given_config(const char *text)
{
    snprintf(config_path, sizeof(config_path), "/tmp/test_settings_XXXXXX");
    auto_fd int fd = mkstemp(config_path);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void test_settings__addresses_given_by_a_cluster_are_no_settings(void **state)
{
    (void)state;
    char *none[] = { NULL };
    char *environment[] = { word("FUNCTIOND_SERVICE_HOST=10.0.0.1"),
                            word("FUNCTIOND_PORT=tcp://10.0.0.1:80"),
                            word("FUNCTIOND_PORT_80_TCP_PORT=80"), NULL };

    assert_int_equal(when_loaded(none, environment), 0);
}

static void test_settings__flag_beats_environment_beats_file(void **state)
{
    (void)state;
    given_config("# a comment\n\n  spares = 2 \nLANES=3\r\nbuilds = 4\ndata = /a # b\n");
    char *words[] = { word("--builds=7"), word("--config"), config_path, NULL };
    char *environment[] = { word("FUNCTIOND_LANES=5"), word("FUNCTIOND_BUILDS=6"), NULL };

    assert_int_equal(when_loaded(words, environment), 0);

    unlink(config_path);
    assert_int_equal(settings.spares, 2);
    assert_int_equal(settings.lanes, 5);
    assert_int_equal(settings.builds, 7);
    assert_string_equal(settings.data, "/a # b");
}

static void test_settings__an_error_of_the_file_names_its_line(void **state)
{
    (void)state;
    given_config("spares = 2\nspare = 3\n");
    char *words[] = { NULL };
    auto_free char *variable = xasprintf("FUNCTIOND_CONFIG=%s", config_path);
    char *environment[] = { variable, NULL };
    auto_free char *expected = xasprintf("%s, line 2: unknown setting spare; did you mean spares?",
                                         config_path);

    assert_int_equal(when_loaded(words, environment), -1);

    assert_string_equal(err.message, expected);
    unlink(config_path);
    assert_int_equal(when_loaded(words, environment), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
}

static void test_settings__what_differs_goes_to_a_child_and_back(void **state)
{
    (void)state;
    auto_buffer struct buffer lines;
    buffer_init(&lines, 10000);
    char *words[] = { word("--data=a\\b\nspares=9\\n"), word("--spares=5"), word("--lanes=2"),
                      word("--egress-private"), NULL };
    assert_int_equal(when_loaded(words, no_environment), 0);

    settings_write(&settings, &lines);
    assert_string_equal(lines.data, "data=a\\\\b\\nspares=9\\\\n\negress_private=true\nspares=5\n");
    settings_release(&settings);
    assert_int_equal(settings_read(&settings, lines.data, &err), 0);

    assert_string_equal(settings.data, "a\\b\nspares=9\\n");
    assert_int_equal(settings.spares, 5);
    assert_int_equal(settings.lanes, 2);
    assert_true(settings.egress_private);
}

static void test_settings__broken_lines_are_refused(void **state)
{
    (void)state;

    assert_int_equal(settings_read(&settings, "spares=1", &err), -1);
    assert_int_equal(settings_read(&settings, "spares\nlanes=1\n", &err), -1);
    assert_int_equal(settings_read(&settings, "spares=99\n", &err), -1);
    assert_null(settings.listen);
    assert_int_equal(settings_read(&settings, "", &err), 0);
}

static void test_settings__every_row_is_documented(void **state)
{
    (void)state;
    auto_buffer struct buffer out;
    buffer_init(&out, 100000);

    settings_document(&out);

    assert_false(out.overflowed);
    assert_non_null(strstr(out.data, "| `--listen` | `127.0.0.1:8080` | text | Address and port"));
    assert_non_null(strstr(out.data, "| `--log-format` | `text` | `text\\|json` | "));
    assert_non_null(strstr(out.data, "| `--spares` | `1` | 0 to 16 processes | "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        SCENE(test_settings__defaults_are_those_of_the_rows),
        SCENE(test_settings__flags_take_both_forms_and_the_last_wins),
        SCENE(test_settings__a_switch_takes_the_next_word_only_if_it_is_a_value),
        SCENE(test_settings__what_is_unknown_is_refused_with_the_nearest),
        SCENE(test_settings__values_are_checked_against_their_row),
        SCENE(test_settings__the_limits_themselves_are_allowed),
        SCENE(test_settings__unknown_names_in_the_environment_are_refused),
        SCENE(test_settings__addresses_given_by_a_cluster_are_no_settings),
        SCENE(test_settings__flag_beats_environment_beats_file),
        SCENE(test_settings__an_error_of_the_file_names_its_line),
        SCENE(test_settings__what_differs_goes_to_a_child_and_back),
        SCENE(test_settings__broken_lines_are_refused),
        SCENE(test_settings__every_row_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
