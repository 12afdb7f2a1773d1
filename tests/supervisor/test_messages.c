/* What the api may say: everything else is refused, whatever its bytes are. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "packets.h"

static union message worker_start(void)
{
    return (union message){ .start = { .type = MESSAGE_START,
                                       .flags = START_HAS_CHANNEL,
                                       .worker_id = 1,
                                       .kind = SANDBOX_WORKER,
                                       .network = NETWORK_OUTBOUND,
                                       .memory_mb = 512,
                                       .cpus_milli = 1000,
                                       .tree = "66f2a" } };
}

static int check(const union message *message, size_t bytes, size_t fd_count)
{
    const struct packet_row *row;
    struct error err;

    return packet_check(message, bytes, fd_count, &row, &err);
}

static void test_messages__a_worker_may_be_started(void **state)
{
    const union message message = worker_start();

    (void)state;
    assert_int_equal(check(&message, sizeof(struct message_start), 4), 0);
}

struct start_case {
    const char *why;
    struct message_start change; /* fields that are not 0 replace the good ones */
    size_t fd_count;
    bool no_flags;
};

static const struct start_case bad_starts[] = {
    { .why = "too few descriptors", .fd_count = 3 },
    { .why = "too many descriptors", .fd_count = 5 },
    { .why = "unknown kind", .change = { .kind = SANDBOX_KINDS }, .fd_count = 4 },
    { .why = "huge kind", .change = { .kind = UINT32_MAX }, .fd_count = 4 },
    { .why = "unknown network", .change = { .network = SANDBOX_NETWORKS }, .fd_count = 4 },
    { .why = "unknown flag", .change = { .flags = START_HAS_CHANNEL | 8 }, .fd_count = 4 },
    { .why = "a worker without channel", .no_flags = true, .fd_count = 3 },
    { .why = "a worker of our own program",
      .change = { .flags = START_HAS_CHANNEL | START_OWN_PROGRAM },
      .fd_count = 4 },
    { .why = "a build of our own program",
      .change = { .kind = SANDBOX_BUILD, .flags = START_OWN_PROGRAM },
      .fd_count = 3 },
    { .why = "a build with a channel", .change = { .kind = SANDBOX_BUILD }, .fd_count = 4 },
    { .why = "an unpacker that is not ours",
      .change = { .kind = SANDBOX_UNPACK },
      .no_flags = true,
      .fd_count = 3 },
    { .why = "a spare with code", .change = { .kind = SANDBOX_SPARE }, .fd_count = 4 },
    { .why = "a worker with a cache", .change = { .cache = "p" }, .fd_count = 4 },
    { .why = "endless memory", .change = { .memory_mb = UINT32_MAX }, .fd_count = 4 },
    { .why = "endless CPUs", .change = { .cpus_milli = UINT32_MAX }, .fd_count = 4 },
    { .why = "..", .change = { .tree = ".." }, .fd_count = 4 },
    { .why = "a hidden name", .change = { .tree = ".trash.1" }, .fd_count = 4 },
    { .why = "a slash", .change = { .tree = "a/b" }, .fd_count = 4 },
    { .why = "an absolute path", .change = { .tree = "/etc" }, .fd_count = 4 },
    { .why = "a space", .change = { .tree = "a b" }, .fd_count = 4 },
    { .why = "a newline", .change = { .tree = "a\n" }, .fd_count = 4 },
    { .why = "a name of another cache", .change = { .tree = "a~1" }, .fd_count = 4 },
    { .why = "not ASCII", .change = { .tree = "\xc3\xa4" }, .fd_count = 4 },
};

static void apply(struct message_start *start, const struct start_case *row)
{
    const struct message_start *change = &row->change;

    start->kind = change->kind != 0 ? change->kind : start->kind;
    start->network = change->network != 0 ? change->network : start->network;
    start->flags = change->flags != 0 ? change->flags : start->flags;
    start->memory_mb = change->memory_mb != 0 ? change->memory_mb : start->memory_mb;
    start->cpus_milli = change->cpus_milli != 0 ? change->cpus_milli : start->cpus_milli;
    if (row->no_flags)
        start->flags = 0;
    if (change->tree[0] != '\0')
        memcpy(start->tree, change->tree, sizeof(start->tree));
    if (change->cache[0] != '\0')
        memcpy(start->cache, change->cache, sizeof(start->cache));
}

static void test_messages__every_bad_start_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_starts); i++) {
        union message message = worker_start();

        apply(&message.start, &bad_starts[i]);
        if (check(&message, sizeof(struct message_start), bad_starts[i].fd_count) == 0)
            fail_msg("accepted: %s", bad_starts[i].why);
    }
}

