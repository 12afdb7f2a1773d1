/*
 * From a plan to what the child needs: every path, text, limit and descriptor is worked out here,
 * before the clone, and everything that allocates happens here.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

enum {
    PATHS_MAX = 48,
    DESCRIPTORS_LEAST = 128,
    DESCRIPTORS_USUAL = 1024,
    SHARED_USER_TASKS = 2048
};

/* What depends on the kind of child alone. */
static const struct kind_row {
    const char *oom_score; /* the host's memory killer takes a child before the daemon */
    int nice;              /* where CPU is not shared by cgroup */
    bool cpu_at_once;      /* the CPU limit holds from the start, not only after hello */
} kinds[SANDBOX_KINDS] = {
    [SANDBOX_WORKER] = { .oom_score = "500", .nice = 5 },
    [SANDBOX_SPARE] = { .oom_score = "500", .nice = 5 },
    [SANDBOX_UNPACK] = { .oom_score = "800", .nice = 10, .cpu_at_once = true },
    [SANDBOX_BUILD] = { .oom_score = "800", .nice = 10, .cpu_at_once = true },
    [SANDBOX_PACK] = { .oom_score = "800", .nice = 10, .cpu_at_once = true },
};

static const char *keep(struct prepared *prepared, char *text)
{
    assert(prepared->text_count < TEXTS_MAX);
    prepared->texts[prepared->text_count++] = text;
    return text;
}

const char *plan_text(struct prepared *prepared, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        abort(); /* out of memory: as xmalloc() */
    }
    return keep(prepared, text);
}

static int check_plan(const struct sandbox_host *host, const struct sandbox_plan *plan,
                      struct error *err)
{
    if (plan->argv == NULL || plan->argv[0] == NULL || plan->envp == NULL ||
        plan->work_directory == NULL) {
        return fail(err, ERROR_INTERNAL, "sandbox: plan: no program, environment or directory");
    }
    if (plan->program_fd < 0 && plan->argv[0][0] != '/') {
        return fail(err, ERROR_INTERNAL, "sandbox: plan: %s is not absolute", plan->argv[0]);
    }
    if (plan->path_count > PATHS_MAX) {
        return fail(err, ERROR_INTERNAL, "sandbox: plan: more than %d paths", PATHS_MAX);
    }
    for (size_t i = 0; i < plan->path_count; i++) {
        const char *target = plan->paths[i].target;
        if (plan->paths[i].source == NULL || plan->paths[i].source[0] != '/' ||
            (target != NULL && (target[0] != '/' || strstr(target, "/../") != NULL))) {
            return fail(err, ERROR_INTERNAL, "sandbox: plan: path %zu is not absolute", i);
        }
    }
    bool in_range = plan->slot_uid >= host->uid_first &&
                    plan->slot_uid - host->uid_first < host->uid_count;
    if (host->uid_count != 0 && !in_range) {
        return fail(err, ERROR_INTERNAL, "sandbox: plan: uid %u is no slot", plan->slot_uid);
    }
    return 0;
}

static void add_rlimit(struct prepared *prepared, const char *name, int resource, uint64_t soft,
                       uint64_t hard)
{
    assert(prepared->rlimit_count < LIMITS_ROWS);
    prepared->rlimits[prepared->rlimit_count++] = (struct rlimit_row){
        .name = name, .resource = resource, .value = { .rlim_cur = soft, .rlim_max = hard }
    };
}

/*
 * Of the uid: in a slot or a user namespace that is this tree. Else the kernel counts everything
 * the daemon's user runs, the watch (sandbox_is_over_processes) holds each tree to its own limit,
 * and this one only bounds how far a tree gets between two looks. It cannot follow the limit of one
 * tree: the api and all other workers count too, also those that start later (a node worker has a
 * dozen threads, so that the 64 of worker_limit take a third of it), and a worker that runs cannot
 * be given more.
 */
