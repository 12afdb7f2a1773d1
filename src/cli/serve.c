/* functiond serve */
#include <stdio.h>

#include "cli.h"
#include "supervisor.h"

static void print_help(void)
{
    struct buffer out;

    buffer_init(&out, 1 << 20);
    settings_document(&out);
    printf(
        "functiond serve [--config FILE] [--SETTING VALUE]...\n\n"
        "Serves until TERM or INT. A setting is taken from its flag, else from FUNCTIOND_NAME in\n"
        "the environment, else from the file, else from its default.\n\n%s",
        out.size > 0 ? out.data : "");
    buffer_release(&out);
}

int command_serve(int argc, char **argv)
{
    static char program[] = "functiond", role[] = "api";
    static char *const api_argv[] = { program, role, NULL };
    struct settings settings;
    int status;

    if (cli_wants_help(argc, argv)) {
        print_help();
        return EXIT_DONE;
    }
    if (cli_settings(argc, argv, &settings) < 0)
        return EXIT_USAGE;
    status = supervisor_serve(&settings, api_argv);
    settings_release(&settings);
    return status;
}
