/*
 * libcurl as a table of functions, loaded when something is first fetched: with the thirty
 * libraries that come with it, it would be most of an idle daemon's memory.
 */
#ifndef CURL_LIBRARY_H
#define CURL_LIBRARY_H

#include <curl/curl.h>

#include "error.h"

#define CURL_FUNCTIONS(ROW) \
    ROW(global_init)        \
    ROW(version_info)       \
    ROW(easy_init)          \
    ROW(easy_setopt)        \
    ROW(easy_perform)       \
    ROW(easy_getinfo)       \
    ROW(easy_strerror)      \
    ROW(easy_reset)         \
    ROW(easy_cleanup)       \
    ROW(slist_append)       \
    ROW(slist_free_all)     \
    ROW(url)                \
    ROW(url_set)            \
    ROW(url_get)            \
    ROW(url_cleanup)        \
    ROW(getdate)            \
    ROW(free)

struct curl {
#define ROW(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(ROW)
#undef ROW
};

/*
 * Any thread. NULL: it is missing or too old, GENERAL_SERVICE_DISABLED with a sentence that says
 * what to do; the next call looks again.
 */
const struct curl *curl_library(struct error *err);

#endif
