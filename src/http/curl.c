/* Loading libcurl, once. See curl.h. */
#include "curl.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "client.h"
#include "library.h"
#include "mem.h"

static const char library_file[] = "libcurl.so.4";
enum { OLDEST = 0x075800 }; /* 7.88.0: an older one would not know all options that confine it */

static const struct library_row rows[] = {
#define ROW(function) { .symbol = "curl_" #function, .offset = offsetof(struct curl, function) },
    CURL_FUNCTIONS(ROW)
#undef ROW
};

static int load(struct curl *ret_curl, struct error *err)
{
    if (library_load(library_file, rows, COUNT(rows), ret_curl, err) < 0)
        return fail(err, err->type,
                    "Nothing can be fetched without libcurl (package libcurl4 on Debian): %s",
                    err->message);
    return 0;
}

static int start(const struct curl *curl, struct error *err)
{
    const curl_version_info_data *about = curl->version_info(CURLVERSION_NOW);

    if (about->version_num < OLDEST)
        return fail(err, ERROR_GENERAL_SERVICE_DISABLED,
                    "Nothing can be fetched with libcurl %s: it must be 7.88 or newer.",
                    about->version);
    if (curl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fail(err, ERROR_INTERNAL, "libcurl could not be started");
    return 0;
}

const struct curl *curl_library(struct error *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct curl curl;
    static bool is_loaded, is_started; /* one that does not start stays loaded: once is enough */

    pthread_mutex_lock(&mutex);
    is_loaded = is_loaded || load(&curl, err) == 0;
    is_started = is_started || (is_loaded && start(&curl, err) == 0);
    const struct curl *result = is_started ? &curl : NULL;
    pthread_mutex_unlock(&mutex);
    return result;
}

const char *http_client_version(struct error *err)
{
    const struct curl *curl = curl_library(err);

    return curl != NULL ? curl->version_info(CURLVERSION_NOW)->version : NULL;
}
