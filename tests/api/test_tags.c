/* Which tag a range means, and what is no list of tags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buffer.h"
#include "mem.h"
#include "tags.h"

#define HASH "0123456789012345678901234567890123456789"

static void add_line(struct buffer *out, const char *text, size_t bytes)
{
    buffer_addf(out, "%04zx", bytes + 4);
    buffer_add(out, text, bytes);
}

/* As a git host answers: service, mark, HEAD with what the host can do, names, mark. */
static void list_tags(struct buffer *out, const char *const *names)
{
    static const char service[] = "# service=git-upload-pack\n";
    static const char head[] = HASH " HEAD\0multi_ack symref=HEAD:refs/heads/main\n";

    buffer_init(out, 1 << 20);
    add_line(out, service, strlen(service));
    buffer_add_text(out, "0000");
    add_line(out, head, sizeof head - 1);
    for (; *names; names++) {
        auto_free char *line = xasprintf(HASH " %s\n", *names);
        add_line(out, line, strlen(line));
    }
    buffer_add_text(out, "0000");
}

static void expect(const char *range, const char *tag)
{
    static const char *const names[] = {
        "refs/heads/0.1.99",
        "refs/tags/0.1.0",
        "refs/tags/0.1.10",
        "refs/tags/0.1.10^{}",
        "refs/tags/0.1.11-rc",
        "refs/tags/0.1.9",
        "refs/tags/0.2.0",
        "refs/tags/v1.0.0",
        "refs/tags/v2.0.0-beta.2",
        "refs/tags/v2.0.0-beta.10",
        NULL,
    };
    auto_buffer struct buffer listing = { 0 };
    auto_free char *found = NULL;
    struct error err;

    list_tags(&listing, names);
    assert_int_equal(tags_choose(listing.data, listing.size, range, &found, &err), 0);
    if (tag)
        assert_string_equal(found, tag);
    else
        assert_null(found);
}

static void test_range__means_the_highest_tag_by_number(void **state)
{
    (void)state;
    expect("0.1.*", "0.1.10");
    expect("0.*", "0.2.0");
    expect("0.2.0*", "0.2.0");
    expect("*.9", "0.1.9");
    expect("v*", "v1.0.0");
    expect("v2.*", "v2.0.0-beta.10");
    expect("0*1*-rc", "0.1.11-rc");
    expect("3.*", NULL);
    expect("0.1.?*", NULL);
}

static void test_range__is_what_has_a_star(void **state)
{
    (void)state;
    assert_true(tags_is_range("0.1.*"));
    assert_false(tags_is_range("0.1.0"));
}

static void test_listing__of_something_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "<!doctype html>",
        "0000",
        "001e# service=git-upload-pack\n00",
        "001e# service=git-up",
        "001f# service=git-receive-pack\n0000",
        "ffff# service=git-upload-pack\n",
        "001e# service=git-upload-pack\nzzzz",
        HASH "\trefs/tags/0.1.0\n",
    };
    char *tag = NULL;
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        auto_free char *exact = xmalloc(strlen(texts[i]) + 1); /* for the sanitizer's sake */
        memcpy(exact, texts[i], strlen(texts[i]) + 1);
        assert_int_equal(tags_choose(exact, strlen(texts[i]), "*", &tag, &err), -1);
        assert_int_equal(err.type, ERROR_GENERAL_BAD_REQUEST);
        assert_null(tag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range__means_the_highest_tag_by_number),
        cmocka_unit_test(test_range__is_what_has_a_star),
        cmocka_unit_test(test_listing__of_something_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
