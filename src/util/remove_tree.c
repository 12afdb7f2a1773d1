/*
 * fd_remove_tree(): removes what sandboxed code has left behind, so nothing in the tree is trusted.
 *
 * No symbolic link is followed, and depth costs neither stack nor descriptors: a directory below
 * DEPTH_LIMIT is moved up to the top of the tree and removed from there in a later pass.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

enum { DEPTH_LIMIT = 32 };

struct removal {
    int top;            /* the tree's first directory */
    unsigned int moved; /* directories that were moved up */
    int reason;         /* errno of what could not be removed in this pass, or 0 */
    char refused[256];  /* and its name */
};

static void remember(struct removal *removal, const char *name)
{
    if (removal->reason != 0)
        return;
    removal->reason = errno;
    snprintf(removal->refused, sizeof(removal->refused), "%s", name);
}

/* A worker may have taken the rights away from a directory; its owner gives them back. */
static int open_directory(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        auto_fd int place = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
        if (place >= 0 && chmod(path, 0700) == 0)
            fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0700) != 0700)
        fchmod(fd, 0700);
    return fd;
}

static void remove_entries(struct removal *removal, int directory, int depth);

static void move_up(struct removal *removal, int dirfd, const char *name)
{
    char fresh[32];
    do
        snprintf(fresh, sizeof(fresh), ".removed-%u", removal->moved++);
    while (renameat(dirfd, name, removal->top, fresh) < 0 &&
           (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) &&
           removal->moved < 1U << 20);
}

static void remove_entry(struct removal *removal, int dirfd, const char *name, int depth)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM) {
        remember(removal, name);
        return;
    }
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES) {
        remember(removal, name);
        return;
    }
    auto_fd int inner = open_directory(dirfd, name);
    if (inner < 0) {
        remember(removal, name);
        return;
    }
    if (depth >= DEPTH_LIMIT) {
        move_up(removal, dirfd, name);
        return;
    }
    remove_entries(removal, fd_steal(&inner), depth + 1);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        remember(removal, name);
}

/* Takes the descriptor. */
static void remove_entries(struct removal *removal, int directory, int depth)
{
    DIR *stream = fdopendir(directory);
    if (stream == NULL) {
        remember(removal, ".");
        fd_close(&directory);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_entry(removal, dirfd(stream), entry->d_name, depth);
    closedir(stream);
}

int fd_remove_tree(int dirfd, const char *path, struct error *err)
{
    if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return fail_errno(err, "remove %s", path);

    /* A pass that moves nothing up and still leaves something will not do better the next time. */
    struct removal removal = { .top = -1 };
    unsigned int moved;
    do {
        moved = removal.moved;
        removal.reason = 0;
        auto_fd int top = open_directory(dirfd, path);
        if (top < 0)
            return errno == ENOENT ? 0 : fail_errno(err, "open %s", path);
        removal.top = top;
        int stream = fcntl(top, F_DUPFD_CLOEXEC, 3);
        if (stream < 0)
            return fail_errno(err, "open %s", path);
        remove_entries(&removal, stream, 1);
        if (unlinkat(dirfd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        remember(&removal, path);
    } while (removal.moved != moved);
    errno = removal.reason;
    return fail_errno(err, "remove %s: %s", path, removal.refused);
}
