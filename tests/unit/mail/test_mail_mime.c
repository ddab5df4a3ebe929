// The walk over the parts of a message, as outlines: depth, type, "*" for a container, and the
// decoded body of a leaf.
#include "mail_mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define END   "\r\n--b--\r\n"

struct walk_case {
    const char *name, *in, *out;
};

static const struct walk_case walks[] = {
    {"nothing", "", "0 text/plain []"},
    {"no header", "\r\nhello", "0 text/plain [hello]"},
    {"no body", "Subject: x\r\n", "0 text/plain []"},
    {"plain", "Content-Type: Text/HTML; charset=x\r\n\r\nhi\r\n", "0 text/html [hi\r\n]"},
    {"a type that does not parse", "Content-Type: gzip\r\n\r\nhi", "0 text/plain [hi]"},
    {"comments", "Content-Type: (a (b) \\) c) text (x) / plain\r\n\r\nhi", "0 text/plain [hi]"},
    {"two parts",
     MIXED "preamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: a/b\r\n\r\ntwo" END "epilogue",
     "0 multipart/mixed*|1 text/plain [one]|1 a/b [two]"},
    {"line feeds", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
     "0 multipart/mixed*|1 text/plain [one]"},
    {"a part without header and empty line", MIXED "--b\r\nX: y" END,
     "0 multipart/mixed*|1 text/plain []"},
    {"an empty part", MIXED "--b\r\n--b\r\n\r\n" END,
     "0 multipart/mixed*|1 text/plain []|1 text/plain []"},
    {"never ends", MIXED "--b\r\n\r\none\r\n", "0 multipart/mixed*|1 text/plain [one\r\n]|damaged"},
    {"no part", MIXED "nothing", "0 multipart/mixed*|damaged"},
    {"no boundary", "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
     "0 multipart/mixed [--b\r\n\r\nx]|damaged"},
    {"blanks behind a boundary", MIXED "--b \t\r\n\r\none\r\n--b-- \r\n",
     "0 multipart/mixed*|1 text/plain [one]"},
    {"nested, the inner boundary begins like the outer",
     MIXED "--b\r\nContent-Type: multipart/alternative; boundary=\"b-1\"\r\n\r\n--b-1\r\n\r\nin"
           "\r\n--b-1--\r\n--b\r\n\r\nout" END,
     "0 multipart/mixed*|1 multipart/alternative*|2 text/plain [in]|1 text/plain [out]"},
    {"nested, the inner never ends",
     MIXED "--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nin"
           "\r\n--b\r\n\r\nout" END,
     "0 multipart/mixed*|1 multipart/alternative*|2 text/plain [in]|1 text/plain [out]"},
    {"a message in it",
     MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nin\r\n--b\r\n\r\nout" END,
     "0 multipart/mixed*|1 message/rfc822*|2 text/plain [in]|1 text/plain [out]"},
    {"a message only", "Content-Type: message/rfc822\r\n\r\nContent-Type: a/b\r\n\r\nin",
     "0 message/rfc822*|1 a/b [in]"},
    {"a message that is encoded",
     "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==",
     "0 message/rfc822 [a]"},
    {"digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\nx" END,
     "0 multipart/digest*|1 message/rfc822*|2 text/plain [x]"},
    {"name by disposition",
     "Content-Disposition: attachment;\r\n\tFILENAME=\"a \\\"b\\\".gz\"\r\n\r\n",
     "0 text/plain <a \"b\".gz> []"},
    {"name by type", "Content-Type: a/b; x=\"y;z\"; name=c.zip; q=1\r\n\r\n", "0 a/b <c.zip> []"},
    {"name in sections",
     "Content-Disposition: attachment; filename*1*=%21b; filename*0*=utf-8''a; filename*2=\"c\"\r\n"
     "\r\n",
     "0 text/plain <a!bc> []"},
    {"name extended", "Content-Disposition: a; filename=x; filename*=utf-8'en'%c3%a4%zz\r\n\r\n",
     "0 text/plain <\xc3\xa4%zz> []"},
    {"base64", "Content-Transfer-Encoding: BASE64\r\n\r\naGVs\r\nbG8=\r\n", "0 text/plain [hello]"},
    {"base64 of pieces, and junk",
     "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=!\r\nYQ==", "0 text/plain [helloa]|unclean"},
    {"base64 cut short", "Content-Transfer-Encoding: base64\r\n\r\naGVsb",
     "0 text/plain [hel]|unclean"},
    {"quoted-printable",
     "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db =\r\nc  \r\nd=\r\n=C3=a4=",
     "0 text/plain [a=b c\r\nd\xc3\xa4]"},
    {"quoted-printable, not quite", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=zz=4",
     "0 text/plain [=zz=4]|unclean"},
    {"an encoding that nobody knows", "Content-Transfer-Encoding: x-uuencode\r\n\r\nhi",
     "0 text/plain [hi]|unclean"},
};

