/* Looking for interpreters, starting them, and putting the bootstraps where they can be read. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "embedded.h"
#include "fd.h"
#include "mem.h"
#include "runtimes_private.h"
#include "text.h"

static char directory[] = "/tmp/runtimes-test-XXXXXX";

static char *write_program(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0755);
    return path;
}

static void an_interpreter_is_known_by_its_answer(void **state)
{
    (void)state;
    auto_free char *node = write_program("any-name", "#!/bin/sh\necho v99.1.2\n");
    auto_free char *python = write_program("other", "#!/bin/sh\necho Python 3.99.0+\n");
    auto_free char *nothing = write_program("nothing", "#!/bin/sh\necho hello\n");
    auto_free char *list = xasprintf("%s,%s,%s,/no/such/file", node, python, nothing);
    struct runtimes *runtimes = NULL;
    struct error err;
    assert_int_equal(runtimes_detect(list, &runtimes, &err), 0);
    assert_true(runtimes_count(runtimes) >= 2);
    const struct interpreter *first = runtimes_at(runtimes, 0);
    assert_string_equal(first->path, node);
    assert_string_equal(first->version, "99.1.2");
    assert_string_equal(first->family->key, "node");
    const struct interpreter *second = runtimes_at(runtimes, 1);
    assert_string_equal(second->version, "3.99.0");
    assert_int_equal(second->minor, 99);
    assert_null(runtimes_at(runtimes, runtimes_count(runtimes)));
    runtimes_free(runtimes);
}

static void an_interpreter_that_never_answers_is_left_behind(void **state)
{
    (void)state;
    auto_free char *slow = write_program("slow", "#!/bin/sh\nexec sleep 60\n");
    struct runtimes runtimes = { xcalloc(1, sizeof(struct interpreter)), 0 };
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    int64_t start = clock_monotonic_us();
    assert_false(runtimes_add(&runtimes, &families[0], slow));
    assert_true(clock_monotonic_us() - start < 10 * 1000000);
    free(runtimes.interpreters);
}

/* The strings of a launch, one after the other with spaces. */
static char *launch_text(const struct buffer *launch)
{
    uint32_t counts[2];
    memcpy(counts, launch->data, sizeof(counts));
    char *text = xmalloc(launch->size + 32);
    int length = sprintf(text, "%u %u", counts[0], counts[1]);
    const char *at = launch->data + sizeof(counts);
    for (uint32_t i = 0; i < counts[0] + counts[1]; i++) {
        length += sprintf(text + length, " %s", at);
        at += strlen(at) + 1;
    }
    assert_ptr_equal(at, launch->data + launch->size);
    return text;
}

static void a_launch_has_the_heap_and_a_bare_environment(void **state)
{
    (void)state;
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    struct interpreter node = { &families[0], (char[]){ "/opt/n/bin/node" }, (char[]){ "20.0.0" },
                                20, 0 };
    auto_buffer struct buffer launch;
    buffer_init(&launch, 65536);
    const char *const extra[] = { "NODE_OPTIONS=--trace-warnings" };
    runtime_launch(&node, 512, extra, 1, &launch);
    auto_free char *text = launch_text(&launch);
    assert_string_equal(text,
                        "3 3 /opt/n/bin/node --max-old-space-size=384 {boot}/node/bootstrap.cjs "
                        "PATH=/opt/n/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 "
                        "NODE_OPTIONS=--trace-warnings");
    buffer_reset(&launch);
    runtime_launch(&node, 0, NULL, 0, &launch);
    auto_free char *spare = launch_text(&launch);
    assert_string_equal(spare, "2 2 /opt/n/bin/node {boot}/node/bootstrap.cjs "
                               "PATH=/opt/n/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8");
}

static void bootstraps_are_installed_readable_and_replaced(void **state)
{
    (void)state;
    struct error err;
    auto_free char *target = xasprintf("%s/bootstrap", directory);
    mode_t mask = umask(077);
    assert_int_equal(runtimes_install_bootstraps(target, &err), 0);
    umask(mask);
    assert_true(embedded_bootstraps_count >= 2);
    for (size_t i = 0; i < embedded_bootstraps_count; i++) {
        auto_free char *path = xasprintf("%s/%s", target, embedded_bootstraps[i].name);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0644);
        assert_int_equal(status.st_size, embedded_bootstraps[i].end - embedded_bootstraps[i].start);
    }
    auto_free char *node = xasprintf("%s/node", target);
    struct stat status;
    assert_int_equal(stat(node, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    auto_free char *changed = xasprintf("%s/node/bootstrap.cjs", target);
    assert_int_equal(truncate(changed, 3), 0);
    assert_int_equal(runtimes_install_bootstraps(target, &err), 0);
    assert_int_equal(stat(changed, &status), 0);
    assert_true(status.st_size > 3);
}

static void every_family_has_its_bootstrap(void **state)
{
    (void)state;
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < embedded_bootstraps_count; k++)
            found |= text_equals(embedded_bootstraps[k].name, families[i].bootstrap);
        assert_true(found);
    }
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    struct error err;
    return fd_remove_tree(AT_FDCWD, directory, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interpreter_is_known_by_its_answer),
        cmocka_unit_test(an_interpreter_that_never_answers_is_left_behind),
        cmocka_unit_test(a_launch_has_the_heap_and_a_bare_environment),
        cmocka_unit_test(bootstraps_are_installed_readable_and_replaced),
        cmocka_unit_test(every_family_has_its_bootstrap),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
