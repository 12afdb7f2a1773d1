/* What a worker or a build is told: its variables, and how its process is launched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "internal.h"
#include "json_text.h"
#include "mem.h"
#include "text.h"

enum { BUILD_MEMORY_MB = 1024 }; /* a build has at least this much, whatever its specification */

/* The version of the API that functions may rely on. */
static const char api_version[] = "2.0.0";

struct environment {
    char **lines;
    size_t count, capacity;
};

static void set(struct environment *out, const char *name, const char *value)
{
    size_t name_size = strlen(name);
    char *line = xasprintf("%s=%s", name, value == NULL ? "" : value);
    for (size_t i = 0; i < out->count; i++)
        if (strncmp(out->lines[i], line, name_size + 1) == 0) {
            free(out->lines[i]);
            out->lines[i] = line;
            return;
        }
    if (out->count + 2 > out->capacity) {
        out->capacity = out->capacity == 0 ? 64 : 2 * out->capacity;
        out->lines = xrealloc(out->lines, out->capacity * sizeof(*out->lines));
    }
    out->lines[out->count++] = line;
    out->lines[out->count] = NULL;
}

static void set_number(struct environment *out, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    set(out, name, text);
}

static void set_cpus(struct environment *out, const char *name, int64_t cpus_milli)
{
    char text[32];
    snprintf(text, sizeof(text), "%.12g", (double)cpus_milli / 1000);
    set(out, name, text);
}

static void set_variables(struct environment *out, char *const *variables)
{
    for (; variables != NULL && *variables != NULL; variables++) {
        const char *equals = strchr(*variables, '=');
        if (equals == NULL || equals == *variables)
            continue;
        auto_free char *name = xstrndup(*variables, (size_t)(equals - *variables));
        set(out, name, equals + 1);
    }
}

static void set_deployment(struct environment *out, const struct function *function,
                           const struct deployment *deployment)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        { "APPWRITE_FUNCTION_DEPLOYMENT", deployment->id },
        { "APPWRITE_DEPLOYMENT_TYPE", deployment->type },
        { "APPWRITE_VCS_REPOSITORY_ID", function->provider_repository_id },
        { "APPWRITE_VCS_REPOSITORY_NAME", deployment->provider_repository_name },
        { "APPWRITE_VCS_REPOSITORY_OWNER", deployment->provider_repository_owner },
        { "APPWRITE_VCS_REPOSITORY_URL", deployment->provider_repository_url },
        { "APPWRITE_VCS_REPOSITORY_BRANCH", deployment->provider_branch },
        { "APPWRITE_VCS_REPOSITORY_BRANCH_URL", deployment->provider_branch_url },
        { "APPWRITE_VCS_COMMIT_HASH", deployment->provider_commit_hash },
        { "APPWRITE_VCS_COMMIT_MESSAGE", deployment->provider_commit_message },
        { "APPWRITE_VCS_COMMIT_URL", deployment->provider_commit_url },
        { "APPWRITE_VCS_COMMIT_AUTHOR_NAME", deployment->provider_commit_author },
        { "APPWRITE_VCS_COMMIT_AUTHOR_URL", deployment->provider_commit_author_url },
        { "APPWRITE_VCS_ROOT_DIRECTORY", deployment->provider_root_directory },
        { "OPEN_RUNTIMES_ENTRYPOINT", deployment->entrypoint },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        set(out, rows[i].name, rows[i].value);
}

static void set_function(struct environment *out, const struct function *function)
{
    const struct runtime_row *runtime = runtime_find(function->runtime);
    set(out, "APPWRITE_FUNCTION_ID", function->id);
    set(out, "APPWRITE_FUNCTION_NAME", function->name);
    set(out, "APPWRITE_FUNCTION_PROJECT_ID", function->project_id);
    set(out, "APPWRITE_FUNCTION_RUNTIME_NAME", runtime == NULL ? "" : runtime->name);
    set(out, "APPWRITE_FUNCTION_RUNTIME_VERSION", runtime == NULL ? "" : runtime->version);
    set(out, "APPWRITE_VERSION", api_version);
    set(out, "APPWRITE_REGION", "default");
    set(out, "CI", "true");
}

static void set_secret(struct environment *out, const struct function *function)
{
    unsigned char bytes[16];
    char hex[2 * sizeof(bytes) + 1];
    char host[256] = "";
    randombytes_buf(bytes, sizeof(bytes));
    text_hex(bytes, sizeof(bytes), hex);
    gethostname(host, sizeof(host) - 1);
    set(out, "OPEN_RUNTIMES_SECRET", hex);
    set(out, "OPEN_RUNTIMES_HOSTNAME", host);
    set(out, "INERNAL_EXECUTOR_HOSTNAME", host);
    if (text_equals(function->version, "v2"))
        set(out, "INTERNAL_RUNTIME_KEY", hex);
}

