/* From a child's row to its sandbox plan: which directories, under which names, within which
 * limits. */
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "inner.h"
#include "mem.h"
#include "privilege.h"
#include "text.h"

enum { PATHS_MAX = 32 };

struct kind_row {
    bool code_writable;
    bool has_bootstrap;
    bool has_cache;
    bool may_network;  /* our own programs read what strangers packed: they get none, whatever the
                          api says */
    bool early_limits; /* no hello to wait for */
    uint32_t more_processes;
};

static const struct kind_row kinds[SANDBOX_KINDS] = {
    [SANDBOX_WORKER] = { .has_bootstrap = true, .may_network = true },
    [SANDBOX_SPARE] = { .has_bootstrap = true, .may_network = true },
    [SANDBOX_UNPACK] = { .code_writable = true, .early_limits = true },
    [SANDBOX_BUILD] = { .code_writable = true,
                        .has_bootstrap = true,
                        .has_cache = true,
                        .may_network = true,
                        .early_limits = true,
                        .more_processes = 64 },
    [SANDBOX_PACK] = { .early_limits = true },
};

static bool is_full(const struct supervisor *supervisor)
{
    return supervisor->host.profile == SANDBOX_FULL;
}

/* ---- places --------------------------------------------------------------------------------- */

static char *place(const struct supervisor *supervisor, const char *in_box, const char *directory,
                   const char *name)
{
    const char *slash = name[0] != '\0' ? "/" : "";

    if (is_full(supervisor))
        return in_box != NULL ? xasprintf("%s%s%s", in_box, slash, name) : NULL;
    return xasprintf("%s/%s%s%s", supervisor->data.path, directory, slash, name);
}

void plan_places(const struct supervisor *supervisor, const struct child *child,
                 struct plan_places *ret_places)
{
    *ret_places = (struct plan_places){
        .code = place(supervisor, "/code", "builds", child->tree),
        .boot = place(supervisor, "/bootstrap", "bootstrap", ""),
        .tmp = is_full(supervisor) ? xstrdup("/tmp") : place(supervisor, NULL, "tmp", child->tmp),
        .cache = child->cache[0] == '\0' ? NULL
                 : is_full(supervisor)   ? xstrdup("/cache")
                                         : place(supervisor, NULL, "cache", child->cache),
    };
}

static void plan_places_release(struct plan_places *places)
{
    free(places->code);
    free(places->tmp);
    free(places->boot);
    free(places->cache);
    *places = (struct plan_places){ 0 };
}

/* ---- limits --------------------------------------------------------------------------------- */

void plan_limit(const struct supervisor *supervisor, uint32_t kind, uint32_t memory_mb,
                uint32_t cpus_milli, uint32_t cpu_seconds, struct sandbox_limit *ret_limit)
{
    static const uint64_t mebibyte = 1 << 20, tmp_most = 512 << 20, tmp_least = 16 << 20;
    uint64_t memory = memory_mb * mebibyte;
    uint64_t tmp = memory == 0 || memory / 2 > tmp_most ? tmp_most : memory / 2;
    bool is_build = kinds[kind].early_limits;

    if (tmp < tmp_least)
        tmp = tmp_least;
    *ret_limit = (struct sandbox_limit){
        .memory_bytes = memory,
        .cpus_milli = cpus_milli,
        .processes = 64 + 64 * ((cpus_milli + 999) / 1000) + kinds[kind].more_processes,
        .file_bytes = is_build ? (uint64_t)supervisor->settings->package_unpacked : tmp,
        .tmp_bytes = tmp,
        .cpu_seconds = is_build ? cpu_seconds : 0,
        .descriptors = is_build ? 4096 : 1024,
    };
}

/* ---- paths ---------------------------------------------------------------------------------- */

struct paths {
    struct sandbox_path rows[PATHS_MAX];
    size_t count;
    char *texts[PATHS_MAX];
    size_t text_count;
};

static const char *keep(struct paths *paths, char *text)
{
    paths->texts[paths->text_count++] = text;
    return text;
}

static void paths_release(struct paths *paths)
{
    for (size_t i = 0; i < paths->text_count; i++)
        free(paths->texts[i]);
}

/*
 * The directory an interpreter of the setting runtime_paths lives in: for .../bin/node all of
 * "...", for its libraries. Never a directory of the top level: that would show the box much more
 * than an interpreter.
 */
