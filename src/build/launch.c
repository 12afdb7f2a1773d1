/* Command lines and environments of build children. */
#include "launch.h"

#include <libgen.h>
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

/* {interpreter} and {interpreter_directory} in a recipe's text; the supervisor fills in the rest. */
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

void launch_build(struct buffer *ret_launch, const struct interpreter *interpreter,
                  const char *commands, const char *const *environment)
{
    const struct runtime_family *family = interpreter->family;
    const size_t given = count_list(environment), own = count_list(family->build_environment);
    auto_free char *prelude = fill_in(family->build_prelude, interpreter);
    auto_free char *script = xasprintf("set -e\ncd \"$1\"\n%s\n%s\n", prelude, commands);
    char **all = xcalloc(given + own + 1, sizeof *all);

    for (size_t i = 0; i < given; i++)
        all[i] = xstrdup(environment[i]);
    for (size_t i = 0; i < own; i++)
        all[given + i] = fill_in(family->build_environment[i], interpreter);
    launch_write(ret_launch,
                 (const char *const[]){ "/bin/bash", "-c", script, "build", "{code}", NULL },
                 (const char *const *)all);
    for (size_t i = 0; i < given + own; i++)
        free(all[i]);
    free(all);
}
