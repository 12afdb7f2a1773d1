/*
 * The api's side of the messages, played by scenarios. A scenario that finds something wrong says
 * so and exits 78, which the supervisor passes on as its own failure; one that is content says
 * CLEAN_SHUTDOWN and exits 0.
 */
#include "fake_api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "fd.h"
#include "mem.h"
#include "messages.h"
#include "text.h"

enum { LISTEN = 3, MESSAGES = 4, SETTINGS = 5, WAIT_MS = 20000 };

#define expect(condition)                                                     \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "fake api, line %d: %s\n", __LINE__, #condition); \
            _exit(78);                                                        \
        }                                                                     \
    } while (0)

static union message receive(uint32_t type)
{
    union message message = { 0 };
    struct pollfd ready = { .fd = MESSAGES, .events = POLLIN };
    size_t fd_count = 0;
    int fds[FD_MAX_PASSED];

    expect(poll(&ready, 1, WAIT_MS) == 1);
    expect(fd_receive_packet(MESSAGES, &message, sizeof(message), fds, &fd_count) > 0);
    for (size_t i = 0; i < fd_count; i++)
        fd_close(&fds[i]);
    if (message.type == MESSAGE_START_FAILED && type != MESSAGE_START_FAILED)
        fprintf(stderr, "fake api: start failed: %s\n", message.failed.error);
    if (message.type != type)
        fprintf(stderr, "fake api: message %u instead of %u\n", message.type, type);
    expect(message.type == type);
    return message;
}

static void goodbye(void)
{
    const struct message_stop message = { .type = MESSAGE_CLEAN_SHUTDOWN };

    expect(fd_send_packet(MESSAGES, &message, sizeof(message), NULL, 0) == 0);
    _exit(0);
}

/* ---- starting children ----------------------------------------------------------------------- */

struct order {
    uint64_t id;
    uint32_t kind, flags;
    const char *tree, *cache;
    const char *argv[6];
};

static int channel_end = -1; /* ours, of the channel of the child started last */

/* Returns the reading end of the child's output. */
static int start(const struct order *order)
{
    static const char *const variables[] = { "PATH=/usr/bin:/bin", "PLACE={code}", "",
                                             "TEXT={code}" };
    struct message_start message = { .type = MESSAGE_START,
                                     .flags = order->flags,
                                     .worker_id = order->id,
                                     .kind = order->kind,
                                     .network = NETWORK_NONE,
                                     .memory_mb = order->kind == SANDBOX_WORKER ? 128 : 0,
                                     .cpus_milli = 1000 };
    int fds[4], output[2], channel[2] = { -1, -1 };
    uint32_t counts[2] = { 0, COUNT(variables) };
    struct buffer launch;
    struct error err;
    size_t count = 3;

    while (counts[0] < COUNT(order->argv) && order->argv[counts[0]] != NULL)
        counts[0]++;
    buffer_init(&launch, 1 << 16);
    buffer_add(&launch, counts, sizeof(counts));
    for (size_t i = 0; i < counts[0]; i++)
        buffer_add(&launch, order->argv[i], strlen(order->argv[i]) + 1);
    for (size_t i = 0; i < COUNT(variables); i++)
        buffer_add(&launch, variables[i], strlen(variables[i]) + 1);
    fds[0] = fd_memfd("launch", launch.data, launch.size, &err);
    expect(fds[0] >= 0 && fd_pipe(&output[0], &output[1], &err) == 0);
    fds[1] = output[1];
    fds[2] = output[1];
    if ((order->flags & START_HAS_CHANNEL) != 0) {
        expect(fd_socketpair(SOCK_STREAM, channel, &err) == 0);
        fds[count++] = channel[1];
    }
    snprintf(message.tree, sizeof(message.tree), "%s", order->tree);
    snprintf(message.cache, sizeof(message.cache), "%s", order->cache != NULL ? order->cache : "");
    expect(fd_send_packet(MESSAGES, &message, sizeof(message), fds, count) == 0);
    fd_close(&fds[0]);
    fd_close(&output[1]);
    fd_close(&channel[1]);
    channel_end = channel[0]; /* one that is forgotten stays open till we exit */
    buffer_release(&launch);
    return output[0];
}

