/*
 * The comma lists of two settings, and what they decide about a request. IPv4 networks are compared
 * as the IPv6 ones they are mapped to.
 */
#include "origins.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "text.h"

/* ---- web origins ----------------------------------------------------------------------------- */

const char *origin_host(const char *origin, size_t *ret_bytes)
{
    const char *scheme = strstr(origin, "://");
    const char *host = scheme == NULL ? origin : scheme + 3;

    *ret_bytes = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    return host;
}

static bool entry_allows(const char *entry, size_t bytes, const char *origin)
{
    size_t host_bytes;
    const char *host = origin_host(origin, &host_bytes);

    if (memmem(entry, bytes, "://", 3) != NULL)
        return strlen(origin) == bytes && strncasecmp(entry, origin, bytes) == 0;
    if (bytes > 2 && entry[0] == '*' && entry[1] == '.')
        return host_bytes >= bytes &&
               strncasecmp(host + host_bytes - (bytes - 1), entry + 1, bytes - 1) == 0;
    return host_bytes == bytes && strncasecmp(host, entry, bytes) == 0;
}

bool origin_is_allowed(const char *list, const char *origin)
{
    size_t bytes;
    const char *host = origin_host(origin, &bytes);

    if (text_is_empty(list) ||
        (bytes == strlen("localhost") && strncasecmp(host, "localhost", bytes) == 0))
        return true;
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0 && entry_allows(at, length, origin))
            return true;
        at += length;
    }
    return false;
}

/* ---- trusted proxies ------------------------------------------------------------------------- */

struct network {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
};

struct proxies {
    size_t count;
    struct network *networks;
};

enum { ADDRESS_SIZE = INET6_ADDRSTRLEN };

static bool parse_address(const char *text, unsigned char ret_address[16], bool *ret_is_v4)
{
    struct in_addr v4;

    *ret_is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    if (!*ret_is_v4)
        return inet_pton(AF_INET6, text, ret_address) == 1;
    memset(ret_address, 0, 10);
    ret_address[10] = ret_address[11] = 0xff;
    memcpy(ret_address + 12, &v4, 4);
    return true;
}

static int add_network(struct proxies *proxies, char *text, struct error *err)
{
    struct network network = { .bits = 128 };
    char *slash = strchr(text, '/');
    int64_t bits = 128;
    bool is_v4;

    if (slash != NULL)
        *slash = '\0';
    if (!parse_address(text, network.address, &is_v4) ||
        (slash != NULL && text_to_int(slash + 1, &bits) < 0) || bits < 0 ||
        bits > (is_v4 && slash != NULL ? 32 : 128))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "trusted_proxies: \"%s\" is no address or network", text);
    network.bits = (unsigned)bits + (is_v4 && slash != NULL ? 96 : 0);
    proxies->networks = xrealloc(proxies->networks,
                                 (proxies->count + 1) * sizeof(*proxies->networks));
    proxies->networks[proxies->count++] = network;
    return 0;
}

int proxies_new(const char *list, struct proxies **ret_proxies, struct error *err)
{
    struct proxies *proxies = xcalloc(1, sizeof(*proxies));
    auto_free char *copy = xstrdup(list == NULL ? "" : list);
    char *rest = copy;

    for (char *entry; (entry = strsep(&rest, ", ")) != NULL;)
        if (*entry != '\0' && add_network(proxies, entry, err) < 0) {
            proxies_free(proxies);
            return -1;
        }
    *ret_proxies = proxies;
    return 0;
}

void proxies_free(struct proxies *proxies)
{
    if (proxies == NULL)
        return;
    free(proxies->networks);
    free(proxies);
}

void address_owner(const char *address, char ret_owner[ADDRESS_OWNER_SIZE])
{
    static const unsigned char v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
    unsigned char bytes[16];
    bool is_v4;

    snprintf(ret_owner, ADDRESS_OWNER_SIZE, "%s", address);
    if (!parse_address(address, bytes, &is_v4))
        return;
    if (memcmp(bytes, v4_mapped, sizeof(v4_mapped)) == 0)
        inet_ntop(AF_INET, bytes + 12, ret_owner, ADDRESS_OWNER_SIZE);
    else {
        memset(bytes + 8, 0, 8);
        inet_ntop(AF_INET6, bytes, ret_owner, ADDRESS_OWNER_SIZE);
    }
}

