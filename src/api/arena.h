/*
 * Memory that lives as long as a call. Not for several threads at once: a call is in one place at a
 * time.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    unsigned char *at; /* free memory */
    size_t left;       /* bytes of it */
    struct arena_block *blocks;
};

/* Starts with memory of the caller's, which must live as long. Not needed: zeroed is empty. */
void arena_begin(struct arena *arena, void *memory, size_t bytes);
void arena_release(struct arena *arena);              /* leaves it zeroed */
void *arena_alloc(struct arena *arena, size_t bytes); /* zeroed, aligned for anything */
char *arena_text(struct arena *arena, const char *text,
                 size_t bytes); /* a copy with a NUL behind */
char *arena_textf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
