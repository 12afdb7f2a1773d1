/* Fetching a file by libcurl. Redirects are followed here, one transfer each, so that every hop is
 * judged by our rules and headers stay with the host they are for. See client.h. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "curl.h"
#include "fd.h"
#include "mem.h"
#include "text.h"

enum { STATUS_OK = 200 };

struct transfer {
    const struct http_fetch *fetch;
    const struct curl *curl;
    CURL *easy;
    struct curl_slist *headers;
    char *host;    /* of the hop under way, for sentences */
    char *address; /* of the hop under way */
    int fd;
    int64_t deadline_us;
    uint64_t bytes;
    bool too_large;
    bool refused;    /* an address of the host may not be connected to */
    int write_errno; /* 0: nothing wrong */
    char text[CURL_ERROR_SIZE];
};

/* ---- addresses ------------------------------------------------------------------------------- */

static char *url_part(const struct curl *curl, const char *url, CURLUPart part)
{
    CURLU *parsed = curl->url();
    char *text = NULL, *copy = NULL;

    if (parsed && curl->url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl->url_get(parsed, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
        copy = xstrdup(text);
    curl->free(text);
    curl->url_cleanup(parsed);
    return copy;
}

bool http_same_origin(const char *url, const char *other)
{
    static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
    struct error err;
    const struct curl *curl = curl_library(&err);

    for (size_t i = 0; i < COUNT(parts); i++) {
        auto_free char *mine = curl ? url_part(curl, url, parts[i]) : NULL;
        auto_free char *theirs = curl ? url_part(curl, other, parts[i]) : NULL;
        if (!mine || !theirs || !text_equals_nocase(mine, theirs))
            return false;
        if (parts[i] == CURLUPART_SCHEME && !text_equals(mine, "http") &&
            !text_equals(mine, "https"))
            return false;
    }
    return true;
}

/* ---- called by libcurl ----------------------------------------------------------------------- */

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = context;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!t->fetch->private_addresses && !http_address_is_public(&address->addr)) {
        t->refused = true;
        return CURL_SOCKET_BAD; /* the next address of the name is tried */
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    const size_t bytes = size * count;
    long status = 0;

    t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != STATUS_OK)
        return bytes; /* the page around an error or a redirect */
    if (bytes > t->fetch->size_limit - t->bytes) {
        t->too_large = true;
        return 0;
    }
    if (fd_write_all(t->fd, data, bytes) < 0) {
        t->write_errno = errno;
        return 0;
    }
    t->bytes += bytes;
    return bytes;
}

static int look_whether_stopped(void *context, curl_off_t down_total, curl_off_t down,
                                curl_off_t up_total, curl_off_t up)
{
    const struct transfer *t = context;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return t->fetch->stop && atomic_load(t->fetch->stop);
}

/* ---- one hop --------------------------------------------------------------------------------- */

static void set_headers(struct transfer *t)
{
    const bool is_ours = http_same_origin(t->fetch->url, t->address);

    t->curl->slist_free_all(steal(t->headers));
    for (const char *const *line = t->fetch->headers; is_ours && line && *line; line++)
        t->headers = t->curl->slist_append(t->headers, *line);
    t->curl->easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_limits(struct transfer *t)
{
    const int64_t left_ms = (t->deadline_us - clock_monotonic_us()) / 1000;

    t->curl->easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->fetch->connect_ms);
    t->curl->easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
    t->curl->easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
    t->curl->easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, look_whether_stopped);
    t->curl->easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
}

static void set_rules(struct transfer *t)
{
    t->curl->easy_setopt(t->easy, CURLOPT_URL, t->address);
    t->curl->easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    t->curl->easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    t->curl->easy_setopt(t->easy, CURLOPT_PROXY, ""); /* not what the environment names either */
    t->curl->easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    t->curl->easy_setopt(t->easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    t->curl->easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    t->curl->easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    t->curl->easy_setopt(t->easy, CURLOPT_USERAGENT, "functiond");
    t->curl->easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->text);
    t->curl->easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    t->curl->easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    t->curl->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
    t->curl->easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    if (!text_is_empty(t->fetch->ca_file))
        t->curl->easy_setopt(t->easy, CURLOPT_CAINFO, t->fetch->ca_file);
}

