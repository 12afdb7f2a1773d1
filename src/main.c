/*
 * The program's table of contents: every command a person can give, and the roles in which the
 * program starts itself. Nothing happens here.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "mem.h"
#include "roles.h"
#include "text.h"

static int command_help(int argc, char **argv);

struct command {
    const char *name;
    const char *help; /* NULL: a role, not for people */
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    { .name = "serve", .help = "run the server", .run = command_serve },
    { .name = "project", .help = "create, list and delete projects", .run = command_project },
    { .name = "key", .help = "create, list and revoke API keys", .run = command_key },
    { .name = "token", .help = "create tokens of users", .run = command_token },
    { .name = "check", .help = "what this host can do", .run = command_check },
    { .name = "backup", .help = "copy everything while serving", .run = command_backup },
    { .name = "restore", .help = "make a data directory from a backup", .run = command_restore },
    { .name = "docs", .help = "print the API, errors or settings", .run = command_docs },
    { .name = "healthcheck", .help = "does the server answer?", .run = command_healthcheck },
    { .name = "version", .help = "print the version", .run = command_version },
    { .name = "help", .help = "print this", .run = command_help },
    { .name = "api", .run = role_api },
    { .name = "unpack", .run = build_unpack_role },
    { .name = "pack", .run = build_pack_role },
};

static void print_commands(FILE *to)
{
    fprintf(to, "functiond COMMAND [--help] ...\n\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        if (commands[i].help != NULL)
            fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].help);
}

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    print_commands(stdout);
    return EXIT_DONE;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (text_equals(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static int refuse(const char *name)
{
    const char *names[COUNT(commands)];
    const char *near;
    size_t count = 0;

    for (size_t i = 0; i < COUNT(commands); i++)
        if (commands[i].help != NULL)
            names[count++] = commands[i].name;
    near = text_nearest(name, names, count);
    fprintf(stderr, "functiond: there is no command \"%s\"", name);
    fprintf(stderr, near != NULL ? "; did you mean \"%s\"?\n" : "; see functiond help%s\n",
            near != NULL ? near : "");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const struct command *command;

    /* Inside the sandbox a role is named by argv[0] alone. It leaves without the exit handlers: the
     * leak checker of sanitized builds would have to trace, which is refused there. */
    if (argc > 0 && (command = find(argv[0])) != NULL && command->help == NULL) {
        const int status = command->run(argc, argv);

        fflush(NULL);
        _exit(status);
    }
    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    if (text_equals(argv[1], "--help") || text_equals(argv[1], "-h"))
        return command_help(argc, argv);
    if (text_equals(argv[1], "--version"))
        return command_version(argc, argv);
    command = find(argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : refuse(argv[1]);
}