/* A key for what the user's build commands call; it lives as long as a build may. */
static void set_build_key(struct environment *out, const struct run *run,
                          const struct function *function)
{
    struct token token = {
        .project_id = function->project_id,
        .function_id = function->id,
        .scopes = function->scopes,
        .expires_at = clock_realtime_us() / 1000000 + run->settings->build_seconds,
    };
    auto_free char *text = token_sign(run->options.signer, TOKEN_KEY, &token);
    auto_free char *value = xasprintf("ephemeral_%s", text);
    set(out, "APPWRITE_FUNCTION_API_KEY", value);
}

static void set_size(struct environment *out, const struct function *function, bool for_build)
{
    const struct specification *specification = run_specification(
        for_build ? function->build_specification : function->runtime_specification);
    int64_t memory_mb = specification->memory_mb;
    if (for_build && memory_mb < BUILD_MEMORY_MB)
        memory_mb = BUILD_MEMORY_MB;
    set_cpus(out, "APPWRITE_FUNCTION_CPUS", specification->cpus_milli);
    set_number(out, "APPWRITE_FUNCTION_MEMORY", memory_mb);
    set_cpus(out, "OPEN_RUNTIMES_CPUS", specification->cpus_milli);
    set_number(out, "OPEN_RUNTIMES_MEMORY", memory_mb);
}

/* Later lines win: what an image would have set, the user's variables, then what is ours. */
char **run_environment(const struct run *run, const struct live_function *function,
                       const struct deployment *deployment, bool for_build)
{
    struct environment out = { 0 };
    set(&out, "OPEN_RUNTIMES_ENV", "production");
    set(&out, "OPEN_RUNTIMES_HEADERS", "{}");
    set_variables(&out, function->variables);
    set(&out, "APPWRITE_FUNCTION_API_ENDPOINT", run->options.api_endpoint);
    set_function(&out, &function->function);
    set_deployment(&out, &function->function, deployment);
    set_size(&out, &function->function, for_build);
    set_secret(&out, &function->function);
    if (text_equals(function->function.version, "v2"))
        set(&out, "INTERNAL_RUNTIME_ENTRYPOINT", deployment->entrypoint);
    if (for_build) {
        set_build_key(&out, run, &function->function);
        set(&out, "OPEN_RUNTIMES_NFT", "enabled");
    }
    return out.lines;
}

void run_environment_free(char **environment)
{
    for (char **line = environment; line != NULL && *line != NULL; line++)
        free(*line);
    free(environment);
}

const struct specification *run_specification(const char *slug)
{
    const struct specification *found = slug == NULL ? NULL : specification_find(slug);
    return found != NULL ? found : specification_find(specification_default);
}

/* ---- launching and loading a worker -------------------------------------------------------- */

/* Calls each for the user's variables that the interpreter reads before our bootstrap runs. */
static size_t start_variables(const struct pool *pool, const char **ret_lines, size_t most)
{
    size_t count = 0;
    char **line = pool->function->variables;
    for (; line != NULL && *line != NULL; line++) {
        const char *equals = strchr(*line, '=');
        if (equals == NULL)
            continue;
        auto_free char *name = xstrndup(*line, (size_t)(equals - *line));
        if (!runtime_reads_at_start(pool->interpreter->family, name))
            continue;
        if (count < most)
            ret_lines[count] = *line;
        count++;
    }
    return count;
}

bool environment_needs_own_start(const struct pool *pool)
{
    return start_variables(pool, NULL, 0) > 0;
}

void environment_launch(const struct pool *pool, struct buffer *ret_launch)
{
    const char *lines[1024];
    size_t count = start_variables(pool, lines, COUNT(lines));
    runtime_launch(pool->interpreter, pool->memory_mb, lines,
                   count < COUNT(lines) ? count : COUNT(lines), ret_launch);
}

static void add_entry(struct buffer *out, const char *prefix, const char *name, size_t name_size,
                      const char *value)
{
    buffer_add_text(out, prefix);
    buffer_add(out, name, name_size);
    buffer_add_char(out, '\0');
    buffer_add(out, value, strlen(value) + 1);
}

void environment_load(const struct run *run, const struct pool *pool, struct buffer *ret_payload)
{
    const struct live_function *function = pool->function;
    const struct deployment *deployment = &function->deployment;
    auto_free char *code = run->welcome.profile == SANDBOX_FULL
                               ? xasprintf("/code/%s", deployment->id)
                               : xasprintf("%s/builds/%s", run->data_directory, deployment->id);
    const char *contract = text_equals(function->function.version, "v2") ? "v2" : "v5";
    add_entry(ret_payload, "", "code", 4, code);
    add_entry(ret_payload, "", "entrypoint", 10, deployment->entrypoint);
    add_entry(ret_payload, "", "contract", 8, contract);

    char **environment = run_environment(run, function, deployment, false);
    for (char **line = environment; *line != NULL; line++) {
        const char *equals = strchr(*line, '=');
        add_entry(ret_payload, "env:", *line, (size_t)(equals - *line), equals + 1);
    }
    run_environment_free(environment);
}