static void test_messages__a_name_must_end(void **state)
{
    union message message = worker_start();

    (void)state;
    memset(message.start.tree, 'a', sizeof(message.start.tree));
    assert_int_equal(check(&message, sizeof(struct message_start), 4), -1);
    message.start.tree[MESSAGE_NAME - 1] = '\0';
    assert_int_equal(check(&message, sizeof(struct message_start), 4), 0);
}

static void test_messages__a_name_must_be_there_and_worker_0_is_none(void **state)
{
    union message message = worker_start();

    (void)state;
    message.start.tree[0] = '\0';
    assert_int_equal(check(&message, sizeof(struct message_start), 4), -1);
    message = worker_start();
    message.start.worker_id = 0;
    assert_int_equal(check(&message, sizeof(struct message_start), 4), -1);
}

static const struct {
    uint32_t type;
    size_t size;
} sizes[] = {
    { MESSAGE_START, sizeof(struct message_start) },
    { MESSAGE_HAND_OVER, sizeof(struct message_hand_over) },
    { MESSAGE_HELLO_SEEN, sizeof(struct message_worker) },
    { MESSAGE_KILL, sizeof(struct message_worker) },
    { MESSAGE_SEAL, sizeof(struct message_tree) },
    { MESSAGE_REMOVE, sizeof(struct message_tree) },
    { MESSAGE_CLEAN_SHUTDOWN, sizeof(struct message_stop) },
};

static void test_messages__only_the_exact_size_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        union message message = worker_start();
        size_t accepted = 0;

        if (sizes[i].type == MESSAGE_HAND_OVER)
            message = (union message){ .hand_over = { .tree = "a" } };
        if (sizes[i].type == MESSAGE_SEAL || sizes[i].type == MESSAGE_REMOVE)
            message = (union message){ .tree = { .tree = "a" } };
        message.type = sizes[i].type;
        for (size_t bytes = 0; bytes <= sizeof(message); bytes++)
            accepted += check(&message, bytes, message.type == MESSAGE_START ? 4 : 0) == 0;
        assert_int_equal(accepted, 1);
        assert_int_equal(check(&message, sizes[i].size, message.type == MESSAGE_START ? 4 : 0), 0);
        assert_int_equal(check(&message, sizes[i].size, 1), -1);
    }
}

static void test_messages__what_only_the_supervisor_says_is_refused(void **state)
{
    (void)state;
    for (uint32_t type = MESSAGE_WELCOME; type <= MESSAGE_STOP; type++) {
        const union message message = { .type = type };

        for (size_t bytes = 0; bytes <= sizeof(message); bytes++)
            assert_int_equal(check(&message, bytes, 0), -1);
    }
}

static void test_messages__a_cache_is_removed_but_never_sealed(void **state)
{
    union message message = { .tree = {
                                  .type = MESSAGE_REMOVE, .place = TREE_CACHE, .tree = "p" } };

    (void)state;
    assert_int_equal(check(&message, sizeof(struct message_tree), 0), 0);
    message.type = MESSAGE_SEAL;
    assert_int_equal(check(&message, sizeof(struct message_tree), 0), -1);
    message.type = MESSAGE_REMOVE;
    message.tree.place = TREE_PLACES;
    assert_int_equal(check(&message, sizeof(struct message_tree), 0), -1);
}

/* A name that was accepted is a plain name, whatever the random bytes around it were. */
static void test_messages__random_packets_never_carry_a_path(void **state)
{
    unsigned short seed[3] = { 1, 2, 3 };

    (void)state;
    for (int round = 0; round < 200000; round++) {
        union message message = worker_start();
        unsigned char *bytes = (unsigned char *)&message;
        long changes = nrand48(seed) % 4;

        for (long i = 0; i < changes; i++)
            bytes[(size_t)nrand48(seed) % sizeof(struct message_start)] = (unsigned char)nrand48(
                seed);
        if (check(&message, sizeof(struct message_start), (size_t)nrand48(seed) % 6) < 0)
            continue;
        if (message.type != MESSAGE_START)
            continue;
        assert_true(strnlen(message.start.tree, MESSAGE_NAME) < MESSAGE_NAME);
        assert_null(strchr(message.start.tree, '/'));
        assert_true(message.start.tree[0] != '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages__a_worker_may_be_started),
        cmocka_unit_test(test_messages__every_bad_start_is_refused),
        cmocka_unit_test(test_messages__a_name_must_end),
        cmocka_unit_test(test_messages__a_name_must_be_there_and_worker_0_is_none),
        cmocka_unit_test(test_messages__only_the_exact_size_is_taken),
        cmocka_unit_test(test_messages__what_only_the_supervisor_says_is_refused),
        cmocka_unit_test(test_messages__a_cache_is_removed_but_never_sealed),
        cmocka_unit_test(test_messages__random_packets_never_carry_a_path),
    };

    return cmocka_run_group_tests_name("supervisor/messages", tests, NULL, NULL);
}
