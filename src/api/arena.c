#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

enum { ARENA_BLOCK = 4096, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

void arena_begin(struct arena *arena, void *memory, size_t bytes)
{
    uintptr_t past = (uintptr_t)memory % ARENA_ALIGN;
    size_t skipped = past == 0 ? 0 : ARENA_ALIGN - past;

    *arena = (struct arena){ .at = (unsigned char *)memory + skipped, .left = bytes - skipped };
}

void arena_release(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;
        mem_auto_free(&arena->blocks);
        arena->blocks = next;
    }
    *arena = (struct arena){ .blocks = NULL };
}

static unsigned char *add_block(struct arena *arena, size_t bytes)
{
    struct arena_block *block = xmalloc(sizeof(*block) + bytes);

    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

/* Not zeroed. */
static void *take(struct arena *arena, size_t bytes)
{
    size_t rounded = bytes == 0 ? ARENA_ALIGN
                                : (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

    if (rounded > ARENA_BLOCK) /* the half-full one stays in use */
        return add_block(arena, rounded);
    if (arena->left < rounded) {
        arena->at = add_block(arena, ARENA_BLOCK);
        arena->left = ARENA_BLOCK;
    }
    void *memory = arena->at;
    arena->at += rounded;
    arena->left -= rounded;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    return memset(take(arena, bytes), 0, bytes);
}

char *arena_text(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = take(arena, bytes + 1);

    if (bytes > 0)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *arena_textf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
