/*
 * functiond backup and restore. A backup is a directory: functiond.db (a consistent copy, taken
 * while the server runs), then the secret, the packages and the built trees. In that order, so that
 * nothing the database names can be missing but what was deleted meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "copy.h"
#include "data.h"
#include "error.h"
#include "fd.h"
#include "mem.h"
#include "store.h"
#include "text.h"

static const char *const copied[] = { "secret", "packages", "builds" };

/* Takes `flag VALUE` out of argv; NULL and a sentence if it is not there. */
static const char *take_flag(int *argc, char **argv, const char *flag)
{
    for (int i = 1; i + 1 < *argc; i++) {
        const char *value = argv[i + 1];

        if (!text_equals(argv[i], flag))
            continue;
        for (int next = i + 2; next <= *argc; next++)
            argv[next - 2] = argv[next];
        *argc -= 2;
        return value;
    }
    fprintf(stderr, "functiond: %s DIRECTORY is missing\n", flag);
    return NULL;
}

static int copy_all(int from, int to, const struct copy_owner *owner, struct error *err)
{
    for (size_t i = 0; i < COUNT(copied); i++)
        if (copy_entry(from, to, copied[i], owner, err) < 0)
            return -1;
    return 0;
}

static int backup(const struct settings *settings, const char *target, struct error *err)
{
    const struct copy_owner me = { .user = (uid_t)-1, .group = (gid_t)-1 };
    auto_free char *database = xasprintf("%s/functiond.db", target);
    auto_fd int from = open(settings->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_fd int to = -1;

    if (from < 0)
        return fail_errno(err, "data directory %s", settings->data);
    if (mkdir(target, 0700) < 0)
        return fail_errno(err, "cannot create %s", target);
    to = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return fail_errno(err, "%s", target);
    if (store_backup(settings->data, database, err) < 0 || copy_all(from, to, &me, err) < 0)
        return fail_add(err, "backup");
    if (fsync(to) < 0)
        return fail_errno(err, "%s", target);
    return 0;
}

static int restore(const struct settings *settings, const char *source, struct error *err)
{
    auto_fd int from = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct data_directory data;
    struct copy_owner owner;
    int result = -1;

    if (from < 0)
        return fail_errno(err, "%s", source);
    if (data_open(settings, 0, &data, err) < 0)
        return -1;
    owner = (struct copy_owner){ .user = data.owner, .group = data.group };
    if (!data.locked)
        fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "%s is in use by a running functiond", data.path);
    else if (faccessat(from, "functiond.db", F_OK, 0) < 0)
        fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "%s is no backup: it has no functiond.db",
             source);
    else if (faccessat(data.fd, "functiond.db", F_OK, 0) == 0)
        fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
             "%s has a functiond.db already; restore into a "
             "new directory",
             data.path);
    else
        result = copy_all(from, data.fd, &owner, err);
    /* The database last: a directory with it is complete. */
    if (result == 0)
        result = copy_entry(from, data.fd, "functiond.db", &owner, err);
    if (result == 0)
        result = data_lay_out(&data, err);
    data_close(&data);
    return result;
}

static int run(int argc, char **argv, const char *flag, const char *help,
               int (*work)(const struct settings *settings, const char *directory,
                           struct error *err))
{
    struct settings settings;
    const char *directory;
    struct error err;
    int status = EXIT_DONE;

    if (cli_wants_help(argc, argv)) {
        printf("functiond %s [--data DIR] %s DIRECTORY\n\n%s\n", argv[0], flag, help);
        return EXIT_DONE;
    }
    directory = take_flag(&argc, argv, flag);
    if (directory == NULL || cli_settings(argc, argv, &settings) < 0)
        return EXIT_USAGE;
    if (work(&settings, directory, &err) < 0) {
        fprintf(stderr, "functiond: %s\n", err.message);
        status = EXIT_FAILED;
    }
    settings_release(&settings);
    return status;
}

int command_backup(int argc, char **argv)
{
    return run(argc, argv, "--to",
               "Copies database, secret, packages and built trees to a new directory; the server "
               "may run.\nWhoever has the copy has the keys of the original.",
               backup);
}

int command_restore(int argc, char **argv)
{
    return run(argc, argv, "--from", "Makes a new data directory from a backup.", restore);
}
