/* Commands, the first start, and memory that must not stay behind the store. */
#include "control.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/store/store_fault.h"
#include "auth.h"
#include "clock.h"
#include "control_socket.h"
#include "fd.h"
#include "harness.h"
#include "mem.h"

enum { STATEMENTS_MOST = 40 };

/* ---- the first start ------------------------------------------------------------------------- */

struct fresh {
    char directory[64];
    struct store *store;
    struct db *db;
};

static void open_fresh(struct fresh *fresh)
{
    struct error err;

    strcpy(fresh->directory, "/tmp/functiond-first-XXXXXX");
    assert_non_null(mkdtemp(fresh->directory));
    const struct store_options options = { .directory = fresh->directory,
                                           .query_limit_us = 5000000 };
    assert_int_equal(store_open(&options, &fresh->store, &err), 0);
    assert_int_equal(store_reader_open(fresh->store, &fresh->db, &err), 0);
}

static void close_fresh(struct fresh *fresh)
{
    auto_free char *command = xasprintf("rm -rf '%s'", fresh->directory);

    store_reader_close(fresh->db);
    store_close(fresh->store);
    assert_int_equal(system(command), 0);
}

static void count_row(void *context, const void *entity)
{
    (void)entity;
    (*(size_t *)context)++;
}

static size_t projects_of(struct fresh *fresh)
{
    struct error err;
    size_t count = 0;

    assert_int_equal(store_project_each(fresh->db, count_row, &count, &err), 0);
    return count;
}

struct wanted {
    char hash[65];
    bool is_there;
};

static void compare_key(void *context, const void *entity)
{
    struct wanted *wanted = context;
    const struct key *key = entity;

    wanted->is_there = wanted->is_there || strcmp(key->hash, wanted->hash) == 0;
}

