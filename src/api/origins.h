/* Web origins (the setting origins) and trusted proxies (the setting trusted_proxies). */
#ifndef ORIGINS_H
#define ORIGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "domain.h"
#include "error.h"
#include "server.h"

/*
 * list: "https://app.example.com, *.example.org"; empty: any. Entries without a scheme stand for
 * all schemes and ports. localhost is always allowed.
 */
bool origin_is_allowed(const char *list, const char *origin);
/* The host of "https://host:port". */
const char *origin_host(const char *origin, size_t *ret_bytes);

struct proxies;
/*
 * Comma list of addresses and networks (10.0.0.0/8, ::1). Errors: GENERAL_ARGUMENT_INVALID with the
 * entry.
 */
int proxies_new(const char *list, struct proxies **ret_proxies, struct error *err);
void proxies_free(struct proxies *proxies);

/*
 * Host, client address and scheme of a request; forwarded headers count only when peer is a trusted
 * proxy.
 */
void proxies_origin(const struct proxies *proxies, struct arena *arena, const char *peer,
                    const struct http_header *headers, size_t count, struct origin *ret_origin);

#endif
