/* Which addresses belong to the public internet: rows of the registries of special-purpose
 * addresses (IANA, RFC 6890 and its updates). See client.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "client.h"
#include "mem.h"

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, NAT64_PREFIX_BYTES = 12 };

struct range {
    unsigned char start[IPV6_BYTES];
    unsigned bits;
};

static const struct range special_ipv4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* carrier-grade NAT */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local: where clouds answer with credentials */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 88, 99 }, 24 },  /* 6to4 relays */
    { { 192, 168 }, 16 },     /* private */
    { { 198, 18 }, 15 },      /* benchmarking */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, broadcast */
};

/* Everything outside 2000::/3 is special anyway: loopback, mapped, unique local, link-local ... */
static const struct range global_ipv6 = { { 0x20 }, 3 };
static const struct range nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };

static const struct range special_ipv6[] = {
    { { 0x20, 0x01 }, 23 },             /* protocol assignments, Teredo among them */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4: any IPv4 address may be inside */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

static bool is_in(const unsigned char *address, const struct range *range)
{
    const unsigned whole = range->bits / 8, rest = range->bits % 8;
    const unsigned mask = 0xffU << (8 - rest) & 0xffU;

    if (memcmp(address, range->start, whole) != 0)
        return false;
    return rest == 0 || (address[whole] & mask) == (range->start[whole] & mask);
}

static bool is_in_any(const unsigned char *address, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(address, &ranges[i]))
            return true;
    return false;
}

static bool ipv4_is_public(const unsigned char address[IPV4_BYTES])
{
    return !is_in_any(address, special_ipv4, COUNT(special_ipv4));
}

static bool ipv6_is_public(const unsigned char address[IPV6_BYTES])
{
    if (is_in(address, &nat64))
        return ipv4_is_public(address + NAT64_PREFIX_BYTES);
    return is_in(address, &global_ipv6) && !is_in_any(address, special_ipv6, COUNT(special_ipv6));
}

bool http_address_is_public(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof v4);
        return ipv4_is_public((const unsigned char *)&v4.sin_addr);
    case AF_INET6:
        memcpy(&v6, address, sizeof v6);
        return ipv6_is_public(v6.sin6_addr.s6_addr);
    default:
        return false;
    }
}
