/* Range and Content-Range headers. */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

/*
 * "bytes 0-5242879/12063618". Returns 0, or -1 when it is malformed, first > last or size is 0 or
 * above 2^62.
 */
int range_parse_content(const char *text, uint64_t *ret_first, uint64_t *ret_last,
                        uint64_t *ret_size);

/*
 * "bytes=0-99", "bytes=100-", "bytes=-50" against a file of size bytes; an open end is cut to
 * open_limit bytes. Returns 0; -1 when malformed or not satisfiable. Several ranges: malformed.
 */
int range_parse_request(const char *text, uint64_t size, uint64_t open_limit, uint64_t *ret_first,
                        uint64_t *ret_last);

#endif
