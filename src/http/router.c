/*
 * A tree of path segments. Every node has its literal children, at most one parameter child, and
 * the targets by method. The names of parameters belong to the target, so that two patterns of one
 * shape may name them differently.
 */
#include "router.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

struct route {
    char *method;
    const void *target;
    char *names[ROUTER_PARAMETERS];
    size_t name_count;
    struct route *next;
};

struct node {
    char *segment; /* NULL: the parameter child, or the root */
    size_t segment_bytes;
    struct node *children; /* literals */
    struct node *parameter;
    struct node *next;
    struct route *routes;
};

struct router {
    struct node root;
};

struct span {
    const char *start;
    size_t bytes;
};

int router_new(struct router **ret_router)
{
    *ret_router = xcalloc(1, sizeof(**ret_router));
    return 0;
}

static void free_route(struct route *route)
{
    for (size_t i = 0; i < route->name_count; i++)
        free(route->names[i]);
    free(route->method);
    free(route);
}

/* As deep as the longest pattern. */
static void empty_node(struct node *node)
{
    struct route *route;
    while ((route = node->routes) != NULL) {
        node->routes = route->next;
        free_route(route);
    }
    struct node *child;
    while ((child = node->children) != NULL) {
        node->children = child->next;
        empty_node(child);
        free(child);
    }
    if (node->parameter != NULL) {
        empty_node(node->parameter);
        free(node->parameter);
    }
    free(node->segment);
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    empty_node(&router->root);
    free(router);
}

static struct span first_segment(const char *path)
{
    return (struct span){ .start = path, .bytes = strcspn(path, "/") };
}

static bool is_parameter(struct span segment)
{
    return segment.bytes > 2 && segment.start[0] == '{' && segment.start[segment.bytes - 1] == '}';
}

static struct node *find_literal(const struct node *node, struct span segment)
{
    for (struct node *child = node->children; child != NULL; child = child->next) {
        if (child->segment_bytes == segment.bytes &&
            memcmp(child->segment, segment.start, segment.bytes) == 0)
            return child;
    }
    return NULL;
}

static struct node *grow(struct node *node, struct span segment)
{
    if (is_parameter(segment)) {
        if (node->parameter == NULL)
            node->parameter = xcalloc(1, sizeof(*node->parameter));
        return node->parameter;
    }
    struct node *child = find_literal(node, segment);
    if (child != NULL)
        return child;
    child = xcalloc(1, sizeof(*child));
    child->segment = xstrndup(segment.start, segment.bytes);
    child->segment_bytes = segment.bytes;
    child->next = node->children;
    node->children = child;
    return child;
}

static const struct route *route_of(const struct node *node, const char *method)
{
    for (const struct route *route = node->routes; route != NULL; route = route->next) {
        if (strcmp(route->method, method) == 0)
            return route;
    }
    return NULL;
}

static int name_parameter(struct route *route, struct span segment)
{
    if (!is_parameter(segment))
        return 0;
    if (route->name_count == ROUTER_PARAMETERS)
        return -1;
    route->names[route->name_count++] = xstrndup(segment.start + 1, segment.bytes - 2);
    return 0;
}

int router_add(struct router *router, const char *method, const char *pattern, const void *target,
               struct error *err)
{
    struct route *route = xcalloc(1, sizeof(*route));
    route->method = xstrdup(method);
    route->target = target;
    struct node *node = &router->root;
    for (const char *at = pattern; *at == '/';) {
        struct span segment = first_segment(++at);
        if (name_parameter(route, segment) < 0) {
            free_route(route);
            return fail(err, ERROR_INTERNAL, "route %s %s: too many parameters", method, pattern);
        }
        node = grow(node, segment);
        at = segment.start + segment.bytes;
    }
    if (route_of(node, method) != NULL) {
        free_route(route);
        return fail(err, ERROR_INTERNAL, "route %s %s: there is one already", method, pattern);
    }
    route->next = node->routes;
    node->routes = route;
    return 0;
}

/*
 * values: where the parameters on the way lie in the path. Depth is bounded by the patterns, and so
 * is the backtracking.
 */
static const struct route *walk(const struct node *node, const char *method, const char *path,
                                struct span *values, size_t count)
{
    if (*path == '\0')
        return route_of(node, method);
    struct span segment = first_segment(path + 1);
    const char *rest = segment.start + segment.bytes;
    const struct node *literal = find_literal(node, segment);
    if (literal != NULL) {
        const struct route *route = walk(literal, method, rest, values, count);
        if (route != NULL)
            return route;
    }
    if (node->parameter == NULL || segment.bytes == 0 || count == ROUTER_PARAMETERS)
        return NULL;
    values[count] = segment;
    return walk(node->parameter, method, rest, values, count + 1);
}

/* NULL: the escapes hide a NUL byte. */
static char *decode(struct span value)
{
    char *text = xstrndup(value.start, value.bytes);
    size_t length = text_percent_decode(text, value.bytes, false);
    text[length] = '\0';
    if (length > 0 && memchr(text, '\0', length) == NULL)
        return text;
    free(text);
    return NULL;
}

int router_find(const struct router *router, const char *method, const char *path,
                struct route_match *ret_match)
{
    struct span values[ROUTER_PARAMETERS] = { 0 };
    if (path[0] != '/')
        return -1;
    const struct route *route = walk(&router->root, method, path, values, 0);
    if (route == NULL)
        return -1;
    struct route_match match = { .target = route->target, .parameter_count = route->name_count };
    for (size_t i = 0; i < route->name_count; i++) {
        match.parameters[i].name = route->names[i];
        match.parameters[i].value = decode(values[i]);
        if (match.parameters[i].value == NULL) {
            route_match_release(&match);
            return -1;
        }
    }
    *ret_match = match;
    return 0;
}

void route_match_release(struct route_match *match)
{
    for (size_t i = 0; i < match->parameter_count; i++) {
        free(match->parameters[i].value);
        match->parameters[i].value = NULL;
    }
    match->parameter_count = 0;
}
