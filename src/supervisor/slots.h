/* Slots: user ids of which each belongs to one worker, or one build, at a time. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_QUARANTINED, SLOT_STATES };

struct slots {
    uint32_t first, count; /* count 0: this host has none, and 0 is handed out for ever */
    uint32_t next;         /* where the search begins: an id rests as long as possible */
    uint32_t used;
    unsigned char *states; /* enum slot_state */
};

void slots_init(struct slots *slots, uint32_t first, uint32_t count);
void slots_release(struct slots *slots);

/* Errors: ERROR_INTERNAL when all are taken. */
int slots_take(struct slots *slots, uint32_t *ret_uid, struct error *err);
void slots_give_back(struct slots *slots, uint32_t uid);
/* Something of it cannot be ended: never again. */
void slots_quarantine(struct slots *slots, uint32_t uid);

#endif
