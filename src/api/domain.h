/*
 * Function domains: requests whose Host is a function's. They have the function's raw surface;
 * nothing of the API.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdbool.h>

#include "daemon.h"
#include "server.h"

/*
 * What http_request_user() points to begins with this: who goes on with a request after its head.
 * complete and too_large are called at most once, end exactly once (the struct is freed there or
 * later).
 */
struct exchange {
    bool (*data)(struct exchange *exchange, struct http_request *request, const char *data,
                 size_t bytes);
    void (*complete)(struct exchange *exchange, struct http_request *request);
    void (*too_large)(struct exchange *exchange, struct http_request *request, size_t limit);
    void (*end)(struct exchange *exchange, struct http_request *request, bool client_left);
};

/*
 * Where a request came from after trusted proxies have been heard. Borrowed for the call of
 * domain_begin().
 */
struct origin {
    const char *host;      /* lower case, with the port if there is one */
    const char *host_name; /* without it */
    const char *client_ip;
    bool https;
};

/*
 * A request with more headers than the setting request_headers allows is refused, here and by the
 * API. Errors: GENERAL_TOO_MANY_HEADERS.
 */
int domain_check_headers(const struct api *api, const struct http_request *request,
                         struct error *err);

/*
 * Loop, at the head of every request. False: not a function's host, the API answers. True: taken;
 * an exchange has been set as the request's user (or the request was answered: HTTP_BODY_REFUSE),
 * *ret_body and *body_limit are set.
 */
bool domain_begin(struct api *api, struct http_request *request, const struct origin *origin,
                  enum http_body *ret_body, size_t *body_limit);

#endif