static bool is_trusted(const struct proxies *proxies, const char *text)
{
    unsigned char address[16];
    bool is_v4;

    if (proxies == NULL || proxies->count == 0 || !parse_address(text, address, &is_v4))
        return false;
    for (size_t i = 0; i < proxies->count; i++) {
        const struct network *network = &proxies->networks[i];
        unsigned whole = network->bits / 8, rest = network->bits % 8;
        if (memcmp(address, network->address, whole) != 0)
            continue;
        if (rest == 0 || ((address[whole] ^ network->address[whole]) >> (8 - rest)) == 0)
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *header_value(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equals_nocase(headers[i].name, name))
            return headers[i].value;
    return NULL;
}

/*
 * The values of a header that is a list and may be there several times: the lines are one list, in
 * order. From the last one on, since those a client sent stand before those a proxy added.
 */
struct backwards {
    const char *name;
    const struct http_header *headers;
    size_t left;      /* headers not looked at yet */
    const char *line; /* the present one ... */
    size_t bytes;     /* ... as far as it is left */
};

static bool backwards_next(struct backwards *walk, const char **ret_value, size_t *ret_bytes)
{
    for (;;) {
        while (walk->bytes == 0) {
            if (walk->left == 0)
                return false;
            const struct http_header *header = &walk->headers[--walk->left];
            if (!text_equals_nocase(header->name, walk->name))
                continue;
            walk->line = header->value;
            walk->bytes = strlen(header->value);
        }
        size_t start = walk->bytes, end = walk->bytes;
        while (start > 0 && walk->line[start - 1] != ',')
            start--;
        walk->bytes = start > 0 ? start - 1 : 0;
        while (start < end && is_blank(walk->line[start]))
            start++;
        while (end > start && is_blank(walk->line[end - 1]))
            end--;
        *ret_value = walk->line + start;
        *ret_bytes = end - start;
        if (end > start)
            return true;
    }
}

/* "192.0.2.1", "2001:db8::1", and what some proxies write: "192.0.2.1:80", "[2001:db8::1]:80". */
static bool read_address(const char *text, size_t bytes, char ret_address[ADDRESS_SIZE])
{
    const char *end = memchr(text, *text == '[' ? ']' : ':', bytes);
    unsigned char address[16];
    bool is_v4;

    if (*text == '[' && end != NULL) {
        text++;
        bytes = (size_t)(end - text);
    } else if (end != NULL && memchr(end + 1, ':', bytes - (size_t)(end + 1 - text)) == NULL) {
        bytes = (size_t)(end - text);
    }
    if (bytes >= ADDRESS_SIZE)
        return false;
    char copy[ADDRESS_SIZE];
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    if (!parse_address(copy, address, &is_v4))
        return false;
    memcpy(ret_address, copy, bytes + 1);
    return true;
}

/*
 * The last address of X-Forwarded-For that no trusted proxy has: those before it anybody may have
 * written.
 */
static const char *forwarded_client(const struct proxies *proxies, struct arena *arena,
                                    const struct http_header *headers, size_t count,
                                    const char *peer)
{
    struct backwards walk = { .name = "x-forwarded-for", .headers = headers, .left = count };
    char address[ADDRESS_SIZE];
    const char *value, *client = peer;
    size_t bytes;

    while (is_trusted(proxies, client) && backwards_next(&walk, &value, &bytes)) {
        if (!read_address(value, bytes, address))
            break;
        client = address;
    }
    return arena_text(arena, client, strlen(client));
}

/* What the nearest proxy said; it may have passed on what a client said before that. NULL: none. */
static const char *forwarded(struct arena *arena, const struct http_header *headers, size_t count,
                             const char *name)
{
    struct backwards walk = { .name = name, .headers = headers, .left = count };
    const char *value;
    size_t bytes;

    return backwards_next(&walk, &value, &bytes) ? arena_text(arena, value, bytes) : NULL;
}

void proxies_origin(const struct proxies *proxies, struct arena *arena, const char *peer,
                    const struct http_header *headers, size_t count, struct origin *ret_origin)
{
    const char *host = header_value(headers, count, "host");

    *ret_origin = (struct origin){ 0 };
    if (is_trusted(proxies, peer)) {
        const char *forwarded_host = forwarded(arena, headers, count, "x-forwarded-host");
        const char *scheme = forwarded(arena, headers, count, "x-forwarded-proto");

        if (forwarded_host != NULL)
            host = forwarded_host;
        ret_origin->client_ip = forwarded_client(proxies, arena, headers, count, peer);
        ret_origin->https = scheme != NULL && strcasecmp(scheme, "https") == 0;
    } else {
        ret_origin->client_ip = arena_text(arena, peer, strlen(peer));
    }
    if (host == NULL)
        host = "";
    char *lower = arena_text(arena, host, strcspn(host, ", "));
    text_lower(lower);
    size_t bytes = *lower == '[' ? strcspn(lower, "]") + 1 : strcspn(lower, ":");
    if (bytes > strlen(lower))
        bytes = strlen(lower);
    ret_origin->host = lower;
    ret_origin->host_name = arena_text(arena, lower, bytes);
}
