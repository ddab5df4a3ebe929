// ARC chains: RFC 8617 §4 and §5.2.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arc_help.h"
#include "auth_head.h"
#include "tree.h"
#include "zone.h"

static void replace(struct buf *b, struct span from, struct span to)
{
    CLEANUP(buf_free) struct buf out = BUF(b->max);
    const char *at = memmem(b->at, b->len, from.at, from.len);
    if (!at)
        panic("nothing to replace: %.*s", SPAN_FMT(from));
    size_t before = (size_t)(at - b->at);
    buf_put(&out, span_first(buf_span(b), before));
    buf_put(&out, to);
    buf_put(&out, span_skip(buf_span(b), before + from.len));
    buf_clear(b);
    buf_put(b, buf_span(&out));
}

static void run(struct auth_arc *m, struct zone *z, struct span message, size_t chunk,
                unsigned seed)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct zone_pending pending = {.seed = seed};
    while (message.len) {
        auth_arc_feed(m, span_first(message, chunk));
        message = span_skip(message, chunk);
    }
    assert_null(auth_arc_result(m));
    auth_arc_end(m);
    for (;;) {
        struct auth_step step = auth_arc_next(m);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(&pending, &step);
        } else {
            assert_true(zone_pending_take(&pending, &step));
            struct dns_answer answer = zone_answer(z, &step.question, &a);
            auth_arc_answer(m, step.ticket, &answer);
        }
    }
}

struct scene {
    const char *name, *steps;
    const char *change[4]; // pairs: what is replaced in the message, and by what
    const char *zone;      // lines that stand for the sealers' keys
    const char *want;      // "none", "pass COUNT OLDEST", "fail WORDS of the reason"
};

