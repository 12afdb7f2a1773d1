/* What answers have shown of the rows of parameters and models: for the coverage test. */
#ifndef COVERAGE_H
#define COVERAGE_H

#include "harness.h"

#include "endpoint.h"
#include "model.h"

enum { COVERAGE_MODELS = 64 };

struct coverage {
    struct harness *harness;
    bool models_hit[COVERAGE_MODELS]; /* by position in all_models */
};

/*
 * Sends a request and marks the models of the objects in its answer: an object is of a model when
 * it has the model's fields, all of them and no others, each of the row's kind.
 *
 * headers: "name: value" lines, or NULL.
 */
const struct reply *coverage_call(struct coverage *coverage, const char *method, const char *target,
                                  const char *headers, const char *body);

/*
 * Marks a model whose document only another host could cause, as it is written. entity: what the
 * model's rows point into.
 */
void coverage_render(struct coverage *coverage, const struct model *model, const void *entity);

/* Calls every row once more, with every parameter it has. */
void coverage_all_params(struct coverage *coverage);

/* How many rows were not reached; each is printed. */
size_t coverage_missing_endpoints(const struct coverage *coverage);
size_t coverage_missing_params(const struct coverage *coverage);
size_t coverage_missing_errors(const struct coverage *coverage);
size_t coverage_missing_models(const struct coverage *coverage);

#endif
