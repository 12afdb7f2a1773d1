/* Packets to and from the supervisor: builds, trees, stop, the loss of it. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "mem.h"

static struct harness harness;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    harness_start(&harness);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_end(&harness);
    return 0;
}

struct ended {
    unsigned times;
    bool failed;
    uint32_t reason;
    int status;
    uint64_t cpu_us;
    char text[512];
};

static void child_ended(void *context, bool failed, uint32_t exit_reason, int status,
                        uint64_t cpu_us, const char *text)
{
    struct ended *ended = context;
    *ended = (struct ended){ ended->times + 1, failed, exit_reason, status, cpu_us, "" };
    strncpy(ended->text, text, sizeof(ended->text) - 1);
}

static bool has_ended(void *context)
{
    return ((const struct ended *)context)->times > 0;
}

static uint64_t start_build(struct ended *ended, int out_fd)
{
    struct buffer launch;
    buffer_init(&launch, 100);
    buffer_add(&launch, "launch", 6);
    const struct child_request request = {
        .kind = SANDBOX_BUILD,
        .network = NETWORK_OUTBOUND,
        .tree = "tree",
        .cache = "demo",
        .memory_mb = 1024,
        .cpus_milli = 2000,
        .cpu_seconds = 900,
        .launch = &launch,
        .stdin_fd = -1,
        .stdout_fd = out_fd,
        .stderr_fd = out_fd,
        .ended = child_ended,
        .context = ended,
    };
    uint64_t id = run_child_start(harness.run, &request);
    buffer_release(&launch);
    return id;
}

static void test_a_build_child_is_started_and_its_end_is_told(void **state)
{
    (void)state;
    struct ended ended = { 0 };
    union message message;
    int fds[FD_MAX_PASSED], out, theirs;
    size_t count = 0;
    struct error err;
    assert_int_equal(fd_pipe(&out, &theirs, &err), 0);
    uint64_t id = start_build(&ended, theirs);
    assert_int_not_equal(id, 0);
    fd_close(&theirs);
    harness_packet(&harness, &message, fds, &count);
    assert_int_equal(message.type, MESSAGE_START);
    assert_int_equal(message.start.flags, 0);
    assert_int_equal(message.start.kind, SANDBOX_BUILD);
    assert_string_equal(message.start.cache, "demo");
    assert_int_equal(count, 3);
    char bytes[16] = { 0 };
    assert_int_equal(fd_read_all(fds[0], bytes, sizeof(bytes)), 6);
    assert_string_equal(bytes, "launch");
    assert_int_equal(write(fds[1], "x", 1), 1);
    for (size_t i = 0; i < count; i++)
        fd_close(&fds[i]);
    assert_int_equal(fd_read_all(out, bytes, sizeof(bytes)), 1); /* no copy of it is left open */
    fd_close(&out);

    run_child_kill(harness.run, id);
    harness_expect(&harness, MESSAGE_KILL, &message);
    assert_int_equal(message.worker.worker_id, id);
    const struct message_exited exited = {
        .type = MESSAGE_EXITED, .worker_id = id, .reason = EXIT_SIGNAL, .status = 9, .cpu_us = 77
    };
    harness_tell(&harness, &exited, sizeof(exited));
    harness_tell(&harness, &exited, sizeof(exited)); /* a second report is about nobody */
    assert_true(harness_until(&harness, has_ended, &ended));
    harness_pass(&harness, 1000);
    assert_int_equal(ended.times, 1);
    assert_false(ended.failed);
    assert_int_equal(ended.reason, EXIT_SIGNAL);
    assert_int_equal(ended.cpu_us, 77);
}

static void test_a_build_child_that_cannot_start_is_told(void **state)
{
    (void)state;
    struct ended ended = { 0 };
    union message message;
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    uint64_t id = start_build(&ended, STDERR_FILENO);
    harness_packet(&harness, &message, fds, &count);
    for (size_t i = 0; i < count; i++)
        fd_close(&fds[i]);
    struct message_failed failed = { .type = MESSAGE_START_FAILED, .worker_id = id, .error = "no" };
    harness_tell(&harness, &failed, sizeof(failed));
    assert_true(harness_until(&harness, has_ended, &ended));
    assert_true(ended.failed);
    assert_string_equal(ended.text, "no");
}

struct tree_told {
    unsigned times;
    char error[64];
};

static void tree_done(void *context, const char *error)
{
    struct tree_told *told = context;
    told->times++;
    strncpy(told->error, error, sizeof(told->error) - 1);
}

static bool tree_was_told(void *context)
{
    return ((const struct tree_told *)context)->times > 0;
}

static void test_trees_are_sealed_and_removed(void **state)
{
    (void)state;
    struct tree_told sealed = { 0 }, removed = { 0 };
    union message first, second;
    run_tree_seal(harness.run, "tree", tree_done, &sealed);
    run_tree_remove(harness.run, "tree", tree_done, &removed);
    harness_expect(&harness, MESSAGE_SEAL, &first);
    harness_expect(&harness, MESSAGE_REMOVE, &second);
    assert_string_equal(first.tree.tree, "tree");
    second.type = MESSAGE_REMOVED;
    strcpy(second.tree.error, "busy");
    harness_tell(&harness, &second, sizeof(second.tree));
    assert_true(harness_until(&harness, tree_was_told, &removed));
    assert_string_equal(removed.error, "busy");
    assert_int_equal(sealed.times, 0);
    first.type = MESSAGE_SEALED;
    harness_tell(&harness, &first, sizeof(first.tree));
    assert_true(harness_until(&harness, tree_was_told, &sealed));
    assert_string_equal(sealed.error, "");
}

