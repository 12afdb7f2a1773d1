/* The tags of a repository, as git hosts list them to git itself, and the one that a range means.
 */
#ifndef TAGS_H
#define TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* Is this no tag but a range of them: does it have a "*", which stands for any characters? */
bool tags_is_range(const char *reference);

/*
 * The highest of the listed tags that match: numbers are compared as numbers, and what is marked
 * as less than a release ("1.0.0-rc.1") counts when nothing else matches.
 *
 * data: an answer to GET .../info/refs?service=git-upload-pack, protocol version 0
 * ret_tag: the caller's to free; NULL: none matches
 * Errors: GENERAL_BAD_REQUEST when it is no such answer.
 * Source: git Documentation/gitprotocol-http.txt; appwrite takes the last of `git ls-remote
 * --tags`.
 */
int tags_choose(const char *data, size_t bytes, const char *range, char **ret_tag,
                struct error *err);

#endif
