/* Hash table from text to pointer. Keys are copied; values are the caller's. Keyed hash
 * (per-process random seed). */
#ifndef MAP_H
#define MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    size_t used; /* slots that hold an entry or a tombstone */
};

void map_init(struct map *map);
void map_release(struct map *map);                     /* does not touch the values */
void *map_get(const struct map *map, const char *key); /* NULL when absent */
void *map_get_sized(const struct map *map, const char *key, size_t key_bytes);

/* value not NULL; returns the one replaced, or NULL. */
void *map_set(struct map *map, const char *key, void *value);
void *map_remove(struct map *map, const char *key); /* returns the value removed, or NULL */

/* Iterates: *position starts at 0; returns false at the end. Removing the entry just returned is
 * allowed. */
bool map_next(const struct map *map, size_t *position, const char **ret_key, void **ret_value);

#endif