static void outline(struct buf *b, struct span message)
{
    struct arena a = ARENA(1 << 20);
    struct mail_mime m = mail_mime_open(message, &a);
    struct mail_mime_part p;
    bool clean = true;
    while (mail_mime_next(&m, &p)) {
        struct buf body = BUF(1 << 20);
        buf_printf(b, "%s%u %.*s", b->len ? "|" : "", p.depth, SPAN_FMT(p.type));
        if (p.name.len)
            buf_printf(b, " <%.*s>", SPAN_FMT(p.name));
        clean = (p.container || mail_mime_decode(&body, &p)) && clean;
        if (p.container)
            buf_putc(b, '*');
        else
            buf_printf(b, " [%.*s]", SPAN_FMT(buf_span(&body)));
        buf_free(&body);
    }
    buf_put(b, m.damaged ? SPAN("|damaged") : SPAN(""));
    buf_put(b, m.cut ? SPAN("|cut") : SPAN(""));
    buf_put(b, clean ? SPAN("") : SPAN("|unclean"));
    arena_free(&a);
}

static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        struct buf b = BUF(1 << 20);
        outline(&b, span_str(walks[i].in));
        if (strcmp(buf_str(&b), walks[i].out) != 0)
            fail_msg("%s: %s", walks[i].name, buf_str(&b));
        buf_free(&b);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf deep = BUF(1 << 20), many = BUF(1 << 20), out = BUF(4 << 20);
    for (int i = 0; i < 40; i++)
        buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    outline(&out, buf_span(&deep));
    assert_non_null(strstr(buf_str(&out), "16 multipart/mixed ["));
    assert_non_null(strstr(buf_str(&out), "|cut"));
    buf_put(&many, SPAN(MIXED));
    for (int i = 0; i < 5000; i++)
        buf_put(&many, SPAN("--b\r\n\r\n\r\n"));
    buf_clear(&out);
    outline(&out, buf_span(&many));
    assert_non_null(strstr(buf_str(&out), "|cut"));
    buf_free(&deep);
    buf_free(&many);
    buf_free(&out);
}

static void test_fields(void **state)
{
    (void)state;
    struct arena a = ARENA(1 << 16);
    struct span head =
        SPAN("From x Mon 12:00\r\n nonsense\r\nA : b\r\n\tc\r\n: d\r\nE:f\r\n\r\nG: h\r\n");
    struct span value;
    struct mail_field f;
    assert_true(mail_field_find(head, SPAN("a"), &value));
    assert_true(span_eq(mail_field_unfold(value, &a), SPAN("b\tc")));
    assert_false(mail_field_find(head, SPAN("G"), &value));
    assert_true(mail_field_next(&head, &f) && span_eq(f.name, SPAN("A")));
    assert_true(mail_field_next(&head, &f) && span_eq(f.value, SPAN("f")));
    assert_false(mail_field_next(&head, &f));
    assert_true(span_eq(head, SPAN("G: h\r\n")));
    arena_free(&a);
}

// The messages of others: how many leaves we see, and how many their own parser. Where that differs
// the message is broken: a part of nothing but a boundary, a multipart of nothing, an outer
// boundary behind which inner ones go on; or it is one more message, base64 in spite of RFC 2046
// §5.2.1.
static const struct {
    const char *name;
    unsigned leaves, theirs;
} vectors[] = {
    {"malformed/000", 4, 0},  {"malformed/002", 0, 1},  {"malformed/004", 1, 1},
    {"malformed/006", 1, 1},  {"malformed/008", 2, 2},  {"malformed/010", 1, 1},
    {"malformed/012", 3, 2},  {"malformed/014", 2, 1},  {"malformed/016", 2, 4},
    {"malformed/018", 1, 1},  {"malformed/020", 3, 2},  {"malformed/022", 2, 2},
    {"rfc/000", 6, 6},        {"rfc/001", 3, 3},        {"rfc/002", 3, 3},
    {"rfc/003", 3, 3},        {"rfc/004", 3, 3},        {"rfc/005", 2, 2},
    {"rfc/006", 2, 2},        {"rfc/007", 10, 10},      {"rfc/008", 2, 3},
    {"rfc/009", 3, 3},        {"thirdparty/000", 2, 2}, {"thirdparty/002", 3, 3},
    {"thirdparty/004", 6, 6}, {"thirdparty/006", 3, 3}, {"thirdparty/008", 6, 6},
    {"thirdparty/010", 1, 1}, {"thirdparty/012", 3, 3}, {"thirdparty/014", 2, 2},
    {"thirdparty/016", 2, 2}, {"thirdparty/018", 3, 3},
};

static unsigned leaves_of(struct span message)
{
    struct arena a = ARENA(4 << 20);
    struct mail_mime m = mail_mime_open(message, &a);
    struct mail_mime_part p;
    unsigned leaves = 0;
    while (mail_mime_next(&m, &p))
        leaves += !p.container;
    arena_free(&a);
    return leaves;
}

static void test_vectors(void **state)
{
    (void)state;
    const char *folder = getenv("GELEIT_VECTORS");
    unsigned equal = 0, count = sizeof vectors / sizeof vectors[0];
    for (size_t i = 0; i < count; i++) {
        char path[1024];
        static char bytes[1 << 20];
        snprintf(path, sizeof path, "%s/mime-stalwart/%s.eml", folder ? folder : ".",
                 vectors[i].name);
        FILE *f = fopen(path, "rb");
        if (!f)
            skip();
        size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        unsigned leaves = leaves_of((struct span){bytes, n});
        if (leaves != vectors[i].leaves)
            fail_msg("%s: %u leaves, not %u", vectors[i].name, leaves, vectors[i].leaves);
        equal += leaves == vectors[i].theirs;
    }
    printf("# %u messages, %u of them seen alike\n", count, equal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
