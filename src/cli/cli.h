/*
 * Commands. Each gets what follows its name (argv[0] is the name itself) and returns the exit
 * status: 0, 1 when it could not be done, 2 when it was asked for wrongly. Sentences for people go
 * to stderr, results to stdout.
 */
#ifndef CLI_H
#define CLI_H

#include "settings.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int command_serve(int argc, char **argv);
int command_project(int argc, char **argv);
int command_key(int argc, char **argv);
int command_token(int argc, char **argv);
int command_check(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_docs(int argc, char **argv);
int command_healthcheck(int argc, char **argv);
int command_version(int argc, char **argv);

/* Roles: started by the program itself, never by a person. */
int role_api(int argc, char **argv);

/* Settings from the environment and from flags alone. On a mistake the sentence is printed and -1
 * returned. */
int cli_settings(int argc, char **argv, struct settings *ret_settings);

/* Is the first word after the command --help or help? */
int cli_wants_help(int argc, char **argv);

#endif
