/* links: build util */
/* Unpacking: whatever the bytes, nothing may appear outside the directory, and nothing in it but
 * files, folders, links. */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "roles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char outer[64], inner[80];
static int home; /* where the fuzzer keeps its corpus */

static void check(int condition)
{
    if (!condition)
        abort();
}

static void clean(void)
{
    rmdir(outer);
}

static void prepare(void)
{
    if (*outer)
        return;
    strcpy(outer, "/tmp/functiond-fuzz-XXXXXX");
    check(mkdtemp(outer) != NULL);
    atexit(clean);
    snprintf(inner, sizeof inner, "%s/inner", outer);
    home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(home >= 0);
    check(freopen("/dev/null", "w", stdout) != NULL);
}

static int see(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)path;
    (void)kind;
    (void)where;
    check(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
    check(S_ISLNK(st->st_mode) || (st->st_mode & 07022) == 0);
    return 0;
}

static void check_outer(void)
{
    auto_free char *beside = xasprintf("%s/..", inner);
    struct stat st;

    check(stat(beside, &st) == 0);
    check(st.st_nlink == 3); /* ".", the name in /tmp, and inner alone */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "unpack", bytes[] = "1000000", entries[] = "100", ratio[] = "200";
    char *argv[] = { program, inner, bytes, entries, ratio, NULL };
    struct error err;

    prepare();
    check(mkdir(inner, 0755) == 0);
    int fd = fd_memfd("archive", data, size, &err);
    check(fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);

    build_unpack_role(5, argv);

    check(fchdir(home) == 0);
    check_outer();
    check(nftw(inner, see, 16, FTW_PHYS) == 0);
    check(fd_remove_tree(AT_FDCWD, inner, &err) == 0);
    return 0;
}
