/*
 * Control groups: one directory of ours for each hierarchy, below it one for each child.
 *
 * v2 is one hierarchy and the child is cloned into its directory; on v1 there is one for each
 * controller and the child moves itself by `tasks`, which unlike cgroup.procs does not wait for a
 * grace period (25 us against 8 to 15 ms).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

enum { SMALL_FILE = 64 * 1024, CPU_PERIOD_US = 100000, KILL_ROUNDS = 100, ROUND_WAIT_US = 2000 };
enum { MEMORY, PIDS, CPU };

static const char *const controllers[CONTROLLERS] = {
    [MEMORY] = "memory", [PIDS] = "pids", [CPU] = "cpu"
};

static int write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int write_number(const char *directory, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return write_file(directory, name, text);
}

static char *read_file(const char *directory, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s%s", directory, name[0] != '\0' ? "/" : "", name);
    struct error ignored;
    char *data = NULL;
    return fd_read_file(AT_FDCWD, path, SMALL_FILE, &data, NULL, &ignored) == 0 ? data : NULL;
}

/* Is `word` one of the words in a list separated by `separators`? */
static bool has_word(const char *list, const char *word, const char *separators)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t this_length = strcspn(at, separators);
        if (this_length == length && memcmp(at, word, length) == 0) {
            return true;
        }
        at += this_length;
        at += strspn(at, separators);
    }
    return false;
}