static bool is_told_to_stop(void *context)
{
    (void)context;
    return harness.was_told_to_stop;
}

static bool is_lost(void *context)
{
    (void)context;
    return harness.was_lost;
}

static void test_a_stop_is_passed_on(void **state)
{
    (void)state;
    const struct message_stop stop = { .type = MESSAGE_STOP };
    harness_tell(&harness, &stop, sizeof(stop));
    assert_true(harness_until(&harness, is_told_to_stop, NULL));
}

static void test_the_end_of_the_supervisor_is_told_once_and_starts_fail(void **state)
{
    (void)state;
    struct ended ended = { 0 };
    fd_close(&harness.supervisor);
    assert_true(harness_until(&harness, is_lost, NULL));
    assert_int_equal(start_build(&ended, STDERR_FILENO), 0);
    assert_true(ended.failed);
    struct live_function *function = a_function("hello", "node-22");
    struct told told = { 0 };
    assert_null(call(&harness, function, &told));
    assert_int_equal(told.times, 1);
    told_release(&told);
    live_function_drop(function);
}

static void test_a_packet_that_makes_no_sense_ends_the_link(void **state)
{
    (void)state;
    harness_tell(&harness, "nonsense", 8);
    assert_true(harness_until(&harness, is_lost, NULL));
}

static void test_packets_wait_for_room_in_order(void **state)
{
    (void)state;
    enum { COUNT_SENT = 2000 };
    static struct tree_told told[COUNT_SENT];
    union message message;
    for (size_t i = 0; i < COUNT_SENT; i++)
        run_tree_remove(harness.run, "tree", tree_done, &told[i]);
    uint64_t last = 0;
    for (size_t i = 0; i < COUNT_SENT; i++) {
        harness_expect(&harness, MESSAGE_REMOVE, &message);
        assert_true(message.tree.request_id > last);
        last = message.tree.request_id;
    }
}

static size_t packets_waiting(void)
{
    size_t count = 0;
    const struct list *packets = &harness.run->link.packets;
    for (const struct list *at = packets->next; at != packets; at = at->next)
        count++;
    return count;
}

static void fill_link(struct tree_told *told)
{
    while (packets_waiting() == 0)
        run_tree_remove(harness.run, "tree", tree_done, told);
}

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_a_start_that_must_wait_but_cannot_be_kept_fails_at_once(void **state)
{
    (void)state;
    struct ended ended = { 0 };
    struct tree_told told = { 0 };
    struct rlimit before;
    fill_link(&told);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDERR_FILENO); /* the lowest that is free: the launch will take it */
    assert_true(next > 0);
    close(next);

    limit_descriptors((rlim_t)next + 1);
    uint64_t id = start_build(&ended, STDERR_FILENO);
    limit_descriptors(before.rlim_cur);

    assert_int_equal(id, 0);
    assert_int_equal(ended.times, 1);
    assert_true(ended.failed);
    assert_non_null(strstr(ended.text, "keep a descriptor"));
    assert_int_equal(packets_waiting(), 1);
}

static void test_a_start_that_waited_and_cannot_be_sent_is_told(void **state)
{
    (void)state;
    struct ended ended = { 0 };
    struct tree_told told = { 0 };
    fill_link(&told);
    assert_int_not_equal(start_build(&ended, STDERR_FILENO), 0);
    struct packet *packet = list_member(harness.run->link.packets.previous, struct packet, link);
    fd_close(&packet->fds[0]);
    packet->fds[0] = INT16_MAX; /* no descriptor: the system refuses the packet */

    union message message;
    do
        harness_expect(&harness, MESSAGE_REMOVE, &message);
    while (packets_waiting() > 1);
    assert_true(harness_until(&harness, has_ended, &ended));

    assert_true(ended.failed);
    assert_false(harness.was_lost);
}

static void test_a_clean_end_is_announced(void **state)
{
    (void)state;
    union message message;
    int fds[FD_MAX_PASSED];
    size_t count = 0;
    run_stop(harness.run);
    run_free(harness.run);
    harness.run = NULL;
    assert_true(fd_receive_packet(harness.supervisor, &message, sizeof(message), fds, &count) > 0);
    assert_int_equal(message.type, MESSAGE_CLEAN_SHUTDOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_build_child_is_started_and_its_end_is_told),
        TEST(test_a_build_child_that_cannot_start_is_told),
        TEST(test_trees_are_sealed_and_removed),
        TEST(test_a_stop_is_passed_on),
        TEST(test_the_end_of_the_supervisor_is_told_once_and_starts_fail),
        TEST(test_a_packet_that_makes_no_sense_ends_the_link),
        TEST(test_packets_wait_for_room_in_order),
        TEST(test_a_start_that_must_wait_but_cannot_be_kept_fails_at_once),
        TEST(test_a_start_that_waited_and_cannot_be_sent_is_told),
        TEST(test_a_clean_end_is_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