static uint64_t process_limit(const struct prepared *prepared, const struct sandbox_limit *limit)
{
    bool own_count = prepared->change_identity || (prepared->clone_flags & CLONE_NEWUSER) != 0;
    if (own_count) {
        return limit->processes + (prepared->has_init ? 1 : 0);
    }
    return prepared->inner->tasks_of_user + SHARED_USER_TASKS;
}

/* The tag of struct process, where processes can hide from their parent and share the daemon's uid.
 */
static void add_tag(struct prepared *prepared)
{
    uint64_t id = prepared->plan->worker_id;
    if (prepared->has_init || prepared->change_identity || id == 0 || id >= TAG_SUM) {
        return;
    }
    add_rlimit(prepared, "file locks", RLIMIT_LOCKS, id, id);
    add_rlimit(prepared, "real-time CPU", RLIMIT_RTTIME, TAG_SUM - id, TAG_SUM - id);
}

/* Our own program, built with the address sanitizer, maps terabytes of shadow before it does
 * anything. */
static bool may_limit_data(const struct prepared *prepared)
{
#ifdef __SANITIZE_ADDRESS__
    return prepared->plan->program_fd < 0;
#else
    (void)prepared;
    return true;
#endif
}

static void prepare_rlimits(const struct sandbox_host *host, struct prepared *prepared)
{
    const struct sandbox_limit *limit = &prepared->plan->limit;
    uint64_t descriptors = limit->descriptors != 0 ? limit->descriptors : DESCRIPTORS_USUAL;
    if (descriptors < DESCRIPTORS_LEAST) {
        descriptors = DESCRIPTORS_LEAST;
    }
    /* 1 and not 0: a core handler behind a pipe is run at 0, and is not at 1; a file of one byte is
     * never written */
    add_rlimit(prepared, "core", RLIMIT_CORE, 1, 1);
    add_rlimit(prepared, "descriptors", RLIMIT_NOFILE, descriptors, descriptors);
    add_rlimit(prepared, "stack", RLIMIT_STACK, UINT64_C(8) << 20, RLIM_INFINITY);
    add_rlimit(prepared, "locked memory", RLIMIT_MEMLOCK, 64 << 10, 64 << 10);
    add_rlimit(prepared, "message queues", RLIMIT_MSGQUEUE, 0, 0);
    add_rlimit(prepared, "real-time priority", RLIMIT_RTPRIO, 0, 0);
    add_rlimit(prepared, "nice", RLIMIT_NICE, 0, 0);
    add_rlimit(prepared, "pending signals", RLIMIT_SIGPENDING, 1024, 1024);
    if (limit->processes != 0) {
        uint64_t processes = process_limit(prepared, limit);
        add_rlimit(prepared, "processes", RLIMIT_NPROC, processes, processes);
    }
    if (limit->file_bytes != 0) {
        add_rlimit(prepared, "file size", RLIMIT_FSIZE, limit->file_bytes, limit->file_bytes);
    }
    if (limit->memory_bytes != 0 && host->limits == LIMITS_WATCH && may_limit_data(prepared)) {
        add_rlimit(prepared, "data", RLIMIT_DATA, limit->memory_bytes, limit->memory_bytes);
    }
    if (limit->cpu_seconds != 0) {
        add_rlimit(prepared, "CPU time", RLIMIT_CPU, limit->cpu_seconds, limit->cpu_seconds + 1);
    }
    add_tag(prepared);
}

static void prepare_identity(const struct sandbox_host *host, struct prepared *prepared)
{
    const struct sandbox_plan *plan = prepared->plan;
    const struct kind_row *kind = &kinds[plan->kind];
    prepared->uid = geteuid();
    prepared->gid = getegid();
    if (plan->slot_uid != 0 && prepared->inner->use_slots) {
        prepared->change_identity = true;
        prepared->uid = plan->slot_uid;
        prepared->gid = plan->slot_uid;
    }
    snprintf(prepared->oom_score, sizeof(prepared->oom_score), "%s", kind->oom_score);
    if (prepared->inner->use_user_namespace) {
        snprintf(prepared->uid_map, sizeof(prepared->uid_map), "%u %u 1", prepared->uid,
                 prepared->uid);
        snprintf(prepared->gid_map, sizeof(prepared->gid_map), "%u %u 1", prepared->gid,
                 prepared->gid);
    }
    if (host->limits == LIMITS_WATCH) {
        prepared->nice = kind->nice;
        if (plan->limit.cpus_milli != 0) {
            prepared->cpu_set_count = (plan->limit.cpus_milli + 999) / 1000;
            prepared->cpu_set_first = (uint32_t)(plan->worker_id % (uint64_t)host->cpus);
        }
    }
}

