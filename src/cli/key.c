/* functiond key */
#include "cli.h"
#include "control_command.h"
#include "mem.h"

static const struct control_argument create[] = {
    { .name = "project", .required = true, .help = "ID of the project" },
    { .name = "name", .required = true, .help = "text for people" },
    { .name = "scopes", .required = true, .help = "all, or a comma list such as functions.read" },
    { .name = "expires", .help = "date after which it is refused, such as 2030-01-31" },
    { 0 },
};

static const struct control_argument list[] = {
    { .name = "project", .required = true, .help = "ID of the project" },
    { 0 },
};

static const struct control_argument revoke[] = {
    { .name = "project", .required = true, .help = "ID of the project" },
    { .name = "id", .required = true, .help = "ID of the key, as key list prints it" },
    { 0 },
};

static const struct control_verb verbs[] = {
    { .verb = "create",
      .command = "key.create",
      .help = "makes a key and prints its secret, which is shown only now",
      .arguments = create },
    { .verb = "list", .command = "key.list", .help = "prints the keys", .arguments = list },
    { .verb = "revoke",
      .command = "key.revoke",
      .help = "makes a key worthless at once",
      .arguments = revoke },
};

int command_key(int argc, char **argv)
{
    return control_command(verbs, COUNT(verbs), argc, argv);
}
