/*
 * From defaults, file, environment and flags to struct settings. The rows are in settings_rows.c.
 * See settings.h.
 *
 * Every source ends in set_by_name(): a name, a value and the words to call it by in an error.
 */
#include "settings.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "mem.h"
#include "settings_private.h"
#include "text.h"

enum { FILE_BYTES = 1 << 20, NAME_BYTES = 64 };

static const char environment_prefix[] = "FUNCTIOND_";

/* Accepts spare-limit, spare_limit and SPARE_LIMIT alike; false if no row's name is that long. */
static bool normalise(const char *name, size_t length, char ret_name[NAME_BYTES])
{
    if (length == 0 || length >= NAME_BYTES)
        return false;
    memcpy(ret_name, name, length);
    ret_name[length] = '\0';
    text_lower(ret_name);
    for (char *at = ret_name; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    return true;
}

/*
 * The name as it is written in this source: --worker-limit, FUNCTIOND_WORKER_LIMIT, worker_limit.
 */
static void spell(enum settings_source source, const char *name, char *ret_text, size_t bytes)
{
    struct buffer text;
    buffer_init(&text, bytes - 1);
    if (source == SOURCE_FLAG)
        buffer_add_text(&text, "--");
    if (source == SOURCE_ENVIRONMENT)
        buffer_add_text(&text, environment_prefix);
    for (const char *at = name; *at != '\0'; at++) {
        char c = *at;
        if (source == SOURCE_FLAG && c == '_')
            c = '-';
        if (source == SOURCE_ENVIRONMENT && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        buffer_add_char(&text, c);
    }
    memcpy(ret_text, text.data == NULL ? "" : text.data, text.size + 1);
    buffer_release(&text);
}

static int refuse_unknown(enum settings_source source, const char *name, struct error *err)
{
    const char *names[SETTINGS_COUNT + 1];
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        names[i] = setting_rows[i].name;
    names[SETTINGS_COUNT] = "config";
    const char *nearest = text_nearest(name, names, COUNT(names));
    char written[NAME_BYTES + 16];
    spell(source, name, written, sizeof(written));
    if (nearest == NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown setting %s", written);
    char meant[NAME_BYTES + 16];
    spell(source, nearest, meant, sizeof(meant));
    return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown setting %s; did you mean %s?",
                written, meant);
}

static int set_by_name(struct settings *settings, enum settings_source source, const char *name,
                       const char *value, struct error *err)
{
    const struct setting_row *row = setting_row_find(name);
    if (row == NULL)
        return refuse_unknown(source, name, err);
    return setting_row_set(row, settings, value, err);
}

static char *trim(char *text)
{
    static const char blank[] = " \t\r";
    text += strspn(text, blank);
    size_t length = strlen(text);
    while (length > 0 && strchr(blank, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static int load_line(struct settings *settings, char *line, struct error *err)
{
    line = trim(line);
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "a line is NAME = value, not \"%.40s\"",
                    line);
    *equals = '\0';
    char *written = trim(line);
    char name[NAME_BYTES];
    if (!normalise(written, strlen(written), name))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown setting \"%.40s\"", written);
    return set_by_name(settings, SOURCE_FILE, name, trim(equals + 1), err);
}

static int load_file(struct settings *settings, const char *path, struct error *err)
{
    auto_free char *text = NULL;
    if (fd_read_file(AT_FDCWD, path, FILE_BYTES, &text, NULL, err) < 0) {
        err->type = ERROR_GENERAL_ARGUMENT_INVALID;
        return -1;
    }
    size_t number = 1;
    for (char *line = text; line != NULL; number++) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (load_line(settings, line, err) < 0)
            return fail_add(err, "%s, line %zu", path, number);
        line = next;
    }
    return 0;
}

/* What a cluster puts into every container beside a service of our name: addresses, no settings. */
static bool is_of_a_cluster(const char *start)
{
    return text_starts(start, "SERVICE_") || text_starts(start, "PORT=") ||
           text_starts(start, "PORT_");
}

static int load_environment(struct settings *settings, char *const *environment, struct error *err)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || !text_starts(*environment, environment_prefix))
            continue;
        const char *start = *environment + strlen(environment_prefix);
        char name[NAME_BYTES];
        if (is_of_a_cluster(start))
            continue;
        if (!normalise(start, (size_t)(equals - start), name))
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown setting %.60s", *environment);
        if (text_equals(name, "config"))
            continue;
        if (set_by_name(settings, SOURCE_ENVIRONMENT, name, equals + 1, err) < 0)
            return -1;
    }
    return 0;
}

/* A flag of argv, with the value that stands behind it or in the next argument. */
struct flag {
    char name[NAME_BYTES];
    const char *value;
};

