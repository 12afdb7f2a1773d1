/* Query strings and forms, as the published clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buffer.h"
#include "form.h"
#include "mem.h"

/* name|step|step=value; */
static int write_pair(void *context, const struct form_pair *pair, struct error *err)
{
    struct buffer *out = context;
    const char *step = pair->path;
    buffer_add_text(out, pair->name);
    for (size_t i = 0; i < pair->steps; i++) {
        buffer_addf(out, "|%s", step);
        step += strlen(step) + 1;
    }
    buffer_addf(out, "=%s;", pair->value);
    assert_int_equal(strlen(pair->value), pair->value_bytes);
    if (strcmp(pair->name, "stop") == 0)
        return fail(err, ERROR_INTERNAL, "stopped");
    return 0;
}

static void assert_parsed(const char *text, const char *expected)
{
    struct buffer out;
    struct error err;
    buffer_init(&out, 10000);
    assert_int_equal(form_parse(text, strlen(text), 100, write_pair, &out, &err), 0);
    assert_string_equal(out.data == NULL ? "" : out.data, expected);
    buffer_release(&out);
}

static void pairs_are_decoded(void **state)
{
    (void)state;
    assert_parsed("", "");
    assert_parsed("a=1&b=2", "a=1;b=2;");
    assert_parsed("a=x+y%20z%2B&b=%C3%A4", "a=x y z+;b=\xc3\xa4;");
    assert_parsed("a&b=&=c&&", "a=;b=;");
    assert_parsed("a=b=c", "a=b=c;");
    assert_parsed("a=%zz%4", "a=%zz%4;");
    assert_parsed("?a=1", "?a=1;");
}

static void brackets_become_steps(void **state)
{
    (void)state;
    assert_parsed("queries[]=x&queries[]=y", "queries|=x;queries|=y;");
    assert_parsed("queries%5B0%5D=x&queries%5B1%5D=y", "queries|0=x;queries|1=y;");
    assert_parsed("a[b][c]=x", "a|b|c=x;");
    assert_parsed("a[b%20c][%5D=x", "a|b c|=x;");
}

static void what_only_looks_like_brackets_is_a_name(void **state)
{
    (void)state;
    assert_parsed("a[=x", "a[=x;");
    assert_parsed("a]b=x", "a]b=x;");
    assert_parsed("a[b]c=x", "a[b]c=x;");
    assert_parsed("[a]=x", "[a]=x;");
    assert_parsed("a[b][c=x", "a[b][c=x;");
}

static void a_name_with_a_nul_is_refused(void **state)
{
    struct buffer out;
    struct error err;
    (void)state;
    buffer_init(&out, 100);
    assert_int_equal(form_parse("a%00b=1", 7, 100, write_pair, &out, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    buffer_release(&out);
}

static void there_is_a_limit(void **state)
{
    struct buffer out;
    struct error err;
    (void)state;
    buffer_init(&out, 100);
    assert_int_equal(form_parse("a&b&c", 5, 2, write_pair, &out, &err), -1);
    assert_int_equal(err.type, ERROR_GENERAL_ARGUMENT_INVALID);
    assert_string_equal(out.data, "a=;b=;");
    buffer_release(&out);
}

static void an_error_of_the_caller_stops(void **state)
{
    struct buffer out;
    struct error err;
    (void)state;
    buffer_init(&out, 100);
    assert_int_equal(form_parse("a&stop&c", 8, 100, write_pair, &out, &err), -1);
    assert_string_equal(err.message, "stopped");
    assert_string_equal(out.data, "a=;stop=;");
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_decoded),
        cmocka_unit_test(brackets_become_steps),
        cmocka_unit_test(what_only_looks_like_brackets_is_a_name),
        cmocka_unit_test(a_name_with_a_nul_is_refused),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(an_error_of_the_caller_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
