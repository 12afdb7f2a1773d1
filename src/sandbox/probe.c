/*
 * What this host can do. Nothing is deduced from versions or configuration: each profile is tried,
 * strongest first, by starting a throw-away child through the real steps, which then attempts what
 * must fail. The first profile whose child comes through is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

enum { SIGNALS_ABI = 6, TRIAL_WORKER = 0, PROBE_NAME = 640 };

static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;
    for (; *text != '\0'; text++) {
        value = (value ^ (unsigned char)*text) * 16777619u;
    }
    return value;
}

static int parse_profile(const char *text, enum sandbox_profile *ret_profile, struct error *err)
{
    for (int i = 0; i < SANDBOX_PROFILES; i++) {
        if (text_equals(text, sandbox_profile_name((enum sandbox_profile)i))) {
            *ret_profile = (enum sandbox_profile)i;
            return 0;
        }
    }
    return fail(err, ERROR_INTERNAL, "\"%s\" is no sandbox profile", text != NULL ? text : "");
}

static void read_host(struct sandbox_host *host)
{
    struct sysinfo info;
    cpu_set_t cpus;
    host->cpus = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    uint64_t own = cgroup_own_memory();
    host->memory_bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
    if (own < host->memory_bytes) {
        host->memory_bytes = own;
    }
    host->landlock_abi = landlock_abi();
}

/* One for all children without network: there is nothing in it but a loopback device. */
static int make_network_namespace(struct sandbox_private *inner, struct error *err)
{
    auto_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0 || unshare(CLONE_NEWNET) != 0) {
        return fail_errno(err, "network namespace");
    }
    inner->network_namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    auto_fd int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    if (socket_fd >= 0) {
        ioctl(socket_fd, SIOCSIFFLAGS, &request);
    }
    if (setns(own, CLONE_NEWNET) != 0) {
        abort(); /* the daemon itself would be cut off */
    }
    return inner->network_namespace >= 0 ? 0 : fail_errno(err, "network namespace");
}

static struct sandbox_end await_end(struct sandbox_host *host, const struct sandbox_child *child)
{
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    struct sandbox_end end = { .status = -1 };
    sandbox_reap(host, child, &end);
    return end;
}

int probe_trial(struct sandbox_host *host, enum sandbox_network network, sandbox_trial *trial,
                void *context, struct error *err)
{
    char *argv[] = { (char *)(uintptr_t) "/trial", NULL };
    char *envp[] = { NULL };
    struct sandbox_plan plan = {
        .kind = SANDBOX_WORKER,
        .network = network,
        .worker_id = TRIAL_WORKER,
        .argv = argv,
        .envp = envp,
        .program_fd = -1,
        .work_directory = "/",
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .channel_fd = -1,
        .slot_uid = host->uid_count != 0 ? host->uid_first + host->uid_count - 1 : 0,
        .limit = { .processes = 16, .memory_bytes = UINT64_C(256) << 20, .tmp_bytes = 1 << 20 },
    };
    struct sandbox_child child;
    host->inner->trial = trial;
    host->inner->trial_context = context;
    int result = sandbox_start(host, &plan, &child, err);
    host->inner->trial = NULL;
    if (result != 0) {
        return -1;
    }
    struct sandbox_end end = await_end(host, &child);
    sandbox_bury(host, &child);
    if (end.by_signal || end.status != 0) { /* it never came to the end of its attempts */
        return fail(err, ERROR_INTERNAL, "the trial was cut short: %s %d",
                    end.by_signal ? "signal" : "status", end.status);
    }
    return 0;
}

