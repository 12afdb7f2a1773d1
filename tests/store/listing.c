/* See listing.h. */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* The ids of a page, space between them. */
struct page {
    enum list_entity entity;
    struct buffer ids;
};

static void note_id(void *context, const void *entity)
{
    struct page *page = context;

    if (page->ids.size)
        buffer_add_char(&page->ids, ' ');
    switch (page->entity) {
    case LIST_FUNCTIONS:
        buffer_add_text(&page->ids, ((const struct function *)entity)->id);
        return;
    case LIST_DEPLOYMENTS:
        buffer_add_text(&page->ids, ((const struct deployment *)entity)->id);
        return;
    case LIST_EXECUTIONS:
        buffer_addf(&page->ids, "%d", (int)(((const struct execution *)entity)->seq - FIRST_SEQ));
        return;
    case LIST_VARIABLES:
        buffer_add_text(&page->ids, ((const struct variable *)entity)->id);
        return;
    case LIST_RULES:
        buffer_add_text(&page->ids, ((const struct rule *)entity)->id);
        return;
    case LIST_ENTITIES:
        return;
    }
}

int column_of(enum list_entity entity, const char *attribute)
{
    const struct list_column *columns = store_columns(entity);

    for (int i = 0; columns[i].attribute; i++) {
        if (strcmp(columns[i].attribute, attribute) == 0)
            return i;
    }
    fail_msg("no attribute %s", attribute);
    return -1;
}

int64_t list_ids(struct fixture *fixture, enum list_entity entity, struct list_query query,
                 const char *expected)
{
    struct page page = { .entity = entity };
    struct error err = { 0 };
    int64_t total = -1;

    query.project_id = "demo";
    query.limit = query.limit ? query.limit : 25;
    query.count = true;
    buffer_init(&page.ids, 1 << 20);
    if (store_list(fixture->reader, entity, &query, note_id, &page, &total, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(page.ids.data ? page.ids.data : "", expected);
    buffer_release(&page.ids);
    return total;
}

void list_fails(struct fixture *fixture, enum list_entity entity, struct list_query query,
                enum error_type type, const char *message)
{
    struct page page = { .entity = entity };
    struct error err = { 0 };
    int64_t total = -1;

    query.project_id = "demo";
    query.limit = 25;
    buffer_init(&page.ids, 1 << 20);
    assert_int_equal(store_list(fixture->reader, entity, &query, note_id, &page, &total, &err), -1);
    buffer_release(&page.ids);
    assert_string_equal(error_rows[err.type].name, error_rows[type].name);
    if (message)
        assert_string_equal(err.message, message);
    assert_int_equal(total, -1);
}

/* Four functions: a..d, timeouts 10..40, names in an order of their own. */
void given_four(struct fixture *fixture)
{
    static const char *const names[] = { "pear", "Apple pie", "100%_sure", "banana" };
    char id[2] = "a";

    for (int i = 0; i < 4; i++) {
        struct function function = a_function(id);
        char *name = xstrdup(names[i]);

        function.name = name;
        function.timeout = 10 * (i + 1);
        function.enabled = i % 2 == 0;
        write_ok(fixture, insert_function, &function);
        free(name);
        id[0]++;
    }
}
