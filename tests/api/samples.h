/* One entity of each model, with every member set, and where it makes a difference one without. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "model.h"

struct sample {
    const char *published; /* the model's name in tests/fixtures/models */
    const struct model *model;
    const void *full, *bare;  /* bare: NULL if nothing in it can be empty */
    const void *extra;        /* struct writing */
    const char *from, *below; /* response formats it is answered in; NULL: all */
};

/* Ends with published NULL. */
extern const struct sample samples[];

#endif
