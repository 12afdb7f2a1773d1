/* functiond check: could this host serve, and how well? */
#include <stdio.h>

#include "cli.h"
#include "client.h"
#include "runtimes.h"
#include "supervisor.h"

static int print_runtimes(const struct settings *settings)
{
    struct runtimes *runtimes;
    struct error err;
    size_t count;

    if (runtimes_detect(settings->runtime_paths, &runtimes, &err) < 0) {
        printf("runtimes   %s\n", err.message);
        return EXIT_FAILED;
    }
    count = runtimes_count(runtimes);
    for (size_t i = 0; i < count; i++) {
        const struct interpreter *interpreter = runtimes_at(runtimes, i);

        printf("runtime    %s %s, %s\n", interpreter->family->key, interpreter->version,
               interpreter->path);
    }
    if (count == 0)
        printf("runtimes   none found: install nodejs or python3, or name one in runtime_paths\n");
    runtimes_free(runtimes);
    return EXIT_DONE;
}

/* Serving goes on without it. */
static void print_fetching(void)
{
    struct error err;
    const char *version = http_client_version(&err);

    printf("fetching   %s%s\n", version != NULL ? "libcurl " : "",
           version != NULL ? version : err.message);
}

int command_check(int argc, char **argv)
{
    struct settings settings;
    int sandbox, runtimes;

    if (cli_wants_help(argc, argv)) {
        printf("functiond check [--SETTING VALUE]...\n\nSays whether serve would start with these "
               "settings, how functions would be\nisolated, which runtimes there are and what "
               "fetches templates. Exit "
               "status 1: it would not start.\n");
        return EXIT_DONE;
    }
    if (cli_settings(argc, argv, &settings) < 0)
        return EXIT_USAGE;
    sandbox = supervisor_check(&settings);
    runtimes = print_runtimes(&settings);
    print_fetching();
    settings_release(&settings);
    return sandbox != 0 || runtimes != 0 ? EXIT_FAILED : EXIT_DONE;
}
