/* One request to the daemon or to the store. See control_command.h. */
#include "control_command.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "cli.h"
#include "control.h"
#include "data.h"
#include "error.h"
#include "fd.h"
#include "log.h"
#include "mem.h"
#include "settings.h"
#include "store.h"
#include "text.h"

enum { ANSWER_BYTES = 64 << 20, TOKEN_BYTES = 4096, SETTING_FLAGS = 8, ANSWER_SECONDS = 60 };
static const int64_t QUERY_LIMIT_US = 30000000;

struct request {
    json_t *arguments;
    int setting_count;
    char *setting_flags[SETTING_FLAGS]; /* argv for settings_load, [0] unused; borrowed */
};

/* ---- the command line ------------------------------------------------------------------------ */

static void print_verb(FILE *to, const char *command, const struct control_verb *verb)
{
    fprintf(to, "functiond %s %s [--data DIR]", command, verb->verb);
    for (const struct control_argument *at = verb->arguments; at->name != NULL; at++)
        fprintf(to, at->required ? " --%s %s" : " [--%s%s]", at->name,
                at->kind == ARGUMENT_SWITCH ? ""
                : at->required              ? "VALUE"
                                            : " VALUE");
    fprintf(to, "\n    %s\n", verb->help);
    for (const struct control_argument *at = verb->arguments; at->name != NULL; at++)
        fprintf(to, "    --%-10s %s\n", at->name, at->help);
}

static void print_verbs(FILE *to, const char *command, const struct control_verb *verbs,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_verb(to, command, &verbs[i]);
}

static int set_argument(json_t *arguments, const struct control_argument *row, const char *value,
                        struct error *err)
{
    json_t *list = json_object_get(arguments, row->name);
    int64_t number;

    if (!text_is_utf8(value, strlen(value)))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "--%s is not UTF-8", row->name);
    switch (row->kind) {
    case ARGUMENT_TEXT:
        json_object_set_new(arguments, row->name, json_string(value));
        return 0;
    case ARGUMENT_SWITCH:
        json_object_set_new(arguments, row->name, json_boolean(!text_equals(value, "false")));
        return 0;
    case ARGUMENT_NUMBER:
        if (text_to_int(value, &number) < 0)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "--%s: \"%s\" is no number", row->name,
                        value);
        json_object_set_new(arguments, row->name, json_integer(number));
        return 0;
    case ARGUMENT_LIST:
        if (list == NULL) {
            list = json_array();
            json_object_set_new(arguments, row->name, list);
        }
        json_array_append_new(list, json_string(value));
        return 0;
    }
    return 0;
}

static const struct control_argument *find_argument(const struct control_verb *verb,
                                                    const char *name, size_t length)
{
    for (const struct control_argument *at = verb->arguments; at->name != NULL; at++)
        if (strlen(at->name) == length && strncmp(at->name, name, length) == 0)
            return at;
    return NULL;
}

static bool is_setting(const char *name, size_t length)
{
    return (length == 4 && strncmp(name, "data", 4) == 0) ||
           (length == 4 && strncmp(name, "user", 4) == 0) ||
           (length == 6 && strncmp(name, "config", 6) == 0);
}

static int read_flag(const struct control_verb *verb, int argc, char **argv, int *at,
                     struct request *request, struct error *err)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct control_argument *row;

    if (!text_starts(argv[*at], "--"))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unexpected argument \"%s\"", argv[*at]);
    row = find_argument(verb, name, length);
    if (row == NULL && !is_setting(name, length))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown flag --%.*s", (int)length, name);
    if (row == NULL && request->setting_count + 2 >= SETTING_FLAGS)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "--%.*s is repeated", (int)length, name);
    if (row == NULL)
        request->setting_flags[request->setting_count++] = argv[*at];
    if (value == NULL && row != NULL && row->kind == ARGUMENT_SWITCH)
        value = "true";
    if (value == NULL) {
        if (*at + 1 >= argc)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "--%s needs a value", name);
        value = argv[++*at];
        if (row == NULL)
            request->setting_flags[request->setting_count++] = argv[*at];
    }
    return row != NULL ? set_argument(request->arguments, row, value, err) : 0;
}

static int read_flags(const struct control_verb *verb, int argc, char **argv,
                      struct request *request, struct error *err)
{
    for (int i = 2; i < argc; i++)
        if (read_flag(verb, argc, argv, &i, request, err) < 0)
            return -1;
    for (const struct control_argument *at = verb->arguments; at->name != NULL; at++)
        if (at->required && json_object_get(request->arguments, at->name) == NULL)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "--%s is missing", at->name);
    return 0;
}

/* ---- through the daemon ---------------------------------------------------------------------- */

