/* links: sandbox util */
/*
 * What starting a child costs: from sandbox_start() until exec succeeded, for each profile this
 * host reaches. Not a test: run it by hand, on a release build, `bench_sandbox [rounds] [program]`.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "sandbox.h"

enum { ROUNDS_MOST = 10000 };

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void show(const char *what, int64_t *us, size_t count)
{
    qsort(us, count, sizeof(*us), compare);
    printf("  %-10s median %6lld us   p90 %6lld us   least %6lld us\n", what,
           (long long)us[count / 2], (long long)us[count * 9 / 10], (long long)us[0]);
}

static int run_once(struct sandbox_host *host, const char *program, const char *directory,
                    uint64_t id, enum sandbox_network network, int64_t *ret_start_us,
                    int64_t *ret_end_us)
{
    char *argv[] = { (char *)(uintptr_t)program, NULL };
    char *envp[] = { (char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL };
    struct sandbox_plan plan = {
        .kind = SANDBOX_WORKER,
        .network = network,
        .worker_id = id,
        .slot_uid = host->uid_count != 0 ? host->uid_first : 0,
        .argv = argv,
        .envp = envp,
        .program_fd = -1,
        .work_directory = host->profile == SANDBOX_FULL ? "/tmp" : "/",
        .tmp_directory = directory,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .channel_fd = -1,
        .limit = { .memory_bytes = UINT64_C(512) << 20,
                   .cpus_milli = 1000,
                   .processes = 128,
                   .tmp_bytes = UINT64_C(256) << 20,
                   .file_bytes = UINT64_C(256) << 20 },
    };
    struct sandbox_child child;
    struct sandbox_end end;
    struct error err;
    int64_t begin = clock_monotonic_us();
    if (sandbox_start(host, &plan, &child, &err) != 0) {
        printf("  %s\n", err.message);
        return -1;
    }
    *ret_start_us = clock_monotonic_us() - begin;
    struct pollfd ended = { .fd = child.pidfd, .events = POLLIN };
    poll(&ended, 1, -1);
    sandbox_reap(host, &child, &end);
    *ret_end_us = clock_monotonic_us() - begin;
    sandbox_bury(host, &child);
    return 0;
}

static void bench_profile(const char *profile, const char *directory, const char *program,
                          size_t rounds)
{
    struct sandbox_options options = { .profile = profile,
                                       .profile_minimum = "none",
                                       .limits_minimum = "watch",
                                       .uid_range = "",
                                       .data_directory = directory };
    struct sandbox_host host;
    struct error err;
    int64_t begin = clock_monotonic_us();
    if (sandbox_probe(&options, &host, &err) != 0) {
        printf("%s: %s\n", profile, err.message);
        return;
    }
    printf("%s: got %s, limits %s, probed in %lld us\n", profile,
           sandbox_profile_name(host.profile), sandbox_limits_name(host.limits),
           (long long)(clock_monotonic_us() - begin));
    auto_free int64_t *start_us = xcalloc(rounds, sizeof(*start_us));
    auto_free int64_t *end_us = xcalloc(rounds, sizeof(*end_us));
    for (int network = NETWORK_NONE; network <= NETWORK_OUTBOUND; network++) {
        size_t done = 0;
        while (done < rounds &&
               run_once(&host, program, directory, done, (enum sandbox_network)network,
                        &start_us[done], &end_us[done]) == 0) {
            done++;
        }
        if (done == rounds) {
            printf("  network %s\n", network == NETWORK_NONE ? "none" : "outbound");
            show("started", start_us, rounds);
            show("ended", end_us, rounds);
        }
    }
    sandbox_release(&host);
}

int main(int argc, char **argv)
{
    static const char *const profiles[] = { "none", "basic", "container", "full" };
    long asked = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    size_t rounds = asked > 0 && asked <= ROUNDS_MOST ? (size_t)asked : 200;
    char directory[] = "/tmp/bench-sandbox-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    for (size_t i = 0; i < COUNT(profiles); i++) {
        bench_profile(profiles[i], directory, argc > 2 ? argv[2] : "/bin/true", rounds);
    }
    struct error ignored;
    return fd_remove_tree(AT_FDCWD, directory, &ignored) == 0 ? 0 : 1;
}
