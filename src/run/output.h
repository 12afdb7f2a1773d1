/* A worker's native stdout or stderr: always read, the end kept for the diagnosis of a crash, the
 * rest thrown away. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "loop.h"

enum { OUTPUT_TAIL = 4096 };
#define OUTPUT_LIMIT \
    ((uint64_t)256 << 20) /* bytes without an answer in between: the worker is ended */

struct output {
    int fd; /* -1: closed */
    struct loop *loop;
    struct loop_watch *watch;
    char *scratch;
    size_t scratch_bytes;
    char *tail; /* OUTPUT_TAIL bytes, a ring; made with the first byte */
    uint64_t total;
    uint64_t since_answer;
    loop_task *flooded; /* once, when since_answer passes the limit */
    void *context;
};

/* Takes fd over, also on failure. */
int output_open(struct output *output, struct loop *loop, int fd, char *scratch,
                size_t scratch_bytes, loop_task *flooded, void *context, struct error *err);
void output_drain(struct output *output); /* reads what is there now (bounded) */
void output_release(struct output *output);
void output_tail(const struct output *output, struct buffer *out);

/* Did the end of the native output say that memory was short? Runtimes that are refused memory end
 * in many ways. */
bool output_tells_memory(const char *tail);

#endif
