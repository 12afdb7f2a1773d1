/* Writing a document from its field rows. */
#ifndef RENDER_H
#define RENDER_H

#include "model.h"

/* {"a":1,...} of the given fields (models_fields); writing->call decides what is hidden. */
void render_document(const struct writing *writing, const struct field *const *fields,
                     const void *entity);

/*
 * The same as multipart/form-data with this boundary: a part a field, texts as they are, lists and
 * objects as JSON.
 * Source: what release candidates of the 1.6 clients parse.
 */
void render_multipart(const struct writing *writing, const struct field *const *fields,
                      const void *entity, const char *boundary);

#endif