static int fail_certificate(const struct transfer *t, struct error *err)
{
    return fail(err, ERROR_GENERAL_BAD_REQUEST,
                "%s has no certificate that is trusted here (setting fetch_ca_file): %s", t->host,
                t->text);
}

static int fail_hop(const struct transfer *t, CURLcode code, struct error *err)
{
    if (t->write_errno == ENOSPC || t->write_errno == EDQUOT)
        return fail(err, ERROR_GENERAL_STORAGE_FULL, NULL);
    if (t->write_errno != 0) {
        errno = t->write_errno;
        return fail_errno(err, "write the fetched file");
    }
    if (t->too_large)
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "The file at %s is larger than %llu bytes.",
                    t->host, (unsigned long long)t->fetch->size_limit);
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "There is no host %s.", t->host);
    case CURLE_OPERATION_TIMEDOUT:
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "%s took too long to answer.", t->host);
    case CURLE_ABORTED_BY_CALLBACK:
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "Fetching from %s was stopped.", t->host);
    case CURLE_PEER_FAILED_VERIFICATION:
        return fail_certificate(t, err);
    case CURLE_COULDNT_CONNECT:
        if (t->refused)
            return fail(err, ERROR_GENERAL_BAD_REQUEST,
                        "%s has a private or reserved address, which may not be fetched from "
                        "(setting fetch_private).",
                        t->host);
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "%s does not accept connections.", t->host);
    default:
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "Fetching from %s failed: %s", t->host,
                    *t->text ? t->text : t->curl->easy_strerror(code));
    }
}

static int begin_hop(struct transfer *t, const char *address, struct error *err)
{
    auto_free char *scheme = url_part(t->curl, address, CURLUPART_SCHEME);
    char *host = url_part(t->curl, address, CURLUPART_HOST);
    const bool is_secure = text_equals(scheme, "https");

    if (!host || (!is_secure && !text_equals(scheme, "http"))) {
        free(host);
        return fail(err, ERROR_GENERAL_BAD_REQUEST,
                    "Only http and https addresses are fetched from.");
    }
    free(t->host);
    t->host = host;
    if (t->address && text_starts_nocase(t->address, "https:") && !is_secure)
        return fail(err, ERROR_GENERAL_BAD_REQUEST, "A redirect to %s would give up https.", host);
    char *copy = xstrdup(address); /* may be memory of the handle */
    free(t->address);
    t->address = copy;
    t->refused = false;
    t->text[0] = '\0';
    t->curl->easy_reset(t->easy);
    set_rules(t);
    set_limits(t);
    set_headers(t);
    return 0;
}

/* *ret_next: where the answer leads, or NULL; the handle's. */
static int hop(struct transfer *t, const char *address, long *ret_status, const char **ret_next,
               struct error *err)
{
    char *next = NULL;

    if (begin_hop(t, address, err) < 0)
        return -1;
    CURLcode code = t->curl->easy_perform(t->easy);
    if (code != CURLE_OK)
        return fail_hop(t, code, err);
    t->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, ret_status);
    t->curl->easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &next);
    *ret_next = next;
    return 0;
}

static int follow(struct transfer *t, long *ret_status, struct error *err)
{
    const char *next = t->fetch->url;

    for (unsigned hops = 0; next; hops++) {
        if (hops > t->fetch->redirects)
            return fail(err, ERROR_GENERAL_BAD_REQUEST, "%s redirects more than %u times.", t->host,
                        t->fetch->redirects);
        if (hop(t, next, ret_status, &next, err) < 0)
            return -1;
    }
    return 0;
}

int http_fetch(const struct http_fetch *fetch, int fd, struct http_fetched *ret_fetched,
               struct error *err)
{
    struct transfer t = { .fetch = fetch,
                          .fd = fd,
                          .deadline_us = clock_monotonic_us() + fetch->total_ms * 1000 };
    long status = 0;

    t.curl = curl_library(err);
    if (!t.curl)
        return -1;
    t.easy = t.curl->easy_init();
    if (!t.easy)
        return fail(err, ERROR_INTERNAL, "no memory for a fetch");
    int result = follow(&t, &status, err);
    if (result == 0)
        *ret_fetched = (struct http_fetched){ .status = (unsigned)status, .bytes = t.bytes };
    t.curl->easy_cleanup(t.easy);
    t.curl->slist_free_all(t.headers);
    free(t.host);
    free(t.address);
    return result;
}
