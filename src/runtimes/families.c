/* The languages functiond can run: one row each. A row, a folder with the bootstrap, and its cases
 * in tests/contract. */
#include "runtimes_private.h"

#include <fnmatch.h>
#include <string.h>

#include "mem.h"
#include "text.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Read by the dynamic loader or the C library of every interpreter. */
#define EVERY_START_VARIABLE "LD_*", "GLIBC_TUNABLES", "MALLOC_*", "OPENSSL_*"

static const struct runtime_family families[] = {
    {
        .key = "node",
        .programs = LIST("node", "nodejs"),
        .version_prefix = "v",
        .version_parts = 1,
        .arguments = LIST("--max-old-space-size={heap_mb}"),
        .bootstrap = "node/bootstrap.cjs",
        .build_prelude = "export PATH=\"{interpreter_directory}:$PATH\"\n",
        .build_environment = LIST(
            "npm_config_cache={cache}/npm", "npm_config_update_notifier=false",
            "npm_config_store_dir={cache}/pnpm", "YARN_CACHE_FOLDER={cache}/yarn",
            "XDG_CACHE_HOME={cache}/xdg", "XDG_STATE_HOME={cache}/xdg-state"),
        .start_variables = LIST(
            EVERY_START_VARIABLE, "NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS",
            "NODE_NO_WARNINGS", "NODE_PENDING_DEPRECATION", "NODE_PRESERVE_SYMLINKS*",
            "NODE_REDIRECT_WARNINGS", "NODE_V8_COVERAGE", "NODE_ICU_DATA", "NODE_DEBUG*",
            "NODE_COMPILE_CACHE*", "NODE_USE_*", "NODE_REPL_*", "NODE_DISABLE_*", "UV_*"),
        .concurrent = true,
    },
    {
        .key = "python",
        .other_key = "python-ml",
        .programs = LIST("python3", "python3.[0-9]", "python3.[0-9][0-9]"),
        .version_prefix = "Python ",
        .version_parts = 2,
        .arguments = LIST("-S", "-B"),
        .bootstrap = "python/bootstrap.py",
        .build_prelude = "export PATH=\"{interpreter_directory}:$PATH\"\n"
                         "[ -e runtime-env/bin/python3 ] || '{interpreter}' -m venv runtime-env\n"
                         ". runtime-env/bin/activate\n",
        .build_environment = LIST("PIP_CACHE_DIR={cache}/pip", "PIP_DISABLE_PIP_VERSION_CHECK=1",
                                  "XDG_CACHE_HOME={cache}/xdg"),
        .start_variables = LIST(EVERY_START_VARIABLE, "PYTHON*"),
        .concurrent = false,
    },
};

const struct runtime_family *runtime_families(size_t *ret_count)
{
    *ret_count = COUNT(families);
    return families;
}

bool runtime_reads_at_start(const struct runtime_family *family, const char *variable_name)
{
    for (const char *const *name = family->start_variables; *name; name++)
        if (fnmatch(*name, variable_name, 0) == 0)
            return true;
    return false;
}
