#include "origins.h"

#include <arpa/inet.h>
#include <stdint.h>
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

static const char *header_value(const struct http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equals_nocase(headers[i].name, name))
            return headers[i].value;
    return NULL;
}

/*
 * The last address of X-Forwarded-For that no trusted proxy has: those before it anybody may have
 * written.
 */
static const char *forwarded_client(const struct proxies *proxies, struct arena *arena,
                                    const char *list, const char *peer)
{
    char *copy = arena_text(arena, list, strlen(list));
    const char *client = peer;
    unsigned char address[16];
    bool is_v4;

    for (char *end = copy + strlen(copy); end > copy && is_trusted(proxies, client);) {
        char *start = end;
        while (start > copy && start[-1] != ',')
            start--;
        *end = '\0';
        char *text = start + strspn(start, " ");
        text[strcspn(text, " ")] = '\0';
        if (!parse_address(text, address, &is_v4))
            break;
        client = text;
        end = start > copy ? start - 1 : copy;
    }
    return client;
}

void proxies_origin(const struct proxies *proxies, struct arena *arena, const char *peer,
                    const struct http_header *headers, size_t count, struct origin *ret_origin)
{
    const char *host = header_value(headers, count, "host");

    *ret_origin = (struct origin){ .client_ip = arena_text(arena, peer, strlen(peer)) };
    if (is_trusted(proxies, peer)) {
        const char *forwarded_host = header_value(headers, count, "x-forwarded-host");
        const char *list = header_value(headers, count, "x-forwarded-for");
        const char *scheme = header_value(headers, count, "x-forwarded-proto");

        if (!text_is_empty(forwarded_host))
            host = forwarded_host;
        if (!text_is_empty(list))
            ret_origin->client_ip = forwarded_client(proxies, arena, list, ret_origin->client_ip);
        ret_origin->https = scheme != NULL && strcasecmp(scheme, "https") == 0;
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
