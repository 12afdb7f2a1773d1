/* links: http util */
/*
 * multipart bodies: the first line is the Content-Type. The body is parsed in one piece, in single
 * bytes and in pieces of seven; the three must agree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"

struct heard {
    struct buffer text;
    bool in_part;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_part(void *context, const struct multipart_part *part, struct error *err)
{
    struct heard *heard = context;
    (void)err;
    if (heard->in_part)
        abort();
    heard->in_part = true;
    buffer_addf(&heard->text, "<%s,%s,%s>", part->name,
                part->file_name == NULL ? "" : part->file_name, part->content_type);
    return 0;
}

static int on_data(void *context, const char *data, size_t bytes, struct error *err)
{
    struct heard *heard = context;
    (void)err;
    if (!heard->in_part || bytes == 0)
        abort();
    buffer_add(&heard->text, data, bytes);
    return 0;
}

static int on_part_end(void *context, struct error *err)
{
    struct heard *heard = context;
    (void)err;
    if (!heard->in_part)
        abort();
    heard->in_part = false;
    buffer_add_char(&heard->text, '>');
    return 0;
}

static int parse(struct heard *heard, const char *type, const char *body, size_t bytes, size_t step)
{
    const struct multipart_events events = {
        .context = heard, .on_part = on_part, .on_data = on_data, .on_part_end = on_part_end
    };
    struct multipart *multipart;
    struct error err;
    *heard = (struct heard){ .in_part = false };
    buffer_init(&heard->text, 1 << 22);
    if (multipart_new(type, &events, &multipart, &err) < 0)
        return -1;
    int result = 0;
    for (size_t at = 0; at < bytes && result == 0; at += step)
        result = multipart_feed(multipart, body + at, bytes - at < step ? bytes - at : step, &err);
    if (result == 0)
        result = multipart_finish(multipart, &err);
    multipart_free(multipart);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *feed = size == 0 ? NULL : memchr(data, '\n', size);
    if (feed == NULL)
        return 0;
    size_t type_bytes = (size_t)(feed - (const char *)data);
    char *type = strndup((const char *)data, type_bytes);
    if (type == NULL)
        return 0;
    const char *body = feed + 1;
    size_t bytes = size - type_bytes - 1;
    struct heard whole;
    struct heard other;
    int result = parse(&whole, type, body, bytes, bytes + 1);
    for (size_t step = 1; step <= 7; step += 6) {
        if (parse(&other, type, body, bytes, step) != result ||
            other.text.size != whole.text.size ||
            (whole.text.size > 0 && memcmp(other.text.data, whole.text.data, whole.text.size) != 0))
            abort();
        buffer_release(&other.text);
    }
    buffer_release(&whole.text);
    free(type);
    return 0;
}
