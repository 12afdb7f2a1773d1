/* A host with one concurrent and one serial interpreter, in the place of the room that would look
 * for real ones. */
#include <stdio.h>
#include <string.h>

#include "runtimes.h"
#include "text.h"

static const char *const none[] = { NULL };

static const struct runtime_family families[] = {
    { .key = "node",
      .programs = none,
      .bootstrap = "node/bootstrap.cjs",
      .build_prelude = "",
      .build_environment = none,
      .start_variables = none,
      .concurrent = true },
    { .key = "python",
      .programs = none,
      .bootstrap = "python/bootstrap.py",
      .build_prelude = "",
      .build_environment = none,
      .start_variables = none },
};

static char node_path[] = "/usr/bin/node", python_path[] = "/usr/bin/python3", version[] = "1.0";

static const struct interpreter interpreters[] = {
    { .family = &families[0], .path = node_path, .version = version, .major = 1 },
    { .family = &families[1], .path = python_path, .version = version, .major = 1 },
};

static const struct specification rows[] = {
    { "s-1vcpu-512mb", 512, 1000 },
    { "s-1vcpu-1gb", 1024, 1000 },
};
const char specification_default[] = "s-1vcpu-512mb";

const struct specification *specification_find(const char *slug)
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(rows[i].slug, slug) == 0)
            return &rows[i];
    return NULL;
}

size_t runtimes_count(const struct runtimes *runtimes)
{
    (void)runtimes;
    return 2;
}

const struct interpreter *runtimes_at(const struct runtimes *runtimes, size_t index)
{
    (void)runtimes;
    return &interpreters[index];
}

int runtimes_resolve(const struct runtimes *runtimes, const char *id, bool substitute,
                     const struct interpreter **ret_interpreter, bool *ret_exact, struct error *err)
{
    (void)runtimes;
    (void)substitute;
    *ret_exact = true;
    for (size_t i = 0; i < 2; i++)
        if (text_starts(id, families[i].key)) {
            *ret_interpreter = &interpreters[i];
            return 0;
        }
    return fail(err, ERROR_FUNCTION_RUNTIME_UNSUPPORTED, "Runtime \"%s\" is not supported", id);
}

const struct runtime_row *runtime_find(const char *id)
{
    static const struct runtime_row node = { .id = "node-22", .name = "Node.js", .version = "22" };
    return text_starts(id, "node") ? &node : NULL;
}

void runtime_launch(const struct interpreter *interpreter, int64_t memory_mb,
                    const char *const *extra_environment, size_t extra_count,
                    struct buffer *ret_launch)
{
    const uint32_t counts[2] = { 2, (uint32_t)extra_count };
    buffer_add(ret_launch, counts, sizeof(counts));
    buffer_add(ret_launch, interpreter->path, strlen(interpreter->path) + 1);
    buffer_addf(ret_launch, "--memory=%lld", (long long)memory_mb);
    buffer_add_char(ret_launch, '\0');
    for (size_t i = 0; i < extra_count; i++)
        buffer_add(ret_launch, extra_environment[i], strlen(extra_environment[i]) + 1);
}

bool runtime_reads_at_start(const struct runtime_family *family, const char *variable_name)
{
    (void)family;
    return strcmp(variable_name, "NODE_OPTIONS") == 0;
}
