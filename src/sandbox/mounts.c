/*
 * The new root of profile `full`: a small tmpfs in which only what is listed exists.
 *
 * The parent writes the rows (mounts_prepare), the child executes them (mounts_run). All sources
 * are taken as detached copies before the tmpfs covers anything, so that the place it is put
 * together at hides none of them. The same list of system paths makes the Landlock rules of the
 * other profiles.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "sandbox_private.h"
#include "text.h"

#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define WRITABLE  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define DEVICE    (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

/* What a program of the host needs in order to run. Everything here is world-readable on any
 * ordinary host. */
static const struct system_path {
    const char *path;
    bool network;    /* only with a policy that has network */
    bool build;      /* only for builds: where packages come from */
    bool if_visible; /* a program that sees it and may not read it gives up; where absent, it goes
                        on */
} system_paths[] = {
    { .path = "/usr" },
    { .path = "/bin" },
    { .path = "/sbin" },
    { .path = "/lib" },
    { .path = "/lib32" },
    { .path = "/lib64" },
    { .path = "/libx32" },
    { .path = "/nix/store" },
    { .path = "/gnu/store" },
    { .path = "/etc/ld.so.cache" },
    { .path = "/etc/alternatives" },
    { .path = "/etc/localtime" },
    { .path = "/etc/timezone" },
    { .path = "/etc/mime.types" },
    { .path = "/etc/debian_version" },
    { .path = "/etc/lsb-release" },
    { .path = "/etc/os-release" },
    { .path = "/etc/gitconfig", .if_visible = true },
    { .path = "/etc/npmrc", .build = true },
    { .path = "/etc/pip.conf", .build = true },
    { .path = "/etc/php" },
    { .path = "/etc/ssl/certs" },
    { .path = "/etc/ssl/openssl.cnf" },
    { .path = "/etc/ca-certificates" },
    { .path = "/etc/pki" },
    { .path = "/etc/crypto-policies" },
    { .path = "/etc/nsswitch.conf" },
    { .path = "/etc/resolv.conf", .network = true },
    { .path = "/etc/hosts", .network = true },
    { .path = "/etc/host.conf", .network = true },
    { .path = "/etc/gai.conf", .network = true },
    { .path = "/etc/services", .network = true },
    { .path = "/etc/protocols", .network = true },
};

static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                       "/dev/urandom" };

static const char *const device_links[][2] = { { "/proc/self/fd", "dev/fd" },
                                               { "/proc/self/fd/0", "dev/stdin" },
                                               { "/proc/self/fd/1", "dev/stdout" },
                                               { "/proc/self/fd/2", "dev/stderr" },
                                               { "/tmp", "dev/shm" } };

/* The count is bounded by SANDBOX_PATHS_MAX, which plan_prepare() checks. */
static struct mount_row *add(struct prepared *prepared, enum mount_kind kind, const char *source,
                             const char *target, uint64_t attributes)
{
    assert(prepared->mount_count < MOUNTS_MAX);
    struct mount_row *row = &prepared->mounts[prepared->mount_count++];
    while (*target == '/') {
        target++;
    }
    *row = (struct mount_row){
        .kind = kind, .source = source, .target = target, .attributes = attributes, .fd = -1
    };
    return row;
}

static bool is_wanted(const struct system_path *row, const struct prepared *prepared)
{
    return (!row->network || prepared->plan->network != NETWORK_NONE) &&
           (!row->build || prepared->plan->kind == SANDBOX_BUILD);
}

static void add_system_path(struct prepared *prepared, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return;
    }
    if (S_ISLNK(status.st_mode) && strchr(path + 1, '/') == NULL) { /* /bin -> usr/bin */
        char link[PATH_MAX];
        ssize_t length = readlink(path, link, sizeof(link) - 1);
        if (length > 0) {
            link[length] = '\0';
            add(prepared, MOUNT_SYMLINK, plan_text(prepared, "%s", link), path, 0);
        }
        return;
    }
    if (stat(path, &status) == 0) { /* a link below /etc is followed: its target is bound here */
        add(prepared, S_ISDIR(status.st_mode) ? MOUNT_BIND : MOUNT_BIND_FILE, path, path, READ_ONLY)
            ->optional = true;
    }
}

