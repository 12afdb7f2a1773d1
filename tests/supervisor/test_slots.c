/* Slots: a user id has one user at a time and rests before its next. */
#include <cmocka.h>

#include "slots.h"

static void test_slots__each_id_is_given_once(void **state)
{
    struct slots slots;
    struct error err;
    uint32_t uid;

    (void)state;
    slots_init(&slots, 42000, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(slots_take(&slots, &uid, &err), 0);
        assert_int_equal(uid, 42000 + i);
    }
    assert_int_equal(slots_take(&slots, &uid, &err), -1);
    slots_release(&slots);
}

static void test_slots__an_id_given_back_is_the_last_to_be_used_again(void **state)
{
    struct slots slots;
    struct error err;
    uint32_t first, second, uid;

    (void)state;
    slots_init(&slots, 42000, 3);
    assert_int_equal(slots_take(&slots, &first, &err), 0);
    slots_give_back(&slots, first);
    assert_int_equal(slots_take(&slots, &second, &err), 0);
    assert_int_not_equal(first, second);
    assert_int_equal(slots_take(&slots, &uid, &err), 0);
    assert_int_equal(slots_take(&slots, &uid, &err), 0);
    assert_int_equal(uid, first);
    slots_release(&slots);
}

static void test_slots__a_quarantined_id_never_comes_back(void **state)
{
    struct slots slots;
    struct error err;
    uint32_t bad, uid;

    (void)state;
    slots_init(&slots, 42000, 2);
    assert_int_equal(slots_take(&slots, &bad, &err), 0);
    slots_quarantine(&slots, bad);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(slots_take(&slots, &uid, &err), 0);
        assert_int_not_equal(uid, bad);
        slots_give_back(&slots, uid);
    }
    slots_release(&slots);
}

static void test_slots__a_host_without_slots_gives_0_for_ever(void **state)
{
    struct slots slots;
    struct error err;
    uint32_t uid = 1;

    (void)state;
    slots_init(&slots, 0, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slots_take(&slots, &uid, &err), 0);
        assert_int_equal(uid, 0);
    }
    slots_give_back(&slots, 0);
    slots_quarantine(&slots, 0);
    slots_release(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots__each_id_is_given_once),
        cmocka_unit_test(test_slots__an_id_given_back_is_the_last_to_be_used_again),
        cmocka_unit_test(test_slots__a_quarantined_id_never_comes_back),
        cmocka_unit_test(test_slots__a_host_without_slots_gives_0_for_ever),
    };

    return cmocka_run_group_tests_name("supervisor/slots", tests, NULL, NULL);
}
