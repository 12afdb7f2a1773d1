#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"

enum { USER = 47000, WAIT_SECONDS = 20, EMPTY_SECONDS = 15 };

struct box box;

enum who { ROOT, ENGINE, USER_ACCOUNT };

static const char *const who_names[] = {
    [ROOT] = "root", [ENGINE] = "root of a container engine", [USER_ACCOUNT] = "user"
};

static const struct situation {
    const char *profile;
    enum who who;
} situations[] = {
    { "full", ROOT },        { "container", ROOT },    { "basic", ROOT },
    { "container", ENGINE }, { "full", USER_ACCOUNT }, { "basic", USER_ACCOUNT },
};

/* What a container engine leaves to root by default. */
static const int engine_capabilities[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,      CAP_FSETID,          CAP_KILL,
    CAP_SETGID,  CAP_SETUID,       CAP_SETPCAP,     CAP_NET_RAW,         CAP_MKNOD,
    CAP_SETFCAP, CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE
};

uint32_t box_slot(uint32_t index)
{
    return box.host.uid_count != 0 ? box.host.uid_first + index : 0;
}

struct sandbox_plan box_plan(void)
{
    static char *const environment[] = { (char *)(uintptr_t) "PATH=/usr/bin:/bin",
                                         (char *)(uintptr_t) "LANG=C.UTF-8", NULL };
    return (struct sandbox_plan){
        .kind = SANDBOX_WORKER,
        .network = NETWORK_NONE,
        .slot_uid = box_slot(0),
        .worker_id = ++box.next_id,
        .envp = environment,
        .program_fd = -1,
        .work_directory = box.profile == SANDBOX_FULL ? "/tmp" : box.tmp,
        .tmp_directory = box.tmp,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .channel_fd = -1,
        .limit = { .memory_bytes = UINT64_C(512) << 20,
                   .cpus_milli = 1000,
                   .processes = 64,
                   .file_bytes = 8 << 20,
                   .tmp_bytes = 8 << 20 },
    };
}

static void read_output(int fd, pid_t pid, struct box_result *result)
{
    int64_t until = clock_monotonic_us() + WAIT_SECONDS * INT64_C(1000000);
    size_t size = 0;
    (void)pid;
    for (;;) {
        int64_t left_ms = (until - clock_monotonic_us()) / 1000;
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        if (left_ms <= 0 || poll(&readable, 1, (int)left_ms) <= 0) {
            result->timed_out = true;
            break;
        }
        char waste[4096];
        bool has_room = size < sizeof(result->output) - 1;
        ssize_t got = has_room ? read(fd, result->output + size, sizeof(result->output) - 1 - size)
                               : read(fd, waste, sizeof(waste));
        if (got <= 0) {
            break;
        }
        size += has_room ? (size_t)got : 0;
    }
    result->output[size] = '\0';
}

struct box_result box_run(const struct sandbox_plan *given)
{
    struct box_result result = { 0 };
    struct sandbox_plan plan = *given;
    struct sandbox_child child;
    struct error err = { 0 };
    int read_end = -1, write_end = -1;
    assert_int_equal(fd_pipe(&read_end, &write_end, &err), 0);
    plan.stdout_fd = plan.stdout_fd >= 0 ? plan.stdout_fd : write_end;
    plan.stderr_fd = write_end;
    if (sandbox_start(&box.host, &plan, &child, &err) != 0) {
        fail_msg("%s", err.message);
    }
    close(write_end);
    read_output(read_end, child.pid, &result);
    close(read_end);
    struct pollfd ended = { .fd = child.pidfd, .events = POLLIN };
    if (result.timed_out || poll(&ended, 1, WAIT_SECONDS * 1000) != 1) {
        result.timed_out = true;
        sandbox_kill(&box.host, &child, plan.slot_uid);
        poll(&ended, 1, -1);
    }
    assert_true(sandbox_reap(&box.host, &child, &result.end));
    result.hit_memory = sandbox_hit_memory(&box.host, &child);
    assert_true(box_end(&child, plan.slot_uid));
    return result;
}

struct box_result box_shell_limited(const char *script, const struct sandbox_limit *limit,
                                    enum sandbox_network network)
{
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t)script, NULL };
    struct sandbox_plan plan = box_plan();
    plan.argv = argv;
    plan.network = network;
    if (limit != NULL) {
        plan.limit = *limit;
    }
    return box_run(&plan);
}

struct box_result box_shell(const char *script)
{
    return box_shell_limited(script, NULL, NETWORK_NONE);
}

struct box_result box_python(const char *script)
{
    char *argv[] = { (char *)(uintptr_t) "/usr/bin/python3", (char *)(uintptr_t) "-Ic",
                     (char *)(uintptr_t)script, NULL };
    struct sandbox_plan plan = box_plan();
    if (access(argv[0], X_OK) != 0) {
        box_skip("python3 is not installed");
    }
    plan.argv = argv;
    return box_run(&plan);
}

void box_start(const char *script, uint32_t slot, struct sandbox_child *ret_child)
{
    char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t)script, NULL };
    struct sandbox_plan plan = box_plan();
    struct error err;
    plan.argv = argv;
    plan.slot_uid = slot;
    plan.work_directory = "/";
    if (sandbox_start(&box.host, &plan, ret_child, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void reap_orphans(pid_t not_this)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 ||
            info.si_pid == not_this) {
            return;
        }
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}

