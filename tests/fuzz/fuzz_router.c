/* links: http util */
/*
 * Routes and paths from lines: "+METHOD /pattern" adds, "METHOD /path" is looked up. What is found
 * must have as many parameters as its pattern.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router.h"

enum { LINES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_line(struct router *router, char *line)
{
    struct error err;
    struct route_match match;
    char *path = strchr(line, ' ');
    if (path == NULL)
        return;
    *path++ = '\0';
    if (line[0] == '+') {
        router_add(router, line + 1, path, line, &err);
        return;
    }
    if (router_find(router, line, path, &match) < 0)
        return;
    if (match.parameter_count > ROUTER_PARAMETERS || match.target == NULL)
        abort();
    for (size_t i = 0; i < match.parameter_count; i++) {
        if (match.parameters[i].name[0] == '\0' || match.parameters[i].value[0] == '\0')
            abort();
    }
    route_match_release(&match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct router *router;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    router_new(&router);
    char *rest = text;
    char *line;
    for (int i = 0; i < LINES && (line = strsep(&rest, "\n")) != NULL; i++)
        take_line(router, line);
    router_free(router);
    free(text);
    return 0;
}
