/* Puts the bootstraps, which travel inside the program, where workers can read them. */
#include "runtimes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "embedded.h"
#include "fd.h"
#include "mem.h"

enum { BOOTSTRAP_MOST = 1 << 20 };

static bool is_same(const char *path, const struct embedded_file *file)
{
    struct error ignored;
    char *data = NULL;
    size_t size = 0;
    struct stat status;
    if (stat(path, &status) < 0 || (status.st_mode & 07777) != 0644 ||
        fd_read_file(AT_FDCWD, path, BOOTSTRAP_MOST, &data, &size, &ignored) < 0)
        return false;
    bool same = size == (size_t)(file->end - file->start) && memcmp(data, file->start, size) == 0;
    free(data);
    return same;
}

static int install(const char *directory, const struct embedded_file *file, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", directory, file->name);
    for (char *slash = strchr(path + strlen(directory) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = fd_mkdir(AT_FDCWD, path, 0755, err);
        *slash = '/';
        if (made < 0)
            return -1;
    }
    if (is_same(path, file))
        return 0;
    return fd_write_file(AT_FDCWD, path, file->start, (size_t)(file->end - file->start), 0644, err);
}

int runtimes_install_bootstraps(const char *directory, struct error *err)
{
    if (fd_mkdir(AT_FDCWD, directory, 0755, err) < 0)
        return fail_add(err, "install the bootstraps");
    for (size_t i = 0; i < embedded_bootstraps_count; i++)
        if (install(directory, &embedded_bootstraps[i], err) < 0)
            return fail_add(err, "install the bootstraps");
    return 0;
}
