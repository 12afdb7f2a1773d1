/* multipart/form-data: whatever way the bytes are cut, the same parts come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "multipart.h"

/* What the events said, as text: [name|file name|content type]data. */
struct heard {
    struct buffer text;
    size_t stop_at; /* an event of this number fails; 0: none */
    size_t events;
};

static int hear(struct heard *heard, struct error *err)
{
    heard->events++;
    return heard->events == heard->stop_at ? fail(err, ERROR_INTERNAL, "enough") : 0;
}

static int on_part(void *context, const struct multipart_part *part, struct error *err)
{
    struct heard *heard = context;
    buffer_addf(&heard->text, "[%s|%s|%s]", part->name,
                part->file_name == NULL ? "-" : part->file_name, part->content_type);
    return hear(heard, err);
}

static int on_data(void *context, const char *data, size_t bytes, struct error *err)
{
    struct heard *heard = context;
    assert_true(bytes > 0);
    buffer_add(&heard->text, data, bytes);
    return hear(heard, err);
}

static int on_part_end(void *context, struct error *err)
{
    struct heard *heard = context;
    buffer_add_text(&heard->text, ".");
    return hear(heard, err);
}

/* Pieces: first bytes, then step at a time. The result of the first call that fails, or 0. */
static int feed(struct heard *heard, const char *type, const char *body, size_t bytes, size_t first,
                size_t step, struct error *err)
{
    const struct multipart_events events = {
        .context = heard, .on_part = on_part, .on_data = on_data, .on_part_end = on_part_end
    };
    struct multipart *multipart;
    buffer_init(&heard->text, 1 << 20);
    if (multipart_new(type, &events, &multipart, err) < 0)
        return -1;
    int result = 0;
    for (size_t at = 0; at < bytes && result == 0;) {
        size_t piece = at == 0 && first > 0 ? first : step;
        if (piece > bytes - at)
            piece = bytes - at;
        auto_free char *copy = xmalloc(piece); /* so that reading past its end is seen */
        memcpy(copy, body + at, piece);
        result = multipart_feed(multipart, copy, piece, err);
        at += piece;
    }
    if (result == 0)
        result = multipart_finish(multipart, err);
    multipart_free(multipart);
    return result;
}

static void assert_heard(const char *type, const char *body, size_t bytes, const char *expected)
{
    struct error err = { .message = "" };
    for (size_t first = 0; first <= bytes; first++) {
        struct heard heard = { .stop_at = 0 };
        assert_int_equal(feed(&heard, type, body, bytes, first, first == 0 ? 1 : bytes, &err), 0);
        assert_string_equal(heard.text.data == NULL ? "" : heard.text.data, expected);
        buffer_release(&heard.text);
    }
}

#define FORM                        "multipart/form-data; boundary="
#define HEARD(type, body, expected) assert_heard(type, body, sizeof(body) - 1, expected)

static void fields_and_files_are_told_apart(void **state)
{
    (void)state;
    HEARD(FORM "XX",
          "--XX\r\nContent-Disposition: form-data; name=\"activate\"\r\n\r\ntrue\r\n"
          "--XX\r\nContent-Disposition: form-data; name=\"code\"; filename=\"code.tar.gz\"\r\n"
          "Content-Type: application/gzip\r\n\r\n\x1f\x8b\r\n--X\r\n\r\r\n-\r\n--XX--\r\n",
          "[activate|-|]true.[code|code.tar.gz|application/gzip]\x1f\x8b\r\n--X\r\n\r\r\n-.");
}

static void boundaries_of_all_clients_work(void **state)
{
    (void)state;
    HEARD("multipart/form-data; boundary=----A30#3ad1",
          "------A30#3ad1\r\ncontent-disposition: form-data; "
          "name=\"a\"\r\n\r\n1\r\n------A30#3ad1--\r\n",
          "[a|-|]1.");
    HEARD("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"",
          "--a b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--a b--", "[a|-|]1.");
    HEARD("multipart/form-data; boundary=----formdata-undici-012345678901 ; x=y",
          "------formdata-undici-012345678901\r\nContent-Disposition: form-data; "
          "name=\"a\"\r\n\r\n1\r\n"
          "------formdata-undici-012345678901--\r\n\r\n",
          "[a|-|]1.");
}

static void preamble_epilogue_and_padding_mean_nothing(void **state)
{
    (void)state;
    HEARD(FORM "b",
          "hello\r\n--bx\r\nthere\r\n--b \t\r\nContent-Disposition: form-data; "
          "name=\"a\"\r\n\r\nx\r\n--b--\r\n--b\r\nrest",
          "[a|-|]x.");
}

static void an_empty_part_is_a_part(void **state)
{
    (void)state;
    HEARD(FORM "b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b--",
          "[a|-|].");
    HEARD(FORM "b",
          "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b\r\n\r\nx\r\n--b--",
          "[a|-|].[|-|]x.");
    HEARD(FORM "b", "--b\r\n\r\n--x--b\r\n--b--", "[|-|]--x--b.");
    HEARD(FORM "b", "--b\r\n\r\n-\r\n--b--", "[|-|]-.");
    HEARD(FORM "b", "--b--", "");
}

