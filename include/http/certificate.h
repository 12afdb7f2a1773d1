/*
 * The certificate that a host shows, whether or not it is to be trusted. Blocking; for lanes, any
 * thread. No request is sent.
 */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct http_certificate {
    char *subject;       /* "CN = example.org", as OpenSSL prints it */
    char *common_name;   /* of the subject; "" if it has none */
    char *organisation;  /* of the issuer; likewise */
    char *signature;     /* "RSA-SHA256", "ecdsa-with-SHA384" */
    int64_t valid_from;  /* seconds since the epoch */
    int64_t valid_until; /* likewise */
};

struct http_certificate_query {
    const char *host;
    unsigned port;
    int64_t total_ms;
    bool private_addresses; /* as in struct http_fetch */
};

/* Errors: HEALTH_INVALID_HOST when there is no TLS server, HEALTH_CERTIFICATE_EXPIRED,
 * GENERAL_SERVICE_DISABLED without libcurl. */
int http_certificate_read(const struct http_certificate_query *query,
                          struct http_certificate *ret_certificate, struct error *err);
void http_certificate_release(struct http_certificate *certificate);
#define auto_http_certificate __attribute__((cleanup(http_certificate_release)))

#endif
