/* What several commands do with their flags. */
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "text.h"

int cli_settings(int argc, char **argv, struct settings *ret_settings)
{
    struct error err;

    if (settings_load(ret_settings, argc - 1, argv + 1, environ, &err) == 0)
        return 0;
    fprintf(stderr, "functiond: %s\n", err.message);
    return -1;
}

int cli_wants_help(int argc, char **argv)
{
    return argc > 1 && (text_equals(argv[1], "--help") || text_equals(argv[1], "help") ||
                        text_equals(argv[1], "-h"));
}
