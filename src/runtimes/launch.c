/* How a worker process is started: argv and an environment built from nothing. */
#include "runtimes_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

static const char heap[] = "{heap_mb}";

static void add_string(struct buffer *out, const char *text)
{
    buffer_add(out, text, strlen(text) + 1);
}

/* The argument with the heap size filled in; NULL: left out, the memory is not known. */
static char *argument(const char *text, int64_t memory_mb)
{
    const char *mark = strstr(text, heap);
    if (!mark)
        return xstrdup(text);
    if (memory_mb <= 0)
        return NULL;
    return xasprintf("%.*s%" PRId64 "%s", (int)(mark - text), text, memory_mb * 3 / 4,
                     mark + strlen(heap));
}

/* The interpreter's own directory first, so that its siblings (npm, pip) are the ones found. */
static char *search_path(const struct interpreter *interpreter)
{
    size_t length = (size_t)(strrchr(interpreter->path, '/') - interpreter->path);
    auto_free char *directory = xstrndup(interpreter->path, length);
    if (text_equals(directory, "/usr/bin") || text_equals(directory, "/usr/local/bin"))
        return xstrdup("PATH=/usr/local/bin:/usr/bin:/bin");
    return xasprintf("PATH=%s:/usr/local/bin:/usr/bin:/bin", directory);
}

void runtime_launch(const struct interpreter *interpreter, int64_t memory_mb,
                    const char *const *extra_environment, size_t extra_count,
                    struct buffer *ret_launch)
{
    const struct runtime_family *family = interpreter->family;
    struct buffer strings;
    buffer_init(&strings, ret_launch->limit);
    uint32_t counts[2] = { 2, 2 + (uint32_t)extra_count };

    add_string(&strings, interpreter->path);
    for (const char *const *given = family->arguments; *given; given++) {
        auto_free char *filled = argument(*given, memory_mb);
        if (!filled)
            continue;
        add_string(&strings, filled);
        counts[0]++;
    }
    auto_free char *bootstrap = xasprintf("{boot}/%s", family->bootstrap);
    add_string(&strings, bootstrap);

    auto_free char *path = search_path(interpreter);
    add_string(&strings, path);
    add_string(&strings, "LANG=C.UTF-8");
    for (size_t i = 0; i < extra_count; i++)
        add_string(&strings, extra_environment[i]);

    buffer_add(ret_launch, counts, sizeof(counts));
    buffer_add(ret_launch, strings.data, strings.size);
    buffer_release(&strings);
}
