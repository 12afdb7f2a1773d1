/*
 * HTML pages for people whose browser reached a function's domain and found no answer of the
 * function.
 */
#ifndef PAGES_H
#define PAGES_H

#include "error.h"
#include "server.h"

/* Answers with the page of an error, or of a bare status. */
void page_error(struct http_request *request, const struct error *err);
void page_status(struct http_request *request, unsigned status, const char *execution_id);

#endif