static const struct scene scenes[] = {
    {"no chain", "", {0}, "", "none"},
    {"one set", "none", {0}, "", "pass 1 0"},
    {"two sets", "none pass", {0}, "", "pass 2 0"},
    {"five sets", "none pass pass pass pass", {0}, "", "pass 5 0"},
    {"fifty sets",
     "none pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass "
     "pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass pass "
     "pass pass pass pass pass pass pass pass pass pass pass pass pass pass",
     {0},
     "",
     "pass 50 0"},
    {"Ed25519", "none+e", {0}, "", "pass 1 0"},
    {"Ed25519 and RSA", "none pass+e pass", {0}, "", "pass 3 0"},
    {"body changed by the second", "none pass+b", {0}, "", "pass 2 2"},
    {"body changed by the third, then not", "none pass pass+b pass", {0}, "", "pass 4 3"},
    {"case and folding of fields",
     "none",
     {"ARC-Seal: i=1;", "arc-seal:\r\n\t i=1;"},
     "",
     "pass 1 0"},

    {"cv=fail on top", "none fail", {0}, "", "fail cv=fail"},
    {"cv=fail below", "none fail pass", {0}, "", "fail cv=fail"},
    {"cv=none above the first", "none none", {0}, "", "fail cv= is not pass"},
    {"cv=pass in the first", "pass", {0}, "", "fail cv= is not none"},
    {"cv unknown", "maybe", {0}, "", "fail cv= is not none"},
    {"cv missing", "none", {"cv=none; ", ""}, "", "fail cv= is not none"},
    {"a gap", "none pass", {"Results: i=2", "Results: i=3"}, "", "fail missing"},
    {"results missing",
     "none",
     {"ARC-Authentication-Results:", "X:"},
     "",
     "fail results are missing"},
    {"message signature missing",
     "none",
     {"ARC-Message-Signature:", "X:"},
     "",
     "fail message signature is missing"},
    {"seal missing", "none", {"ARC-Seal:", "X:"}, "", "fail seal is missing"},
    {"two seals", "none", {"From: u", "ARC-Seal: i=1; a=x\r\nFrom: u"}, "", "fail two seals"},
    {"two message signatures",
     "none pass",
     {"Signature: i=2", "Signature: i=1"},
     "",
     "fail two message"},
    {"two results", "none pass", {"Results: i=2", "Results: i=1"}, "", "fail two fields"},
    {"instance 0", "none", {"ARC-Seal: i=1", "ARC-Seal: i=0"}, "", "fail no instance"},
    {"instance 51", "none", {"ARC-Seal: i=1", "ARC-Seal: i=51"}, "", "fail no instance"},
    {"instance of no number", "none", {"Results: i=1", "Results: i=one"}, "", "fail no instance"},
    {"instance 001", "none", {"Results: i=1", "Results: i=001"}, "", "fail no instance"},
    {"no instance", "none", {"Results: i=1;", "Results: "}, "", "fail no instance"},
    {"seal with h=", "none", {"cv=none;", "cv=none; h=from;"}, "", "fail h= tag"},
    {"seal without d=", "none", {"cv=none; d=s1.example;", "cv=none;"}, "", "fail d= is no"},
    {"seal without s=", "none", {"s=k; t=1", "t=1"}, "", "fail s= is no"},
    {"seal by SHA-1",
     "none",
     {"i=1; a=rsa-sha256; cv", "i=1; a=rsa-sha1; cv"},
     "",
     "fail algorithm"},
    {"seal without b=", "none", {"t=1; b=", "t=1; x="}, "", "fail no base64"},
    {"seal with a tag twice", "none", {"t=1;", "t=1; t=1;"}, "", "fail no instance"},
    {"seal changed", "none", {"t=1; b=", "t=2; b="}, "", "fail the seal of instance 1"},
    {"results changed", "none", {"dmarc=pass", "dmarc=fail"}, "", "fail the seal of instance 1"},
    {"older results changed",
     "none pass",
     {"s1.example;\r\n dmarc=pass", "s1.example; dmarc=fail"},
     "",
     "fail the seal of instance 2"},
    {"body changed", "none", {"hello\r\n\r\n", "hello\r\n\r\nx"}, "", "fail body hash"},
    {"subject changed",
     "none",
     {"Subject: hello", "Subject: hullo"},
     "",
     "fail message signature of instance 1 by s1.example: the signature does not match"},
    {"field not signed may come",
     "none",
     {"Subject: hello", "Subject: hello\r\nX: 1"},
     "",
     "pass 1 0"},
    {"From is not signed", "none", {"h=from:subject", "h=subject"}, "", "fail From"},
    {"signs a seal", "none", {"h=from:subject", "h=from:arc-seal"}, "", "fail fields of the chain"},
    {"older signature unreadable",
     "none pass",
     {"i=1; a=rsa-sha256; c=", "i=1; a=x; c="},
     "",
     "fail the seal of instance 2"},
    {"expired", "none", {"h=from:subject;", "h=from:subject; x=10;"}, "", "fail expired"},
    {"l= is the body",
     "none",
     {"h=from:subject;", "h=from:subject; l=5;"},
     "",
     "fail the signature does not match"},
    {"l= is less than the body",
     "none",
     {"h=from:subject;", "h=from:subject; l=1;"},
     "",
     "fail l= leaves"},

    {"no key", "none", {0}, "k._domainkey.s1.example TXT !nodata\n", "fail there is no key"},
    {"key cannot be looked up",
     "none",
     {0},
     "k._domainkey.s1.example TXT !timeout\n",
     "fail could not be looked up!"},
    {"key is bogus",
     "none",
     {0},
     "k._domainkey.s1.example TXT !bogus\n",
     "fail could not be looked up!"},
    {"key cannot be read", "none", {0}, "k._domainkey.s1.example TXT !empty\n", "fail be read"},
    {"key is revoked", "none", {0}, "k._domainkey.s1.example TXT v=DKIM1; p=\n", "fail revoked"},
    {"key is nonsense", "none", {0}, "k._domainkey.s1.example TXT hello\n", "fail list of tags"},
    {"key of the second is gone",
     "none pass",
     {0},
     "k._domainkey.s2.example TXT !nodata\n",
     "fail message signature of instance 2"},
    {"key of the first is gone",
     "none pass",
     {0},
     "k._domainkey.s1.example TXT !nodata\n",
     "fail the seal of instance 1"},

    {"a header that is none",
     "none",
     {"Subject: hello", "Subject: hello\r\nno field"},
     "",
     "fail no field"},
    {"a header that is none, without a chain",
     "",
     {"Subject: hello", "Subject: hello\r\nno field"},
     "",
     "none"},
};

