/* What the api may say to the supervisor. Anything that is not one of these rows to the letter ends
 * the api. */
#include <string.h>

#include "inner.h"
#include "mem.h"
#include "packets.h"

/* Letters, digits, "_", "-" and ".", the first no dot: nothing that could leave the directory or be
 * one of our own names. */
static int check_name(const char name[MESSAGE_NAME], bool may_be_empty, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-.";
    size_t length = strnlen(name, MESSAGE_NAME);

    if (length == MESSAGE_NAME)
        return fail(err, ERROR_INTERNAL, "a name without end");
    if (length == 0)
        return may_be_empty ? 0 : fail(err, ERROR_INTERNAL, "an empty name");
    if (name[0] == '.' || strspn(name, allowed) != length)
        return fail(err, ERROR_INTERNAL, "a name with characters that names do not have");
    return 0;
}

struct kind_row {
    bool tree; /* named in START */
    bool cache;
    bool own_program;
    bool channel;
};

static const struct kind_row kinds[SANDBOX_KINDS] = {
    [SANDBOX_WORKER] = { .tree = true, .channel = true },
    [SANDBOX_SPARE] = { .channel = true },
    [SANDBOX_UNPACK] = { .tree = true, .own_program = true },
    [SANDBOX_BUILD] = { .tree = true, .cache = true },
    [SANDBOX_PACK] = { .tree = true, .own_program = true },
};

static int check_start(const union message *message, size_t fd_count, struct error *err)
{
    static const uint32_t known = START_HAS_STDIN | START_HAS_CHANNEL | START_OWN_PROGRAM;
    const struct message_start *start = &message->start;
    const struct kind_row *kind;
    size_t expected = 3U + ((start->flags & START_HAS_STDIN) != 0 ? 1U : 0U) +
                      ((start->flags & START_HAS_CHANNEL) != 0 ? 1U : 0U);

    if (start->kind >= SANDBOX_KINDS || start->network >= SANDBOX_NETWORKS ||
        (start->flags & ~known) != 0)
        return fail(err, ERROR_INTERNAL, "kind %u, network %u, flags %u", start->kind,
                    start->network, start->flags);
    kind = &kinds[start->kind];
    if (fd_count != expected)
        return fail(err, ERROR_INTERNAL, "%zu descriptors instead of %zu", fd_count, expected);
    if (((start->flags & START_OWN_PROGRAM) != 0) != kind->own_program ||
        ((start->flags & START_HAS_CHANNEL) != 0) != kind->channel)
        return fail(err, ERROR_INTERNAL, "flags %u do not fit kind %u", start->flags, start->kind);
    if (start->worker_id == 0)
        return fail(err, ERROR_INTERNAL, "worker 0");
    if (start->memory_mb > 1U << 24 || start->cpus_milli > 1U << 20)
        return fail(err, ERROR_INTERNAL, "%u MiB, %u CPUs/1000", start->memory_mb,
                    start->cpus_milli);
    if (check_name(start->tree, !kind->tree, err) < 0 || check_name(start->cache, true, err) < 0)
        return -1;
    if ((start->tree[0] != '\0' && !kind->tree) || (start->cache[0] != '\0' && !kind->cache))
        return fail(err, ERROR_INTERNAL, "a name that kind %u does not have", start->kind);
    return 0;
}

static int check_hand_over(const union message *message, size_t fd_count, struct error *err)
{
    const struct message_hand_over *over = &message->hand_over;

    if (fd_count != 0)
        return fail(err, ERROR_INTERNAL, "descriptors");
    if (over->memory_mb > 1U << 24 || over->cpus_milli > 1U << 20)
        return fail(err, ERROR_INTERNAL, "%u MiB, %u CPUs/1000", over->memory_mb, over->cpus_milli);
    return check_name(over->tree, false, err);
}