static const char *read_output(int fd)
{
    static char text[4096];
    ssize_t got = fd_read_all(fd, text, sizeof(text) - 1);

    expect(got >= 0);
    text[got] = '\0';
    fd_close(&fd);
    return text;
}

static int shell(uint64_t id, const char *tree, const char *script)
{
    return start(&(struct order){ .id = id,
                                  .kind = SANDBOX_WORKER,
                                  .flags = START_HAS_CHANNEL,
                                  .tree = tree,
                                  .argv = { "/bin/sh", "-c", script } });
}

static void expect_status(int status)
{
    union message message = receive(MESSAGE_EXITED);

    if (message.exited.reason != EXIT_STATUS || message.exited.status != status)
        fprintf(stderr, "fake api: reason %u, status %d\n", message.exited.reason,
                message.exited.status);
    expect(message.exited.reason == EXIT_STATUS && message.exited.status == status);
}

static const char *tree_order(enum message_type type, enum message_type answer, const char *tree)
{
    static union message reply;
    struct message_tree message = { .type = type, .request_id = 5 };

    snprintf(message.tree, sizeof(message.tree), "%s", tree);
    expect(fd_send_packet(MESSAGES, &message, sizeof(message), NULL, 0) == 0);
    reply = receive(answer);
    expect(reply.tree.request_id == 5);
    return reply.tree.error;
}

/* A tree of one program, made by the role `unpack` below, changed by a build, sealed. */
static void make_tree(const char *tree)
{
    int output = start(&(struct order){ .id = 1,
                                        .kind = SANDBOX_UNPACK,
                                        .flags = START_OWN_PROGRAM,
                                        .tree = tree,
                                        .argv = { "unpack", "{code}" } });

    receive(MESSAGE_STARTED);
    fputs(read_output(output), stderr);
    expect_status(0);
    output = start(&(struct order){ .id = 2,
                                    .kind = SANDBOX_BUILD,
                                    .tree = tree,
                                    .cache = "project",
                                    .argv = { "/bin/sh", "-c",
                                              "mkfifo pipe; echo built > out; chmod 600 out; "
                                              "echo kept > {cache}/file; echo x > {tmp}/y" } });
    receive(MESSAGE_STARTED);
    fputs(read_output(output), stderr);
    expect_status(0);
    expect(text_equals(tree_order(MESSAGE_SEAL, MESSAGE_SEALED, tree), ""));
}

/* ---- scenarios ------------------------------------------------------------------------------ */

static void scenario_workers(const char *data)
{
    const struct message_worker kill_it = { .type = MESSAGE_KILL, .worker_id = 11 };
    const char *text;
    int output;

    (void)data;
    make_tree("one");
    output = shell(10, "one",
                   "cat {code}/hello {code}/out; test -e {code}/pipe && echo pipe; "
                   "(: > {code}/new) 2>/dev/null && echo writable; test \"$PLACE\" = {code} && "
                   "echo $TEXT; exit 7");
    receive(MESSAGE_STARTED);
    text = read_output(output);
    if (!text_equals(text, "hello\nbuilt\n{code}\n"))
        fprintf(stderr, "fake api: output <%s>\n", text);
    expect(text_equals(text, "hello\nbuilt\n{code}\n"));
    expect_status(7);

    shell(11, "one", "sleep 1000 & sleep 1000");
    receive(MESSAGE_STARTED);
    expect(fd_send_packet(MESSAGES, &kill_it, sizeof(kill_it), NULL, 0) == 0);
    expect(receive(MESSAGE_EXITED).exited.reason == EXIT_SIGNAL);

    shell(12, "absent", "exit 0");
    expect(strstr(receive(MESSAGE_START_FAILED).failed.error, "absent") != NULL);
    expect(strstr(tree_order(MESSAGE_SEAL, MESSAGE_SEALED, "one"), "one") != NULL);
    expect(text_equals(tree_order(MESSAGE_REMOVE, MESSAGE_REMOVED, "one"), ""));
    shell(13, "one", "exit 0");
    receive(MESSAGE_START_FAILED);
    goodbye();
}