static void what_only_begins_like_the_boundary_is_data(void **state)
{
    (void)state;
    HEARD(FORM "b", "--b\r\n\r\nx\r\n--bc\r\n--b-\r\n--b-x\r\n\r\n--b--",
          "[|-|]x\r\n--bc\r\n--b-\r\n--b-x\r\n.");
    HEARD(FORM "b", "--b\r\n\r\n--bc\r\n--b--", "[|-|]--bc.");
}

static void names_are_unquoted(void **state)
{
    (void)state;
    HEARD(FORM "b",
          "--b\r\nContent-Disposition: form-data; name=\"a\\\"b\\c\"; "
          "filename=\"x;y=z.gz\"\r\n\r\n1\r\n--b--",
          "[a\"b\\c|x;y=z.gz|]1.");
    HEARD(FORM "b",
          "--b\r\nContent-Disposition: form-data; filename=\"plain\"; filename*=UTF-8''n%C3%A4.gz; "
          "name=a\r\n\r\n1\r\n--b--",
          "[a|n\xc3\xa4.gz|]1.");
    HEARD(FORM "b", "--b\r\nContent-Disposition: form-data; name=\"open\r\n\r\n1\r\n--b--",
          "[\"open|-|]1.");
    HEARD(FORM "b",
          "--b\r\nContent-Disposition: form-data; name=\"\"; filename=\"\"\r\n\r\n1\r\n--b--",
          "[||]1.");
}

static void zero_bytes_are_data(void **state)
{
    static const char body[] = "--b\r\n\r\na\0b\r\n\0--b\r\n--b--";
    struct error err;
    (void)state;
    for (size_t step = 1; step < sizeof(body); step++) {
        struct heard heard = { .stop_at = 0 };
        assert_int_equal(feed(&heard, FORM "b", body, sizeof(body) - 1, 0, step, &err), 0);
        assert_int_equal(heard.text.size, 15);
        assert_memory_equal(heard.text.data, "[|-|]a\0b\r\n\0--b.", 15);
        buffer_release(&heard.text);
    }
}

static void assert_refused(const char *type, const char *body, size_t bytes)
{
    for (size_t step = 1; step <= bytes + 1; step++) {
        struct heard heard = { .stop_at = 0 };
        struct error err = { .type = ERROR_INTERNAL };
        assert_int_equal(feed(&heard, type, body, bytes, 0, step, &err), -1);
        assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
        buffer_release(&heard.text);
    }
}

#define REFUSED(type, body) assert_refused(type, body, sizeof(body) - 1)

static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    REFUSED("multipart/form-data", "--b--");
    REFUSED("text/plain; boundary=b", "--b--");
    REFUSED(FORM, "--b--");
    REFUSED(FORM "\"\"", "--b--");
    REFUSED(FORM "b", "");
    REFUSED(FORM "b", "--b\r\n\r\nx");
    REFUSED(FORM "b", "--b\r\n\r\nx\r\n--b");
    REFUSED(FORM "b", "--b\r\nno colon\r\n\r\nx\r\n--b--");
    REFUSED(FORM "b", "--b\r\na: b\n\r\n\r\nx\r\n--b--");
    REFUSED(FORM "b", "--b \tx\r\n\r\nx\r\n--b--");
    REFUSED(FORM "b", "--b\rx");
}

static void long_boundaries_and_heads_are_refused(void **state)
{
    struct error err;
    struct heard heard = { .stop_at = 0 };
    auto_free char *head = xmalloc(10000);
    char type[300] = FORM;
    (void)state;
    memset(type + strlen(type), 'x', 201);
    assert_int_equal(feed(&heard, type, "", 0, 0, 1, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    memset(head, 'x', 10000);
    memcpy(head, "--b\r\na:", 7);
    assert_int_equal(feed(&heard, FORM "b", head, 10000, 0, 1000, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
}

static void too_many_parts_are_refused(void **state)
{
    struct error err;
    struct heard heard = { .stop_at = 0 };
    struct buffer body;
    (void)state;
    buffer_init(&body, 1 << 20);
    for (int i = 0; i < 1001; i++)
        buffer_add_text(&body, "--b\r\n\r\nx\r\n");
    buffer_add_text(&body, "--b--");
    assert_int_equal(feed(&heard, FORM "b", body.data, body.size, 0, 100000, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    buffer_release(&body);
    buffer_release(&heard.text);
}

static void an_event_can_stop_the_parsing(void **state)
{
    static const char body[] = "--b\r\n\r\nx\r\n--bc\r\n--b--";
    (void)state;
    for (size_t stop = 1; stop <= 4; stop++) {
        struct heard heard = { .stop_at = stop };
        struct error err;
        assert_int_equal(feed(&heard, FORM "b", body, sizeof(body) - 1, 0, 100, &err), -1);
        assert_string_equal(err.message, "enough");
        assert_int_equal(heard.events, stop);
        buffer_release(&heard.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_files_are_told_apart),
        cmocka_unit_test(boundaries_of_all_clients_work),
        cmocka_unit_test(preamble_epilogue_and_padding_mean_nothing),
        cmocka_unit_test(an_empty_part_is_a_part),
        cmocka_unit_test(what_only_begins_like_the_boundary_is_data),
        cmocka_unit_test(names_are_unquoted),
        cmocka_unit_test(zero_bytes_are_data),
        cmocka_unit_test(malformed_bodies_are_refused),
        cmocka_unit_test(long_boundaries_and_heads_are_refused),
        cmocka_unit_test(too_many_parts_are_refused),
        cmocka_unit_test(an_event_can_stop_the_parsing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
