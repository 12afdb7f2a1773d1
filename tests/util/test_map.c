/* The hash table, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

static int values[5000];

static const char *key_of(size_t i)
{
    static char key[32];
    snprintf(key, sizeof(key), "key-%zu", i * 7919);
    return key;
}

static void test_map__finds_what_was_set(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);

    assert_null(map_get(&map, "a"));
    assert_null(map_set(&map, "a", &values[1]));
    assert_ptr_equal(map_set(&map, "a", &values[2]), &values[1]);
    assert_null(map_set(&map, "", &values[3]));

    assert_ptr_equal(map_get(&map, "a"), &values[2]);
    assert_ptr_equal(map_get(&map, ""), &values[3]);
    assert_ptr_equal(map_get_sized(&map, "abc", 1), &values[2]);
    assert_null(map_get_sized(&map, "a\0", 2));
    assert_int_equal(map.count, 2);
    map_release(&map);
    map_release(&map);
}

static void test_map__agrees_with_an_array_under_random_changes(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    static bool present[5000];
    size_t count = 0;
    unsigned int seed = 1;

    for (int step = 0; step < 100000; step++) {
        seed = seed * 1103515245U + 12345U;
        size_t i = (seed >> 8) % 5000;
        bool set = (seed >> 28) % 2 == 0;
        void *before = present[i] ? &values[i] : NULL;
        if (set)
            assert_ptr_equal(map_set(&map, key_of(i), &values[i]), before);
        else
            assert_ptr_equal(map_remove(&map, key_of(i)), before);
        count = count + (set && !present[i]) - (!set && present[i]);
        present[i] = set;
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < 5000; i++)
        assert_ptr_equal(map_get(&map, key_of(i)), present[i] ? &values[i] : NULL);
    map_release(&map);
}

static void test_map__entries_may_be_removed_while_iterating(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    for (size_t i = 0; i < 1000; i++)
        map_set(&map, key_of(i), &values[i]);

    size_t position = 0;
    size_t seen = 0;
    const char *key;
    void *value;
    while (map_next(&map, &position, &key, &value)) {
        seen++;
        assert_ptr_equal(map_remove(&map, key), value);
    }

    assert_int_equal(seen, 1000);
    assert_int_equal(map.count, 0);
    map_release(&map);
}

static void test_map__tombstones_do_not_make_it_grow(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);

    for (size_t i = 0; i < 100000; i++) {
        map_set(&map, key_of(i), &values[0]);
        map_remove(&map, key_of(i));
    }

    assert_true(map.capacity <= 64);
    map_release(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__finds_what_was_set),
        cmocka_unit_test(test_map__agrees_with_an_array_under_random_changes),
        cmocka_unit_test(test_map__entries_may_be_removed_while_iterating),
        cmocka_unit_test(test_map__tombstones_do_not_make_it_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