/* A spare gets its code while it runs, and sees no other tree. */
static void scenario_spare(const char *data)
{
    struct message_hand_over over = { .type = MESSAGE_HAND_OVER,
                                      .worker_id = 30,
                                      .memory_mb = 128,
                                      .cpus_milli = 500,
                                      .tree = "one" };
    const char *text;
    char ready[6];
    int output;

    (void)data;
    make_tree("one");
    make_tree("two");
    output = start(&(struct order){ .id = 30,
                                    .kind = SANDBOX_SPARE,
                                    .flags = START_HAS_CHANNEL,
                                    .tree = "",
                                    .argv = { "/bin/sh", "-c",
                                              "ls {code}/one 2>/dev/null; echo ready; read go <&3; "
                                              "cat {code}/one/out {code}/two/out 2>/dev/null" } });
    receive(MESSAGE_STARTED);
    expect(read(output, ready, 6) == 6 && memcmp(ready, "ready\n", 6) == 0);
    expect(fd_send_packet(MESSAGES, &over, sizeof(over), NULL, 0) == 0);
    expect(text_equals(receive(MESSAGE_HANDED_OVER).failed.error, ""));
    expect(fd_send_packet(MESSAGES, &over, sizeof(over), NULL, 0) == 0);
    expect(!text_equals(receive(MESSAGE_HANDED_OVER).failed.error, ""));
    expect(fd_write_all(channel_end, "go\n", 3) == 0);
    text = read_output(output);
    if (!text_equals(text, "built\n"))
        fprintf(stderr, "fake api: output <%s>\n", text);
    expect(text_equals(text, "built\n"));
    receive(MESSAGE_EXITED);
    goodbye();
}

/* Memory and disk: each limit ends the worker with its own reason. */
static void scenario_limits(const char *data)
{
    (void)data;
    make_tree("one");
    /* Each process is far below the limit, together they are far above. */
    shell(40, "one",
          "for i in 1 2 3 4 5 6 7 8 9 10; do "
          "(x=$(head -c 25000000 /dev/zero | tr '\\0' x); sleep 100; echo ${#x}) & done; wait");
    receive(MESSAGE_STARTED);
    expect(receive(MESSAGE_EXITED).exited.reason == EXIT_MEMORY);
    goodbye();
}

/* More processes than the limit of one CPU, some of which have left the tree. */
static void scenario_processes(const char *data)
{
    (void)data;
    make_tree("one");
    shell(60, "one",
          "i=0; while [ $i -lt 100 ]; do i=$((i+1)); sleep 100 & (setsid sleep 100 &); done; wait");
    receive(MESSAGE_STARTED);
    const struct message_exited exited = receive(MESSAGE_EXITED).exited;
    expect(exited.reason == EXIT_PROCESSES && exited.processes == 128);
    goodbye();
}

/* A directory outside /tmp of a profile with mounts is what fills up here. */
static void scenario_disk(const char *data)
{
    (void)data;
    make_tree("one");
    shell(50, "one",
          "i=0; while :; do i=$((i+1)); head -c 9000000 /dev/zero > {tmp}/$i || sleep 100; done");
    receive(MESSAGE_STARTED);
    expect(receive(MESSAGE_EXITED).exited.reason == EXIT_TMP);
    goodbye();
}

/* The first api dies with a worker running; the second finds it gone. */
static void scenario_restart(const char *data)
{
    auto_free char *path = xasprintf("%s/run/pid", data);
    char *text;
    struct error err;
    size_t size;
    pid_t pid;

    if (fd_read_file(AT_FDCWD, path, 64, &text, &size, &err) == 0) {
        pid = atoi(text);
        while (kill(pid, 0) == 0 || errno != ESRCH)
            poll(NULL, 0, 1); /* it was told to go at the same moment as we were started */
        goodbye();
    }
    make_tree("two");
    shell(20, "two", "trap '' TERM HUP INT; sleep 1000 & while :; do wait; done");
    pid = receive(MESSAGE_STARTED).worker.pid;
    text = xasprintf("%d", pid);
    expect(fd_write_file(AT_FDCWD, path, text, strlen(text), 0600, &err) == 0);
    abort();
}

