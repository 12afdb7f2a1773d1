/* Types as texts: what [String!]! is made of, and what may stand where. */
#include <string.h>

#include "graphql/graphql.h"

struct gql_type gql_type(const char *text)
{
    return (struct gql_type){ .text = text, .bytes = strlen(text) };
}

bool gql_is_required(struct gql_type type)
{
    return type.bytes > 0 && type.text[type.bytes - 1] == '!';
}

bool gql_is_list(struct gql_type type)
{
    return type.bytes > 1 && type.text[0] == '[' && type.text[type.bytes - 1] == ']';
}

struct gql_type gql_optional(struct gql_type type)
{
    if (gql_is_required(type))
        type.bytes--;
    return type;
}

struct gql_type gql_item(struct gql_type list)
{
    return (struct gql_type){ .text = list.text + 1, .bytes = list.bytes - 2 };
}

struct gql_type gql_named(struct gql_type type)
{
    for (;;) {
        type = gql_optional(type);
        if (!gql_is_list(type))
            return type;
        type = gql_item(type);
    }
}

bool gql_is_named(struct gql_type type, const char *name)
{
    return type.bytes == strlen(name) && memcmp(type.text, name, type.bytes) == 0;
}

/* Objects have had two names in the API's schema; documents of either time are served. */
static bool is_object_scalar(struct gql_type type)
{
    return gql_is_named(type, "Json") || gql_is_named(type, "Assoc");
}

bool gql_type_fits(struct gql_type given, struct gql_type asked)
{
    for (;;) {
        if (gql_is_required(asked) && !gql_is_required(given))
            return false;
        given = gql_optional(given);
        asked = gql_optional(asked);
        if (gql_is_list(given) != gql_is_list(asked))
            return false;
        if (!gql_is_list(given))
            break;
        given = gql_item(given);
        asked = gql_item(asked);
    }
    return (given.bytes == asked.bytes && memcmp(given.text, asked.text, given.bytes) == 0) ||
           (is_object_scalar(given) && is_object_scalar(asked));
}
