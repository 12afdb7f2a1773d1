/* Files on the disk that no row refers to. */
#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "package.h"
#include "sweep_files.h"

static const int64_t hour_us = 3600000000;

static bool is_there(const struct harness *harness, const char *place, const char *name)
{
    auto_free char *path = xasprintf("%s/%s/%s", harness->directory, place, name);

    return access(path, F_OK) == 0;
}

static void make_places(const struct harness *harness)
{
    static const char *const places[] = { "packages", "uploads", "builds", "cache" };
    struct error err;

    for (size_t i = 0; i < COUNT(places); i++) {
        auto_free char *path = xasprintf("%s/%s", harness->directory, places[i]);
        assert_int_equal(fd_mkdir(AT_FDCWD, path, 0700, &err), 0);
    }
}

static void given_file(const struct harness *harness, const char *place, const char *name)
{
    auto_free char *path = xasprintf("%s/%s/%s", harness->directory, place, name);
    struct error err;

    assert_int_equal(fd_write_file(AT_FDCWD, path, name, strlen(name), 0600, &err), 0);
}

static void given_directory(const struct harness *harness, const char *place, const char *name)
{
    auto_free char *path = xasprintf("%s/%s/%s", harness->directory, place, name);

    assert_int_equal(mkdir(path, 0700), 0);
}

/* A package with this content, as an upload makes it. */
static void given_package(const struct harness *harness, const char *content,
                          char ret_hash[PACKAGE_HASH])
{
    auto_free char *path = xasprintf("%s/uploads/part-%s", harness->directory, content);
    auto_free char *name = xasprintf("part-%s", content);
    struct error err;
    int64_t size;

    given_file(harness, "uploads", name);
    assert_int_equal(package_take(harness->directory, path, ret_hash, &size, &err), 0);
}

static int insert_deployment(struct db *db, void *context, struct error *err)
{
    return store_deployment_insert(db, context, err);
}

static void given_deployment(struct harness *harness, const char *id, const char *source_hash,
                             const char *output_hash)
{
    struct error err;
    auto_deployment struct deployment deployment = {
        .project_id = xstrdup("default"),
        .function_id = xstrdup("f"),
        .id = xstrdup(id),
        .type = xstrdup("manual"),
        .status = xstrdup("ready"),
        .source_hash = xstrdup(source_hash),
        .output_hash = xstrdup(output_hash),
        .created_at = clock_realtime_us(),
    };

    assert_int_equal(store_write_wait(harness->api.store, insert_deployment, &deployment, &err), 0);
}

static void given_function(struct harness *harness)
{
    make_places(harness);
    assert_status(harness_call(harness, "POST", "/v1/functions", NULL,
                               "{\"functionId\":\"f\",\"name\":\"n\",\"runtime\":\"node-22\"}"),
                  201);
}

static void find(struct harness *harness, int64_t before_us, struct unowned *ret_unowned)
{
    unowned_find(&harness->api, harness->db, before_us, ret_unowned);
}

static void packages_that_no_row_refers_to_go(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };
    char source[PACKAGE_HASH], output[PACKAGE_HASH], orphan[PACKAGE_HASH];

    given_function(harness);
    given_package(harness, "source", source);
    given_package(harness, "output", output);
    given_package(harness, "orphan", orphan);
    given_deployment(harness, "d", source, output);
    given_file(harness, "packages", "no-hash");
    find(harness, clock_realtime_us() + hour_us, &unowned);

    assert_true(is_there(harness, "packages", source));
    assert_true(is_there(harness, "packages", output));
    assert_true(is_there(harness, "packages", "no-hash"));
    assert_false(is_there(harness, "packages", orphan));
    unowned_release(&unowned);
}

static void what_is_young_stays(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };
    char orphan[PACKAGE_HASH];

    given_function(harness);
    given_package(harness, "orphan", orphan);
    given_file(harness, "uploads", "gone");
    find(harness, clock_realtime_us() - hour_us, &unowned);

    assert_true(is_there(harness, "packages", orphan));
    assert_true(is_there(harness, "uploads", "gone"));
}

static void a_package_that_is_taken_again_is_young_again(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };
    char first[PACKAGE_HASH], again[PACKAGE_HASH];

    given_function(harness);
    given_package(harness, "same", first);
    usleep(50000);
    int64_t between_us = clock_realtime_us();
    usleep(50000);
    given_package(harness, "same", again);
    assert_string_equal(first, again);
    find(harness, between_us, &unowned);

    assert_true(is_there(harness, "packages", again));
}

/* A row may refer to it after the deletion that would have it removed was looked at. */
static void a_package_that_a_redeploy_refers_to_is_young_again(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };
    char source[PACKAGE_HASH];

    given_function(harness);
    given_package(harness, "source", source);
    given_deployment(harness, "d", source, "");
    usleep(50000);
    int64_t between_us = clock_realtime_us();
    usleep(50000);
    assert_status(harness_call(harness, "POST", "/v1/functions/f/deployments/duplicate", NULL,
                               "{\"deploymentId\":\"d\"}"),
                  202);
    assert_status(harness_call(harness, "DELETE", "/v1/functions/f", NULL, NULL), 204);
    find(harness, between_us, &unowned);
    assert_true(is_there(harness, "packages", source));

    find(harness, clock_realtime_us() + hour_us, &unowned);
    assert_false(is_there(harness, "packages", source));
}

static void uploads_without_a_row_go_but_not_those_of_requests(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };

    given_function(harness);
    given_deployment(harness, "Begun", "", "");
    given_file(harness, "uploads", "begun"); /* ids are compared without case */
    given_file(harness, "uploads", "gone");
    given_file(harness, "uploads", "gone.output");
    given_file(harness, "uploads", "part-abc");
    find(harness, clock_realtime_us() + hour_us, &unowned);

    assert_true(is_there(harness, "uploads", "begun"));
    assert_true(is_there(harness, "uploads", "gone.output"));
    assert_true(is_there(harness, "uploads", "part-abc"));
    assert_false(is_there(harness, "uploads", "gone"));
    unowned_release(&unowned);
}

static void trees_and_caches_without_a_row_are_told(void **state)
{
    struct harness *harness = *state;
    struct unowned unowned = { 0 };

    given_function(harness);
    given_deployment(harness, "kept", "", "");
    given_directory(harness, "builds", "kept");
    given_directory(harness, "builds", "gone");
    given_directory(harness, "builds", ".trash.1");
    given_directory(harness, "cache", "default");
    given_directory(harness, "cache", "default~1");
    given_directory(harness, "cache", "gone");
    given_directory(harness, "cache", "gone~1");
    find(harness, clock_realtime_us() + hour_us, &unowned);

    assert_int_equal(unowned.tree_count, 1);
    assert_string_equal(unowned.trees[0], "gone");
    assert_int_equal(unowned.cache_count, 1);
    assert_string_equal(unowned.caches[0], "gone");
    unowned_remove(&harness->api, &unowned);
    assert_null(unowned.trees);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(packages_that_no_row_refers_to_go),
        TEST(what_is_young_stays),
        TEST(a_package_that_is_taken_again_is_young_again),
        TEST(a_package_that_a_redeploy_refers_to_is_young_again),
        TEST(uploads_without_a_row_go_but_not_those_of_requests),
        TEST(trees_and_caches_without_a_row_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
