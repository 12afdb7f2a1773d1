/* The published table of runtime ids and how an id finds its interpreter. */
#include "runtimes_private.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

#define X86       "[\"x86\"]"
#define X86_ARM64 "[\"x86\",\"arm64\"]"
#define EVERY     "[\"x86\",\"arm64\",\"armv7\",\"armv8\"]"

static const struct runtime_row rows[] = {
#define RUNTIME(key_, name_, version_, base_, supports_, deprecated_) \
    { .id = key_ "-" version_,                                        \
      .key = key_,                                                    \
      .name = name_,                                                  \
      .version = version_,                                            \
      .base = base_,                                                  \
      .image = "openruntimes/" key_ ":v5-" version_,                  \
      .logo = key_ ".png",                                            \
      .supports = supports_,                                          \
      .deprecated = deprecated_ },
#include "table.def"
#undef RUNTIME
};

const struct runtime_row *runtime_rows(size_t *ret_count)
{
    *ret_count = COUNT(rows);
    return rows;
}

const struct runtime_row *runtime_find(const char *id)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (text_equals(rows[i].id, id))
            return &rows[i];
    return NULL;
}

static bool family_serves(const struct runtime_family *family, const char *key)
{
    return text_equals(family->key, key) || text_equals(family->other_key, key);
}

/* Orders versions as far as the family tells them apart: <0, 0, >0. */
static int compare(const struct interpreter *interpreter, int major, int minor)
{
    if (interpreter->major != major || interpreter->family->version_parts < 2)
        return interpreter->major - major;
    return interpreter->minor - minor;
}

static void row_version(const struct runtime_row *row, int *ret_major, int *ret_minor)
{
    char *end = NULL;
    *ret_major = (int)strtol(row->version, &end, 10);
    *ret_minor = *end == '.' ? (int)strtol(end + 1, NULL, 10) : 0;
}

/* The same version, else the next newer, else the newest older one. NULL: nothing of the family. */
static const struct interpreter *nearest(const struct runtimes *runtimes,
                                         const struct runtime_row *row, bool *ret_exact)
{
    int major, minor;
    row_version(row, &major, &minor);
    const struct interpreter *newer = NULL, *older = NULL;
    *ret_exact = false;
    for (size_t i = 0; i < runtimes->count; i++) {
        const struct interpreter *candidate = &runtimes->interpreters[i];
        if (!family_serves(candidate->family, row->key))
            continue;
        int order = compare(candidate, major, minor);
        if (order == 0) {
            *ret_exact = true;
            return candidate;
        }
        if (order > 0 && (!newer || compare(newer, candidate->major, candidate->minor) > 0))
            newer = candidate;
        if (order < 0 && (!older || compare(older, candidate->major, candidate->minor) < 0))
            older = candidate;
    }
    return newer ? newer : older;
}

int runtimes_resolve(const struct runtimes *runtimes, const char *id, bool substitute,
                     const struct interpreter **ret_interpreter, bool *ret_exact, struct error *err)
{
    const struct runtime_row *row = runtime_find(id);
    bool exact = false;
    const struct interpreter *found = row ? nearest(runtimes, row, &exact) : NULL;
    if (!found || (!exact && !substitute))
        return fail(err, ERROR_FUNCTION_RUNTIME_UNSUPPORTED, "Runtime \"%s\" is not supported", id);
    *ret_interpreter = found;
    *ret_exact = exact;
    return 0;
}

bool runtimes_has(const struct runtimes *runtimes, const struct runtime_row *row)
{
    bool exact;
    return nearest(runtimes, row, &exact) != NULL && exact;
}

size_t runtimes_count(const struct runtimes *runtimes)
{
    return runtimes->count;
}

const struct interpreter *runtimes_at(const struct runtimes *runtimes, size_t index)
{
    return index < runtimes->count ? &runtimes->interpreters[index] : NULL;
}

void runtimes_free(struct runtimes *runtimes)
{
    if (!runtimes)
        return;
    for (size_t i = 0; i < runtimes->count; i++) {
        free(runtimes->interpreters[i].path);
        free(runtimes->interpreters[i].version);
    }
    free(runtimes->interpreters);
    free(runtimes);
}
