/* Certificates by libcurl, which connects, shakes hands and goes. See certificate.h. */
#include "certificate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "curl.h"
#include "mem.h"
#include "text.h"

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct http_certificate_query *query = context;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        (!query->private_addresses && !http_address_is_public(&address->addr)))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- what libcurl says of a certificate: lines "Name:value" -----------------------------------
 */

static const char *line_of(const struct curl_slist *lines, const char *name)
{
    for (; lines != NULL; lines = lines->next)
        if (text_starts(lines->data, name))
            return lines->data + strlen(name);
    return "";
}

/* Takes OpenSSL's escapes back: \" and \C3. */
static char *unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\\' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            const char digits[] = { from[1], from[2], '\0' };
            *to++ = (char)strtoul(digits, NULL, 16);
            from += 2;
        } else {
            from += *from == '\\' && from[1] != '\0';
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

/* The value of an attribute in "C = AT, O = \"A, B\", CN = example.org"; caller frees. */
static char *part_of_name(const char *text, const char *attribute)
{
    const size_t length = strlen(attribute);

    while (*text != '\0') {
        bool is_quoted = false;
        text += strspn(text, " ,+/");
        const char *name = text;
        const size_t name_length = strcspn(text, " =");
        text += strcspn(text, "=");
        text += strspn(text, "= ");
        const char *value = text;
        for (; *text != '\0' && (is_quoted || strchr(",+/", *text) == NULL); text++) {
            if (*text == '"')
                is_quoted = !is_quoted;
            else if (*text == '\\' && text[1] != '\0')
                text++;
        }
        if (name_length != length || strncmp(name, attribute, length) != 0)
            continue;
        const bool is_whole = *value == '"' && text - value >= 2 && text[-1] == '"';
        return unescape(xstrndup(value + is_whole, (size_t)(text - value) - 2 * (size_t)is_whole));
    }
    return xstrdup("");
}

/* OpenSSL's short name: RSA-SHA256 is sha256WithRSAEncryption, the others are alike. */
static char *short_signature(const char *algorithm)
{
    const char *number = algorithm + strcspn(algorithm, "0123456789");
    const size_t digits = strspn(number, "0123456789");

    if (number - algorithm == 3 && text_starts(algorithm, "sha") &&
        text_equals(number + digits, "WithRSAEncryption"))
        return xasprintf("RSA-SHA%.*s", (int)digits, number);
    return xstrdup(algorithm);
}

static int take(const struct curl *curl, const struct curl_slist *lines,
                struct http_certificate *ret_certificate, struct error *err)
{
    const char *subject = line_of(lines, "Subject:");
    const int64_t until = curl->getdate(line_of(lines, "Expire date:"), NULL);

    if (until < clock_realtime_us() / 1000000)
        return fail(err, ERROR_HEALTH_CERTIFICATE_EXPIRED, NULL);

    *ret_certificate = (struct http_certificate){
        .subject = xstrdup(subject),
        .common_name = part_of_name(subject, "CN"),
        .organisation = part_of_name(line_of(lines, "Issuer:"), "O"),
        .signature = short_signature(line_of(lines, "Signature Algorithm:")),
        .valid_from = curl->getdate(line_of(lines, "Start date:"), NULL),
        .valid_until = until,
    };
    return 0;
}

/* ---- the connection ---------------------------------------------------------------------------
 */

static void set_rules(const struct curl *curl, CURL *easy,
                      const struct http_certificate_query *query, const char *address)
{
    curl->easy_setopt(easy, CURLOPT_URL, address);
    curl->easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl->easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    /* what is wrong is to be said, not met with a refusal */
    curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl->easy_setopt(easy, CURLOPT_PROXY, "");
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)query->total_ms);
    curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, query);
}

int http_certificate_read(const struct http_certificate_query *query,
                          struct http_certificate *ret_certificate, struct error *err)
{
    auto_free char *address = xasprintf("https://%s:%u/", query->host, query->port);
    const struct curl *curl = curl_library(err);
    struct curl_certinfo *chain = NULL;
    int result = 0;

    if (curl == NULL)
        return -1;
    CURL *easy = curl->easy_init();
    if (easy == NULL)
        return fail(err, ERROR_INTERNAL, "no memory for a connection");
    set_rules(curl, easy, query, address);
    if (curl->easy_perform(easy) != CURLE_OK ||
        curl->easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs < 1)
        result = fail(err, ERROR_HEALTH_INVALID_HOST, NULL);
    else
        result = take(curl, chain->certinfo[0], ret_certificate, err);
    curl->easy_cleanup(easy);
    return result;
}

void http_certificate_release(struct http_certificate *certificate)
{
    free(steal(certificate->subject));
    free(steal(certificate->common_name));
    free(steal(certificate->organisation));
    free(steal(certificate->signature));
}
