/* Allocation that ends the process instead of failing. See mem.h. */
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static void out_of_memory(void)
{
    static const char text[] = "out of memory\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written; /* there is nobody left to tell */
    abort();
}

void *xmalloc(size_t bytes)
{
    void *memory = malloc(bytes == 0 ? 1 : bytes);
    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *xcalloc(size_t count, size_t bytes)
{
    void *memory = calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes);
    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *xrealloc(void *memory, size_t bytes)
{
    void *moved = realloc(memory, bytes == 0 ? 1 : bytes);
    if (moved == NULL)
        out_of_memory();
    return moved;
}

char *xstrdup(const char *text)
{
    if (text == NULL)
        return NULL;
    return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t bytes)
{
    if (text == NULL)
        return NULL;
    size_t length = strnlen(text, bytes);
    char *copy = xmalloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory();
    return text;
}

void mem_auto_free(void *pointer_to_pointer)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof(memory)); /* it may be a char ** or any other */
    free(memory);
}