/* Reads the flag at argv[*at] and moves *at to its last argument. */
static int take_flag(int argc, char *const *argv, int *at, struct flag *ret_flag, struct error *err)
{
    const char *written = argv[*at];
    if (!text_starts(written, "--"))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unexpected argument \"%s\"", written);
    const char *equals = strchr(written, '=');
    size_t length = equals != NULL ? (size_t)(equals - written) - 2 : strlen(written) - 2;
    if (!normalise(written + 2, length, ret_flag->name))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "unknown setting %.60s", written);

    const struct setting_row *row = setting_row_find(ret_flag->name);
    if (row == NULL && !text_equals(ret_flag->name, "config"))
        return refuse_unknown(SOURCE_FLAG, ret_flag->name, err);
    if (equals != NULL) {
        ret_flag->value = equals + 1;
        return 0;
    }
    const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
    bool ignored;
    if (row != NULL && row->kind == SETTING_IS_SWITCH &&
        (next == NULL || setting_parse_switch(next, &ignored) < 0)) {
        ret_flag->value = "true";
        return 0;
    }
    if (next == NULL)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "%s needs a value", written);
    ret_flag->value = next;
    (*at)++;
    return 0;
}

/* Once with settings NULL, for --config alone, since the file gives way to the environment and the
 * flags. */
static int load_flags(struct settings *settings, int argc, char *const *argv,
                      const char **ret_config, struct error *err)
{
    for (int i = 0; i < argc; i++) {
        struct flag flag;
        if (take_flag(argc, argv, &i, &flag, err) < 0)
            return -1;
        bool is_config = text_equals(flag.name, "config");
        if (settings == NULL && is_config)
            *ret_config = flag.value;
        if (settings == NULL || is_config)
            continue;
        if (set_by_name(settings, SOURCE_FLAG, flag.name, flag.value, err) < 0)
            return -1;
    }
    return 0;
}

static int load(struct settings *settings, int argc, char *const *argv, char *const *environment,
                struct error *err)
{
    const char *config = NULL;
    for (char *const *at = environment; at != NULL && *at != NULL; at++)
        if (text_starts(*at, "FUNCTIOND_CONFIG="))
            config = *at + strlen("FUNCTIOND_CONFIG=");
    if (load_flags(NULL, argc, argv, &config, err) < 0)
        return -1;
    if (!text_is_empty(config) && load_file(settings, config, err) < 0)
        return -1;
    if (load_environment(settings, environment, err) < 0)
        return -1;
    return load_flags(settings, argc, argv, NULL, err);
}

int settings_load(struct settings *ret_settings, int argc, char *const *argv,
                  char *const *environment, struct error *err)
{
    struct settings settings = { 0 };
    setting_rows_default(&settings);
    if (load(&settings, argc, argv, environment, err) < 0) {
        settings_release(&settings);
        return -1;
    }
    *ret_settings = settings;
    return 0;
}

static void add_escaped(struct buffer *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\')
            buffer_add_text(out, "\\\\");
        else if (*value == '\n')
            buffer_add_text(out, "\\n");
        else
            buffer_add_char(out, *value);
    }
}

static void unescape(char *value)
{
    char *out = value;
    for (; *value != '\0'; value++) {
        if (*value == '\\' && value[1] != '\0') {
            value++;
            *out++ = *value == 'n' ? '\n' : *value;
            continue;
        }
        *out++ = *value;
    }
    *out = '\0';
}

void settings_write(const struct settings *settings, struct buffer *out)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting_row *row = &setting_rows[i];
        if (setting_row_is_default(row, settings))
            continue;
        auto_free char *value = setting_row_get(row, settings);
        buffer_addf(out, "%s=", row->name);
        add_escaped(out, value);
        buffer_add_char(out, '\n');
    }
}

static int read_lines(struct settings *settings, char *text, struct error *err)
{
    while (*text != '\0') {
        char *next = strchr(text, '\n');
        char *equals = strchr(text, '=');
        if (next == NULL || equals == NULL || equals > next)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "a line of the settings is broken");
        *next = '\0';
        *equals = '\0';
        unescape(equals + 1);
        if (set_by_name(settings, SOURCE_FILE, text, equals + 1, err) < 0)
            return -1;
        text = next + 1;
    }
    return 0;
}

int settings_read(struct settings *ret_settings, const char *lines, struct error *err)
{
    struct settings settings = { 0 };
    auto_free char *text = xstrdup(lines);
    setting_rows_default(&settings);
    if (read_lines(&settings, text, err) < 0) {
        settings_release(&settings);
        return -1;
    }
    *ret_settings = settings;
    return 0;
}