static void add_devices(struct prepared *prepared)
{
    for (size_t i = 0; i < COUNT(devices); i++) {
        add(prepared, MOUNT_BIND_FILE, devices[i], devices[i], DEVICE);
    }
    for (size_t i = 0; i < COUNT(device_links); i++) {
        add(prepared, MOUNT_SYMLINK, device_links[i][0], device_links[i][1], 0);
    }
}

static int add_plan_path(struct sandbox_host *host, struct prepared *prepared,
                         const struct sandbox_path *path, struct error *err)
{
    const char *target = path->target != NULL ? path->target : path->source;
    if (path->late) {
        if (!host->late_code) {
            return fail(err, ERROR_INTERNAL, "sandbox: %s: code cannot be given later here",
                        target);
        }
        const char *slot = plan_text(prepared, "%s/%llu", host->inner->slots_directory,
                                     (unsigned long long)prepared->plan->worker_id);
        add(prepared, MOUNT_BIND, slot, target, READ_ONLY);
        return 0;
    }
    struct stat status;
    if (stat(path->source, &status) != 0) {
        if (path->optional) {
            return 0;
        }
        return fail_errno(err, "sandbox: path %s", path->source);
    }
    struct mount_row *row = add(prepared, S_ISDIR(status.st_mode) ? MOUNT_BIND : MOUNT_BIND_FILE,
                                path->source, target, path->writable ? WRITABLE : READ_ONLY);
    row->optional = path->optional;
    return 0;
}

