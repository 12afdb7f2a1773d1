/* Command lines and environments of build children. */
#include "launch.h"

#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { LAUNCH_MOST = 4 << 20 };

static size_t count_list(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

static void add_list(struct buffer *out, const char *const *list)
{
    for (; list && *list; list++)
        buffer_add(out, *list, strlen(*list) + 1);
}

void launch_write(struct buffer *ret_launch, const char *const *argv, const char *const *envp)
{
    const uint32_t counts[2] = { (uint32_t)count_list(argv), (uint32_t)count_list(envp) };

    buffer_init(ret_launch, LAUNCH_MOST);
    buffer_add(ret_launch, counts, sizeof counts);
    add_list(ret_launch, argv);
    add_list(ret_launch, envp);
}

/*
 * {interpreter} and {interpreter_directory} in a recipe's text; the supervisor fills in the rest.
 */
static char *fill_in(const char *text, const struct interpreter *interpreter)
{
    static const char whole[] = "{interpreter}", folder[] = "{interpreter_directory}";
    auto_free char *path = xstrdup(interpreter->path);
    const char *directory = dirname(path);
    struct buffer out;

    buffer_init(&out, LAUNCH_MOST);
    while (*text) {
        if (strncmp(text, whole, strlen(whole)) == 0) {
            buffer_add_text(&out, interpreter->path);
            text += strlen(whole);
        } else if (strncmp(text, folder, strlen(folder)) == 0) {
            buffer_add_text(&out, directory);
            text += strlen(folder);
        } else {
            buffer_add_char(&out, *text++);
        }
    }
    return buffer_steal(&out, NULL);
}

static bool is_given(const char *const *environment, const char *line)
{
    const size_t name = strcspn(line, "=") + 1;

    for (; *environment; environment++)
        if (strncmp(*environment, line, name) == 0)
            return true;
    return false;
}

void launch_build(struct buffer *ret_launch, const struct interpreter *interpreter,
                  const char *commands, const char *const *environment)
{
    static const char *const base[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8" };
    const struct runtime_family *family = interpreter->family;
    auto_free char *prelude = fill_in(family->build_prelude, interpreter);
    auto_free char *script = xasprintf("set -e\ncd \"$1\"\n%s\n%s\n", prelude, commands);
    const size_t most = 1 + COUNT(base) + count_list(environment) +
                        count_list(family->build_environment);
    char **all = xcalloc(most + 1, sizeof *all);
    size_t count = 0;

    for (size_t i = 0; i < COUNT(base); i++)
        if (!is_given(environment, base[i]))
            all[count++] = xstrdup(base[i]);
    for (const char *const *line = family->build_environment; *line; line++)
        all[count++] = fill_in(*line, interpreter);
    all[count++] = xstrdup(""); /* no {code} and the like is replaced behind this */
    for (; *environment; environment++)
        all[count++] = xstrdup(*environment);
    launch_write(ret_launch,
                 (const char *const[]){ "/bin/bash", "-c", script, "build", "{code}", NULL },
                 (const char *const *)all);
    for (size_t i = 0; i < count; i++)
        free(all[i]);
    free(all);
}
