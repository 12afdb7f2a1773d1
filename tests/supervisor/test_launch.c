/* Argv and environment from the api's memfd. */
#include <cmocka.h>

#include <string.h>

#include "buffer.h"
#include "launch.h"
#include "mem.h"

static void encode(struct buffer *out, uint32_t argc, uint32_t envc, const char *const *strings,
                   size_t count)
{
    const uint32_t counts[2] = { argc, envc };

    buffer_init(out, 1 << 20);
    buffer_add(out, counts, sizeof(counts));
    for (size_t i = 0; i < count; i++)
        buffer_add(out, strings[i], strlen(strings[i]) + 1);
}

static const struct launch_places places = { .code = "/code/a", .tmp = "/tmp", .boot = "/boot" };

static void test_launch__places_are_filled_in(void **state)
{
    static const char *const strings[] = { "/bin/sh", "x{code}y{code}", "{cache}{nothing}{",
                                           "A={tmp}:{boot}", "HOME=/home/x" };
    auto_buffer struct buffer bytes = { 0 };
    struct launch launch;
    struct error err;

    (void)state;
    encode(&bytes, 3, 2, strings, COUNT(strings));
    assert_int_equal(launch_parse(bytes.data, bytes.size, &launch, &err), 0);
    launch_fill_in(&launch, &places);

    assert_string_equal(launch.argv[1], "x/code/ay/code/a");
    assert_string_equal(launch.argv[2], "{cache}{nothing}{");
    assert_null(launch.argv[3]);
    assert_string_equal(launch.envp[0], "A=/tmp:/boot");
    assert_string_equal(launch.envp[1], "TMPDIR=/tmp");
    assert_string_equal(launch.envp[2], "HOME=/tmp");
    assert_null(launch.envp[3]);
    launch_release(&launch);
}

static void test_launch__the_users_own_text_stays_as_it_is(void **state)
{
    static const char *const strings[] = { "/bin/sh", "A={code}", "", "B={code}", "TMPDIR=/x" };
    auto_buffer struct buffer bytes = { 0 };
    struct launch launch;
    struct error err;

    (void)state;
    encode(&bytes, 1, 4, strings, COUNT(strings));
    assert_int_equal(launch_parse(bytes.data, bytes.size, &launch, &err), 0);
    launch_fill_in(&launch, &places);

    assert_string_equal(launch.envp[0], "A=/code/a");
    assert_string_equal(launch.envp[1], "B={code}");
    assert_string_equal(launch.envp[2], "TMPDIR=/tmp");
    launch_release(&launch);
}

struct bad_case {
    uint32_t argc, envc;
    const char *strings[4];
    size_t count, cut;
};

static const struct bad_case bad[] = {
    { .argc = 0, .envc = 1, .strings = { "A=1" }, .count = 1 },
    { .argc = 2, .envc = 0, .strings = { "a" }, .count = 1 },
    { .argc = 1, .envc = 0, .strings = { "a", "b" }, .count = 2 },
    { .argc = 1, .envc = 0, .strings = { "abc" }, .count = 1, .cut = 1 },
    { .argc = 1, .envc = 0, .strings = { "abc" }, .count = 1, .cut = 9 },
    { .argc = 1, .envc = 1, .strings = { "a", "=x" }, .count = 2 },
    { .argc = 1, .envc = 1, .strings = { "a", "nothing" }, .count = 2 },
    { .argc = UINT32_MAX, .envc = 0, .strings = { "a" }, .count = 1 },
    { .argc = 1, .envc = UINT32_MAX, .strings = { "a" }, .count = 1 },
    { .argc = LAUNCH_ARGUMENTS + 1, .envc = 0 },
};

static void test_launch__anything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        auto_buffer struct buffer bytes = { 0 };
        struct launch launch;
        struct error err;

        encode(&bytes, bad[i].argc, bad[i].envc, bad[i].strings, bad[i].count);
        if (launch_parse(bytes.data, bytes.size - bad[i].cut, &launch, &err) == 0)
            fail_msg("accepted: case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch__places_are_filled_in),
        cmocka_unit_test(test_launch__the_users_own_text_stays_as_it_is),
        cmocka_unit_test(test_launch__anything_else_is_refused),
    };

    return cmocka_run_group_tests_name("supervisor/launch", tests, NULL, NULL);
}
