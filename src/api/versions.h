/*
 * Response formats: what older clients send and expect. All rows are in versions.c, newest first.
 */
#ifndef VERSIONS_H
#define VERSIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "model.h"

struct param;

#define FORMAT_NEWEST UINT64_MAX

/*
 * A version as a number that compares as PHP's version_compare does: 1.4 < 1.4.0-rc1 < 1.4.0 <
 * 1.10.0. Text that is no version: 0.
 */
uint64_t format_number(const char *text);

/* The warning for a format newer than this server serves. */
bool format_is_too_new(uint64_t format);

/*
 * Turns an old request's input (a JSON object) into the newest shape. operation: the endpoint's id.
 */
void versions_upgrade(uint64_t format, const char *operation, json_t *input);

/* How a parameter of the newest shape is sent in a format. */
struct sent_input {
    const char *name; /* NULL: not at all, the format's requests are filled in */
    bool is_optional;
};
struct sent_input versions_input(uint64_t format, const char *operation, const struct param *param);

/* The newest name of an attribute that older clients use in queries of this operation. */
const char *versions_attribute(uint64_t format, const char *operation, const char *attribute);

/*
 * One format of each time in which documents looked alike: FORMAT_NEWEST, then older ones, then 0.
 */
uint64_t versions_level(size_t level);
/* Names of parameters that only older formats send. *position starts at 0; NULL at the end. */
const char *versions_old_input(const char *operation, size_t *position);
/* Older formats leave this parameter out, and it is filled in for them. */
bool versions_fills_in(const char *operation, const char *name);

/* The fields of every model at every format. */
struct models;
struct models *models_new(void);
void models_free(struct models *models);
/* NULL-terminated; single: a document of its own (some changes spare list items). */
const struct field *const *models_fields(const struct models *models, uint64_t format,
                                         const struct model *model, bool single);

#endif
