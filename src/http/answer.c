/*
 * From struct http_answer to libmicrohttpd's response. Headers from functions are foreign: what
 * cannot be sent is left out.
 */
#include "front.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "headers.h"
#include "mem.h"

enum { LINE_BYTES = 1024 };

/* These are libmicrohttpd's to write. */
static bool is_ours(const char *name)
{
    switch (name[0] | 0x20) {
    case 'c':
        return strcasecmp(name, "content-length") == 0 || strcasecmp(name, "connection") == 0;
    case 'd':
        return strcasecmp(name, "date") == 0;
    case 't':
        return strcasecmp(name, "transfer-encoding") == 0;
    case 'k':
        return strcasecmp(name, "keep-alive") == 0;
    default:
        return false;
    }
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (is_ours(name))
        return;
    /*
     * libmicrohttpd refuses CR and LF itself, and an empty value, which white space is the same as.
     */
    MHD_add_response_header(response, name, value[0] == '\0' ? " " : value);
}

static void add_line(struct MHD_Response *response, const struct header_line *line)
{
    char small[LINE_BYTES];
    auto_free char *large = NULL;
    size_t needed = line->name_bytes + line->value_bytes + 2;
    if (needed > sizeof(small))
        large = xmalloc(needed);
    char *text = large != NULL ? large : small;
    char *value = text + line->name_bytes + 1;
    memcpy(text, line->name, line->name_bytes);
    text[line->name_bytes] = '\0';
    memcpy(value, line->value, line->value_bytes);
    value[line->value_bytes] = '\0';
    if (memchr(value, '\0', line->value_bytes) == NULL)
        add_header(response, text, value);
}

static struct MHD_Response *new_response(const struct http_answer *answer)
{
    if (answer->body != NULL && answer->body->size > 0) {
        size_t size;
        char *data = buffer_steal(answer->body, &size);
        return MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    }
    if (answer->body != NULL)
        buffer_release(answer->body);
    if (answer->body_copy_size > 0)
        return MHD_create_response_from_buffer(
            answer->body_copy_size, (void *)(uintptr_t)answer->body_copy, MHD_RESPMEM_MUST_COPY);
    if (answer->file >= 0) {
        struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
            answer->file_size, answer->file, answer->file_offset);
        if (response != NULL)
            return response;
        close(answer->file);
    }
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static size_t head_bytes(const struct http_answer *answer)
{
    size_t bytes = answer->header_block_size;
    for (size_t i = 0; i < answer->header_count; i++)
        bytes += strlen(answer->headers[i].name) + strlen(answer->headers[i].value) + 4;
    return bytes;
}

/* An error of our own that does not fit: its body is what matters. */
static struct MHD_Response *refusal(const struct http_answer *answer)
{
    struct MHD_Response *response = new_response(answer);
    for (size_t i = 0; response != NULL && i < answer->header_count; i++)
        if (strcasecmp(answer->headers[i].name, "content-type") == 0)
            add_header(response, answer->headers[i].name, answer->headers[i].value);
    return response;
}

static struct MHD_Response *too_large(const struct http_answer *answer)
{
    static const char text[] = "The headers of the answer are too large.\n";
    const struct http_answer replacement = { .body_copy = text,
                                             .body_copy_size = sizeof(text) - 1,
                                             .file = -1 };
    if (answer->body != NULL)
        buffer_release(answer->body);
    if (answer->file >= 0)
        close(answer->file);
    return new_response(&replacement);
}

struct MHD_Response *answer_build(const struct http_answer *answer, size_t room,
                                  unsigned *ret_status)
{
    bool fits = head_bytes(answer) <= room;
    bool is_refusal = answer->status >= 400 && answer->header_block_size == 0;
    struct MHD_Response *response = fits         ? new_response(answer)
                                    : is_refusal ? refusal(answer)
                                                 : too_large(answer);
    if (response == NULL)
        abort(); /* out of memory, as xmalloc() */
    *ret_status = (fits || is_refusal) && answer->status >= 200 && answer->status <= 999
                      ? answer->status
                      : 500;
    if (!fits)
        return response;
    for (size_t i = 0; i < answer->header_count; i++)
        add_header(response, answer->headers[i].name, answer->headers[i].value);
    size_t position = 0;
    struct header_line line;
    while (
        header_block_next(answer->header_block, answer->header_block_size, &position, &line, NULL))
        add_line(response, &line);
    return response;
}
