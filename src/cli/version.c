/* functiond version */
#include <stdio.h>

#include "cli.h"

int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("functiond %s\n", FUNCTIOND_VERSION);
    return EXIT_DONE;
}