static void check(const struct auth_arc_result *r, const char *want)
{
    struct span rest = span_str(want);
    assert_true(span_eq(span_cut(&rest, ' '), span_str(auth_result_text(r->result))));
    if (r->result == AUTH_PASS) {
        CLEANUP(buf_free) struct buf b = BUF(64);
        buf_printf(&b, "pass %u %u", r->count, r->oldest_pass);
        assert_string_equal(buf_str(&b), want);
    } else if (r->result == AUTH_FAIL) {
        bool dns = span_ends(rest, SPAN("!"));
        rest.len -= dns;
        if (!memmem(r->reason, strlen(r->reason), rest.at, rest.len))
            print_error("%s\n", r->reason);
        assert_non_null(memmem(r->reason, strlen(r->reason), rest.at, rest.len));
        assert_int_equal(r->dns_failed, dns);
    }
}

static void scene_case(void **state)
{
    const struct scene *s = *state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 20);
    struct auth_arc_options o = {.now.us = SECONDS(1000)};
    arc_help_message(&message, s->steps);
    for (size_t i = 0; i < 4 && s->change[i]; i += 2)
        replace(&message, span_str(s->change[i]), span_str(s->change[i + 1]));
    for (unsigned seed = 0; seed < 3; seed++) {
        CLEANUP(zone_free) struct zone *z = arc_help_keys(s->zone);
        CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
        run(m, z, buf_span(&message), seed == 0 ? SIZE_MAX : seed * 3, seed);
        check(auth_arc_result(m), s->want);
    }
}

// RFC 8617 counts instances, not places: the fields of the message upside down.
static void order_of_fields_is_nothing(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 16), turned = BUF(1 << 16);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = arc_help_keys("");
    struct auth_arc_options o = {0};
    CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
    struct auth_head head;
    arc_help_message(&message, "none pass");
    auth_head_read(&head, buf_span(&message), &a);
    for (size_t i = head.count; i > 0; i--) {
        buf_put(&turned, head.at[i - 1].text);
        buf_printf(&turned, "\r\n");
    }
    buf_printf(&turned, "\r\nHi.\r\n");
    run(m, z, buf_span(&turned), 10, 1);
    check(auth_arc_result(m), "pass 2 0");
}

struct hint_case {
    const char *name, *steps, *sealers;
    unsigned instance;
    enum auth_result dmarc;
    const char *from;
};

static const struct hint_case hints[] = {
    {"hint: nobody configured", "none", "", 0, AUTH_NONE, ""},
    {"hint: somebody else configured", "none", "s9.example", 0, AUTH_NONE, ""},
    {"hint: the sealer", "none", "s1.example", 1, AUTH_PASS, "author.example"},
    {"hint: not below a name", "none", "example", 0, AUTH_NONE, ""},
    {"hint: two of two", "none pass+f", "s1.example s2.example", 1, AUTH_PASS, "author.example"},
    {"hint: the newer one", "none pass+f", "s2.example", 2, AUTH_FAIL, "author.example"},
    {"hint: the older one only", "none pass", "s1.example", 0, AUTH_NONE, ""},
    {"hint: a stranger between", "none pass pass+f", "s1.example s3.example", 3, AUTH_FAIL,
     "author.example"},
    {"hint: another author", "none+q", "s1.example", 1, AUTH_PASS, "other.example"},
};

static void hint_case(void **state)
{
    const struct hint_case *c = *state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 20);
    CLEANUP(zone_free) struct zone *z = arc_help_keys("");
    struct dns_name sealers[4];
    struct auth_arc_options o = {.sealers = sealers};
    struct span rest = span_str(c->sealers);
    while (rest.at && rest.len)
        if (!dns_name_parse(&sealers[o.sealer_count++], span_cut(&rest, ' ')))
            panic("no name");
    arc_help_message(&message, c->steps);
    CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
    run(m, z, buf_span(&message), SIZE_MAX, 0);
    const struct auth_arc_hint *hint = &auth_arc_result(m)->hint;
    assert_int_equal(hint->instance, c->instance);
    assert_int_equal(hint->heard.dmarc, c->dmarc);
    assert_string_equal(hint->heard.from.text, c->from);
}

