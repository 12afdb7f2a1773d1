/*
 * Memory that never fails: running out ends the process with a message, and the supervisor starts
 * it again. What a user can make large is bounded before it is allocated, so this is about honest
 * exhaustion only.
 */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes); /* zeroed; count * bytes is checked for overflow */
void *xrealloc(void *memory, size_t bytes);
char *xstrdup(const char *text); /* NULL gives NULL */
char *xstrndup(const char *text, size_t bytes);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

void mem_auto_free(void *pointer_to_pointer); /* for auto_free only */
#define auto_free __attribute__((cleanup(mem_auto_free)))

/* Hands a pointer over and leaves NULL behind, so that an auto_ cleanup does nothing. */
#define steal(pointer)                           \
    __extension__({                              \
        __typeof__(pointer) stolen_ = (pointer); \
        (pointer) = NULL;                        \
        stolen_;                                 \
    })

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
