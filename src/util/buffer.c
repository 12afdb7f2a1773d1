/* The growing byte string. See buffer.h. */
#include "buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { FIRST_CAPACITY = 64 };

void buffer_init(struct buffer *buffer, size_t limit_bytes)
{
    *buffer = (struct buffer){ .limit = limit_bytes };
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->overflowed = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

void buffer_begin(struct buffer *buffer, size_t limit_bytes)
{
    buffer_reset(buffer);
    buffer->limit = limit_bytes;
}

void buffer_end(struct buffer *buffer, size_t kept_bytes)
{
    if (buffer->capacity > kept_bytes)
        buffer_release(buffer);
}

int buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (bytes > buffer->limit - buffer->size) {
        buffer->overflowed = true;
        return -1;
    }
    size_t needed = buffer->size + bytes + 1; /* the NUL */
    if (needed <= buffer->capacity)
        return 0;

    size_t capacity = buffer->capacity < SIZE_MAX / 2 ? buffer->capacity * 2 : needed;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity - 1 > buffer->limit)
        capacity = buffer->limit + 1;
    if (capacity < needed)
        capacity = needed;
    buffer->data = xrealloc(buffer->data, capacity);
    buffer->data[buffer->size] = '\0';
    buffer->capacity = capacity;
    return 0;
}

int buffer_add(struct buffer *buffer, const void *data, size_t bytes)
{
    if (buffer_reserve(buffer, bytes) < 0)
        return -1;
    if (bytes > 0)
        memcpy(buffer->data + buffer->size, data, bytes);
    buffer->size += bytes;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int buffer_add_text(struct buffer *buffer, const char *text)
{
    return buffer_add(buffer, text, strlen(text));
}

int buffer_add_char(struct buffer *buffer, char c)
{
    return buffer_add(buffer, &c, 1);
}

int buffer_addf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);

    size_t room = buffer->capacity == 0 ? 0 : buffer->capacity - buffer->size;
    int written = vsnprintf(room == 0 ? NULL : buffer->data + buffer->size, room, format,
                            arguments);
    size_t length = written < 0 ? 0 : (size_t)written;
    int result = written < 0 ? -1 : buffer_reserve(buffer, length);
    if (result == 0 && length >= room)
        vsnprintf(buffer->data + buffer->size, length + 1, format, again);
    if (result == 0)
        buffer->size += length;
    else if (room > 0)
        buffer->data[buffer->size] = '\0'; /* forget what the first try wrote */

    va_end(again);
    va_end(arguments);
    return result;
}

int buffer_add_int(struct buffer *buffer, int64_t value)
{
    char digits[24];
    char *end = digits + sizeof(digits);
    char *start = end;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--start = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--start = '-';
    return buffer_add(buffer, start, (size_t)(end - start));
}

void buffer_cut_front(struct buffer *buffer, size_t bytes)
{
    if (bytes == 0 || buffer->data == NULL)
        return;
    if (bytes > buffer->size)
        bytes = buffer->size;
    memmove(buffer->data, buffer->data + bytes, buffer->size - bytes + 1);
    buffer->size -= bytes;
}

char *buffer_steal(struct buffer *buffer, size_t *ret_size)
{
    char *data = buffer->data != NULL ? buffer->data : xcalloc(1, 1);
    if (ret_size != NULL)
        *ret_size = buffer->size;
    *buffer = (struct buffer){ .limit = buffer->limit };
    return data;
}