static void scenario_malformed(const char *data)
{
    auto_free char *path = xasprintf("%s/run/seen", data);
    struct message_worker message = { .type = 4711 };
    struct error err;

    if (access(path, F_OK) == 0)
        goodbye();
    expect(fd_write_file(AT_FDCWD, path, "x", 1, 0600, &err) == 0);
    fd_send_packet(MESSAGES, &message, sizeof(message), NULL, 0);
    pause();
}

static void scenario_cannot_serve(const char *data)
{
    (void)data;
    _exit(78);
}

static void scenario_stop(const char *data)
{
    auto_free char *path = xasprintf("%s/run/ready", data);
    struct error err;

    expect(fd_write_file(AT_FDCWD, path, "x", 1, 0600, &err) == 0);
    expect(receive(MESSAGE_STOP).stop.now == 0);
    _exit(0);
}

/* Does not heed the first word. */
static void scenario_stop_now(const char *data)
{
    auto_free char *path = xasprintf("%s/run/ready", data);
    auto_free char *path_stopping = xasprintf("%s/run/stopping", data);
    struct error err;

    expect(fd_write_file(AT_FDCWD, path, "x", 1, 0600, &err) == 0);
    expect(receive(MESSAGE_STOP).stop.now == 0);
    expect(fd_write_file(AT_FDCWD, path_stopping, "x", 1, 0600, &err) == 0);
    expect(receive(MESSAGE_STOP).stop.now == 1);
    pause();
}

static void scenario_unprivileged(const char *data)
{
    auto_free char *status = NULL;
    struct stat info;
    struct error err;
    size_t size;

    (void)data;
    expect(geteuid() != 0);
    expect(fd_read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &status, &size, &err) == 0);
    expect(strstr(status, "CapEff:\t0000000000000000") != NULL);
    expect(strstr(status, "NoNewPrivs:\t1") != NULL);
    expect(fstat(LISTEN, &info) == 0 && S_ISSOCK(info.st_mode));
    expect(fstat(SETTINGS, &info) == 0 && S_ISREG(info.st_mode));
    for (int fd = 6; fd < 200; fd++)
        expect(fcntl(fd, F_GETFD) < 0);
    goodbye();
}

static const struct scenario {
    const char *name;
    void (*run)(const char *data);
} scenarios[] = {
    { .name = "workers", .run = scenario_workers },
    { .name = "spare", .run = scenario_spare },
    { .name = "limits", .run = scenario_limits },
    { .name = "processes", .run = scenario_processes },
    { .name = "disk", .run = scenario_disk },
    { .name = "restart", .run = scenario_restart },
    { .name = "malformed", .run = scenario_malformed },
    { .name = "cannot serve", .run = scenario_cannot_serve },
    { .name = "stop", .run = scenario_stop },
    { .name = "stop now", .run = scenario_stop_now },
    { .name = "unprivileged", .run = scenario_unprivileged },
};

static int unpack(const char *directory)
{
    auto_free char *path = xasprintf("%s/hello", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fd_write_all(fd, "hello\n", 6) < 0) {
        printf("unpack: %s: %s\n", path, strerror(errno));
        return 1;
    }
    fd_close(&fd);
    return 0;
}

int fake_api_main(int argc, char **argv)
{
    if (argc == 2 && text_equals(argv[0], "unpack")) {
        int status = unpack(argv[1]);

        fflush(stdout);
        _exit(status); /* no leak check where nothing may be traced */
    }
    if (argc != 4 || !text_equals(argv[1], "api"))
        return -1;
    receive(MESSAGE_WELCOME);
    for (size_t i = 0; i < COUNT(scenarios); i++)
        if (text_equals(argv[2], scenarios[i].name))
            scenarios[i].run(argv[3]);
    return 78;
}
