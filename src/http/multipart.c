/*
 * multipart/form-data as it arrives. See multipart.h.
 *
 * The delimiter is CR LF "--" boundary, and CR occurs in it only at the start. So a partial match
 * at the end of the input is remembered as a number: on a mismatch the bytes held back are the
 * delimiter's own first ones, and no other match can have begun among them.
 */
#include "multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "headers.h"
#include "mem.h"
#include "parameters.h"
#include "text.h"

enum { BOUNDARY_BYTES = 200, HEAD_BYTES = 8192, PARTS = 1000 };

enum state {
    STATE_DATA,  /* in a part, or in the preamble */
    STATE_AFTER, /* right behind a delimiter */
    STATE_AFTER_DASH,
    STATE_AFTER_PADDING,
    STATE_AFTER_CR,
    STATE_HEAD,
    STATE_END, /* the closing boundary was seen; what follows means nothing */
    STATE_FAILED
};

struct multipart {
    struct multipart_events events;
    enum state state;
    bool in_part;
    size_t parts;
    size_t matched;    /* bytes of the delimiter at the end of the input so far */
    size_t unreal;     /* of them, those that are no data if the match fails: the end of a head */
    size_t line_start; /* of the last line in head */
    struct buffer head;
    size_t delimiter_bytes;
    char delimiter[4 + BOUNDARY_BYTES + 1];
};

int multipart_new(const char *content_type, const struct multipart_events *events,
                  struct multipart **ret_multipart, struct error *err)
{
    auto_free char *boundary = NULL;
    if (text_starts_nocase(content_type, "multipart/"))
        boundary = parameter_find(content_type, strlen(content_type), "boundary");
    if (boundary == NULL || *boundary == '\0')
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Content-Type names no multipart boundary");
    size_t bytes = strlen(boundary);
    if (bytes > BOUNDARY_BYTES || !header_value_is_valid(boundary, bytes))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "The multipart boundary is not valid");

    struct multipart *multipart = xcalloc(1, sizeof(*multipart));
    multipart->events = *events;
    multipart->state = STATE_DATA;
    multipart->matched = multipart->unreal = 2; /* the first delimiter needs no CR LF before it */
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary, bytes);
    multipart->delimiter_bytes = 4 + bytes;
    buffer_init(&multipart->head, HEAD_BYTES);
    *ret_multipart = multipart;
    return 0;
}

void multipart_free(struct multipart *multipart)
{
    if (multipart == NULL)
        return;
    buffer_release(&multipart->head);
    free(multipart);
}

static int malformed(struct multipart *multipart, struct error *err, const char *what)
{
    multipart->state = STATE_FAILED;
    return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "The multipart body is malformed: %s", what);
}

static int emit(struct multipart *multipart, const char *data, size_t bytes, struct error *err)
{
    if (!multipart->in_part || bytes == 0)
        return 0;
    return multipart->events.on_data(multipart->events.context, data, bytes, err);
}

/* The delimiter's beginning, held back so far, is data after all. */
static int emit_held(struct multipart *multipart, struct error *err)
{
    size_t unreal = multipart->unreal;
    size_t held = multipart->matched;
    multipart->matched = multipart->unreal = 0;
    return emit(multipart, multipart->delimiter + unreal, held - unreal, err);
}

/* ---- data ------------------------------------------------------------------------------------ */

/* Goes on with a match begun in an earlier piece. Returns how many bytes it took, or -1. */
static ssize_t go_on_matching(struct multipart *multipart, const char *data, size_t bytes,
                              struct error *err)
{
    size_t taken = 0;
    while (taken < bytes && multipart->matched < multipart->delimiter_bytes &&
           data[taken] == multipart->delimiter[multipart->matched]) {
        taken++;
        multipart->matched++;
    }
    if (multipart->matched == multipart->delimiter_bytes) {
        multipart->state = STATE_AFTER;
    } else if (taken < bytes) {
        if (emit_held(multipart, err) < 0)
            return -1;
    }
    return (ssize_t)taken;
}

