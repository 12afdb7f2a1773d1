/* functiond token */
#include "cli.h"
#include "control_command.h"
#include "mem.h"

static const struct control_argument create[] = {
    { .name = "project", .required = true, .help = "ID of the project" },
    { .name = "user", .required = true, .help = "ID of the user the token speaks for" },
    { .name = "label", .kind = ARGUMENT_LIST, .help = "label of the user; may be repeated" },
    { .name = "team", .kind = ARGUMENT_LIST, .help = "ID or ID/ROLE; may be repeated" },
    { .name = "verified", .kind = ARGUMENT_SWITCH, .help = "the user's address is verified" },
    { .name = "ttl", .kind = ARGUMENT_NUMBER, .help = "seconds it is valid" },
    { 0 },
};

static const struct control_verb verbs[] = {
    { .verb = "create",
      .command = "token.create",
      .help = "prints a user token (JWT)",
      .arguments = create },
};

int command_token(int argc, char **argv)
{
    return control_command(verbs, COUNT(verbs), argc, argv);
}