static bool has_key_of_file(struct fresh *fresh)
{
    auto_free char *path = xasprintf("%s/first-key", fresh->directory), *text = NULL;
    struct wanted wanted = { .is_there = false };
    struct error err;
    size_t size;

    if (fd_read_file(AT_FDCWD, path, 1024, &text, &size, &err) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    key_hash(text, wanted.hash);
    assert_int_equal(store_key_each(fresh->db, "default", compare_key, &wanted, &err), 0);
    return wanted.is_there;
}

static void a_first_start_that_fails_anywhere_is_done_again(void **state)
{
    (void)state;
    bool has_failed = false, has_succeeded = false;

    for (long n = 1; n <= STATEMENTS_MOST && !has_succeeded; n++) {
        struct fresh fresh;
        struct error err;
        bool is_created = false;

        open_fresh(&fresh);
        store_fail_after(fresh.store, n);
        has_succeeded = control_first_start(fresh.store, fresh.directory, &is_created, &err) == 0;
        store_fail_after(fresh.store, 0);
        if (!has_succeeded) {
            has_failed = true;
            assert_int_equal(projects_of(&fresh), 0);
            assert_int_equal(control_first_start(fresh.store, fresh.directory, &is_created, &err),
                             0);
        }
        assert_true(is_created);
        assert_int_equal(projects_of(&fresh), 1);
        assert_true(has_key_of_file(&fresh));
        close_fresh(&fresh);
    }
    assert_true(has_failed && has_succeeded);
}

static void without_the_file_nothing_is_committed(void **state)
{
    (void)state;
    struct fresh fresh;
    struct error err;
    bool is_created = false;

    open_fresh(&fresh);
    auto_free char *path = xasprintf("%s/first-key.new", fresh.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(control_first_start(fresh.store, fresh.directory, &is_created, &err), -1);
    assert_int_equal(projects_of(&fresh), 0);

    assert_int_equal(rmdir(path), 0);
    assert_int_equal(control_first_start(fresh.store, fresh.directory, &is_created, &err), 0);
    assert_true(has_key_of_file(&fresh));
    is_created = true;
    assert_int_equal(control_first_start(fresh.store, fresh.directory, &is_created, &err), 0);
    assert_false(is_created);
    close_fresh(&fresh);
}

/* ---- memory and store ------------------------------------------------------------------------ */

static void memory_follows_the_store_whatever_statement_fails(void **state)
{
    struct harness *harness = *state;
    unsigned changed = 0, refused = 0;

    assert_status(harness_call(harness, "POST", "/v1/functions", NULL,
                               "{\"functionId\":\"f\",\"name\":\"0\",\"runtime\":\"node-22\"}"),
                  201);
    for (long n = 1; n <= STATEMENTS_MOST; n++) {
        auto_free char *body = xasprintf("{\"name\":\"%ld\",\"runtime\":\"node-22\"}", n);
        auto_function struct function stored = { 0 };
        struct error err;

        store_fail_after(harness->api.store, n);
        const struct reply *reply = harness_call(harness, "PUT", "/v1/functions/f", NULL, body);
        changed += reply->status == 200;
        refused += reply->status >= 500;
        store_fail_after(harness->api.store, 0);

        assert_int_equal(store_function_get(harness->db, "default", "f", &stored, &err), 0);
        assert_string_equal(registry_function(harness->api.registry, "default", "f")->function.name,
                            stored.name);
    }
    assert_true(changed > 0 && refused > 0);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void given_long_list(struct harness *harness)
{
    enum { KEYS = 120, NAME = 4000 };
    static char name[NAME + 1];

    memset(name, 'n', NAME);
    auto_free char *request = xasprintf(
        "{\"command\":\"key.create\",\"arguments\":{\"project\":\"default\",\"name\":\"%s\","
        "\"scopes\":\"all\"}}",
        name);
    for (int i = 0; i < KEYS; i++)
        free(harness_control(harness, request));
}

static const char list_request[] =
    "{\"command\":\"key.list\",\"arguments\":{\"project\":\"default\"}";

static void an_answer_that_is_too_long_is_refused_and_not_cut(void **state)
{
    struct harness *harness = *state;
    auto_free char *request = xasprintf("%s}", list_request);
    auto_buffer struct buffer out = { 0 };
    struct error err;

    given_long_list(harness);
    buffer_init(&out, 10000);
    assert_int_equal(control_run(harness->api.store, NULL, request, &out, NULL, &err), -1);
    assert_string_equal(err.message, "the answer is longer than 10000 bytes");
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

/* Turns the loop for a moment. */
static void turn(struct loop *loop)
{
    struct loop_timer timer = { 0 };

    loop_timer_arm(loop, &timer, clock_monotonic_us() + 2000, stop_loop, loop);
    loop_run(loop);
    loop_timer_cancel(loop, &timer);
}

static int connect_control(const struct harness *harness)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/control.sock", harness->directory);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void a_long_answer_arrives_whole_however_slowly_it_is_read(void **state)
{
    struct harness *harness = *state;
    struct control *control;
    auto_buffer struct buffer answer = { 0 };
    auto_free char *path = xasprintf("%s/run/token", harness->directory), *token = NULL;
    char block[32768];
    struct error err;
    size_t size;

    given_long_list(harness);
    assert_int_equal(control_open(&harness->api, harness->directory, &control, &err), 0);
    assert_int_equal(fd_read_file(AT_FDCWD, path, 1024, &token, &size, &err), 0);
    token[strcspn(token, "\n")] = '\0';
    auto_fd int fd = connect_control(harness);
    auto_free char *line = xasprintf("%s,\"token\":\"%s\"}\n", list_request, token);
    assert_int_equal(fd_write_all(fd, line, strlen(line)), 0);

    buffer_init(&answer, 4 << 20);
    ssize_t got = -1;
    for (int i = 0; got != 0 && i < 1000; i++) {
        turn(harness->api.loop);
        if ((got = read(fd, block, sizeof(block))) > 0)
            assert_int_equal(buffer_add(&answer, block, (size_t)got), 0);
    }
    control_close(control);

    assert_int_equal(got, 0);
    assert_true(answer.size > 120 * 4000);
    json_t *json = json_loadb(answer.data, answer.size, 0, NULL);
    assert_non_null(json_string_value(json_object_get(json, "output")));
    json_decref(json);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_that_fails_anywhere_is_done_again),
        cmocka_unit_test(without_the_file_nothing_is_committed),
        TEST(memory_follows_the_store_whatever_statement_fails),
        TEST(an_answer_that_is_too_long_is_refused_and_not_cut),
        TEST(a_long_answer_arrives_whole_however_slowly_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