/* How many bytes at the end may be the start of a delimiter. */
static size_t partial_match(const struct multipart *multipart, const char *data, size_t bytes)
{
    size_t window = bytes < multipart->delimiter_bytes ? bytes : multipart->delimiter_bytes - 1;
    const char *start = memrchr(data + bytes - window, '\r', window);
    if (start == NULL)
        return 0;
    size_t length = (size_t)(data + bytes - start);
    return memcmp(start, multipart->delimiter, length) == 0 ? length : 0;
}

static ssize_t take_data(struct multipart *multipart, const char *data, size_t bytes,
                         struct error *err)
{
    if (multipart->matched > 0)
        return go_on_matching(multipart, data, bytes, err);
    const char *found = memmem(data, bytes, multipart->delimiter, multipart->delimiter_bytes);
    if (found != NULL) {
        size_t before = (size_t)(found - data);
        multipart->matched = multipart->delimiter_bytes;
        multipart->state = STATE_AFTER;
        if (emit(multipart, data, before, err) < 0)
            return -1;
        return (ssize_t)(before + multipart->delimiter_bytes);
    }
    multipart->matched = partial_match(multipart, data, bytes);
    if (emit(multipart, data, bytes - multipart->matched, err) < 0)
        return -1;
    return (ssize_t)bytes;
}

/* ---- behind a delimiter ---------------------------------------------------------------------- */

/* The boundary was only the beginning of a longer word: it was data. */
static int was_data(struct multipart *multipart, bool dash, struct error *err)
{
    multipart->state = STATE_DATA;
    if (emit_held(multipart, err) < 0)
        return -1;
    return dash ? emit(multipart, "-", 1, err) : 0;
}

static int end_part(struct multipart *multipart, enum state next, struct error *err)
{
    bool was_in_part = multipart->in_part;
    multipart->in_part = false;
    multipart->matched = multipart->unreal = 0;
    multipart->state = next;
    multipart->line_start = 0;
    buffer_reset(&multipart->head);
    return was_in_part ? multipart->events.on_part_end(multipart->events.context, err) : 0;
}

/* Takes one byte, or none when it turns out to be data. */
static ssize_t take_after(struct multipart *multipart, char c, struct error *err)
{
    switch (multipart->state) {
    case STATE_AFTER:
        if (c != '-' && c != '\r' && c != ' ' && c != '\t')
            return was_data(multipart, false, err);
        multipart->state = c == '-'    ? STATE_AFTER_DASH
                           : c == '\r' ? STATE_AFTER_CR
                                       : STATE_AFTER_PADDING;
        return 1;
    case STATE_AFTER_DASH:
        if (c != '-')
            return was_data(multipart, true, err);
        return end_part(multipart, STATE_END, err) < 0 ? -1 : 1;
    case STATE_AFTER_PADDING:
        if (c == '\r')
            multipart->state = STATE_AFTER_CR;
        else if (c != ' ' && c != '\t')
            return malformed(multipart, err, "text behind a boundary");
        return 1;
    case STATE_AFTER_CR:
        if (c != '\n')
            return malformed(multipart, err, "text behind a boundary");
        return end_part(multipart, STATE_HEAD, err) < 0 ? -1 : 1;
    case STATE_DATA:
    case STATE_HEAD:
    case STATE_END:
    case STATE_FAILED:
        break;
    }
    return -1;
}

/* ---- a part's head --------------------------------------------------------------------------- */

/* filename*=UTF-8''na%C3%AFve.txt */
static char *extended_file_name(const struct header_line *line)
{
    char *text = parameter_find(line->value, line->value_bytes, "filename*");
    if (text == NULL)
        return NULL;
    const char *quote = strchr(text, '\'');
    quote = quote == NULL ? NULL : strchr(quote + 1, '\'');
    if (quote == NULL) {
        free(text);
        return NULL;
    }
    size_t bytes = strlen(quote + 1);
    memmove(text, quote + 1, bytes + 1);
    text[text_percent_decode(text, bytes, false)] = '\0';
    return text;
}