bool box_end(struct sandbox_child *child, uint32_t slot)
{
    int64_t until = clock_monotonic_us() + EMPTY_SECONDS * INT64_C(1000000);
    bool empty = false;
    do {
        struct sandbox_end end;
        sandbox_kill(&box.host, child, slot);
        struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };
        poll(&ended, 1, 1000);
        empty = sandbox_is_empty(&box.host, child, slot);
        sandbox_reap(&box.host, child, &end);
        reap_orphans(0);
    } while (!empty && clock_monotonic_us() < until);
    sandbox_bury(&box.host, child);
    return empty;
}

int box_inside(sandbox_trial *routine, void *context, enum sandbox_network network, uint32_t slot,
               struct error *err)
{
    char *argv[] = { (char *)(uintptr_t) "/trial", NULL };
    struct sandbox_plan plan = box_plan();
    struct sandbox_child child;
    plan.argv = argv;
    plan.network = network;
    plan.slot_uid = slot;
    plan.work_directory = "/";
    box.host.inner->trial = routine;
    box.host.inner->trial_context = context;
    int result = sandbox_start(&box.host, &plan, &child, err);
    box.host.inner->trial = NULL;
    if (result == 0) {
        assert_true(box_end(&child, slot));
    }
    return result;
}

void box_skip(const char *why)
{
    printf("skipped: %s\n", why);
    skip();
}

static int open_box(const struct situation *situation)
{
    struct error err = { 0 };
    struct sandbox_options options = { .profile = situation->profile,
                                       .profile_minimum = "none",
                                       .limits_minimum = "watch",
                                       .uid_range = "",
                                       .data_directory = box.data };
    char path[160];
    snprintf(box.data, sizeof(box.data), "/tmp/sandbox-test-%d", getpid());
    snprintf(box.tmp, sizeof(box.tmp), "/tmp/sandbox-test-%d-slot", getpid());
    snprintf(path, sizeof(path), "%s/run", box.data);
    fd_remove_tree(AT_FDCWD, box.data, &err); /* of a test that was killed and had our number */
    fd_remove_tree(AT_FDCWD, box.tmp, &err);
    if (mkdir(box.data, 0711) != 0 || mkdir(path, 0700) != 0 || mkdir(box.tmp, 0700) != 0) {
        perror(box.data);
        return -1;
    }
    if (sandbox_probe(&options, &box.host, &err) != 0) {
        printf("probe: %s\n", err.message);
        return -1;
    }
    box.profile = box.host.profile;
    if (strcmp(sandbox_profile_name(box.profile), situation->profile) != 0) {
        return 1;
    }
    return box.host.uid_count == 0 || chown(box.tmp, box_slot(0), box_slot(0)) == 0 ? 0 : -1;
}

static void close_box(void)
{
    struct error ignored;
    sandbox_release(&box.host);
    fd_remove_tree(AT_FDCWD, box.tmp, &ignored);
    fd_remove_tree(AT_FDCWD, box.data, &ignored);
}

/* As if an engine had started us: few capabilities, no namespaces, and the newer clone hidden. */
static int enter_engine(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };
    uint64_t kept = 0;
    for (size_t i = 0; i < COUNT(engine_capabilities); i++) {
        kept |= UINT64_C(1) << engine_capabilities[i];
    }
    for (int capability = 0; capability < 64; capability++) {
        if ((kept >> capability & 1) == 0) {
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
    }
    data[0].effective = data[0].permitted = (uint32_t)kept;
    data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter == NULL;
    result |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0);
    result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setns), 0);
    result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mount), 0);
    result |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
    result |= seccomp_load(filter); /* while we still may */
    seccomp_release(filter);
    return result != 0 || syscall(SYS_capset, &header, data) != 0 ? -1 : 0;
}

static int run_situation(const char *name, const struct situation *situation,
                         const struct CMUnitTest *tests, size_t count)
{
    char group[128];
    snprintf(group, sizeof(group), "%s, %s as %s", name, situation->profile,
             who_names[situation->who]);
    if (situation->who == USER_ACCOUNT && geteuid() == 0 &&
        (setresgid(USER, USER, USER) != 0 || setresuid(USER, USER, USER) != 0)) {
        perror("setresuid");
        return 1;
    }
    if (situation->who == ENGINE && enter_engine() != 0) {
        printf("skipped: %s: capabilities or filter refused\n", group);
        return 0;
    }
    if (situation->who == USER_ACCOUNT) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a program that was started by this user is */
    }
    int opened = open_box(situation);
    if (opened > 0) {
        const char *why = "";
        for (size_t i = 0; i < box.host.layer_count; i++) {
            if (strcmp(box.host.layers[i].name, situation->profile) == 0) {
                why = box.host.layers[i].reason;
            }
        }
        printf("skipped: %s: this host gives %s: %s\n", group, sandbox_profile_name(box.profile),
               why);
    }
    int failed = opened < 0 ? 1 : 0;
    if (opened == 0) {
        failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    }
    close_box();
    return failed;
}

int box_run_all(const char *name, const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < COUNT(situations); i++) {
        if (situations[i].who != USER_ACCOUNT && geteuid() != 0) {
            printf("skipped: %s as %s: this is not root\n", situations[i].profile,
                   who_names[situations[i].who]);
            continue;
        }
        fflush(NULL);
        pid_t pid =
            fork(); /* a supervisor of its own: mount namespace and user id do not come back */
        if (pid == 0) {
            exit(run_situation(name, &situations[i], tests, count) == 0 ? 0 : 1);
        }
        int status = 1;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failed;
}
