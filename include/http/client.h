/*
 * A blocking HTTP client for one purpose: bringing a file from a host that somebody else names into
 * a descriptor. For lanes; any thread.
 *
 * Nothing is taken from the environment (no proxies, no netrc). Only http and https, and a redirect
 * never leads from https to http. The address that is really connected to is checked for every
 * connection, after the name was resolved, so that neither a redirect nor a name that changes its
 * address reaches what is private.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "error.h"

struct http_fetch {
    const char *url;
    /* "name: value" texts, NULL-terminated, or NULL; sent to the scheme, host and port of url
     * alone, never to where a redirect leads */
    const char *const *headers;
    uint64_t size_limit;    /* bytes of the file */
    int64_t connect_ms;     /* of each connection */
    int64_t total_ms;       /* of everything, redirects included */
    unsigned redirects;     /* most that are followed */
    bool private_addresses; /* loopback, private and reserved addresses may be connected to */
    const char *ca_file;    /* further certificates to trust, PEM; NULL or "": the system's alone */
    const atomic_bool *stop; /* set by another thread: ends within about a second; or NULL */
};

struct http_fetched {
    unsigned status; /* of the last answer; its body was written only if this is 200 */
    uint64_t bytes;  /* written */
};

/*
 * The file is written to fd from where it stands. 0: there was an answer, of whatever status.
 * Errors, each a sentence for the person who named the address: GENERAL_BAD_REQUEST,
 * GENERAL_STORAGE_FULL, GENERAL_SERVICE_DISABLED without libcurl, INTERNAL when the file cannot be
 * written.
 */
int http_fetch(const struct http_fetch *fetch, int fd, struct http_fetched *ret_fetched,
               struct error *err);

/*
 * The version of the library that fetches, which is loaded when it is first needed; loads it. NULL:
 * GENERAL_SERVICE_DISABLED with a sentence that says what is missing; so fails whatever needs it.
 */
const char *http_client_version(struct error *err);

/*
 * Is this an address of the public internet? No: loopback, link-local, private, carrier-grade NAT,
 * multicast, documentation, benchmarking and reserved ranges, IPv4 inside IPv6 in its mapped,
 * compatible, 6to4 and Teredo forms; behind the well-known NAT64 prefix the IPv4 address decides.
 */
bool http_address_is_public(const struct sockaddr *address);

/* Do both name the same scheme, host and port? No, if one is no http or https address, or without
 * libcurl. */
bool http_same_origin(const char *url, const char *other);

#endif
