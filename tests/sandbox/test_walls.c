/* What a child sees of the host, asked by a shell inside. */
#include "box.h"

#include <string.h>

#include "mem.h"

static void test_walls__the_system_lies_read_only(void **state)
{
    (void)state;
    struct box_result result = box_shell(
        "for f in /usr /etc /dev / /usr/bin; do touch $f/x 2>/dev/null && echo $f; done;"
        "rm -f /usr/bin/env 2>/dev/null; chmod 777 /usr 2>/dev/null; test -x /usr/bin/env && echo "
        "there");

    assert_string_equal(result.output, "there\n");
}

static void test_walls__only_what_is_listed_exists(void **state)
{
    (void)state;
    if (box.profile != SANDBOX_FULL) {
        box_skip("existence is hidden by profile full alone");
    }
    struct box_result result = box_shell("ls -d /home /root /var /run /sys /srv /opt /boot /work "
                                         "2>/dev/null; ls /proc | grep -c '^[0-9]'");

    assert_true(result.output[0] >= '1' && result.output[0] <= '5' && result.output[1] == '\n');
}

static void test_walls__a_setuid_program_gains_nothing(void **state)
{
    (void)state;
    struct box_result result = box_shell(
        "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status 2>/dev/null; "
        "su -c id 2>/dev/null; /usr/bin/mount -t tmpfs x /tmp 2>/dev/null && echo mounted; id -u");

    assert_null(strstr(result.output, "uid=0"));
    assert_null(strstr(result.output, "mounted"));
    if (strstr(result.output, "CapEff") != NULL) {
        assert_non_null(strstr(result.output, "CapEff:\t0000000000000000"));
        assert_non_null(strstr(result.output, "NoNewPrivs:\t1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walls__the_system_lies_read_only),
        cmocka_unit_test(test_walls__only_what_is_listed_exists),
        cmocka_unit_test(test_walls__a_setuid_program_gains_nothing),
    };
    return box_run_all("walls", tests, COUNT(tests));
}
