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
 * proxy. Several lines of one are one list. Of X-Forwarded-For the last address counts that is no
 * trusted proxy's; of X-Forwarded-Host and -Proto the last value, which is the nearest proxy's: a
 * proxy that adds nothing must not be given what clients send under those names.
 */
void proxies_origin(const struct proxies *proxies, struct arena *arena, const char *peer,
                    const struct http_header *headers, size_t count, struct origin *ret_origin);

enum { ADDRESS_OWNER_SIZE = 64 };
/*
 * What an address is counted as, so that nobody has many: IPv4 itself, of IPv6 its /64, which is
 * the least that a host is given (RFC 6177). A text that is no address stays as it is.
 */
void address_owner(const char *address, char ret_owner[ADDRESS_OWNER_SIZE]);

#endif
