/* Native output of workers: drained whatever they write, so that a full pipe never stops a
 * function. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"

static void keep(struct output *output, const char *bytes, size_t size)
{
    if (output->tail == NULL)
        output->tail = xmalloc(OUTPUT_TAIL);
    if (size > OUTPUT_TAIL) {
        output->total += size - OUTPUT_TAIL;
        bytes += size - OUTPUT_TAIL;
        size = OUTPUT_TAIL;
    }
    size_t at = (size_t)(output->total % OUTPUT_TAIL);
    size_t first = size < OUTPUT_TAIL - at ? size : OUTPUT_TAIL - at;
    memcpy(output->tail + at, bytes, first);
    memcpy(output->tail, bytes + first, size - first);
    output->total += size;
}

/* The tail is kept. */
static void output_close(struct output *output)
{
    if (output->watch != NULL)
        loop_watch_remove(output->loop, steal(output->watch));
    fd_close(&output->fd);
}

/* One read; false when nothing came. */
static bool read_once(struct output *output)
{
    ssize_t got = read(output->fd, output->scratch, output->scratch_bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        output_close(output);
        return false;
    }
    keep(output, output->scratch, (size_t)got);
    bool was_below = output->since_answer <= OUTPUT_LIMIT;
    output->since_answer += (size_t)got;
    if (was_below && output->since_answer > OUTPUT_LIMIT)
        output->flooded(output->context);
    return true;
}

static void output_ready(void *context, uint32_t events)
{
    (void)events;
    read_once(context);
}

int output_open(struct output *output, struct loop *loop, int fd, char *scratch,
                size_t scratch_bytes, loop_task *flooded, void *context, struct error *err)
{
    *output = (struct output){ .fd = fd,
                               .loop = loop,
                               .scratch = scratch,
                               .scratch_bytes = scratch_bytes,
                               .flooded = flooded,
                               .context = context };
    int result = fd_set_blocking(fd, false);
    if (result < 0)
        fail_errno(err, "output pipe");
    else
        result = loop_watch_add(loop, fd, EPOLLIN, output_ready, output, &output->watch, err);
    if (result < 0)
        fd_close(&output->fd);
    return result;
}

void output_drain(struct output *output)
{
    /* A pipe holds 64 KiB; more comes only from one that still writes. */
    for (int i = 0; i < 4 && output->fd >= 0; i++)
        if (!read_once(output))
            break;
}

void output_release(struct output *output)
{
    output_close(output);
    free(output->tail);
    output->tail = NULL;
}

void output_tail(const struct output *output, struct buffer *out)
{
    if (output->tail == NULL)
        return;
    size_t at = (size_t)(output->total % OUTPUT_TAIL);
    if (output->total >= OUTPUT_TAIL)
        buffer_add(out, output->tail + at, OUTPUT_TAIL - at);
    buffer_add(out, output->tail, at);
}

bool output_tells_memory(const char *tail)
{
    static const char *const signs[] = {
        "heap out of memory",  "Fatal process out of memory",
        "Allocation failed",   "allocation failed",
        "MemoryError",         "NoMemoryError",
        "Allowed memory size", "out of memory",
        "OutOfMemoryError",
    };
    for (size_t i = 0; i < COUNT(signs); i++)
        if (strstr(tail, signs[i]) != NULL)
            return true;
    return false;
}
