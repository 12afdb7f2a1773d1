/* Inside the functions service. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include "call.h"

struct function_one {
    const char *functionId;
};

int functions_delete(struct call *call, struct error *err); /* function_deletion.c */

#endif