int mounts_prepare(struct sandbox_host *host, struct prepared *prepared, struct error *err)
{
    const struct sandbox_plan *plan = prepared->plan;
    for (size_t i = 0; i < COUNT(system_paths); i++) {
        if (is_wanted(&system_paths[i], prepared) && !system_paths[i].if_visible) {
            add_system_path(prepared, system_paths[i].path);
        }
    }
    add(prepared, MOUNT_TEXT,
        plan_text(prepared, "function:x:%u:%u:function:/tmp:/bin/sh\n", prepared->uid,
                  prepared->gid),
        "etc/passwd", 0);
    add(prepared, MOUNT_TEXT, plan_text(prepared, "function:x:%u:\n", prepared->gid), "etc/group",
        0);
    add_devices(prepared);
    if (host->private_proc) {
        add(prepared, MOUNT_PROC, NULL, "proc", 0);
    }
    uint64_t tmp_bytes = plan->limit.tmp_bytes != 0 ? plan->limit.tmp_bytes : UINT64_C(64) << 20;
    add(prepared, MOUNT_TMPFS,
        plan_text(prepared, "mode=0700,nr_inodes=16384,size=%llu,uid=%u,gid=%u",
                  (unsigned long long)tmp_bytes, prepared->uid, prepared->gid),
        "tmp", 0);
    for (size_t i = 0; i < plan->path_count; i++) {
        if (add_plan_path(host, prepared, &plan->paths[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

bool mounts_is_system(const char *path)
{
    for (size_t i = 0; i < COUNT(system_paths); i++) {
        size_t length = strlen(system_paths[i].path);
        if (text_starts(path, system_paths[i].path) &&
            (path[length] == '/' || path[length] == '\0')) {
            return true;
        }
    }
    return false;
}

void mounts_system_rules(struct prepared *prepared)
{
    for (size_t i = 0; i < COUNT(system_paths); i++) {
        if (is_wanted(&system_paths[i], prepared)) {
            landlock_add_rule(prepared, system_paths[i].path, RIGHTS_READ, true);
        }
    }
    landlock_add_rule(prepared, "/etc/passwd", RIGHTS_READ, true);
    landlock_add_rule(prepared, "/etc/group", RIGHTS_READ, true);
    for (size_t i = 0; i < COUNT(devices); i++) {
        landlock_add_rule(prepared, devices[i], RIGHTS_DEVICE, true);
    }
}

/* From here on: in the child. */

static int make_directories(const char *target, bool with_last)
{
    char path[PATH_MAX];
    size_t length = strlen(target);
    if (length >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path, target, length + 1);
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST && errno != EROFS) {
            return -1;
        }
        *slash = '/';
    }
    if (with_last && mkdir(path, 0755) != 0 && errno != EEXIST) {
        return -1;
    }
    return 0;
}

static int make_file(const char *target, const char *text)
{
    int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return errno == EROFS ? 0
                              : -1; /* beneath a bind of ours; move_mount tells if it is absent */
    }
    size_t length = text != NULL ? strlen(text) : 0;
    bool written = write(fd, text != NULL ? text : "", length) == (ssize_t)length;
    close(fd);
    return written ? 0 : -1;
}

static int take_source(struct mount_row *row)
{
    row->fd = (int)syscall(SYS_open_tree, AT_FDCWD, row->source,
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (row->fd < 0) {
        return row->optional && (errno == ENOENT || errno == EACCES) ? 0 : -1;
    }
    struct mount_attr attributes = { .attr_set = row->attributes };
    return (int)syscall(SYS_mount_setattr, row->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof(attributes));
}

static int place_source(const struct mount_row *row)
{
    int result = (int)syscall(SYS_move_mount, row->fd, "", AT_FDCWD, row->target,
                              MOVE_MOUNT_F_EMPTY_PATH);
    int saved = errno;
    close(row->fd);
    errno = saved;
    return result;
}

static int run_row(const struct mount_row *row)
{
    switch (row->kind) {
    case MOUNT_DIRECTORY:
        return make_directories(row->target, true);
    case MOUNT_SYMLINK:
        if (make_directories(row->target, false) != 0) {
            return -1;
        }
        return symlink(row->source, row->target);
    case MOUNT_TEXT:
        if (make_directories(row->target, false) != 0) {
            return -1;
        }
        return make_file(row->target, row->source);
    case MOUNT_BIND:
        if (row->fd < 0) {
            return 0;
        }
        return make_directories(row->target, true) != 0 ? -1 : place_source(row);
    case MOUNT_BIND_FILE:
        if (row->fd < 0) {
            return 0;
        }
        if (make_directories(row->target, false) != 0 || make_file(row->target, NULL) != 0) {
            return -1;
        }
        return place_source(row);
    case MOUNT_TMPFS:
        if (make_directories(row->target, true) != 0) {
            return -1;
        }
        return mount("tmpfs", row->target, "tmpfs", MS_NOSUID | MS_NODEV, row->source);
    case MOUNT_PROC:
        if (make_directories(row->target, true) != 0) {
            return -1;
        }
        return mount("proc", row->target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
    return -1;
}

int mounts_run(struct prepared *prepared, const char **ret_detail)
{
    umask(0);
    *ret_detail = "make the tree ours";
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        return -1;
    }
    for (size_t i = 0; i < prepared->mount_count; i++) {
        struct mount_row *row = &prepared->mounts[i];
        if ((row->kind == MOUNT_BIND || row->kind == MOUNT_BIND_FILE) && take_source(row) != 0) {
            *ret_detail = row->source;
            return -1;
        }
    }
    *ret_detail = "new root";
    if (mount("tmpfs", prepared->mount_point, "tmpfs", MS_NOSUID | MS_NODEV,
              "mode=0755,size=1m,nr_inodes=4096") != 0 ||
        chdir(prepared->mount_point) != 0) {
        return -1;
    }
    for (size_t i = 0; i < prepared->mount_count; i++) {
        if (run_row(&prepared->mounts[i]) != 0) {
            *ret_detail = prepared->mounts[i].target;
            return -1;
        }
    }
    *ret_detail = "change of root";
    if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
        chdir("/") != 0) {
        return -1;
    }
    struct mount_attr read_only = { .attr_set = READ_ONLY };
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &read_only, sizeof(read_only));
}