static void limits(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 20);
    struct auth_arc_options o = {0};
    CLEANUP(auth_arc_free) struct auth_arc *many = auth_arc_new(&o);
    CLEANUP(auth_arc_free) struct auth_arc *large = auth_arc_new(&o);
    for (int i = 0; i < 2000; i++)
        buf_printf(&message, "ARC-Seal: i=%d\r\n", i % 50 + 1);
    buf_printf(&message, "\r\n");
    run(many, NULL, buf_span(&message), 1000, 0);
    check(auth_arc_result(many), "fail too many header fields");
    buf_clear(&message);
    while (message.len <= AUTH_HEAD_MAX)
        buf_printf(&message, "X: %0500d\r\n", 0);
    run(large, NULL, buf_span(&message), 1000, 0);
    check(auth_arc_result(large), "fail the header is too large");
}

static void strange_calls(void **state)
{
    (void)state;
    struct auth_arc_options o = {0};
    CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
    struct dns_answer answer = {.standing = DNS_INSECURE, .presence = DNS_NXDOMAIN};
    assert_int_equal(auth_arc_next(m).kind, AUTH_WAIT);
    auth_arc_answer(m, 0, &answer);
    auth_arc_answer(m, 1000, &answer);
    auth_arc_end(m);
    auth_arc_end(m);
    assert_int_equal(auth_arc_next(m).kind, AUTH_DONE);
    assert_int_equal(auth_arc_next(m).kind, AUTH_DONE);
    assert_int_equal(auth_arc_result(m)->result, AUTH_NONE);
}

// --- arc-stalwart: keys as "name record" lines, an empty line, the message.

static void put_crlf(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n' && (i == 0 || text.at[i - 1] != '\r'))
            buf_putc(b, '\r');
        buf_putc(b, text.at[i]);
    }
}

static void vector(const char *path, unsigned count)
{
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    CLEANUP(zone_free) struct zone *z = zone_new(NULL);
    CLEANUP(buf_free) struct buf message = BUF(1 << 20);
    struct auth_arc_options o = {.now.us = SECONDS(1667940000)};
    CLEANUP(auth_arc_free) struct auth_arc *m = auth_arc_new(&o);
    struct span rest = tree_bytes(path, &a), line = {NULL, 0};
    assert_non_null(rest.at);
    while ((line = span_cut(&rest, '\n')).len > 0) {
        struct span name = span_cut(&line, ' ');
        assert_true(zone_add(z, name, SPAN("TXT"), line));
    }
    put_crlf(&message, rest);
    run(m, z, buf_span(&message), 100, 0);
    const struct auth_arc_result *r = auth_arc_result(m);
    if (r->result != AUTH_PASS)
        print_error("%s: %s\n", path, r->reason);
    assert_int_equal(r->result, AUTH_PASS);
    assert_int_equal(r->count, count);
}

static void vector_first(void **state)
{
    (void)state;
    vector("arc-stalwart/001.txt", 1);
}

static void vector_second(void **state)
{
    (void)state;
    vector("arc-stalwart/002.txt", 2);
}

int main(void)
{
    enum { SCENES = sizeof scenes / sizeof *scenes, HINTS = sizeof hints / sizeof *hints };
    struct CMUnitTest tests[SCENES + HINTS + 5] = {
        cmocka_unit_test(order_of_fields_is_nothing),
        cmocka_unit_test(limits),
        cmocka_unit_test(strange_calls),
        cmocka_unit_test(vector_first),
        cmocka_unit_test(vector_second),
    };
    for (size_t i = 0; i < SCENES; i++)
        tests[5 + i] = (struct CMUnitTest){
            .name = scenes[i].name, .test_func = scene_case, .initial_state = (void *)&scenes[i]};
    for (size_t i = 0; i < HINTS; i++)
        tests[5 + SCENES + i] = (struct CMUnitTest){
            .name = hints[i].name, .test_func = hint_case, .initial_state = (void *)&hints[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
