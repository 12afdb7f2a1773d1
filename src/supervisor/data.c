/* The data directory. See include/supervisor/data.h for the layout. */
#include "data.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "privilege.h"
#include "text.h"

struct place {
    const char *name;
    mode_t mode;
    size_t fd_offset; /* of the descriptor kept in struct data_directory; 0: none */
};

static const struct place places[] = {
    { .name = "bootstrap", .mode = 0755 },
    { .name = "builds", .mode = 0711, .fd_offset = offsetof(struct data_directory, builds_fd) },
    { .name = "cache", .mode = 0711, .fd_offset = offsetof(struct data_directory, cache_fd) },
    { .name = "tmp", .mode = 0711, .fd_offset = offsetof(struct data_directory, tmp_fd) },
    { .name = "run", .mode = 0700, .fd_offset = offsetof(struct data_directory, run_fd) },
    { .name = "packages", .mode = 0700 },
    { .name = "uploads", .mode = 0700 },
};

/* As mkdir -p; the last directory is private from birth. */
static int make_directories(const char *path, struct error *err)
{
    auto_free char *part = xstrdup(path);

    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return fail_errno(err, "data directory %s: cannot create %s", path, part);
        *slash = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return fail_errno(err, "data directory %s: cannot create it", path);
    return 0;
}

/* Someone's home or /etc given by mistake must not change owner: only what is empty or already ours
 * is taken. */
static int check_contents(int fd, const char *path, struct error *err)
{
    static const char *const harmless[] = { ".", "..", "lost+found" };
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    bool ours = false;
    bool empty = true;

    if (directory == NULL) {
        fd_close(&copy);
        return fail_errno(err, "data directory %s: cannot read it", path);
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        bool counts = true;

        for (size_t i = 0; i < COUNT(harmless); i++)
            counts = counts && !text_equals(entry->d_name, harmless[i]);
        empty = empty && !counts;
        ours = ours || text_equals(entry->d_name, "lock") ||
               text_equals(entry->d_name, "functiond.db");
    }
    closedir(directory);
    if (!empty && !ours)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "data directory %s is not empty and holds no functiond.db; "
                    "name an empty or a new directory",
                    path);
    return 0;
}

static int find_owner(const struct settings *settings, const struct stat *status,
                      struct data_directory *data, struct error *err)
{
    const struct passwd *account;

    if (geteuid() != 0) {
        if (status->st_uid != geteuid())
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                        "data directory %s belongs to user id %u, this is user id %u", data->path,
                        status->st_uid, geteuid());
        data->owner = geteuid();
        data->group = getegid();
        return 0;
    }
    if (status->st_uid != 0) {
        data->owner = status->st_uid;
        data->group = status->st_gid;
        return 0;
    }
    account = text_is_empty(settings->user) ? NULL : getpwnam(settings->user);
    if (account == NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "started as root, but there is no account \"%s\" for the api to run as; create "
                    "it (useradd --system %s), name another with --user, or give the data "
                    "directory to an ordinary user",
                    settings->user, settings->user);
    if (account->pw_uid == 0 || text_equals(settings->user, "nobody"))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "the api cannot run as \"%s\"; name an account of its own with --user",
                    settings->user);
    data->owner = account->pw_uid;
    data->group = account->pw_gid;
    return 0;
}

/* A command that works on the store holds the lock for a moment, so a daemon that starts just then
 * waits a little. */