static char *interpreter_root(const char *path)
{
    char *root = xstrdup(path);
    char *slash = strrchr(root, '/');

    *slash = '\0';
    if (text_ends(root, "/bin") && strchr(root + 1, '/') != strrchr(root, '/'))
        *strrchr(root, '/') = '\0';
    return root;
}

static void add_interpreters(const struct supervisor *supervisor, struct paths *paths)
{
    auto_free char *list = xstrdup(supervisor->settings->runtime_paths);
    char *rest = NULL;

    for (char *path = strtok_r(list, ", ", &rest); path != NULL && paths->count < PATHS_MAX - 8;
         path = strtok_r(NULL, ", ", &rest)) {
        if (path[0] != '/' || strchr(path + 1, '/') == NULL || text_starts(path, "/usr/"))
            continue;
        paths->rows[paths->count++] = (struct sandbox_path){
            .source = keep(paths, interpreter_root(path)), .optional = true
        };
    }
}

static void paths_init(const struct supervisor *supervisor, const struct child *child,
                       const struct plan_places *places, struct paths *paths)
{
    const struct kind_row *kind = &kinds[child->kind];
    const char *data = supervisor->data.path;
    bool is_spare = child->kind == SANDBOX_SPARE;

    *paths = (struct paths){ 0 };
    paths->rows[paths->count++] = (struct sandbox_path){
        .source = keep(paths, xasprintf("%s/builds%s%s", data, is_spare ? "" : "/", child->tree)),
        .target = places->code,
        .writable = kind->code_writable,
        .late = is_spare,
    };
    if (kind->has_bootstrap)
        paths->rows[paths->count++] = (struct sandbox_path){
            .source = keep(paths, xasprintf("%s/bootstrap", data)), .target = places->boot
        };
    if (kind->has_cache && child->cache[0] != '\0')
        paths->rows[paths->count++] = (struct sandbox_path){
            .source = keep(paths, xasprintf("%s/cache/%s", data, child->cache)),
            .target = places->cache,
            .writable = true
        };
    if (kind->has_bootstrap)
        add_interpreters(supervisor, paths);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int grant_code(struct supervisor *supervisor, struct child *child, struct error *err)
{
    auto_free char *source = NULL;

    /* A build's tree belongs to its slot; in `full` the mount is the right. */
    if (child->kind != SANDBOX_WORKER || is_full(supervisor))
        return 0;
    source = xasprintf("%s/builds/%s", supervisor->data.path, child->tree);
    if (sandbox_code_grant(&supervisor->host, child->serial, child->slot_uid, source, NULL, err) <
        0)
        return -1;
    child->granted = true;
    return 0;
}

int plan_start(struct supervisor *supervisor, struct child *child, struct error *err)
{
    const struct kind_row *kind = &kinds[child->kind];
    auto_free char *tmp = NULL;
    struct plan_places places;
    struct paths paths;
    int result;

    if (grant_code(supervisor, child, err) < 0)
        return -1;
    plan_places(supervisor, child, &places);
    paths_init(supervisor, child, &places, &paths);
    if (child->tmp[0] != '\0')
        tmp = xasprintf("%s/tmp/%s", supervisor->data.path, child->tmp);
    launch_fill_in(&child->launch, &(struct launch_places){ .code = places.code,
                                                            .tmp = places.tmp,
                                                            .boot = places.boot,
                                                            .cache = places.cache });
    privilege_hide(false);
    result = sandbox_start(
        &supervisor->host,
        &(struct sandbox_plan){
            .kind = child->kind,
            .network = kind->may_network ? child->network : NETWORK_NONE,
            .slot_uid = child->slot_uid,
            .worker_id = child->serial,
            .argv = child->launch.argv,
            .envp = child->launch.envp,
            .program_fd = child->own_program ? supervisor->program_fd : -1,
            .work_directory = child->kind == SANDBOX_SPARE ? places.tmp : places.code,
            .tmp_directory = tmp,
            .paths = paths.rows,
            .path_count = paths.count,
            .stdin_fd = child->fds[FD_STDIN],
            .stdout_fd = child->fds[FD_STDOUT],
            .stderr_fd = child->fds[FD_STDERR],
            .channel_fd = child->fds[FD_CHANNEL],
            .limit = child->limit,
        },
        &child->process, err);
    privilege_hide(true);
    paths_release(&paths);
    plan_places_release(&places);
    if (result == 0 && kind->early_limits)
        sandbox_apply_limit(&supervisor->host, &child->process, child->slot_uid, &child->limit);
    return result;
}