static int open_control(const struct data_directory *data, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "control.sock" };
    const struct timeval timeout = { .tv_sec = ANSWER_SECONDS };
    auto_free char *run = xasprintf("%s/run", data->path);
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* From inside the directory: the whole path may be longer than a socket address can be. */
    if (fd < 0 || chdir(run) < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return fail_errno(err, "a daemon holds %s, but its control socket cannot be reached",
                          data->path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    return fd_steal(&fd);
}

static int exchange(const struct data_directory *data, json_t *request, struct buffer *ret_answer,
                    struct error *err)
{
    auto_fd int fd = open_control(data, err);
    auto_free char *token = NULL, *text = NULL, *line = NULL;
    char block[4096];
    size_t size;
    ssize_t got;

    if (fd < 0 || fd_read_file(AT_FDCWD, "token", TOKEN_BYTES, &token, &size, err) < 0)
        return -1;
    token[strcspn(token, "\r\n")] = '\0';
    json_object_set_new(request, "token", json_string(token));
    text = json_dumps(request, JSON_COMPACT);
    line = xasprintf("%s\n", text == NULL ? "" : text);
    signal(SIGPIPE, SIG_IGN); /* a daemon that ends meanwhile is told as an error */
    if (fd_write_all(fd, line, strlen(line)) < 0)
        return fail_errno(err, "control socket");
    while ((got = read(fd, block, sizeof(block))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || buffer_add(ret_answer, block, (size_t)got) < 0)
            return fail_errno(err, "control socket");
    }
    return 0;
}

static int through_daemon(const struct data_directory *data, json_t *request,
                          struct buffer *ret_output, struct error *err)
{
    auto_buffer struct buffer answer = { 0 };
    const char *output, *sentence;
    json_t *parsed;
    int result = -1;

    buffer_init(&answer, ANSWER_BYTES);
    if (exchange(data, request, &answer, err) < 0)
        return -1;
    parsed = json_loadb(answer.size > 0 ? answer.data : "", answer.size, 0, NULL);
    output = json_string_value(json_object_get(parsed, "output"));
    sentence = json_string_value(json_object_get(parsed, "error"));
    if (output != NULL)
        result = buffer_add_text(ret_output, output);
    else if (sentence != NULL)
        fail(err, ERROR_GENERAL_BAD_REQUEST, "%s", sentence);
    else
        fail(err, ERROR_INTERNAL,
             "the daemon's answer %s; what was asked for may have been done all the same",
             answer.size > 0 ? "was cut short" : "did not come");
    json_decref(parsed);
    return result;
}

/* ---- on the store ---------------------------------------------------------------------------- */

static int on_store(struct data_directory *data, json_t *request, struct buffer *ret_output,
                    struct error *err)
{
    const struct store_options options = { .directory = data->path,
                                           .query_limit_us = QUERY_LIMIT_US };
    auto_free char *text = json_dumps(request, JSON_COMPACT);
    struct store *store;
    bool created = false;
    int result;

    /* Files of the store must belong to the account that will serve them. */
    if (data_lay_out(data, err) < 0 || data_become_owner(data, err) < 0 ||
        store_open(&options, &store, err) < 0)
        return -1;
    result = control_first_start(store, data->path, &created, err);
    if (created)
        fprintf(stderr, "functiond: project default is new; its first key is in %s/first-key\n",
                data->path);
    if (result == 0)
        result = control_run(store, NULL, text, ret_output, NULL, err);
    store_close(store);
    return result;
}

static int carry_out(const struct settings *settings, json_t *request, struct buffer *ret_output,
                     struct error *err)
{
    struct data_directory data;
    int result;

    if (data_open(settings, 0, &data, err) < 0)
        return -1;
    result = data.locked ? on_store(&data, request, ret_output, err)
                         : through_daemon(&data, request, ret_output, err);
    data_close(&data);
    return result;
}

/* --------------------------------------------------------------------------------------------- */

static int run_verb(const struct control_verb *verb, int argc, char **argv)
{
    auto_buffer struct buffer output = { 0 };
    struct request request = { .arguments = json_object() };
    struct settings settings;
    struct error err;
    json_t *packet;
    int result;

    if (read_flags(verb, argc, argv, &request, &err) < 0 ||
        settings_load(&settings, request.setting_count, request.setting_flags, environ, &err) < 0) {
        fprintf(stderr, "functiond: %s\n", err.message);
        print_verb(stderr, argv[0], verb);
        json_decref(request.arguments);
        return EXIT_USAGE;
    }
    buffer_init(&output, ANSWER_BYTES);
    packet = json_pack("{s:s, s:o}", "command", verb->command, "arguments", request.arguments);
    result = carry_out(&settings, packet, &output, &err);
    json_decref(packet);
    settings_release(&settings);
    if (result < 0) {
        fprintf(stderr, "functiond: %s\n", err.message);
        return EXIT_FAILED;
    }
    if (output.size > 0)
        fwrite(output.data, 1, output.size, stdout);
    if (output.size > 0 && output.data[output.size - 1] != '\n')
        putchar('\n');
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

int control_command(const struct control_verb *verbs, size_t count, int argc, char **argv)
{
    if (cli_wants_help(argc, argv)) {
        print_verbs(stdout, argv[0], verbs, count);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc > 1 && i < count; i++)
        if (text_equals(argv[1], verbs[i].verb))
            return run_verb(&verbs[i], argc, argv);
    print_verbs(stderr, argv[0], verbs, count);
    return EXIT_USAGE;
}