static int try_profile(struct sandbox_host *host, enum sandbox_profile profile, struct error *err)
{
    struct sandbox_private *inner = host->inner;
    host->profile = profile;
    inner->use_slots = host->uid_count != 0;
    inner->use_landlock = host->landlock_abi > 0 && profile != SANDBOX_NONE;
    inner->use_seccomp = inner->allow_network.count != 0 && profile != SANDBOX_NONE;
    inner->use_namespaces = profile == SANDBOX_FULL;
    inner->use_user_namespace = profile == SANDBOX_FULL && !host->is_root;
    inner->refuse_signals = profile == SANDBOX_BASIC && !inner->use_slots &&
                            host->landlock_abi < SIGNALS_ABI;
    if ((profile == SANDBOX_BASIC || profile == SANDBOX_CONTAINER) &&
        (!inner->use_landlock || !inner->use_seccomp)) {
        return fail(err, ERROR_INTERNAL, "it needs landlock and seccomp");
    }
    if (profile == SANDBOX_CONTAINER && !inner->use_slots) {
        return fail(err, ERROR_INTERNAL, "it needs a user id for each worker");
    }
    if (profile == SANDBOX_FULL && !inner->use_seccomp) {
        return fail(err, ERROR_INTERNAL, "it needs seccomp");
    }
    if (seccomp_build_deny(inner, inner->refuse_signals, err) != 0) {
        return -1;
    }
    struct attempts attempts = { .host = host,
                                 .supervisor = inner->supervisor,
                                 .data_directory = inner->data_directory,
                                 .slot_uid = host->uid_count != 0
                                                 ? host->uid_first + host->uid_count - 1
                                                 : 0 };
    return probe_trial(host, NETWORK_NONE, attempts_run, &attempts, err);
}

/*
 * Full with a fresh /proc, else without: a container whose own /proc is masked may not mount one.
 */
static int try_full(struct sandbox_host *host, struct error *err)
{
    struct error first;
    host->private_proc = true;
    if (try_profile(host, SANDBOX_FULL, &first) == 0) {
        report_layer(host, "own /proc", true, "mounted fresh");
        return 0;
    }
    host->private_proc = false;
    if (try_profile(host, SANDBOX_FULL, err) != 0) {
        *err = first;
        return -1;
    }
    report_layer(host, "own /proc", false, "%s", first.message);
    return 0;
}

static void choose_profile(struct sandbox_host *host, enum sandbox_profile strongest,
                           struct error *ret_why)
{
    for (int i = (int)strongest; i > SANDBOX_NONE; i--) {
        enum sandbox_profile profile = (enum sandbox_profile)i;
        struct error err;
        int result = profile == SANDBOX_FULL ? try_full(host, &err)
                                             : try_profile(host, profile, &err);
        if (result == 0) {
            return;
        }
        report_layer(host, sandbox_profile_name(profile), false, "%s", err.message);
        if (ret_why->message[0] == '\0') {
            *ret_why = err;
        }
    }
    struct error ignored;
    host->private_proc = false;
    try_profile(host, SANDBOX_NONE, &ignored);
}

/* Waits for a byte, then looks whether something is mounted. Letting go of the error pipe tells the
 * parent that it runs. */
static int late_trial(void *context, char *ret_detail, size_t detail_bytes)
{
    (void)context;
    (void)ret_detail;
    (void)detail_bytes;
    char byte;
    struct stat outside, inside;
    syscall(SYS_close_range, 3, ~0U, 0);
    bool there = read(0, &byte, 1) == 1 && stat("/late", &outside) == 0 &&
                 stat("/late/tree", &inside) == 0 && outside.st_dev != inside.st_dev;
    syscall(SYS_exit_group, there ? 0 : 1);
    return -1;
}

static int late_mount_works(struct sandbox_host *host, struct error *err)
{
    struct sandbox_path path = { .source = "/late", .target = "/late", .late = true };
    char *argv[] = { (char *)(uintptr_t) "/trial", NULL };
    char *envp[] = { NULL };
    auto_fd int read_end = -1;
    auto_fd int write_end = -1;
    if (fd_pipe(&read_end, &write_end, err) != 0) {
        return -1;
    }
    struct sandbox_plan plan = {
        .kind = SANDBOX_SPARE,
        .network = NETWORK_NONE,
        .worker_id = TRIAL_WORKER,
        .argv = argv,
        .envp = envp,
        .program_fd = -1,
        .work_directory = "/",
        .stdin_fd = read_end,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .channel_fd = -1,
        .slot_uid = host->uid_first,
        .paths = &path,
        .path_count = 1,
        .limit = { .processes = 16 },
    };
    struct sandbox_child child;
    host->inner->trial = late_trial;
    int result = sandbox_start(host, &plan, &child, err);
    host->inner->trial = NULL;
    if (result != 0) {
        return -1;
    }
    result = sandbox_code_grant(host, TRIAL_WORKER, 0, host->inner->data_directory, "tree", err);
    fd_write_all(write_end, "x", 1);
    struct sandbox_end end = await_end(host, &child);
    sandbox_bury(host, &child);
    if (result == 0 && (end.by_signal || end.status != 0)) {
        return fail(err, ERROR_INTERNAL, "a mount did not reach a running child");
    }
    return result;
}

