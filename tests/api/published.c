#include "published.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fd.h"
#include "mem.h"
#include "text.h"

enum { FILE_BYTES = 64 << 10 };

/* ---- the files ------------------------------------------------------------------------------- */

static void add_line(struct published *published, char *line)
{
    const char *model = strsep(&line, " ");
    char *type = strsep(&line, " ");

    assert_non_null(type);
    bool is_nullable = text_ends(type, "?");
    type[strlen(type) - (is_nullable ? 1 : 0)] = '\0';
    for (const char *name; (name = strsep(&line, " ")) != NULL;) {
        assert_true(published->count < COUNT(published->members));
        published->members[published->count++] = (struct published_member){
            .model = xstrdup(model),
            .type = xstrdup(type),
            .name = xstrdup(name),
            .is_nullable = is_nullable,
        };
    }
}

struct published *published_read(const char *version)
{
    struct published *published = xcalloc(1, sizeof(*published));
    auto_free char *path = xasprintf("fixtures/models/%s.txt", version), *file = NULL;
    struct error err;
    size_t size;

    if (fd_read_file(AT_FDCWD, path, FILE_BYTES, &file, &size, &err) < 0)
        fail_msg("%s", err.message);
    char *rest = file;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0' && *line != '#')
            add_line(published, line);
    assert_true(published->count > 0);
    return published;
}

void published_free(struct published *published)
{
    for (size_t i = 0; i < published->count; i++) {
        free(published->members[i].model);
        free(published->members[i].type);
        free(published->members[i].name);
    }
    free(published);
}

bool published_has_model(const struct published *published, const char *model)
{
    for (size_t i = 0; i < published->count; i++)
        if (strcmp(published->members[i].model, model) == 0)
            return true;
    return false;
}

const struct published_member *published_find(const struct published *published, const char *model,
                                              const char *name)
{
    for (size_t i = 0; i < published->count; i++)
        if (strcmp(published->members[i].model, model) == 0 &&
            strcmp(published->members[i].name, name) == 0)
            return &published->members[i];
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

struct comparison {
    const struct published *published;
    bool is_full;
    published_extra *is_extra;
    void *context;
    const char *where;
    size_t differences;
};

#define DIFFERS(comparison, format, ...)                                   \
    do {                                                                   \
        print_error("%s: " format "\n", (comparison)->where, __VA_ARGS__); \
        (comparison)->differences++;                                       \
    } while (0)

static void compare_object(struct comparison *comparison, const char *model, const json_t *object);

static bool is_of_type(const char *type, const json_t *value)
{
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    return text_starts(type, "array:") && json_is_array(value);
}

static void compare_items(struct comparison *comparison, const struct published_member *member,
                          const json_t *list)
{
    const char *item = member->type + strlen("array:");
    json_t *value;
    size_t index;

    if (comparison->is_full && json_array_size(list) == 0)
        DIFFERS(comparison, "%s.%s shows no item", member->model, member->name);
    json_array_foreach(list, index, value)
    {
        if (json_is_object(value) && strcmp(item, "string") != 0)
            compare_object(comparison, item, value);
        else if (!is_of_type(item, value))
            DIFFERS(comparison, "%s.%s holds something else than %s", member->model, member->name,
                    item);
    }
}

static void compare_member(struct comparison *comparison, const struct published_member *member,
                           const json_t *value)
{
    if (value == NULL)
        DIFFERS(comparison, "%s.%s is missing", member->model, member->name);
    else if (json_is_null(value) && member->is_nullable)
        return;
    else if (!is_of_type(member->type, value))
        DIFFERS(comparison, "%s.%s is not of the type %s", member->model, member->name,
                member->type);
    else if (json_is_array(value))
        compare_items(comparison, member, value);
}

static void compare_object(struct comparison *comparison, const char *model, const json_t *object)
{
    const struct published *published = comparison->published;
    const char *key;
    json_t *value;

    /* What is in headers was first published when they were. */
    for (size_t i = 0; i < published->count; i++)
        if (strcmp(published->members[i].model, model) == 0)
            compare_member(comparison, &published->members[i],
                           json_object_get(object, published->members[i].name));
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (published_find(published, model, key) == NULL &&
            !comparison->is_extra(comparison->context, model, key))
            DIFFERS(comparison, "%s.%s was not published", model, key);
    }
}

size_t published_compare(const struct published *published, const char *model, const json_t *answer,
                         bool is_full, published_extra *is_extra, void *context, const char *where)
{
    struct comparison comparison = { published, is_full, is_extra, context, where, 0 };

    if (json_is_object(answer))
        compare_object(&comparison, model, answer);
    else
        DIFFERS(&comparison, "%s is no object", model);
    return comparison.differences;
}

/* ---- schemas --------------------------------------------------------------------------------- */

static bool is_required(const json_t *schema, const char *name)
{
    json_t *value;
    size_t index;

    json_array_foreach(json_object_get(schema, "required"), index, value)
    {
        if (text_equals(json_string_value(value), name))
            return true;
    }
    return false;
}

/* The type of a schema as the files write it. */
static char *type_of(const json_t *schema)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *items = json_object_get(schema, "items");
    const char *path = json_string_value(json_object_get(items, "$ref"));

    if (!text_equals(type, "array"))
        return xstrdup(type == NULL ? "nothing" : type);
    if (path != NULL)
        return xasprintf("array:%s", strrchr(path, '/') + 1);
    return xasprintf("array:%s", json_string_value(json_object_get(items, "type")));
}

size_t published_compare_schema(const struct published *published, const char *model,
                                const json_t *schema, published_extra *is_extra, void *context,
                                const char *where)
{
    struct comparison comparison = { published, false, is_extra, context, where, 0 };
    const char *key;
    json_t *value;

    for (size_t i = 0; i < published->count; i++) {
        const struct published_member *member = &published->members[i];
        if (strcmp(member->model, model) == 0 &&
            json_object_get(json_object_get(schema, "properties"), member->name) == NULL)
            DIFFERS(&comparison, "%s.%s is missing", model, member->name);
    }
    json_object_foreach(json_object_get(schema, "properties"), key, value)
    {
        const struct published_member *member = published_find(published, model, key);
        auto_free char *type = type_of(value);
        if (!is_required(schema, key))
            DIFFERS(&comparison, "%s.%s is always sent, not only sometimes", model, key);
        if (member == NULL && !is_extra(context, model, key))
            DIFFERS(&comparison, "%s.%s was not published", model, key);
        else if (member != NULL && strcmp(type, member->type) != 0)
            DIFFERS(&comparison, "%s.%s is %s, not %s", model, key, type, member->type);
        else if (member != NULL &&
                 json_is_true(json_object_get(value, "nullable")) != member->is_nullable)
            DIFFERS(&comparison, "%s.%s: only one may be null", model, key);
    }
    return comparison.differences;
}
