/* Descriptors and small files. Removing trees is in remove_tree.c, passing descriptors in packet.c.
 * See fd.h. */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

void fd_close(int *fd)
{
    if (*fd < 0)
        return;
    int kept = errno;
    close(*fd);
    *fd = -1;
    errno = kept;
}

int fd_steal(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

int fd_set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -1;
    int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return wanted == flags ? 0 : fcntl(fd, F_SETFL, wanted);
}

int fd_pipe(int *ret_read, int *ret_write, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(err, "make a pipe");
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

int fd_socketpair(int type, int ret_pair[2], struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
        return fail_errno(err, "make a socket pair");
    ret_pair[0] = pair[0];
    ret_pair[1] = pair[1];
    return 0;
}

int fd_memfd(const char *name, const void *data, size_t bytes, struct error *err)
{
    auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fail_errno(err, "make memory file %s", name);
    if (fd_write_all(fd, data, bytes) < 0)
        return fail_errno(err, "write memory file %s", name);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return fail_errno(err, "seal memory file %s", name);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return fail_errno(err, "rewind memory file %s", name);
    return fd_steal(&fd);
}

int fd_write_all(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = write(fd, at, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += written;
        bytes -= (size_t)written;
    }
    return 0;
}

ssize_t fd_read_all(int fd, void *data, size_t bytes)
{
    size_t size = 0;
    while (size < bytes) {
        ssize_t count = read(fd, (char *)data + size, bytes - size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        size += (size_t)count;
    }
    return (ssize_t)size;
}

/* The size that stat tells is a hint only: files of /proc say 0. */
static int read_whole(int fd, const char *name, size_t limit_bytes, char **ret_data,
                      size_t *ret_size, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_errno(err, "look at %s", name);
    size_t capacity = 4096;
    if (status.st_size > 0 && (size_t)status.st_size >= capacity)
        capacity = (size_t)status.st_size + 1;
    if (capacity - 1 > limit_bytes)
        capacity = limit_bytes + 1; /* one byte more than allowed shows that there is more */

    auto_free char *data = xmalloc(capacity);
    size_t size = 0;
    for (;;) {
        if (size == capacity) {
            if (size > limit_bytes)
                return fail(err, ERROR_INTERNAL, "%s is larger than %zu bytes", name, limit_bytes);
            capacity = capacity > limit_bytes / 2 ? limit_bytes + 1 : capacity * 2;
            data = xrealloc(data, capacity);
        }
        ssize_t count = pread(fd, data + size, capacity - size, (off_t)size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(err, "read %s", name);
        if (count == 0)
            break;
        size += (size_t)count;
    }
    if (size > limit_bytes)
        return fail(err, ERROR_INTERNAL, "%s is larger than %zu bytes", name, limit_bytes);
    data = xrealloc(data, size + 1);
    data[size] = '\0';
    *ret_data = steal(data);
    if (ret_size != NULL)
        *ret_size = size;
    return 0;
}

int fd_read_file(int dirfd, const char *path, size_t limit_bytes, char **ret_data, size_t *ret_size,
                 struct error *err)
{
    if (path[0] == '\0')
        return read_whole(dirfd, "the file", limit_bytes, ret_data, ret_size, err);
    auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_errno(err, "open %s", path);
    return read_whole(fd, path, limit_bytes, ret_data, ret_size, err);
}

static int sync_parent(int dirfd, const char *path)
{
    auto_free char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        snprintf(parent, 2, ".");
    else if (slash == parent)
        slash[1] = '\0';
    else
        *slash = '\0';
    auto_fd int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

static int write_synced(int dirfd, const char *path, const void *data, size_t bytes, mode_t mode)
{
    auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                            mode & 0600);
    if (fd < 0 || fchmod(fd, mode) < 0) /* the umask does not decide */
        return -1;
    if (fd_write_all(fd, data, bytes) < 0)
        return -1;
    return fsync(fd);
}

int fd_write_file(int dirfd, const char *path, const void *data, size_t bytes, mode_t mode,
                  struct error *err)
{
    auto_free char *fresh = xasprintf("%s.new", path);
    if (write_synced(dirfd, fresh, data, bytes, mode) < 0 ||
        renameat(dirfd, fresh, dirfd, path) < 0) {
        fail_errno(err, "write %s", path);
        int kept = errno;
        unlinkat(dirfd, fresh, 0);
        errno = kept;
        return -1;
    }
    if (sync_parent(dirfd, path) < 0)
        return fail_errno(err, "sync the directory of %s", path);
    return 0;
}

int fd_mkdir(int dirfd, const char *path, mode_t mode, struct error *err)
{
    if (mkdirat(dirfd, path, mode) == 0) {
        if (fchmodat(dirfd, path, mode, 0) < 0) /* the umask does not decide */
            return fail_errno(err, "set the mode of directory %s", path);
        return 0;
    }
    if (errno != EEXIST)
        return fail_errno(err, "make directory %s", path);
    struct stat status;
    if (fstatat(dirfd, path, &status, 0) < 0)
        return fail_errno(err, "look at %s", path);
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return fail_errno(err, "make directory %s", path);
    }
    return 0;
}
