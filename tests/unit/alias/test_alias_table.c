#include "alias_table.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static enum alias_class class_of(void *arg, struct span domain)
{
    (void)arg;
    return span_ends(domain, SPAN("example.org")) ? ALIAS_CLASS_LOCAL : ALIAS_CLASS_OTHER;
}
static const struct alias_domains ours = {.class_of = class_of};

static struct alias_table *table_of(const char *text, struct alias_fault *fault)
{
    static struct alias_source source;
    struct alias_table *t;
    source = (struct alias_source){SPAN("aliases"), span_str(text)};
    fault->text[0] = '\0';
    struct rc rc = alias_table_new(&t, &source, 1, &ours, fault);
    assert_true(rc_ok(rc) == (t != NULL));
    return t;
}

static void forms_are_read(void **state)
{
    (void)state;
    struct alias_fault fault;
    struct alias_table *t = table_of("# comment\n"
                                     "Postmaster: Alice, bob@example.net,\r\n"
                                     "  # inside\n"
                                     "\tcarol@EXAMPLE.org,\n"
                                     "  \"d, e\"@example.org\n\n"
                                     "@example.com: @example.org\n"
                                     "old@example.org: :fail: gone, since May\n"
                                     "info@b\xc3\xbc"
                                     "cher.example: x@y.example",
                                     &fault);
    assert_string_equal(fault.text, "");
    assert_int_equal(alias_table_count(t), 4);
    const struct alias_entry *e = alias_table_find(t, SPAN("POSTMASTER"), SPAN(""));
    assert_int_equal(e->count, 4);
    assert_int_equal(e->targets[0].kind, ALIAS_TO_LOCAL);
    assert_true(span_eq(e->targets[0].local, SPAN("Alice")));
    assert_true(span_eq(e->targets[2].domain, SPAN("example.org")));
    assert_true(span_eq(e->targets[3].local, SPAN("\"d, e\"")));
    assert_int_equal(e->line, 2);
    e = alias_table_find(t, SPAN(""), SPAN("example.com"));
    assert_int_equal(e->targets[0].kind, ALIAS_TO_DOMAIN);
    e = alias_table_find(t, SPAN("old"), SPAN("example.org"));
    assert_true(span_eq(e->targets[0].local, SPAN("gone, since May")));
    assert_non_null(alias_table_find(t, SPAN("info"), SPAN("xn--bcher-kva.example")));
    assert_null(alias_table_find(t, SPAN("alice"), SPAN("")));
    alias_table_free(t);
}

static const struct {
    const char *name, *text, *complaint;
} bad[] = {
    {"no colon", "a: b\nnonsense\n", "aliases:2: there is no \":\""},
    {"no target", "a:\n", "aliases:1: \"a\" has no target"},
    {"a program", "a: b\nc: |/bin/sh\n", "aliases:2: \"|/bin/sh\": mail is not given to programs"},
    {"a file", "a: /var/mail/a\n", "mail is not written to files"},
    {"an include", "a: :include:/etc/list\n", "alias.files"},
    {"no address", "a: b c\n", "\"b c\" is no address"},
    {"no domain", "a@: b\n", "\"a@\" is no address"},
    {"a bad domain", "@-x: @example.org\n", "\"@-x\" is no address"},
    {"a literal", "a: b@[192.0.2.1]\n", "is no address"},
    {"set twice", "a: b\nc: d\nA: e\n", "aliases:3: a is set already, in aliases:1"},
    {"nothing to continue", "  b, c\n", "aliases:1: this line begins with a blank"},
    {"all of a domain for one", "a: @example.org\n", "can only stand for all of a domain"},
    {"a bare name for a domain", "@example.org: bob\n", "write bob@domain"},
    {"a loop of two", "a: b\nb: a\n", "leads back to itself"},
    {"a loop through a domain of ours", "a: b@example.org\nb: a@example.org\n", "leads back"},
    {"a loop of domains", "@a.example: @b.example\n@b.example: @a.example\n", "leads back"},
    {"a domain that is itself", "@a.example: @a.example\n", "leads back"},
    {"a long way round", "a: b, x@y.example\nb: c\nc: d@example.org\nd: b\n", "leads back"},
};

static void bad_ones_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct alias_fault fault;
        struct alias_table *t = table_of(bad[i].text, &fault);
        if (t || !strstr(fault.text, bad[i].complaint))
            fail_msg("%s: \"%s\"", bad[i].name, fault.text);
    }
}

static void no_loops(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "bob: bob, bob@phone.example\n",
        "a: b@other.example\nb: a@other.example\n", // of others: no alias of ours
        "@example.org: alice@example.org\n",
        "a: b, c\nb: d\nc: d\n",
        "",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct alias_fault fault;
        struct alias_table *t = table_of(fine[i], &fault);
        if (!t)
            fail_msg("%zu: %s", i, fault.text);
        alias_table_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read),
        cmocka_unit_test(bad_ones_are_told),
        cmocka_unit_test(no_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
