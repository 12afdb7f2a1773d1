/* functiond project */
#include "cli.h"
#include "control_command.h"
#include "mem.h"

static const struct control_argument create[] = {
    { .name = "id", .required = true, .help = "ID of the new project" },
    { .name = "name", .required = true, .help = "text for people" },
    { 0 },
};

static const struct control_argument none[] = { { 0 } };

static const struct control_argument delete[] = {
    { .name = "id", .required = true, .help = "ID of the project" },
    { 0 },
};

static const struct control_verb verbs[] = {
    { .verb = "create",
      .command = "project.create",
      .help = "makes a project",
      .arguments = create },
    { .verb = "list", .command = "project.list", .help = "prints the projects", .arguments = none },
    { .verb = "delete",
      .command = "project.delete",
      .help = "deletes a project with everything in it",
      .arguments = delete },
};

int command_project(int argc, char **argv)
{
    return control_command(verbs, COUNT(verbs), argc, argv);
}