/* Where a hierarchy is mounted: controller NULL asks for v2. */
static bool find_mount(const char *controller, char *ret_path, size_t bytes)
{
    auto_free char *mounts = read_file("/proc/self/mounts", "");
    char *rest = NULL;
    for (char *line = mounts != NULL ? strtok_r(mounts, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char where[256], kind[64], options[512];
        if (sscanf(line, "%*s %255s %63s %511s", where, kind, options) != 3) {
            continue;
        }
        bool is_it = controller == NULL
                         ? text_equals(kind, "cgroup2")
                         : text_equals(kind, "cgroup") && has_word(options, controller, ",");
        if (is_it) {
            snprintf(ret_path, bytes, "%s", where);
            return true;
        }
    }
    return false;
}

/* The daemon's own group in a hierarchy, as a path below its mount; "" when that path is not
 * visible here. */
static void find_own(const char *controller, const char *mount, char *ret_path, size_t bytes)
{
    ret_path[0] = '\0';
    auto_free char *groups = read_file("/proc/self/cgroup", "");
    char *rest = NULL;
    for (char *line = groups != NULL ? strtok_r(groups, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':');
        char *path = names != NULL ? strchr(names + 1, ':') : NULL;
        if (path == NULL) {
            continue;
        }
        *path++ = '\0';
        if (controller == NULL ? names[1] != '\0' : !has_word(names + 1, controller, ",")) {
            continue;
        }
        char whole[512];
        snprintf(whole, sizeof(whole), "%s%s", mount, path);
        if (strstr(path, "..") == NULL && !text_equals(path, "/") && access(whole, F_OK) == 0) {
            snprintf(ret_path, bytes, "%s", path);
        }
        return;
    }
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static bool find_v1(struct sandbox_private *inner, int row, char *ret_reason, size_t reason_bytes)
{
    struct cgroup_tree *tree = &inner->cgroups[row];
    char mount[256], own[256];
    if (!find_mount(controllers[row], mount, sizeof(mount))) {
        snprintf(ret_reason, reason_bytes, "%s: no such hierarchy", controllers[row]);
        return false;
    }
    find_own(controllers[row], mount, own, sizeof(own));
    int length = snprintf(tree->path, sizeof(tree->path), "%s%s/functiond-%08x", mount, own,
                          inner->mark);
    if (length >= (int)sizeof(tree->path) || !make_directory(tree->path)) {
        snprintf(ret_reason, reason_bytes, "%s: %s", controllers[row], strerror(errno));
        tree->path[0] = '\0';
        return false;
    }
    tree->controller = controllers[row];
    return true;
}

static int enable_controllers(const char *path)
{
    write_file(path, "cgroup.subtree_control",
               "+cpu"); /* often not delegated; then CPU is not limited by it */
    return write_file(path, "cgroup.subtree_control", "+memory +pids");
}

/* A group with controllers for its children may hold no process itself, so the daemon steps aside
 * into one of them. */
static bool find_v2(struct sandbox_private *inner, char *ret_reason, size_t reason_bytes)
{
    char mount[256], own[256], base[640], aside[700];
    if (!find_mount(NULL, mount, sizeof(mount))) {
        snprintf(ret_reason, reason_bytes, "no v2 hierarchy");
        return false;
    }
    find_own(NULL, mount, own, sizeof(own));
    snprintf(base, sizeof(base), "%s%s", mount, own);
    auto_free char *available = read_file(base, "cgroup.controllers");
    if (available == NULL || !has_word(available, "memory", " \n") ||
        !has_word(available, "pids", " \n")) {
        snprintf(ret_reason, reason_bytes, "v2: memory and pids are not delegated to %.64s",
                 own[0] != '\0' ? own : "/");
        return false;
    }
    if (enable_controllers(base) != 0) {
        snprintf(aside, sizeof(aside), "%s/functiond-supervisor", base);
        if (errno != EBUSY || !make_directory(aside) ||
            write_file(aside, "cgroup.procs", "0") != 0 || enable_controllers(base) != 0) {
            snprintf(ret_reason, reason_bytes, "v2: %.64s: %s", base, strerror(errno));
            return false;
        }
    }
    struct cgroup_tree *tree = &inner->cgroups[0];
    int length = snprintf(tree->path, sizeof(tree->path), "%s/functiond-%08x", base, inner->mark);
    if (length >= (int)sizeof(tree->path) || !make_directory(tree->path) ||
        enable_controllers(tree->path) != 0) {
        snprintf(ret_reason, reason_bytes, "v2: %.80s: %s", tree->path, strerror(errno));
        tree->path[0] = '\0';
        return false;
    }
    tree->controller = "";
    return true;
}

enum sandbox_limits cgroup_find(struct sandbox_host *host, char *ret_reason, size_t reason_bytes)
{
    struct sandbox_private *inner = host->inner;
    char reason[2][160] = { "", "" };
    if (find_v2(inner, reason[0], sizeof(reason[0]))) {
        return LIMITS_CGROUP2;
    }
    if (find_v1(inner, MEMORY, reason[1], sizeof(reason[1])) &&
        find_v1(inner, PIDS, reason[1], sizeof(reason[1]))) {
        find_v1(inner, CPU, ret_reason, reason_bytes);
        return LIMITS_CGROUP1;
    }
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (inner->cgroups[i].path[0] != '\0') {
            rmdir(inner->cgroups[i].path);
            inner->cgroups[i].path[0] = '\0';
        }
    }
    snprintf(ret_reason, reason_bytes, "%s; v1: %s", reason[0], reason[1]);
    return LIMITS_WATCH;
}

static void child_path(const struct cgroup_tree *tree, const char *name, char ret_path[384])
{
    snprintf(ret_path, 384, "%s/%s", tree->path, name);
}

static void set_v2(const char *path, const struct sandbox_limit *limit, bool with_cpu)
{
    if (limit->memory_bytes != 0) {
        write_number(path, "memory.max", limit->memory_bytes);
        write_number(path, "memory.swap.max", 0);
        write_number(path, "memory.oom.group", 1);
    }
    if (limit->processes != 0) {
        write_number(path, "pids.max", limit->processes + 1);
    }
    if (with_cpu && limit->cpus_milli != 0) {
        char text[48];
        snprintf(text, sizeof(text), "%u %d", limit->cpus_milli * (CPU_PERIOD_US / 1000),
                 CPU_PERIOD_US);
        write_file(path, "cpu.max", text);
    }
}

static void set_v1(int row, const char *path, const struct sandbox_limit *limit, bool with_cpu)
{
    if (row == MEMORY && limit->memory_bytes != 0) {
        /* the second may never be below the first: whichever way it moves, one of these orders is
         * allowed */
        write_number(path, "memory.limit_in_bytes", limit->memory_bytes);
        write_number(path, "memory.memsw.limit_in_bytes", limit->memory_bytes);
        write_number(path, "memory.limit_in_bytes", limit->memory_bytes);
    }
    if (row == PIDS && limit->processes != 0) {
        write_number(path, "pids.max", limit->processes + 1);
    }
    if (row == CPU && with_cpu && limit->cpus_milli != 0) {
        write_number(path, "cpu.cfs_quota_us",
                     (uint64_t)limit->cpus_milli * (CPU_PERIOD_US / 1000));
    }
}

void cgroup_set(struct sandbox_host *host, const char *name, const struct sandbox_limit *limit,
                bool with_cpu)
{
    for (int i = 0; i < CONTROLLERS; i++) {
        const struct cgroup_tree *tree = &host->inner->cgroups[i];
        char path[384];
        if (tree->path[0] == '\0') {
            continue;
        }
        child_path(tree, name, path);
        if (host->limits == LIMITS_CGROUP2) {
            set_v2(path, limit, with_cpu);
        } else {
            set_v1(i, path, limit, with_cpu);
        }
    }
}

int cgroup_make(struct sandbox_host *host, const struct sandbox_plan *plan,
                struct prepared *prepared, struct error *err)
{
    if (host->limits == LIMITS_WATCH) {
        return 0;
    }
    snprintf(prepared->cgroup, sizeof(prepared->cgroup), "%llu",
             (unsigned long long)plan->worker_id);
    for (int i = 0; i < CONTROLLERS; i++) {
        const struct cgroup_tree *tree = &host->inner->cgroups[i];
        char path[384];
        if (tree->path[0] == '\0') {
            continue;
        }
        child_path(tree, prepared->cgroup, path);
        if (!make_directory(path)) {
            return fail_errno(err, "sandbox: cgroup: %s", path);
        }
        if (host->limits == LIMITS_CGROUP2) {
            prepared->cgroup_directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        } else {
            strncat(path, "/tasks", sizeof(path) - strlen(path) - 1);
            prepared->cgroup_tasks[i] = open(path, O_WRONLY | O_CLOEXEC);
        }
        if (prepared->cgroup_directory < 0 && prepared->cgroup_tasks[i] < 0) {
            return fail_errno(err, "sandbox: cgroup: %s", path);
        }
    }
    bool is_worker = plan->kind == SANDBOX_WORKER || plan->kind == SANDBOX_SPARE;
    cgroup_set(host, prepared->cgroup, &plan->limit, !is_worker);
    return 0;
}

/* The number after a word at the start of a line. */
static uint64_t field_of(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, word, length) == 0 && line[length] == ' ') {
            return strtoull(line + length, NULL, 10);
        }
    }
    return 0;
}

