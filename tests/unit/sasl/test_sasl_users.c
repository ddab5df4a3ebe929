// The file of users: lines good and bad, names and senders, changes.
#include "sasl_users.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define HASH "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define SCRAM                                                                                      \
    "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void read_and_find(void **state)
{
    (void)state;
    static const char text[] = "# people\n"
                               "@decoys MDEyMzQ1Njc4OWFiY2RlZg==\n\n"
                               "Tim@Example.ORG " HASH " " SCRAM " *@lists.example.org,t@b\xc3\xbc"
                               "cher.example\r\n"
                               "\tscanner  " HASH "\t- \tscanner@example.org\n"
                               "ann@xn--bcher-kva.example - " SCRAM;
    struct sasl_users_fault fault;
    struct sasl_users *u = sasl_users_read((struct span){text, sizeof text - 1}, &fault);
    assert_non_null(u);
    assert_int_equal(sasl_users_count(u), 3);
    assert_true(span_eq(sasl_users_at(u, 0)->name, SPAN("ann@xn--bcher-kva.example")));
    assert_true(span_eq(sasl_users_decoys(u), SPAN("0123456789abcdef")));
    assert_false(sasl_users_all_scram(u));
    const struct sasl_user *tim = sasl_users_find(u, SPAN("tim@EXAMPLE.org"));
    assert_non_null(tim);
    assert_int_equal(tim->line, 4);
    assert_true(tim->has_scram && span_eq(tim->hash, SPAN(HASH)) && tim->sender_count == 2);
    assert_true(span_eq(tim->senders[1], SPAN("t@xn--bcher-kva.example")));
    assert_non_null(sasl_users_find(u, SPAN("ann@B\xc3\xbc"
                                            "cher.example")));
    assert_non_null(sasl_users_find(u, SPAN("SCANNER")));
    assert_null(sasl_users_find(u, SPAN("tim")));
    assert_null(sasl_users_find(u, SPAN("")));
    assert_null(sasl_users_find(u, SPAN("@example.org")));
    sasl_users_free(u);
    u = sasl_users_read(SPAN(""), &fault);
    assert_int_equal(sasl_users_count(u), 0);
    assert_true(sasl_users_all_scram(u));
    sasl_users_free(u);
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *says;
    } rows[] = {
        {"a@b.example secret", 1, "no password hash"},
        {"a@b.example $1$abcdefgh$irWbblnpmw.5z7wgBnprh0", 1, "no password hash"},
        {"\n\na@b.example - SCRAM-SHA-1$1", 3, "verifier"},
        {"a@b.example - - a,b", 1, "'a' is no address"},
        {"a@b.example - - *@*", 1, "no address"},
        {"a@b.example - - x*y@b.example", 1, "no address"},
        {"a@b.example - - ,", 1, "no address"},
        {"a@b.example - - - -", 1, "more than four"},
        {"a@-b- -", 1, "first field"},
        {"a@ -", 1, "first field"},
        {"*@b.example -", 1, "first field"},
        {"a,b@b.example -", 1, "first field"},
        {"a\x01@b.example -", 1, "first field"},
        {"a@b.example -\nA@B.example -\n", 2, "line 1"},
        {"@decoys x", 1, "base64"},
        {"@nonsense", 1, "@decoys"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sasl_users_fault fault;
        assert_null(sasl_users_read(span_str(rows[i].text), &fault));
        if (fault.line != rows[i].line || !strstr(fault.text, rows[i].says))
            fail_msg("%s: %u: %s", rows[i].text, fault.line, fault.text);
    }
}

static void senders(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *address;
        bool may;
    } rows[] = {
        {"ann@example.org", "ann@example.org", true},
        {"ann@example.org", "Ann@EXAMPLE.org", true},
        {"ann@example.org", "ann@example.com", false},
        {"ann+*@example.org", "ann+x@example.org", true},
        {"ann+*@example.org", "ann@example.org", false},
        {"*@example.org", "anybody@example.org", true},
        {"*@example.org", "a@b.example.org", false},
        {"*@.example.org", "a@b.example.org", true},
        {"*@.example.org", "a@example.org", false},
        {"*@.example.org", "a@badexample.org", false},
        {"*@b\xc3\xbc"
         "cher.example",
         "a@xn--bcher-kva.example", true},
        {"*", "a@anything.example", true},
        {"*@example.org", "a@evil.example@example.org", true}, // its domain is example.org
        {"ann@example.org", "\"ann\"@example.org", false},
        {"*@example.org", "ann", false},
        {"*@example.org", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[SASL_KEY_MAX];
        assert_true(sasl_sender_key(key, span_str(rows[i].pattern)));
        struct span one = span_str(key);
        if (sasl_may_send(SPAN("tim@example.net"), &one, 1, span_str(rows[i].address)) !=
            rows[i].may)
            fail_msg("%s %s", rows[i].pattern, rows[i].address);
    }
    assert_true(sasl_may_send(SPAN("tim@example.net"), NULL, 0, SPAN("TIM@example.net")));
    assert_false(sasl_may_send(SPAN("tim"), NULL, 0, SPAN("tim@example.net")));
}

static void changes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *line, *becomes;
        bool there;
    } rows[] = {
        {"", "a@b.example", "NEW\n", "NEW\n", false},
        {"# x\na@b.example -\nc@d.example -\n", "A@b.example", "NEW\n", "# x\nNEW\nc@d.example -\n",
         true},
        {"a@b.example -\nc@d.example -", "a@b.example", "", "c@d.example -\n", true},
        {"# a@b.example\n", "a@b.example", "", "# a@b.example\n", false},
        {"x", "a@b.example", "NEW\n", "x\nNEW\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(buf_free) struct buf b = BUF(1000);
        bool there = sasl_users_change(&b, span_str(rows[i].text), span_str(rows[i].name),
                                       span_str(rows[i].line));
        assert_int_equal(there, rows[i].there);
        assert_string_equal(buf_str(&b), rows[i].becomes);
    }
    CLEANUP(buf_free) struct buf b = BUF(1000);
    sasl_user_put(&b, &(struct sasl_user_line){.name = SPAN("a"), .verifier = SPAN("V")});
    assert_string_equal(buf_str(&b), "a - V -\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_find),
        cmocka_unit_test(faults),
        cmocka_unit_test(senders),
        cmocka_unit_test(changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
