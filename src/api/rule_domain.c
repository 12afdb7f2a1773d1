/*
 * Which host names rules may have, and whether one leads to this server.
 *
 * This server runs no name server and obtains no certificates: a name is verified when it resolves
 * to an address of this host, or to one that public_url has, which is where a proxy in front is.
 */
#include "rule_domain.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "origins.h"
#include "text.h"

enum {
    NAME_MAX_BYTES = 253,
    LABEL_MAX_BYTES = 63,
    ANSWER_SECONDS = 2 /* for each name server, asked once: a lane waits */
};

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_label(const char *label, size_t bytes)
{
    if (bytes == 0 || bytes > LABEL_MAX_BYTES || label[0] == '-' || label[bytes - 1] == '-')
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)label[i]) && label[i] != '-')
            return false;
    return true;
}

static bool is_domain(const char *name)
{
    const char *label = name;
    size_t bytes = strcspn(label, ".");

    if (strlen(name) > NAME_MAX_BYTES)
        return false;
    while (is_label(label, bytes) && label[bytes] == '.') {
        label += bytes + 1;
        bytes = strcspn(label, ".");
    }
    /* An all-digit end would be an IPv4 address. */
    return is_label(label, bytes) && strspn(label, "0123456789") < bytes;
}

/* The part of a name below suffix; NULL when it is not below. */
static const char *label_below(const char *name, const char *suffix, size_t *ret_bytes)
{
    size_t name_bytes = strlen(name), suffix_bytes = strlen(suffix);

    if (name_bytes < suffix_bytes + 2 || name[name_bytes - suffix_bytes - 1] != '.' ||
        !text_equals_nocase(name + name_bytes - suffix_bytes, suffix))
        return NULL;
    *ret_bytes = name_bytes - suffix_bytes - 1;
    return name;
}

bool check_domain(struct call *call, const void *value, char ret_text[CHECK_TEXT])
{
    const char *suffix = call->api->settings->functions_domain;
    size_t bytes = 0;
    const char *label = label_below(value, suffix, &bytes);

    if (is_domain(value) && (label == NULL || memchr(label, '.', bytes) == NULL))
        return true;
    snprintf(ret_text, CHECK_TEXT,
             label == NULL ? "Value must be a valid domain"
                           : "Value must be a valid domain with one label before .%.253s",
             suffix);
    return false;
}

bool rule_domain_is_ours(const struct call *call, const char *domain)
{
    size_t bytes;

    return label_below(domain, call->api->settings->functions_domain, &bytes) != NULL;
}

static bool is_host_of(const char *address, const char *domain)
{
    size_t bytes = 0;
    const char *host = origin_host(address, &bytes);

    return bytes == strlen(domain) && strncasecmp(host, domain, bytes) == 0;
}

int rule_domain_may_be(const struct call *call, const char *domain, struct error *err)
{
    const struct settings *settings = call->api->settings;
    size_t bytes = strcspn(call->host, ":");
    bool is_called = bytes == strlen(domain) && strncasecmp(call->host, domain, bytes) == 0;

    if (is_called || text_equals_nocase(domain, "localhost") ||
        text_equals_nocase(domain, settings->functions_domain) ||
        is_host_of(settings->public_url, domain))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "This domain name is not allowed. Please use a different domain.");
    return 0;
}

/* ---- verification ---------------------------------------------------------------------------- */

static bool is_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a == NULL || b == NULL || a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static bool is_of_this_host(const struct addrinfo *found)
{
    struct ifaddrs *interfaces = NULL;
    bool is_here = false;

    if (getifaddrs(&interfaces) < 0)
        return false;
    for (const struct ifaddrs *one = interfaces; one != NULL && !is_here; one = one->ifa_next)
        for (const struct addrinfo *at = found; at != NULL && !is_here; at = at->ai_next)
            is_here = is_same_address(at->ai_addr, one->ifa_addr);
    freeifaddrs(interfaces);
    return is_here;
}

static int resolve(const char *name, struct addrinfo **ret_found)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

    return getaddrinfo(name, NULL, &hints, ret_found);
}

static bool is_of_public_url(const struct call *call, const struct addrinfo *found)
{
    size_t bytes = 0;
    const char *host = origin_host(call->api->settings->public_url, &bytes);
    struct addrinfo *others = NULL;
    char name[NAME_MAX_BYTES + 1];
    bool is_same = false;

    if (bytes == 0 || bytes >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)bytes, host);
    if (resolve(name, &others) != 0)
        return false;
    for (const struct addrinfo *one = others; one != NULL && !is_same; one = one->ai_next)
        for (const struct addrinfo *at = found; at != NULL && !is_same; at = at->ai_next)
            is_same = is_same_address(at->ai_addr, one->ai_addr);
    freeaddrinfo(others);
    return is_same;
}

int rule_domain_verify(const struct call *call, const char *domain, struct error *err)
{
    struct addrinfo *found = NULL;
    char address[INET6_ADDRSTRLEN + 1] = "";

    if (rule_domain_is_ours(call, domain))
        return 0;
    /*
     * Of this thread alone. Without it a silent name server would hold the lane for half a minute.
     */
    if (res_init() == 0) {
        _res.retrans = ANSWER_SECONDS;
        _res.retry = 1;
    }
    int status = resolve(domain, &found);
    if (status != 0)
        return fail(err, ERROR_RULE_VERIFICATION_FAILED,
                    "Domain verification failed. %.253s does not resolve: %s.", domain,
                    gai_strerror(status));
    bool is_here = is_of_this_host(found) || is_of_public_url(call, found);
    getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0,
                NI_NUMERICHOST);
    freeaddrinfo(found);
    if (is_here)
        return 0;
    return fail(err, ERROR_RULE_VERIFICATION_FAILED,
                "Domain verification failed. %.253s resolves to %s, which is neither an address of "
                "this host nor one of the setting public_url.",
                domain, address);
}
