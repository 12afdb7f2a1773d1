/* Copies of whole directories. See copy.h. */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

enum { DEPTH_MAX = 200, BLOCK_BYTES = 1 << 20 };

static int copy_below(int from_dir, int to_dir, const char *name, const struct copy_owner *owner,
                      int depth, struct error *err);

static int copy_bytes(int from, int to)
{
    auto_free char *block = xmalloc(BLOCK_BYTES);
    ssize_t got;

    while ((got = read(from, block, BLOCK_BYTES)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || fd_write_all(to, block, (size_t)got) < 0)
            return -1;
    }
    return fsync(to);
}

static int copy_file(int from_dir, int to_dir, const char *name, mode_t mode,
                     const struct copy_owner *owner, struct error *err)
{
    auto_fd int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    auto_fd int to = -1;

    if (from < 0 && errno == ENOENT)
        return 0; /* it went while we copied */
    if (from >= 0)
        to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0 || copy_bytes(from, to) < 0 || fchown(to, owner->user, owner->group) < 0 ||
        fchmod(to, mode & 0777) < 0)
        return fail_errno(err, "copy %s", name);
    return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct copy_owner *owner,
                     struct error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (length < 0)
        return fail_errno(err, "copy %s", name);
    target[length] = '\0';
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, owner->user, owner->group, AT_SYMLINK_NOFOLLOW) < 0)
        return fail_errno(err, "copy %s", name);
    return 0;
}

static int copy_directory(int from_dir, int to_dir, const char *name, mode_t mode,
                          const struct copy_owner *owner, int depth, struct error *err)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int from = openat(from_dir, name, flags);
    DIR *stream = from < 0 ? NULL : fdopendir(from);
    auto_fd int to = -1;
    int result = 0;

    if (stream == NULL) {
        fd_close(&from);
        return fail_errno(err, "copy %s", name);
    }
    if (mkdirat(to_dir, name, 0700) < 0 || (to = openat(to_dir, name, flags)) < 0 ||
        fchown(to, owner->user, owner->group) < 0)
        result = fail_errno(err, "copy %s", name);
    for (const struct dirent *entry; result == 0 && (entry = readdir(stream)) != NULL;)
        if (depth > 0 || entry->d_name[0] != '.')
            result = copy_below(from, to, entry->d_name, owner, depth + 1, err);
    if (result == 0 && fchmod(to, mode & 0777) < 0)
        result = fail_errno(err, "copy %s", name);
    closedir(stream);
    return result;
}

static int copy_below(int from_dir, int to_dir, const char *name, const struct copy_owner *owner,
                      int depth, struct error *err)
{
    struct stat status;

    if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
        return 0;
    if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail_errno(err, "copy %s", name);
    if (depth > DEPTH_MAX)
        return fail(err, ERROR_INTERNAL, "copy %s: nested too deep", name);
    if (S_ISDIR(status.st_mode))
        return copy_directory(from_dir, to_dir, name, status.st_mode, owner, depth, err);
    if (S_ISREG(status.st_mode))
        return copy_file(from_dir, to_dir, name, status.st_mode, owner, err);
    return S_ISLNK(status.st_mode) ? copy_link(from_dir, to_dir, name, owner, err) : 0;
}

int copy_entry(int from_dir, int to_dir, const char *name, const struct copy_owner *owner,
               struct error *err)
{
    return copy_below(from_dir, to_dir, name, owner, 0, err);
}