static int take_lock(struct data_directory *data, int wait_ms, struct error *err)
{
    static const int step_ms = 25;

    data->lock_fd = openat(data->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (data->lock_fd < 0)
        return fail_errno(err, "data directory %s: cannot open its lock", data->path);
    for (int waited_ms = 0;; waited_ms += step_ms) {
        const struct timespec pause = { .tv_nsec = step_ms * 1000000L };

        if (flock(data->lock_fd, LOCK_EX | LOCK_NB) == 0) {
            data->locked = true;
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(err, "data directory %s: cannot lock it", data->path);
        if (waited_ms >= wait_ms)
            return 0;
        nanosleep(&pause, NULL);
    }
}

static void data_init(struct data_directory *data)
{
    *data = (struct data_directory){
        .fd = -1, .lock_fd = -1, .builds_fd = -1, .cache_fd = -1, .tmp_fd = -1, .run_fd = -1
    };
}

static int open_parts(const struct settings *settings, int wait_ms, struct data_directory *data,
                      struct error *err)
{
    struct stat status;

    if (text_is_empty(settings->data))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "the setting data names no directory");
    if (stat(settings->data, &status) < 0) {
        if (errno != ENOENT)
            return fail_errno(err, "data directory %s", settings->data);
        if (make_directories(settings->data, err) < 0)
            return -1;
    }
    data->path = realpath(settings->data, NULL);
    if (data->path == NULL)
        return fail_errno(err, "data directory %s", settings->data);
    data->fd = open(data->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data->fd < 0 && errno == ENOTDIR)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "data directory %s is not a directory",
                    data->path);
    if (data->fd < 0 || fstat(data->fd, &status) < 0)
        return fail_errno(err, "data directory %s: cannot open it", data->path);
    if (find_owner(settings, &status, data, err) < 0 ||
        check_contents(data->fd, data->path, err) < 0)
        return -1;
    return take_lock(data, wait_ms, err);
}

int data_open(const struct settings *settings, int wait_ms, struct data_directory *ret_data,
              struct error *err)
{
    struct data_directory data;

    data_init(&data);
    if (open_parts(settings, wait_ms, &data, err) < 0) {
        data_close(&data);
        return -1;
    }
    *ret_data = data;
    return 0;
}

static int own(const struct data_directory *data, int fd, const char *name, mode_t mode,
               struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return fail_errno(err, "data directory %s: %s", data->path, name);
    if ((status.st_uid != data->owner || status.st_gid != data->group) && geteuid() == 0 &&
        fchown(fd, data->owner, data->group) < 0)
        return fail_errno(err, "data directory %s: cannot give %s to user id %u", data->path, name,
                          data->owner);
    if ((status.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        return fail_errno(err, "data directory %s: cannot set the mode of %s", data->path, name);
    return 0;
}

static int lay_place(struct data_directory *data, const struct place *place, struct error *err)
{
    auto_fd int fd = -1;

    if (mkdirat(data->fd, place->name, 0700) < 0 && errno != EEXIST)
        return fail_errno(err, "data directory %s: cannot create %s", data->path, place->name);
    fd = openat(data->fd, place->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail_errno(err, "data directory %s: cannot open %s", data->path, place->name);
    if (own(data, fd, place->name, place->mode, err) < 0)
        return -1;
    if (place->fd_offset != 0)
        *(int *)((char *)data + place->fd_offset) = fd_steal(&fd);
    return 0;
}

/* A directory above may be closed to the owner although root passes: better said now than by every
 * later error. */
static int check_reachable(const struct data_directory *data, struct error *err)
{
    int status = 0;
    pid_t pid;

    if (geteuid() != 0)
        return 0;
    pid = fork();
    if (pid < 0)
        return fail_errno(err, "cannot start a process");
    if (pid == 0) {
        if (privilege_take_identity(data->owner, data->group) < 0)
            _exit(2);
        _exit(access(data->path, R_OK | W_OK | X_OK) < 0 ? 1 : 0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                "data directory %s: user id %u, which the api runs as, cannot reach it; a "
                "directory above it is closed to others",
                data->path, data->owner);
}

int data_lay_out(struct data_directory *data, struct error *err)
{
    if (own(data, data->fd, "the directory", 0700, err) < 0 ||
        own(data, data->lock_fd, "lock", 0600, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(places); i++)
        if (lay_place(data, &places[i], err) < 0)
            return -1;
    return check_reachable(data, err);
}

int data_become_owner(const struct data_directory *data, struct error *err)
{
    if (geteuid() == 0 && privilege_take_identity(data->owner, data->group) < 0)
        return fail_errno(err, "cannot become user id %u", data->owner);
    if (privilege_drop() < 0)
        return fail_errno(err, "cannot give up privileges");
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1); /* the leak checker traces its own process */
#endif
    return 0;
}

void data_close(struct data_directory *data)
{
    fd_close(&data->fd);
    fd_close(&data->lock_fd);
    fd_close(&data->builds_fd);
    fd_close(&data->cache_fd);
    fd_close(&data->tmp_fd);
    fd_close(&data->run_fd);
    free(data->path);
    data_init(data);
}
