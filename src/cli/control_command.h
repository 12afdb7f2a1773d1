/*
 * The commands that change what a server holds: one request, sent to the running daemon through
 * DIR/run/control.sock, or carried out on the store right here when no daemon holds the data
 * directory.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum argument_kind { ARGUMENT_TEXT, ARGUMENT_NUMBER, ARGUMENT_SWITCH, ARGUMENT_LIST };

struct control_argument {
    const char *name; /* of the flag without dashes and in the request */
    enum argument_kind kind;
    bool required;
    const char *help;
};

struct control_verb {
    const char *verb;    /* create */
    const char *command; /* key.create */
    const char *help;
    const struct control_argument *arguments; /* ends with a row without a name */
};

int control_command(const struct control_verb *verbs, size_t count, int argc, char **argv);

#endif
