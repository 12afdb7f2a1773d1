/* What a request says about itself: the small questions of server.h. */
#include "front.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

const char *http_method(const struct http_request *request)
{
    return request->method;
}

const char *http_path(const struct http_request *request)
{
    return request->path;
}

const char *http_query(const struct http_request *request)
{
    return request->query;
}

const char *http_header(const struct http_request *request, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < request->header_count; i++) {
        const char *candidate = request->headers[i].name;
        if (((candidate[0] ^ name[0]) & 0xdf) == 0 && strncasecmp(candidate, name, length) == 0 &&
            candidate[length] == '\0')
            return request->headers[i].value;
    }
    return NULL;
}

size_t http_header_count(const struct http_request *request)
{
    return request->header_count;
}

struct http_header http_header_at(const struct http_request *request, size_t index)
{
    return request->headers[index];
}

/* As inet_ntop(), which goes through sprintf(): this is done for every request. */
static void write_v4(const void *address, char *to)
{
    const unsigned char *bytes = address;
    for (size_t i = 0; i < 4; i++) {
        unsigned number = bytes[i];
        if (number >= 100)
            *to++ = (char)('0' + number / 100);
        if (number >= 10)
            *to++ = (char)('0' + number / 10 % 10);
        *to++ = (char)('0' + number % 10);
        *to++ = i < 3 ? '.' : '\0';
    }
}

/* An IPv4 client on a socket for both is shown as what it is. */
static void write_address(const struct sockaddr *peer, char ret_text[INET6_ADDRSTRLEN])
{
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)peer;
        write_v4(&four->sin_addr, ret_text);
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)peer;
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
            write_v4(six->sin6_addr.s6_addr + 12, ret_text);
        else
            inet_ntop(AF_INET6, &six->sin6_addr, ret_text, INET6_ADDRSTRLEN);
    }
}

const char *http_client_address(const struct http_request *request)
{
    struct http_request *own = (struct http_request *)(uintptr_t)
        request; /* the text is kept in it */
    if (own->address[0] != '\0' || own->connection == NULL)
        return own->address;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        own->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        write_address(info->client_addr, own->address);
    return own->address;
}

const char *http_body_data(const struct http_request *request)
{
    return request->body.data != NULL ? request->body.data : "";
}

size_t http_body_size(const struct http_request *request)
{
    return request->body.size;
}

void http_body_steal(struct http_request *request, struct buffer *ret_body)
{
    *ret_body = request->body;
    buffer_init(&request->body, request->body_limit);
}

void http_request_set_user(struct http_request *request, void *user)
{
    request->user = user;
}

void *http_request_user(const struct http_request *request)
{
    return request->user;
}
