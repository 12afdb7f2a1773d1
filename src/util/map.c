/*
 * The hash table: open addressing, linear probing, at most three quarters full with tombstones
 * counted.
 *
 * Keys come from clients, so the hash is SipHash-1-3 under a secret of the process: nobody outside
 * can choose colliding keys. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 */
#include "map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "mem.h"

enum { FIRST_CAPACITY = 16 };

struct map_slot {
    char *key; /* NULL: never used; the address of `gone`: a tombstone */
    size_t key_bytes;
    uint64_t hash;
    void *value;
};

static char gone[1];
static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        abort();
}

static inline uint64_t rotate(uint64_t value, unsigned int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_key(const char *key, size_t bytes)
{
    uint64_t v[4] = {
        secret[0] ^ UINT64_C(0x736f6d6570736575),
        secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261),
        secret[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word;
    size_t at = 0;
    for (; bytes - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, key + at, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)bytes << 56;
    for (size_t i = 0; at + i < bytes; i++)
        word |= (uint64_t)(unsigned char)key[at + i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool is_live(const struct map_slot *slot)
{
    return slot->key != NULL && slot->key != gone;
}

void map_init(struct map *map)
{
    pthread_once(&secret_once, make_secret);
    *map = (struct map){ 0 };
}

void map_release(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        if (is_live(&map->slots[i]))
            free(map->slots[i].key);
    free(map->slots);
    *map = (struct map){ 0 };
}

/* The slot of the key; if absent NULL, and *ret_free (may be NULL) is where it belongs. */
static struct map_slot *find(const struct map *map, const char *key, size_t key_bytes,
                             uint64_t hash, struct map_slot **ret_free)
{
    struct map_slot *vacant = NULL;
    for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
        struct map_slot *slot = &map->slots[i];
        if (is_live(slot)) {
            if (slot->hash == hash && slot->key_bytes == key_bytes &&
                memcmp(slot->key, key, key_bytes) == 0)
                return slot;
            continue;
        }
        if (vacant == NULL)
            vacant = slot;
        if (slot->key == NULL)
            break;
    }
    if (ret_free != NULL)
        *ret_free = vacant;
    return NULL;
}

/* Also sheds the tombstones, so the new table may be as large as the old. */
static void rebuild(struct map *map)
{
    size_t capacity = FIRST_CAPACITY;
    while (capacity < (map->count + 1) * 2)
        capacity *= 2;
    struct map_slot *old = map->slots;
    size_t old_capacity = map->capacity;
    map->slots = xcalloc(capacity, sizeof(*map->slots));
    map->capacity = capacity;
    map->used = map->count;
    for (size_t i = 0; i < old_capacity; i++) {
        if (!is_live(&old[i]))
            continue;
        size_t at = old[i].hash & (capacity - 1);
        while (map->slots[at].key != NULL)
            at = (at + 1) & (capacity - 1);
        map->slots[at] = old[i];
    }
    free(old);
}

void *map_get_sized(const struct map *map, const char *key, size_t key_bytes)
{
    if (map->count == 0)
        return NULL;
    struct map_slot *slot = find(map, key, key_bytes, hash_key(key, key_bytes), NULL);
    return slot == NULL ? NULL : slot->value;
}

void *map_get(const struct map *map, const char *key)
{
    return map_get_sized(map, key, strlen(key));
}

void *map_set(struct map *map, const char *key, void *value)
{
    pthread_once(&secret_once, make_secret); /* a zeroed map is a valid one */
    if ((map->used + 1) * 4 > map->capacity * 3)
        rebuild(map);
    size_t key_bytes = strlen(key);
    uint64_t hash = hash_key(key, key_bytes);
    struct map_slot *vacant = NULL;
    struct map_slot *slot = find(map, key, key_bytes, hash, &vacant);
    if (slot != NULL) {
        void *replaced = slot->value;
        slot->value = value;
        return replaced;
    }
    if (vacant->key == NULL)
        map->used++;
    *vacant = (struct map_slot){
        .key = xstrndup(key, key_bytes), .key_bytes = key_bytes, .hash = hash, .value = value
    };
    map->count++;
    return NULL;
}

void *map_remove(struct map *map, const char *key)
{
    if (map->count == 0)
        return NULL;
    size_t key_bytes = strlen(key);
    struct map_slot *slot = find(map, key, key_bytes, hash_key(key, key_bytes), NULL);
    if (slot == NULL)
        return NULL;
    void *removed = slot->value;
    free(slot->key);
    *slot = (struct map_slot){ .key = gone };
    map->count--;
    return removed;
}

bool map_next(const struct map *map, size_t *position, const char **ret_key, void **ret_value)
{
    while (*position < map->capacity) {
        const struct map_slot *slot = &map->slots[(*position)++];
        if (!is_live(slot))
            continue;
        if (ret_key != NULL)
            *ret_key = slot->key;
        if (ret_value != NULL)
            *ret_value = slot->value;
        return true;
    }
    return false;
}