static int open_itself(void *context)
{
    auto_fd int fd = openat(*(int *)context, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? 0 : -1;
}

/* A directory of the daemon's own, shut to all, opened to one slot and shut again. */
static int access_list_works(struct sandbox_host *host, struct error *err)
{
    char path[PROBE_NAME];
    uint32_t uid = host->uid_first;
    snprintf(path, sizeof(path), "%s/run/access-probe", host->inner->data_directory);
    if (fd_mkdir(AT_FDCWD, path, 0700, err) != 0) {
        return -1;
    }
    auto_fd int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = grant_acl(path, uid, true, err);
    if (result == 0 && identity_run_as(uid, open_itself, &directory) != 0) {
        result = fail(err, ERROR_INTERNAL, "an entry in the access list has no effect");
    }
    if (result == 0) {
        result = grant_acl(path, uid, false, err);
    }
    if (result == 0 && identity_run_as(uid, open_itself, &directory) == 0) {
        result = fail(err, ERROR_INTERNAL, "the access list is not needed: modes are ignored");
    }
    rmdir(path);
    return result;
}

static void find_late_code(struct sandbox_host *host)
{
    struct error err = { 0 };
    if (!host->is_root || !host->inner->use_slots || host->profile < SANDBOX_CONTAINER) {
        report_layer(host, "late code", false, "spares need user ids of their own");
        return;
    }
    host->late_code = true;
    int result = host->profile == SANDBOX_FULL ? late_mount_works(host, &err)
                                               : access_list_works(host, &err);
    host->late_code = result == 0;
    report_layer(host, "late code", result == 0, "%s",
                 result != 0                     ? err.message
                 : host->profile == SANDBOX_FULL ? "mount"
                                                 : "access list");
}

static int connect_trap(void *context, char *ret_detail, size_t detail_bytes)
{
    const struct sockaddr_un *address = context;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                  strlen(address->sun_path + 1));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, bytes) == 0) {
        strncpy(ret_detail, "children reach each other by abstract sockets and signals",
                detail_bytes - 1);
        errno = 0;
        return -1;
    }
    return 0;
}

/* Not a condition of any profile: older kernels have nothing for it. */
static void find_scopes(struct sandbox_host *host)
{
    struct error err;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    auto_fd int trap = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "functiond-trap-%d",
                          getpid());
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (trap < 0 || bind(trap, (struct sockaddr *)&address, bytes) != 0 || listen(trap, 4) != 0) {
        return;
    }
    /* with network, so that it is not a namespace of its own that shuts it */
    int result = probe_trial(host, NETWORK_OUTBOUND, connect_trap, &address, &err);
    report_layer(host, "abstract sockets", result == 0, "%s",
                 result == 0 ? "shut by landlock" : "not scoped: landlock 6 is needed");
}

static void find_private_parts(struct sandbox_host *host)
{
    struct error err;
    struct sandbox_private *inner = host->inner;
    if (!host->is_root) {
        report_layer(host, "uid slots", false, "needs root");
        return;
    }
    if (grant_prepare(host, &err) != 0) {
        report_layer(host, "mount namespace of the supervisor", false, "%s", err.message);
    }
    bool network = make_network_namespace(inner, &err) == 0;
    report_layer(host, "network namespace", network, "%s", network ? "shared, empty" : err.message);
}

static int become_slot(void *context)
{
    (void)context;
    return 0;
}

static int find_slots(struct sandbox_host *host, const struct sandbox_options *options,
                      struct error *err)
{
    if (!host->is_root) {
        return text_is_empty(options->uid_range)
                   ? 0
                   : fail(err, ERROR_INTERNAL, "setting uid_range: needs root");
    }
    processes_read(host->inner, 0);
    if (identity_choose(host, options->uid_range, err) != 0) {
        if (!text_is_empty(options->uid_range)) {
            return -1; /* asked for by name: not having it is an error and not a weaker profile */
        }
        report_layer(host, "uid slots", false, "%s", err->message);
        return 0;
    }
    if (identity_run_as(host->uid_first, become_slot, NULL) != 0) {
        report_layer(host, "uid slots", false, "this process may not change its user id");
        identity_release(host);
        host->uid_first = 0;
        host->uid_count = 0;
        return 0;
    }
    report_layer(host, "uid slots", true, "%u-%u", host->uid_first,
                 host->uid_first + host->uid_count - 1);
    return 0;
}