static int check_tree(const union message *message, size_t fd_count, struct error *err)
{
    if (fd_count != 0 || message->tree.place >= TREE_PLACES)
        return fail(err, ERROR_INTERNAL, "descriptors or an unknown place");
    if (message->type == MESSAGE_SEAL && message->tree.place != TREE_BUILD)
        return fail(err, ERROR_INTERNAL, "only builds are sealed");
    return check_name(message->tree.tree, false, err);
}

static void handle_start(struct supervisor *supervisor, const union message *message, int *fds,
                         size_t fd_count)
{
    children_start(supervisor, &message->start, fds, fd_count);
}

static void handle_hand_over(struct supervisor *supervisor, const union message *message, int *fds,
                             size_t fd_count)
{
    (void)fds;
    (void)fd_count;
    children_hand_over(supervisor, &message->hand_over);
}

static void handle_hello(struct supervisor *supervisor, const union message *message, int *fds,
                         size_t fd_count)
{
    (void)fds;
    (void)fd_count;
    children_hello(supervisor, message->worker.worker_id);
}

static void handle_kill(struct supervisor *supervisor, const union message *message, int *fds,
                        size_t fd_count)
{
    (void)fds;
    (void)fd_count;
    children_kill(supervisor, message->worker.worker_id);
}

static void handle_seal(struct supervisor *supervisor, const union message *message, int *fds,
                        size_t fd_count)
{
    (void)fds;
    (void)fd_count;
    trees_seal(supervisor, &message->tree);
}

static void handle_remove(struct supervisor *supervisor, const union message *message, int *fds,
                          size_t fd_count)
{
    (void)fds;
    (void)fd_count;
    trees_remove(supervisor, &message->tree);
}

static void handle_clean_shutdown(struct supervisor *supervisor, const union message *message,
                                  int *fds, size_t fd_count)
{
    (void)message;
    (void)fds;
    (void)fd_count;
    supervisor->api.leaving = true;
}

static const struct packet_row rows[] = {
    { .type = MESSAGE_START,
      .name = "start",
      .size = sizeof(struct message_start),
      .check = check_start,
      .handle = handle_start },
    { .type = MESSAGE_HAND_OVER,
      .name = "hand over",
      .size = sizeof(struct message_hand_over),
      .check = check_hand_over,
      .handle = handle_hand_over },
    { .type = MESSAGE_HELLO_SEEN,
      .name = "hello seen",
      .size = sizeof(struct message_worker),
      .handle = handle_hello },
    { .type = MESSAGE_KILL,
      .name = "kill",
      .size = sizeof(struct message_worker),
      .handle = handle_kill },
    { .type = MESSAGE_SEAL,
      .name = "seal",
      .size = sizeof(struct message_tree),
      .check = check_tree,
      .handle = handle_seal },
    { .type = MESSAGE_REMOVE,
      .name = "remove",
      .size = sizeof(struct message_tree),
      .check = check_tree,
      .handle = handle_remove },
    { .type = MESSAGE_CLEAN_SHUTDOWN,
      .name = "clean shutdown",
      .size = sizeof(struct message_stop),
      .handle = handle_clean_shutdown },
};

int packet_check(const union message *message, size_t bytes, size_t fd_count,
                 const struct packet_row **ret_row, struct error *err)
{
    if (bytes < sizeof(message->type))
        return fail(err, ERROR_INTERNAL, "a packet of %zu bytes", bytes);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct packet_row *row = &rows[i];

        if (row->type != message->type)
            continue;
        if (bytes != row->size)
            return fail(err, ERROR_INTERNAL, "%s: %zu bytes instead of %zu", row->name, bytes,
                        row->size);
        if (row->check == NULL && fd_count != 0)
            return fail(err, ERROR_INTERNAL, "%s: descriptors", row->name);
        if (row->check != NULL && row->check(message, fd_count, err) < 0)
            return fail_add(err, "%s", row->name);
        *ret_row = row;
        return 0;
    }
    return fail(err, ERROR_INTERNAL, "a packet of unknown type %u", message->type);
}
