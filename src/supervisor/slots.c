/* Slots: a table of user ids. */
#include "slots.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"

void slots_init(struct slots *slots, uint32_t first, uint32_t count)
{
    *slots = (struct slots){ .first = first, .count = count };
    if (count > 0)
        slots->states = xcalloc(count, 1);
}

void slots_release(struct slots *slots)
{
    free(slots->states);
    *slots = (struct slots){ 0 };
}

int slots_take(struct slots *slots, uint32_t *ret_uid, struct error *err)
{
    if (slots->count == 0) {
        *ret_uid = 0;
        return 0;
    }
    for (uint32_t i = 0; i < slots->count; i++) {
        uint32_t index = (slots->next + i) % slots->count;

        if (slots->states[index] != SLOT_FREE)
            continue;
        slots->states[index] = SLOT_USED;
        slots->used++;
        slots->next = (index + 1) % slots->count;
        *ret_uid = slots->first + index;
        return 0;
    }
    return fail(err, ERROR_INTERNAL, "all %u worker user ids are in use", slots->count);
}

static bool slots_contain(const struct slots *slots, uint32_t uid)
{
    return uid >= slots->first && uid - slots->first < slots->count;
}

void slots_give_back(struct slots *slots, uint32_t uid)
{
    if (uid == 0)
        return;
    assert(slots_contain(slots, uid) && slots->states[uid - slots->first] == SLOT_USED);
    slots->states[uid - slots->first] = SLOT_FREE;
    slots->used--;
}

void slots_quarantine(struct slots *slots, uint32_t uid)
{
    if (uid == 0)
        return;
    assert(slots_contain(slots, uid) && slots->states[uid - slots->first] == SLOT_USED);
    slots->states[uid - slots->first] = SLOT_QUARANTINED;
}