static bool is_header(const struct header_line *line, const char *name)
{
    return line->name_bytes == strlen(name) && strncasecmp(line->name, name, line->name_bytes) == 0;
}

static int begin_part(struct multipart *multipart, struct error *err)
{
    const struct buffer *head = &multipart->head;
    struct header_line line;
    size_t position = 0;
    bool bad = false;
    bool has_disposition = false;
    auto_free char *name = NULL;
    auto_free char *file_name = NULL;
    auto_free char *content_type = NULL;
    while (header_block_next(head->data, head->size, &position, &line, &bad)) {
        if (is_header(&line, "content-disposition") && !has_disposition) {
            has_disposition = true;
            name = parameter_find(line.value, line.value_bytes, "name");
            file_name = extended_file_name(&line);
            if (file_name == NULL)
                file_name = parameter_find(line.value, line.value_bytes, "filename");
        } else if (is_header(&line, "content-type") && content_type == NULL) {
            content_type = xstrndup(line.value, line.value_bytes);
        }
    }
    if (bad)
        return malformed(multipart, err, "a part's header");
    if (++multipart->parts > PARTS)
        return malformed(multipart, err, "too many parts");
    multipart->in_part = true;
    multipart->state = STATE_DATA;
    multipart->matched = multipart->unreal = 2; /* an empty part may share the CR LF of its head */
    struct multipart_part part = { .name = name == NULL ? "" : name,
                                   .file_name = file_name,
                                   .content_type = content_type == NULL ? "" : content_type };
    return multipart->events.on_part(multipart->events.context, &part, err);
}

static ssize_t take_head(struct multipart *multipart, const char *data, size_t bytes,
                         struct error *err)
{
    const char *feed = memchr(data, '\n', bytes);
    size_t taken = feed == NULL ? bytes : (size_t)(feed + 1 - data);
    struct buffer *head = &multipart->head;
    if (buffer_add(head, data, taken) < 0)
        return malformed(multipart, err, "a part's header is too long");
    if (feed == NULL)
        return (ssize_t)taken;
    if (head->size - multipart->line_start == 2 && head->data[multipart->line_start] == '\r') {
        head->size = multipart->line_start;
        return begin_part(multipart, err) < 0 ? -1 : (ssize_t)taken;
    }
    multipart->line_start = head->size;
    return (ssize_t)taken;
}

/* ---- feeding --------------------------------------------------------------------------------- */

static ssize_t take(struct multipart *multipart, const char *data, size_t bytes, struct error *err)
{
    switch (multipart->state) {
    case STATE_DATA:
        return take_data(multipart, data, bytes, err);
    case STATE_AFTER:
    case STATE_AFTER_DASH:
    case STATE_AFTER_PADDING:
    case STATE_AFTER_CR:
        return take_after(multipart, *data, err);
    case STATE_HEAD:
        return take_head(multipart, data, bytes, err);
    case STATE_END:
        return (ssize_t)bytes;
    case STATE_FAILED:
        return malformed(multipart, err, "it was so before");
    }
    return -1;
}

int multipart_feed(struct multipart *multipart, const char *data, size_t bytes, struct error *err)
{
    while (bytes > 0) {
        ssize_t taken = take(multipart, data, bytes, err);
        if (taken < 0) {
            multipart->state = STATE_FAILED;
            return -1;
        }
        data += taken;
        bytes -= (size_t)taken;
    }
    return 0;
}

int multipart_finish(struct multipart *multipart, struct error *err)
{
    if (multipart->state != STATE_END)
        return malformed(multipart, err, "it ends before the closing boundary");
    return 0;
}
