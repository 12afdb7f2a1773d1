/* From what was sent to a checked params struct, by the rows of the endpoint. */
#ifndef PARAMS_H
#define PARAMS_H

#include <jansson.h>
#include <stdint.h>

#include "endpoint.h"

enum { PARAMS_MAX = 64 };

/*
 * Fills the struct of the rows (memory of call->arena). *ret_given has bit i set when row i was
 * sent and not null. is_text: the input came from a form or query, where everything is text.
 * Errors: GENERAL_ARGUMENT_INVALID, the first row that fails.
 */
int params_read(struct call *call, const struct param *params, size_t size, json_t *input,
                bool is_text, void **ret_struct, uint64_t *ret_given, struct error *err);

#endif
