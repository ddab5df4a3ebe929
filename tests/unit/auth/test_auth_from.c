// The author domain: RFC 5322 §3.4 and §4.4, RFC 6854, RFC 9989 §5.3.1 and §11.5.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "auth_from.h"
#include "base_buf.h"
#include "tree.h"

struct from_case {
    const char *name, *value;
    const char *want; // the domain, or "!" and the problem
};

static const struct from_case cases[] = {
    {"plain", "user@example.com", "example.com"},
    {"angle", "<user@example.com>", "example.com"},
    {"display name", "John Doe <jdoe@example.com>", "example.com"},
    {"display name with a dot", "John Q. Public <jqp@example.com>", "example.com"},
    {"quoted display name", "\"Joe Q. Public\" <jqp@example.com>", "example.com"},
    {"quoted name with an address in it", "\"a@bank.example\" <u@example.com>", "example.com"},
    {"quoted name with brackets", "\"<a@bank.example>\" <u@example.com>", "example.com"},
    {"escaped quote in the name", "\"a\\\" <x@bank.example>, \" <u@example.com>", "example.com"},
    {"address as an unquoted name", "ceo@bank.example <u@example.com>", "example.com"},
    {"comma in an unquoted name", "Foo, Inc. <u@example.com>", "example.com"},
    {"encoded word", "=?utf-8?Q?J=C3=B6rg?= <u@example.com>", "example.com"},
    {"encoded word that hides an address", "=?utf-8?Q?a=40bank.example?= <u@example.com>",
     "example.com"},
    {"encoded word alone", "=?utf-8?Q?a=40bank.example?=", "!no domain"},
    {"UTF-8 name", "J\xc3\xb6rg <u@example.com>", "example.com"},
    {"Latin-1 name", "J\xf6rg <u@example.com>", "example.com"},
    {"upper case", "U@EXAMPLE.Com", "example.com"},
    {"U-label",
     "u@b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example"},
    {"A-label", "u@xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"dot at the end", "u@example.com.", "example.com"},
    {"underscore", "u@mail_1.example.com", "mail_1.example.com"},
    {"one label", "root@localhost", "localhost"},
    {"comments everywhere", "(a) John (b) <(c) u (d) @ (e) example (f) . (g) com (h) > (i)",
     "example.com"},
    {"comment with an address", "(a@bank.example) u@example.com", "example.com"},
    {"nested comment with a bracket", "((a) <b@bank.example>) u@example.com", "example.com"},
    {"escaped parenthesis", "(a \\) <b@bank.example>) u@example.com", "example.com"},
    {"folded", "John\r\n <u@example\r\n .com>", "example.com"},
    {"blanks round dots", "u@example . com", "example.com"},
    {"quoted local part", "\"a b\"@example.com", "example.com"},
    {"quoted local part with an at", "\"a@bank.example\"@example.com", "example.com"},
    {"obsolete route", "<@a.example,@b.example:u@example.com>", "example.com"},
    {"obsolete empty elements", ",, u@example.com ,,", "example.com"},
    {"group", "A Group: u@example.com;", "example.com"},
    {"group of two", "A Group: u@example.com, John <v@example.com>;", "example.com"},
    {"group and another", "G: u@example.com;, v@example.com", "example.com"},
    {"words before a bare address", "John Doe u@example.com", "example.com"},
    {"two of one domain", "a@example.com, b@EXAMPLE.com", "example.com"},
    {"one with a literal", "a@[192.0.2.1], b@example.com", "example.com"},
    {"a word behind the bracket", "<u@example.com> John", "example.com"},
    {"NUL in the name", NULL, "example.com"},

    {"nothing", "", "!no domain"},
    {"blanks", " \t\r\n ", "!no domain"},
    {"words", "John Doe", "!no domain"},
    {"comment only", "(u@example.com)", "!no domain"},
    {"quoted only", "\"u@example.com\"", "!no domain"},
    {"empty brackets", "<>", "!no domain"},
    {"word in brackets", "<u>", "!no domain"},
    {"empty group", "Undisclosed recipients:;", "!no domain"},
    {"literal", "u@[192.0.2.1]", "!no domain"},
    {"literal with a comma", "u@[192.0.2.1,x@example.com]", "!no domain"},

    {"two domains", "a@example.com, b@example.net", "!several"},
    {"two domains in a group", "G: a@example.com, b@example.net;", "!several"},
    {"domain and its subdomain", "a@example.com, b@sub.example.com", "!several"},
    {"two brackets", "<a@example.com> <b@bank.example>", "!several"},
    {"bare behind the brackets", "<a@example.com> b@bank.example", "!several"},
    {"two brackets, run together", "<a@example.com><b@bank.example>", "!several"},
    {"semicolon as separator", "a@example.com; b@example.net", "!several"},

    {"no local part", "@example.com", "!malformed"},
    {"no local part in brackets", "<@example.com>", "!malformed"},
    {"no domain", "u@", "!malformed"},
    {"no domain in brackets", "<u@>", "!malformed"},
    {"root domain", "u@.", "!malformed"},
    {"two ats", "u@example.com@bank.example", "!malformed"},
    {"two ats in brackets", "<u@example.com@bank.example>", "!malformed"},
    {"word behind the domain", "u@example.com bank.example", "!malformed"},
    {"comment and word behind the domain", "u@example.com(x)bank.example", "!malformed"},
    {"open quote", "\"John <u@example.com>", "!malformed"},
    {"open comment", "(John <u@example.com>", "!malformed"},
    {"open bracket", "<u@example.com", "!malformed"},
    {"bracket in brackets", "<<u@example.com>>", "!malformed"},
    {"open literal", "u@[192.0.2.1", "!malformed"},
    {"empty label", "u@example..com", "!malformed"},
    {"quoted domain", "u@\"example.com\"", "!malformed"},
    {"encoded domain", "u@=?utf-8?Q?example.com?=", "!malformed"},
    {"percent in the domain", "u@exa%6dple.com", "!malformed"},
    {"route without its end", "<@a.example,u@example.com>", "!malformed"},
    {"domain and literal", "u@example.com[192.0.2.1]", "!malformed"},
    {"bad UTF-8 in the domain",
     "u@b\xfc"
     "cher.example",
     "!malformed"},
    {"second address malformed", "u@example.com, v@exa mple.com", "!malformed"},
};

static enum auth_from_problem problem(const char *want)
{
    static const char *const texts[] = {
        [AUTH_FROM_NO_DOMAIN] = "no domain",
        [AUTH_FROM_MALFORMED] = "malformed",
        [AUTH_FROM_SEVERAL] = "several",
    };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        if (want[0] == '!' && texts[i] && span_eq(span_str(texts[i]), span_str(want + 1)))
            return (enum auth_from_problem)i;
    return AUTH_FROM_OK;
}

static void from_case(void **state)
{
    const struct from_case *c = *state;
    struct span value = c->value ? span_str(c->value) : SPAN("a\0b <u@example.com>");
    struct auth_from from;
    auth_from_read(&from, &value, 1);
    assert_int_equal(from.problem, problem(c->want));
    assert_string_equal(from.domain.text, c->want[0] == '!' ? "" : c->want);
    assert_non_null(auth_from_text(from.problem));
}

// Only what is certainly it: a key bound to one author signs for no other.
static void test_local_parts(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"ann@example.com", "ann"},
        {"Ann B. <ann.b+c@example.com>", "ann.b+c"},
        {"<@a.example:ann@example.com>", "ann"},
        {"\"a b\"@example.com", "\"a b\""},
        {"G: ann@example.com;", "ann"},
        {"a . b@example.com", ""},
        {"a(x)b@example.com", ""},
        {"John ann@example.com", ""},
        {"ann@example.com, bob@example.com", ""},
        {"ann@example.com, ann@example.com", ""},
        {"ann@example.com, bob@example.net", ""},
        {"ann@", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span value = span_str(rows[i].value);
        struct auth_from from;
        auth_from_read(&from, &value, 1);
        if (!span_eq(from.local, span_str(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].value, SPAN_FMT(from.local));
    }
}

static void nul_hides_nothing(void **state)
{
    (void)state;
    struct span value = SPAN("u@example.com\0, v@bank.example");
    struct auth_from from;
    auth_from_read(&from, &value, 1);
    assert_int_equal(from.problem, AUTH_FROM_MALFORMED);
}

static void fields(void **state)
{
    (void)state;
    struct span values[2] = {SPAN("u@example.com"), SPAN("u@example.com")};
    struct auth_from from;
    auth_from_read(&from, NULL, 0);
    assert_int_equal(from.problem, AUTH_FROM_MISSING);
    auth_from_read(&from, values, 2);
    assert_int_equal(from.problem, AUTH_FROM_REPEATED);
    assert_int_equal(from.domain.len, 0);
}

static void long_values(void **state)
{
    (void)state;
    static const char *const parts[] = {"(", "\"", "<", "a@b.example, ", "a@", ".", "a", "[", "\\"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        CLEANUP(buf_free) struct buf b = BUF(1 << 20);
        struct auth_from from;
        for (int n = 0; n < 50000; n++)
            buf_printf(&b, "%s", parts[i]);
        struct span value = buf_span(&b);
        auth_from_read(&from, &value, 1);
        assert_true(from.problem == AUTH_FROM_OK || from.domain.len == 0);
    }
}

// The addresses another parser found, as far as they are of a form that leaves
// nothing to opinion: the domains must be those, in that order.
static size_t compare(struct span value, const struct tree *addresses)
{
    struct auth_mailboxes list = {.rest = value};
    struct auth_mailbox m;
    size_t n = 0;
    for (; addresses; addresses = addresses->next, n++) {
        struct span address = tree_text(addresses, "address");
        struct dns_name want;
        struct span domain = span_skip(address, span_index(address, '@') + 1);
        if (!auth_mailbox_next(&list, &m) || !dns_name_parse(&want, domain) ||
            !dns_name_eq(&want, &m.domain))
            return 0;
    }
    return auth_mailbox_next(&list, &m) || list.bad ? 0 : n;
}

static bool is_simple(const struct tree *addresses)
{
    for (; addresses; addresses = addresses->next) {
        struct span s = tree_text(addresses, "address");
        size_t at = span_index(s, '@');
        if (at == s.len || at == 0)
            return false;
        for (size_t i = 0; i < s.len; i++)
            if (s.at[i] <= ' ' || s.at[i] > '~' || (s.at[i] == '@' && i != at) ||
                span_index(SPAN("\"<>[](),:;\\"), s.at[i]) < 11)
                return false;
    }
    return true;
}

static const struct tree *addresses_of(const struct tree *row)
{
    const struct tree *expected = tree_get(row, "expected");
    const struct tree *list = tree_get(expected, "List"), *group = tree_get(expected, "Group");
    if (group && !group->child->next)
        list = tree_get(group->child, "addresses");
    return list && list->child && is_simple(list->child) ? list->child : NULL;
}

static void vectors(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(8 << 20);
    const struct tree *rows = tree_file("header-fields-stalwart/address.json", &a);
    size_t simple = 0, same = 0, seen = 0;
    assert_non_null(rows);
    for (rows = rows->child; rows; rows = rows->next, seen++) {
        struct span value = tree_text(rows, "header");
        const struct tree *addresses = addresses_of(rows);
        struct auth_from from;
        auth_from_read(&from, &value, 1);
        if (!addresses)
            continue;
        simple++;
        same += compare(value, addresses) > 0;
        if (compare(value, addresses) == 0)
            print_message("# otherwise: row %zu\n", seen);
    }
    assert_true(seen >= 60);
    assert_true(simple > 20);
    // Two rows have a line without a comma before a second address; there is no
    // one reading of them, and "malformed" is ours.
    assert_true(simple - same <= 2);
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[CASES + 4] = {
        cmocka_unit_test(test_local_parts), cmocka_unit_test(nul_hides_nothing),
        cmocka_unit_test(fields),           cmocka_unit_test(long_values),
        cmocka_unit_test(vectors),
    };
    for (size_t i = 0; i < CASES; i++)
        tests[4 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = from_case, .initial_state = (void *)&cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