static char *read_memory_file(const struct sandbox_host *host, const char *name, const char *v1,
                              const char *v2)
{
    char path[384];
    child_path(&host->inner->cgroups[0], name, path); /* row 0 is memory, or v2's only one */
    return read_file(path, host->limits == LIMITS_CGROUP2 ? v2 : v1);
}

bool cgroup_memory(struct sandbox_host *host, const char *name, uint64_t *ret_bytes)
{
    auto_free char *text = read_memory_file(host, name, "memory.usage_in_bytes", "memory.current");
    if (text == NULL) {
        return false;
    }
    *ret_bytes = strtoull(text, NULL, 10);
    return true;
}

uint64_t cgroup_oom_kills(struct sandbox_host *host, const char *name)
{
    auto_free char *text = read_memory_file(host, name, "memory.oom_control", "memory.events");
    return text != NULL ? field_of(text, "oom_kill") : 0;
}

/* Signals every process listed in the group; returns how many there were. */
static int kill_listed(const char *path)
{
    auto_free char *text = read_file(path, "cgroup.procs");
    int count = 0;
    for (char *at = text; at != NULL && *at != '\0';) {
        char *end = NULL;
        long pid = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        if (pid > 1 && pid != getpid()) {
            kill((pid_t)pid, SIGKILL);
            count++;
        }
        at = end + strspn(end, "\n");
    }
    return count;
}

bool cgroup_kill(struct sandbox_host *host, const char *name)
{
    char path[384];
    child_path(&host->inner->cgroups[0], name, path);
    if (host->limits == LIMITS_CGROUP2 && write_file(path, "cgroup.kill", "1") == 0) {
        return true;
    }
    for (int round = 0; round < KILL_ROUNDS && kill_listed(path) != 0; round++) {
    }
    return false;
}

bool cgroup_is_empty(struct sandbox_host *host, const char *name)
{
    char path[384];
    child_path(&host->inner->cgroups[0], name, path);
    auto_free char *text = read_file(path, "cgroup.procs");
    return text == NULL || text[0] == '\0';
}

void cgroup_remove(struct sandbox_host *host, const char *name)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        char path[384];
        if (host->inner->cgroups[i].path[0] != '\0') {
            child_path(&host->inner->cgroups[i], name, path);
            rmdir(path);
        }
    }
}

static int sweep_child(const char *tree, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", tree, name);
    int killed = kill_listed(path);
    for (int round = 0; round < KILL_ROUNDS && rmdir(path) != 0 && errno == EBUSY; round++) {
        usleep(ROUND_WAIT_US);
        kill_listed(path);
    }
    return killed;
}

int cgroup_sweep(struct sandbox_host *host)
{
    int killed = 0;
    for (size_t i = 0; i < CONTROLLERS; i++) {
        const char *tree = host->inner->cgroups[i].path;
        DIR *directory = tree[0] != '\0' ? opendir(tree) : NULL;
        if (directory == NULL) {
            continue;
        }
        for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
            if (entry->d_type == DT_DIR && entry->d_name[0] >= '0' && entry->d_name[0] <= '9') {
                killed += sweep_child(tree, entry->d_name);
            }
        }
        closedir(directory);
    }
    return killed;
}

/* Ours alone goes; directories of children that are still there keep it, and the next daemon sweeps
 * them. */
void cgroup_release(struct sandbox_host *host)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        if (host->inner->cgroups[i].path[0] != '\0') {
            rmdir(host->inner->cgroups[i].path);
        }
    }
}

uint64_t cgroup_own_memory(void)
{
    static const struct {
        const char *controller, *file;
    } rows[] = { { NULL, "memory.max" }, { "memory", "memory.limit_in_bytes" } };
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char mount[256], own[256], path[640];
        if (!find_mount(rows[i].controller, mount, sizeof(mount))) {
            continue;
        }
        find_own(rows[i].controller, mount, own, sizeof(own));
        snprintf(path, sizeof(path), "%s%s", mount, own);
        auto_free char *text = read_file(path, rows[i].file);
        uint64_t value = text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10)
                                                                          : UINT64_MAX;
        least = value < least ? value : least;
    }
    return least;
}