static void find_limits(struct sandbox_host *host)
{
    char reason[200] = "";
    host->limits = cgroup_find(host, reason, sizeof(reason));
    report_layer(host, "cgroup", host->limits != LIMITS_WATCH, "%s",
                 reason[0] != '\0' ? reason : sandbox_limits_name(host->limits));
    uint32_t tasks = 0;
    const struct process_table *table = processes_read(host->inner, 0);
    for (size_t i = 0; i < table->count; i++) {
        tasks += table->rows[i].uid == geteuid() ? table->rows[i].tasks : 0;
    }
    host->inner->tasks_of_user = tasks;
}

static void find_filters(struct sandbox_host *host)
{
    struct error err;
    bool landlock = host->landlock_abi > 0;
    report_layer(host, "landlock", landlock, landlock ? "ABI %d" : "not in this kernel",
                 host->landlock_abi);
    bool seccomp = seccomp_build(host->inner, &err) == 0;
    report_layer(host, "seccomp", seccomp, "%s", seccomp ? "allow-list" : err.message);
}

static int check_minimum(const struct sandbox_host *host, const struct sandbox_options *options,
                         enum sandbox_profile minimum, const struct error *why, struct error *err)
{
    if (host->profile < minimum) {
        return fail(err, ERROR_INTERNAL, "sandbox is %s, %s is required: %s",
                    sandbox_profile_name(host->profile), sandbox_profile_name(minimum),
                    why->message[0] != '\0' ? why->message : "setting sandbox");
    }
    if (text_equals(options->limits_minimum, "cgroup") && host->limits == LIMITS_WATCH) {
        const char *reason = "";
        for (size_t i = 0; i < host->layer_count; i++) {
            if (text_equals(host->layers[i].name, "cgroup")) {
                reason = host->layers[i].reason;
            }
        }
        return fail(err, ERROR_INTERNAL, "limits are held by watching, cgroup is required: %s",
                    reason);
    }
    return 0;
}

static struct sandbox_private *new_private(const struct sandbox_options *options)
{
    struct sandbox_private *inner = xcalloc(1, sizeof(*inner));
    inner->network_namespace = -1;
    inner->uid_lock = -1;
    inner->supervisor = getpid();
    inner->protected_pids[inner->protected_count++] = inner->supervisor;
    inner->egress_private = options->egress_private;
    inner->api_port = options->api_port;
    snprintf(inner->data_directory, sizeof(inner->data_directory), "%s", options->data_directory);
    inner->mark = hash(inner->data_directory);
    return inner;
}

int sandbox_probe(const struct sandbox_options *options, struct sandbox_host *ret_host,
                  struct error *err)
{
    enum sandbox_profile strongest = SANDBOX_FULL, minimum;
    if (parse_profile(options->profile_minimum, &minimum, err) != 0 ||
        (!text_equals(options->profile, "auto") &&
         parse_profile(options->profile, &strongest, err) != 0)) {
        return -1;
    }
    if (options->data_directory == NULL || options->data_directory[0] != '/' ||
        strlen(options->data_directory) > 500) {
        return fail(err, ERROR_INTERNAL,
                    "sandbox: the data directory's path must be absolute and short");
    }
    struct sandbox_host host = { .is_root = geteuid() == 0, .inner = new_private(options) };
    struct error why = { 0 };
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0,
          0); /* orphans of children come to us, not to the host's init */
    read_host(&host);
    find_filters(&host);
    if (find_slots(&host, options, err) != 0) {
        sandbox_release(&host);
        return -1;
    }
    find_limits(&host);
    if (strongest == SANDBOX_FULL) {
        find_private_parts(&host);
    }
    choose_profile(&host, strongest, &why);
    find_late_code(&host);
    find_scopes(&host);
    egress_open(&host);
    if (check_minimum(&host, options, minimum, &why, err) != 0) {
        sandbox_release(&host);
        return -1;
    }
    *ret_host = host;
    return 0;
}

void sandbox_release(struct sandbox_host *host)
{
    struct sandbox_private *inner = host->inner;
    if (inner == NULL) {
        return;
    }
    egress_close(host);
    grant_release(host);
    identity_release(host);
    seccomp_free(inner);
    cgroup_release(host);
    fd_close(&inner->network_namespace);
    processes_release(&inner->processes);
    free(inner);
    *host = (struct sandbox_host){ 0 };
}
