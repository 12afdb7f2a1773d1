/* The published table and how ids find interpreters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "runtimes_private.h"
#include "text.h"

static void the_table_is_the_published_one(void **state)
{
    (void)state;
    size_t count;
    const struct runtime_row *rows = runtime_rows(&count);
    assert_int_equal(count, 92);
    assert_string_equal(rows[0].id, "node-14.5");
    assert_string_equal(rows[count - 1].id, "flutter-3.41");
    const struct runtime_row *row = runtime_find("python-ml-3.11");
    assert_non_null(row);
    assert_string_equal(row->key, "python-ml");
    assert_string_equal(row->name, "Python (ML)");
    assert_string_equal(row->version, "3.11");
    assert_string_equal(row->image, "openruntimes/python-ml:v5-3.11");
    assert_string_equal(row->logo, "python-ml.png");
    assert_string_equal(row->base, "python:3.11.10-bookworm");
    assert_string_equal(row->supports, "[\"x86\",\"arm64\"]");
    assert_false(row->deprecated);
    assert_true(runtime_find("node-16.0")->deprecated);
    assert_null(runtime_find("node-99"));
    assert_null(runtime_find(""));
}

static const struct runtime_family *family(const char *key)
{
    size_t count;
    const struct runtime_family *families = runtime_families(&count);
    for (size_t i = 0; i < count; i++)
        if (text_equals(families[i].key, key))
            return &families[i];
    return NULL;
}

static char kept[sizeof(((struct error *)NULL)->message)];

/* The version found with " exact" behind it if it is, or the error's sentence; good until the next
 * call. */
static const char *resolve(const struct runtimes *runtimes, const char *id, bool substitute)
{
    const struct interpreter *found = NULL;
    struct error err = { 0 };
    bool exact = false;
    if (runtimes_resolve(runtimes, id, substitute, &found, &exact, &err) < 0)
        snprintf(kept, sizeof(kept), "%s", err.message);
    else
        snprintf(kept, sizeof(kept), "%s%s", found->version, exact ? " exact" : "");
    return kept;
}

static void an_id_finds_its_version_or_the_nearest(void **state)
{
    (void)state;
    char none[] = "/x";
    struct interpreter installed[] = {
        { family("node"), none, (char[]){ "22.1.0" }, 22, 1 },
        { family("node"), none, (char[]){ "18.19.0" }, 18, 19 },
        { family("node"), none, (char[]){ "20.20.2" }, 20, 20 },
        { family("python"), none, (char[]){ "3.11.2" }, 3, 11 },
    };
    struct runtimes runtimes = { installed, COUNT(installed) };
    assert_string_equal(resolve(&runtimes, "node-20.0", false), "20.20.2 exact");
    assert_string_equal(resolve(&runtimes, "node-22", false), "22.1.0 exact");
    assert_string_equal(resolve(&runtimes, "node-19.0", true), "20.20.2");
    assert_string_equal(resolve(&runtimes, "node-21.0", true), "22.1.0");
    assert_string_equal(resolve(&runtimes, "node-25", true), "22.1.0");
    assert_string_equal(resolve(&runtimes, "node-14.5", true), "18.19.0");
    assert_string_equal(resolve(&runtimes, "python-3.11", false), "3.11.2 exact");
    assert_string_equal(resolve(&runtimes, "python-ml-3.11", false), "3.11.2 exact");
    assert_string_equal(resolve(&runtimes, "python-3.8", true), "3.11.2");
    assert_string_equal(resolve(&runtimes, "python-3.14", true), "3.11.2");
    assert_true(runtimes_has(&runtimes, runtime_find("python-3.11")));
    assert_false(runtimes_has(&runtimes, runtime_find("python-3.12")));
}

static void an_id_that_nothing_serves_is_unsupported(void **state)
{
    (void)state;
    struct runtimes runtimes = { NULL, 0 };
    struct error err;
    const struct interpreter *found = NULL;
    bool exact;
    static const char *const ids[] = { "node-22", "php-8.3", "nonsense" };
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(runtimes_resolve(&runtimes, ids[i], true, &found, &exact, &err), -1);
        assert_int_equal(err.type, ERROR_FUNCTION_RUNTIME_UNSUPPORTED);
        auto_free char *expected = xasprintf("Runtime \"%s\" is not supported", ids[i]);
        assert_string_equal(err.message, expected);
        assert_null(found);
    }
}

static void another_version_is_refused_without_substitution(void **state)
{
    (void)state;
    struct interpreter installed[] = {
        { family("node"), (char[]){ "/x" }, (char[]){ "20.20.2" }, 20, 20 },
    };
    struct runtimes runtimes = { installed, 1 };
    assert_string_equal(resolve(&runtimes, "node-22", false),
                        "Runtime \"node-22\" is not supported");
}

static void variables_read_at_start_are_known(void **state)
{
    (void)state;
    const struct runtime_family *node = family("node"), *python = family("python");
    assert_true(runtime_reads_at_start(node, "NODE_OPTIONS"));
    assert_true(runtime_reads_at_start(node, "LD_PRELOAD"));
    assert_true(runtime_reads_at_start(node, "UV_THREADPOOL_SIZE"));
    assert_false(runtime_reads_at_start(node, "NODE_ENV"));
    assert_false(runtime_reads_at_start(node, "API_KEY"));
    assert_true(runtime_reads_at_start(python, "PYTHONPATH"));
    assert_false(runtime_reads_at_start(python, "NODE_OPTIONS"));
}

static void specifications_are_the_nine(void **state)
{
    (void)state;
    size_t count;
    specifications(&count);
    assert_int_equal(count, 9);
    const struct specification *found = specification_find(specification_default);
    assert_non_null(found);
    assert_int_equal(found->memory_mb, 512);
    assert_int_equal(found->cpus_milli, 1000);
    assert_null(specification_find("s-1vcpu-2gb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_published_one),
        cmocka_unit_test(an_id_finds_its_version_or_the_nearest),
        cmocka_unit_test(an_id_that_nothing_serves_is_unsupported),
        cmocka_unit_test(another_version_is_refused_without_substitution),
        cmocka_unit_test(variables_read_at_start_are_known),
        cmocka_unit_test(specifications_are_the_nine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
