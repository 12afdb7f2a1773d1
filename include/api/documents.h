/* Documents printed from the rows. */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "buffer.h"
#include "error.h"

/*
 * OpenAPI 3 as JSON at a response format ("" for the newest). Errors: GENERAL_ARGUMENT_INVALID for
 * an unknown format.
 */
int api_document_openapi(const char *format, struct buffer *out, struct error *err);
void api_document_errors(struct buffer *out); /* Markdown table */

#endif
