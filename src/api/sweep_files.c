/* Compares what is on the disk with what the store refers to. See sweep_files.h. */
#include "sweep_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "package.h"
#include "text.h"

struct finding {
    struct api *api;
    int64_t before_us;
    struct map owners; /* deployment ids, hashes and project ids that there are, in lower case */
    struct unowned *unowned;
    size_t packages, uploads; /* removed */
};

/* ---- what is referred to --------------------------------------------------------------------- */

static void add_owner(struct finding *finding, const char *kind, const char *name)
{
    auto_free char *key = xasprintf("%s%s", kind, name);

    text_lower(key); /* ids are compared without case */
    map_set(&finding->owners, key, finding);
}

static bool has_owner(const struct finding *finding, const char *kind, const char *name)
{
    auto_free char *key = xasprintf("%s%s", kind, name);

    text_lower(key);
    return map_get(&finding->owners, key) != NULL;
}

static void own_files(void *context, const char *id, const char *source_hash,
                      const char *output_hash)
{
    add_owner(context, "deployment ", id);
    add_owner(context, "package ", source_hash);
    add_owner(context, "package ", output_hash);
}

static void own_cache(void *context, const void *entity)
{
    const struct project *project = entity;

    add_owner(context, "project ", project->id);
}

/* ---- what is there --------------------------------------------------------------------------- */

static bool is_old(const struct finding *finding, int directory, const char *name)
{
    struct stat status;

    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_ctim.tv_sec * 1000000 + status.st_ctim.tv_nsec / 1000 < finding->before_us;
}

struct leaving {
    const struct finding *finding;
    const char *hash;
    bool is_gone;
};

static int write_removal(struct db *db, void *context, struct error *err)
{
    struct leaving *leaving = context;
    const struct finding *finding = leaving->finding;
    bool is_used;

    if (store_deployment_uses(db, leaving->hash, &is_used, err) < 0)
        return -1;
    leaving->is_gone = !is_used && package_remove_old(finding->api->settings->data, leaving->hash,
                                                      finding->before_us);
    return 0;
}

static void look_at_package(struct finding *finding, int directory, const char *name)
{
    struct leaving leaving = { .finding = finding, .hash = name };
    struct error err;

    if (strlen(name) != PACKAGE_HASH - 1 || has_owner(finding, "package ", name) ||
        !is_old(finding, directory, name))
        return;
    if (store_write_wait(finding->api->store, write_removal, &leaving, &err) < 0)
        log_warning("package %s stays: %s", name, err.message);
    finding->packages += leaving.is_gone;
}

/* Names of requests under way have a dot or begin with part-; they end with their request. */
static void look_at_upload(struct finding *finding, int directory, const char *name)
{
    if (strchr(name, '.') == NULL && !text_starts(name, "part-") &&
        !has_owner(finding, "deployment ", name) && is_old(finding, directory, name))
        finding->uploads += unlinkat(directory, name, 0) == 0;
}

static void keep_name(char ***names, size_t *count, char *name)
{
    *names = xrealloc(*names, (*count + 1) * sizeof(**names));
    (*names)[(*count)++] = name;
}

static void note_tree(struct finding *finding, int directory, const char *name)
{
    struct unowned *unowned = finding->unowned;

    (void)directory;
    if (name[0] != '.')
        keep_name(&unowned->trees, &unowned->tree_count, xstrdup(name));
}

/* A project may have several: NAME, NAME~1, ... */
static void note_cache(struct finding *finding, int directory, const char *name)
{
    struct unowned *unowned = finding->unowned;

    (void)directory;
    if (name[0] != '.')
        keep_name(&unowned->caches, &unowned->cache_count, xstrndup(name, strcspn(name, "~")));
}

/* Those without an owner stay in the list, once. */
static void drop_owned(struct finding *finding, const char *kind, char **names, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        if (has_owner(finding, kind, names[i])) {
            free(names[i]);
            continue;
        }
        add_owner(finding, kind, names[i]);
        names[kept++] = names[i];
    }
    *count = kept;
}

static void look_through(struct finding *finding, const char *place,
                         void (*look)(struct finding *finding, int directory, const char *name))
{
    auto_free char *path = xasprintf("%s/%s", finding->api->settings->data, place);
    DIR *directory = opendir(path);

    if (directory == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        look(finding, dirfd(directory), entry->d_name);
    closedir(directory);
}

void unowned_find(struct api *api, struct db *db, int64_t before_us, struct unowned *ret_unowned)
{
    struct finding finding = { .api = api, .before_us = before_us, .unowned = ret_unowned };
    struct error err;

    map_init(&finding.owners);
    /* Before the rows are read: a row is older than its tree, so what is seen without one has lost
     * it. */
    look_through(&finding, "builds", note_tree);
    look_through(&finding, "cache", note_cache);
    if (store_deployment_each_files(db, own_files, &finding, &err) < 0 ||
        store_project_each(db, own_cache, &finding, &err) < 0) {
        log_warning("files that nothing refers to stay for now: %s", err.message);
        unowned_release(ret_unowned);
    } else {
        drop_owned(&finding, "deployment ", ret_unowned->trees, &ret_unowned->tree_count);
        drop_owned(&finding, "project ", ret_unowned->caches, &ret_unowned->cache_count);
        look_through(&finding, "packages", look_at_package);
        look_through(&finding, "uploads", look_at_upload);
    }
    map_release(&finding.owners);
    if (finding.packages + finding.uploads > 0)
        log_info("%zu packages and %zu uploads were referred to by nothing; removed",
                 finding.packages, finding.uploads);
}

/* ---- by way of the supervisor ---------------------------------------------------------------- */

static void removed(void *context, const char *error)
{
    (void)context;
    if (*error != '\0')
        log_warning("files that nothing refers to stay for now: %s", error);
}

void unowned_remove(struct api *api, struct unowned *unowned)
{
    for (size_t i = 0; api->run != NULL && i < unowned->tree_count; i++) {
        const char *tree = unowned->trees[i];
        /* An id may be chosen again. */
        if (api->builder == NULL || builder_has(api->builder, tree))
            continue;
        log_info("build tree %s is referred to by nothing; removed", tree);
        run_tree_remove(api->run, tree, removed, NULL);
    }
    for (size_t i = 0; api->run != NULL && i < unowned->cache_count; i++) {
        log_info("package cache %s is referred to by nothing; removed", unowned->caches[i]);
        run_cache_remove(api->run, unowned->caches[i], removed, NULL);
    }
    unowned_release(unowned);
}

void unowned_release(struct unowned *unowned)
{
    for (size_t i = 0; i < unowned->tree_count; i++)
        free(unowned->trees[i]);
    for (size_t i = 0; i < unowned->cache_count; i++)
        free(unowned->caches[i]);
    free(unowned->trees);
    free(unowned->caches);
    *unowned = (struct unowned){ 0 };
}