static void prepare_namespaces(const struct sandbox_plan *plan, struct prepared *prepared)
{
    const struct sandbox_private *inner = prepared->inner;
    if (!inner->use_namespaces) {
        return;
    }
    prepared->has_init = true;
    prepared->clone_flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (inner->use_user_namespace) {
        prepared->clone_flags |= CLONE_NEWUSER;
        if (plan->network == NETWORK_NONE) {
            prepared->clone_flags |= CLONE_NEWNET;
        }
    }
}

static bool is_below_plan(const struct sandbox_plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->path_count; i++) {
        const char *target = plan->paths[i].target != NULL ? plan->paths[i].target
                                                           : plan->paths[i].source;
        size_t length = strlen(target);
        if (text_starts(path, target) && (path[length] == '/' || path[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* The installation a program lives in: /opt/node-22 for /opt/node-22/bin/node, /opt/tool for
 * /opt/tool/run. */
static const char *installation_of(struct prepared *prepared, const char *program)
{
    char *directory = xstrdup(program);
    keep(prepared, directory);
    char *slash = strrchr(directory, '/');
    *slash = '\0';
    if (text_ends(directory, "/bin")) {
        directory[strlen(directory) - 4] = '\0';
    }
    return directory;
}

/* An interpreter outside the system's own directories brings its installation along, read-only. */
static void add_program_path(struct prepared *prepared, const char *program)
{
    if (mounts_is_system(program) || is_below_plan(prepared->plan, program)) {
        return;
    }
    const char *directory = installation_of(prepared, program);
    if (directory[0] == '\0' || strchr(directory + 1, '/') == NULL) {
        directory = program; /* /bin-like at the top or a bare /opt: only the program itself */
    }
    if ((prepared->clone_flags & CLONE_NEWNS) == 0) {
        landlock_add_rule(prepared, directory, RIGHTS_READ, true);
        return;
    }
    assert(prepared->mount_count < MOUNTS_MAX);
    prepared->mounts[prepared->mount_count++] = (struct mount_row){
        .kind = directory == program ? MOUNT_BIND_FILE : MOUNT_BIND,
        .source = directory,
        .target = directory + 1,
        .optional = true,
        .fd = -1,
        .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
    };
}

static void prepare_program(struct prepared *prepared)
{
    const struct sandbox_plan *plan = prepared->plan;
    prepared->program = plan->argv[0];
    prepared->program_fd = plan->program_fd;
    if (plan->program_fd >= 0) {
        landlock_add_rule(prepared, NULL, RIGHTS_PROGRAM, false);
        return;
    }
    add_program_path(prepared, plan->argv[0]);
    char *real = realpath(plan->argv[0], NULL);
    if (real != NULL) {
        keep(prepared, real);
        if (!text_equals(real, plan->argv[0])) {
            add_program_path(prepared, real);
        }
    }
}

/* In the new root only what is listed exists, so "/" may be read as a whole; a tree mounted later
 * is covered by it too. */
static void prepare_rules_full(struct prepared *prepared)
{
    const struct sandbox_plan *plan = prepared->plan;
    landlock_add_rule(prepared, "/", RIGHTS_READ, false);
    landlock_add_rule(prepared, "/tmp", RIGHTS_WRITE, false);
    landlock_add_rule(prepared, "/dev", RIGHTS_DEVICE, false);
    landlock_add_rule(prepared, "/proc", RIGHTS_PROC, true);
    for (size_t i = 0; i < plan->path_count; i++) {
        const struct sandbox_path *path = &plan->paths[i];
        if (path->writable) {
            landlock_add_rule(prepared, path->target != NULL ? path->target : path->source,
                              RIGHTS_WRITE, path->optional);
        }
    }
}

static void prepare_rules(struct prepared *prepared)
{
    const struct sandbox_plan *plan = prepared->plan;
    if ((prepared->clone_flags & CLONE_NEWNS) != 0) {
        prepare_rules_full(prepared);
        return;
    }
    mounts_system_rules(prepared);
    if (plan->tmp_directory != NULL) {
        landlock_add_rule(prepared, plan->tmp_directory, RIGHTS_WRITE, false);
    }
    for (size_t i = 0; i < plan->path_count; i++) {
        const struct sandbox_path *path = &plan->paths[i];
        landlock_add_rule(prepared, path->source, path->writable ? RIGHTS_WRITE : RIGHTS_READ,
                          path->optional);
    }
}

/* Where processes can hide from their parent and share the daemon's uid, a mark in the environment
 * finds them again. */
static void prepare_environment(struct prepared *prepared)
{
    const struct sandbox_plan *plan = prepared->plan;
    prepared->envp = plan->envp;
    if (prepared->has_init || prepared->change_identity) {
        return;
    }
    size_t count = 0;
    while (plan->envp[count] != NULL) {
        count++;
    }
    char **envp = xcalloc(count + 2, sizeof(*envp));
    keep(prepared, (char *)envp);
    memcpy(envp, plan->envp, count * sizeof(*envp));
    envp[count] = (char *)(uintptr_t)plan_text(prepared, "FUNCTIOND_WORKER=%08x.%llu",
                                               prepared->inner->mark,
                                               (unsigned long long)plan->worker_id);
    prepared->envp = envp;
}

int plan_prepare(struct sandbox_host *host, const struct sandbox_plan *plan, struct prepared *ret,
                 struct error *err)
{
    const struct sandbox_private *inner = host->inner;
    *ret = (struct prepared){ .plan = plan,
                              .inner = inner,
                              .directory = plan->work_directory,
                              .mount_point = inner->data_directory,
                              .null_fd = -1,
                              .program_fd = -1,
                              .error_read = -1,
                              .error_write = -1,
                              .status_read = -1,
                              .status_write = -1,
                              .cgroup_directory = -1,
                              .cgroup_tasks = { -1, -1, -1 },
                              .init = inner->init };
    if (check_plan(host, plan, err) != 0) {
        return -1;
    }
    prepare_namespaces(plan, ret);
    prepare_identity(host, ret);
    prepare_rlimits(host, ret);
    if (inner->use_namespaces && mounts_prepare(host, ret, err) != 0) {
        return -1;
    }
    if (inner->use_landlock) {
        ret->landlock_abi = host->landlock_abi;
    }
    prepare_rules(ret);
    prepare_program(ret);
    prepare_environment(ret);
    if (inner->use_seccomp) {
        ret->deny = inner->deny;
        ret->allow = plan->network == NETWORK_NONE ? inner->allow_no_network : inner->allow_network;
    } else {
        ret->init = (struct filter){ 0 };
    }
    ret->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (ret->null_fd < 0) {
        return fail_errno(err, "sandbox: /dev/null");
    }
    return 0;
}

void plan_release(struct prepared *prepared)
{
    int *const descriptors[] = { &prepared->null_fd,         &prepared->error_read,
                                 &prepared->error_write,     &prepared->status_read,
                                 &prepared->status_write,    &prepared->cgroup_directory,
                                 &prepared->cgroup_tasks[0], &prepared->cgroup_tasks[1],
                                 &prepared->cgroup_tasks[2] };
    for (size_t i = 0; i < COUNT(descriptors); i++) {
        fd_close(descriptors[i]);
    }
    for (size_t i = 0; i < prepared->text_count; i++) {
        free(prepared->texts[i]);
    }
    prepared->text_count = 0;
}
