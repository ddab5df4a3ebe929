// All evaluators over one message: what each hands the others, in whatever order
// answers come and however the message is cut; and the field that says it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "arc_help.h"
#include "auth_message.h"
#include "auth_results.h"
#include "dkim_help.h"

#define MESSAGE                                                                                    \
    "From: A <a@example.org>\r\nTo: b@example.net\r\nSubject: hi\r\n"                              \
    "Date: Sun, 22 Nov 2026 03:00:00 +0000\r\n\r\nHello.\r\n"

#define SPF_PASS   "example.org TXT v=spf1 ip4:192.0.2.1 -all\n"
#define SPF_FAIL   "example.org TXT v=spf1 -all\n"
#define SPF_DEAD   "example.org TXT !timeout\n"
#define REJECT     "_dmarc.example.org TXT v=DMARC1; p=reject\n"
#define LIST_SPF   "list.example TXT v=spf1 ip4:192.0.2.1 -all\n"
#define GATEWAY    "Authentication-Results: gw.example.net; "
#define QUARANTINE "_dmarc.author.example TXT v=DMARC1; p=quarantine\n"

struct scene {
    const char *name, *zone;
    const char *from, *helo; // of the envelope; from "" is the null sender
    bool sign;               // by DKIM, as example.org
    const char *author;      // instead of example.org
    const char *chain;       // steps of arc_help.h instead of MESSAGE
    const char *change[2];   // in the message
    const char *sealer, *list, *exempt, *believed;
    // "spf=… dkim=… arc=… dmarc=… done=DISPOSITION/OVERRIDE"
    const char *want;
};

static const struct scene scenes[] = {
    {"all pass", SPF_PASS REJECT, "a@example.org", "mx.example.org", true,
     .want = "spf=pass dkim=pass arc=none dmarc=pass done=none/none"},
    {"SPF only", SPF_PASS REJECT, "a@example.org", "mx.example.org", false,
     .want = "spf=pass dkim=none arc=none dmarc=pass done=none/none"},
    {"DKIM only", SPF_FAIL REJECT, "a@example.org", "mx.example.org", true,
     .want = "spf=fail dkim=pass arc=none dmarc=pass done=none/none"},
    {"null sender: SPF of HELO counts", SPF_PASS REJECT, "", "example.org", false,
     .want = "spf=pass dkim=none arc=none dmarc=pass done=none/none"},
    {"HELO beside another sender does not", SPF_PASS REJECT, "x@example.net", "example.org", false,
     .want = "spf=none dkim=none arc=none dmarc=fail done=reject/none"},
    {"forged", SPF_FAIL REJECT, "a@example.org", "mx.example.net", false,
     .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
    {"changed on the way", SPF_FAIL REJECT, "a@example.org", "mx.example.org", true,
     .change = {"Hello.", "Hullo."},
     .want = "spf=fail dkim=fail arc=none dmarc=fail done=reject/none"},
    {"no DMARC", SPF_PASS, "a@example.org", "mx.example.org", true,
     .want = "spf=pass dkim=pass arc=none dmarc=none done=none/none"},
    {"SPF cannot be told", SPF_DEAD REJECT, "a@example.org", "mx.example.org", false,
     .want = "spf=temperror dkim=none arc=none dmarc=temperror done=none/none"},
    {"SPF cannot be told, DKIM passes", SPF_DEAD REJECT, "a@example.org", "mx.example.org", true,
     .want = "spf=temperror dkim=pass arc=none dmarc=pass done=none/none"},
    {"two From fields", SPF_PASS REJECT, "a@example.org", "mx.example.org", false,
     .change = {"From: A", "From: b@example.net\r\nFrom: A"},
     .want = "spf=pass dkim=none arc=none dmarc=permerror done=none/none"},
    {"no From field", SPF_PASS REJECT, "a@example.org", "mx.example.org", false,
     .change = {"From: A", "X: A"},
     .want = "spf=pass dkim=none arc=none dmarc=permerror done=none/none"},
    {"a header that is none", SPF_PASS REJECT, "a@example.org", "mx.example.org", false,
     .change = {"To:", "no field\r\nTo:"},
     .want = "spf=pass dkim=none arc=none dmarc=permerror done=none/none"},
    {"a chain of a stranger", QUARANTINE, "l@list.example", "list.example", .chain = "none+b",
     .want = "spf=none dkim=none arc=pass dmarc=fail done=quarantine/none"},
    {"a chain of a trusted sealer", QUARANTINE, "l@list.example", "list.example", .chain = "none+b",
     .sealer = "s1.example",
     .want = "spf=none dkim=none arc=pass dmarc=fail done=none/trusted_forwarder"},
    {"a trusted sealer that saw a fail", QUARANTINE, "l@list.example", "list.example",
     .chain = "none+f", .sealer = "s1.example",
     .want = "spf=none dkim=none arc=pass dmarc=fail done=quarantine/none"},
    {"a trusted sealer that saw another author", QUARANTINE, "l@list.example", "list.example",
     .chain = "none+q", .sealer = "s1.example",
     .want = "spf=none dkim=none arc=pass dmarc=fail done=quarantine/none"},
    {"a broken chain of a trusted sealer", QUARANTINE, "l@list.example", "list.example",
     .chain = "none", .change = {"Hi.", "Ho."}, .sealer = "s1.example",
     .want = "spf=none dkim=none arc=fail dmarc=fail done=quarantine/none"},
    {"a list that SPF shows", LIST_SPF REJECT, "l@list.example", "list.example",
     .list = "list.example",
     .want = "spf=pass dkim=none arc=none dmarc=fail done=none/mailing_list"},
    {"below a list that SPF shows", "a.list.example TXT v=spf1 +all\n" REJECT, "l@a.list.example",
     "list.example", .list = "list.example",
     .want = "spf=pass dkim=none arc=none dmarc=fail done=none/mailing_list"},
    {"a list that a signature shows", QUARANTINE, "l@list.example", "list.example", true,
     .author = "author.example", .list = "example.org",
     .want = "spf=none dkim=pass arc=none dmarc=fail done=none/mailing_list"},
    {"a list that a broken signature shows", QUARANTINE, "l@list.example", "list.example", true,
     .author = "author.example", .change = {"Hello.", "Hullo."}, .list = "example.org",
     .want = "spf=none dkim=fail arc=none dmarc=fail done=quarantine/none"},
    {"who only says it is a list", "list.example TXT v=spf1 -all\n" REJECT, "l@list.example",
     "list.example", .list = "list.example",
     .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
    {"who is beside a list", "xlist.example TXT v=spf1 +all\n" REJECT, "l@xlist.example",
     "list.example", .list = "list.example",
     .want = "spf=pass dkim=none arc=none dmarc=fail done=reject/none"},
    {"an author whose policy is passed over", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .exempt = "example.org",
     .want = "spf=fail dkim=none arc=none dmarc=fail done=none/local_policy"},
    {"results that are believed", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .change = {"From: A", GATEWAY "dmarc=pass header.from=example.org\r\nFrom: A"},
     .believed = "gw.example.net",
     .want = "spf=fail dkim=none arc=none dmarc=fail done=none/trusted_forwarder"},
    {"results that are not", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .change = {"From: A", GATEWAY "dmarc=pass header.from=example.org\r\nFrom: A"},
     .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
    {"results of somebody else", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .change = {"From: A", GATEWAY "dmarc=pass header.from=example.org\r\nFrom: A"},
     .believed = "example.net", .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
    {"results for another author", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .change = {"From: A", GATEWAY "dmarc=pass header.from=example.com\r\nFrom: A"},
     .believed = "gw.example.net",
     .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
    {"results above older ones", SPF_FAIL REJECT, "a@example.org", "mx.example.net",
     .change = {"From: A",
                GATEWAY "dkim=pass\r\n" GATEWAY "dmarc=fail header.from=example.org\r\n" GATEWAY
                        "dmarc=pass header.from=example.org\r\nFrom: A"},
     .believed = "gw.example.net",
     .want = "spf=fail dkim=none arc=none dmarc=fail done=reject/none"},
};

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

static void compose(struct buf *out, const struct scene *s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    const char *pems[] = {help_rsa_2048};
    struct auth_sign_options o = {.now.us = SECONDS(1000)};
    CLEANUP(buf_free) struct buf plain = BUF(4096);
    buf_put(&plain, SPAN(MESSAGE));
    if (s->author)
        replace(&plain, SPAN("example.org"), span_str(s->author));
    if (s->chain)
        arc_help_message(out, s->chain);
    else
        buf_put(out, s->sign ? help_sign(&o, buf_span(&plain), &a, 1, pems) : buf_span(&plain));
    if (s->change[0])
        replace(out, span_str(s->change[0]), span_str(s->change[1]));
}

static struct zone *world(const struct scene *s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct zone *z = arc_help_keys(s->zone);
    if (!zone_add(z, SPAN("s0._domainkey.example.org"), SPAN("TXT"),
                  help_record(help_rsa_2048, &a)))
        panic("zone");
    return z;
}

static void pump(struct auth_message *m, struct zone *z, struct zone_pending *pending, bool wait)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    for (;;) {
        struct auth_step step = auth_message_next(m);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(pending, &step);
        } else {
            if (wait || !zone_pending_take(pending, &step))
                return;
            struct dns_answer answer = zone_answer(z, &step.question, &a);
            auth_message_answer(m, step.ticket, &answer);
        }
    }
}

static struct auth_domains one(struct dns_name *name, const char *text)
{
    bool any = text && dns_name_parse(name, span_str(text));
    return (struct auth_domains){name, any};
}

static struct auth_message *open_message(const struct scene *s)
{
    static struct dns_name sealer, list, exempt; // borrowed

    struct auth_message_request q = {
        .spf = {.helo = span_str(s->helo), .mail_from = span_str(s->from)},
        .dkim.now.us = SECONDS(1000),
        .facts.most = DMARC_REJECT,
    };
    if (!dns_address_parse(&q.spf.client, SPAN("192.0.2.1")))
        panic("address");
    if (s->sealer && dns_name_parse(&sealer, span_str(s->sealer))) {
        q.arc.sealers = &sealer;
        q.arc.sealer_count = 1;
    }
    q.lists = one(&list, s->list);
    q.exempt = one(&exempt, s->exempt);
    q.believed = span_str(s->believed);
    return auth_message_new(&q);
}

// `late`: no answer comes before the end of the message.
static struct auth_message *run(const struct scene *s, struct span message, size_t chunk,
                                unsigned seed, bool late)
{
    CLEANUP(zone_free) struct zone *z = world(s);
    struct zone_pending pending = {.seed = seed};
    struct auth_message *m = open_message(s);
    pump(m, z, &pending, late);
    for (; message.len; message = span_skip(message, chunk)) {
        auth_message_feed(m, span_first(message, chunk));
        pump(m, z, &pending, late);
    }
    assert_null(auth_message_result(m));
    auth_message_end(m);
    pump(m, z, &pending, false);
    assert_non_null(auth_message_result(m));
    return m;
}

static void check(const struct auth_message_result *r, const char *want)
{
    CLEANUP(buf_free) struct buf b = BUF(512);
    buf_printf(&b, "spf=%s dkim=%s arc=%s dmarc=%s done=%s/%s",
               auth_result_text(r->spf->check[AUTH_SPF_MAIL_FROM].result),
               auth_result_text(auth_dkim_overall(r->dkim)), auth_result_text(r->arc->result),
               auth_result_text(r->dmarc->result), auth_dmarc_policy_text(r->ruling.disposition),
               auth_dmarc_override_text(r->ruling.override));
    assert_string_equal(buf_str(&b), want);
}

// What comes out always parses, and says of each method what the result says.
static void check_field(const struct auth_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct auth_results parsed;
    auth_message_put_results(m, &b, SPAN("mx.example.net"), false);
    struct span value = buf_span(&b);
    (void)span_cut(&value, ':');
    assert_true(span_ends(value, SPAN("\r\n")));
    assert_true(auth_results_parse(&parsed, span_first(value, value.len - 2), &a));
    assert_true(span_eq(parsed.id, SPAN("mx.example.net")));
    assert_true(parsed.count >= 3);
    enum auth_result dmarc = auth_message_result(m)->dmarc->result;
    for (size_t i = 0; i < parsed.count; i++)
        if (span_eq(parsed.infos[i].method, SPAN("dmarc")))
            assert_true(span_eq(parsed.infos[i].result, span_str(auth_result_text(dmarc))));
}

static void scene_case(void **state)
{
    static const size_t chunks[] = {SIZE_MAX, 1, 7, 100};
    const struct scene *s = *state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 20);
    compose(&message, s);
    for (unsigned seed = 0; seed < 4; seed++) {
        CLEANUP(auth_message_free)
        struct auth_message *m = run(s, buf_span(&message), chunks[seed], seed, seed & 1);
        check(auth_message_result(m), s->want);
        check_field(m);
    }
}

static void field_text(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf message = BUF(1 << 20), b = BUF(64 << 10);
    compose(&message, &scenes[5]);
    CLEANUP(auth_message_free)
    struct auth_message *m = run(&scenes[5], buf_span(&message), SIZE_MAX, 0, false);
    auth_message_put_results(m, &b, SPAN("mx.example.net"), false);
    assert_non_null(strstr(buf_str(&b), "Authentication-Results: mx.example.net;\r\n\tspf=fail"));
    assert_non_null(strstr(buf_str(&b), "smtp.mailfrom=a@example.org"));
    assert_non_null(strstr(buf_str(&b), "smtp.helo=mx.example.net"));
    assert_non_null(strstr(buf_str(&b), "dkim=none"));
    assert_non_null(strstr(buf_str(&b), "dmarc=fail (p=reject dis=reject)"));
    assert_non_null(strstr(buf_str(&b), "header.from=example.org policy.dmarc=reject"));
}

static void without_a_client(void **state)
{
    (void)state;
    CLEANUP(zone_free) struct zone *z = zone_new(REJECT);
    struct auth_message_request q = {.no_spf = true, .facts.most = DMARC_REJECT};
    CLEANUP(auth_message_free) struct auth_message *m = auth_message_new(&q);
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct zone_pending pending = {0};
    auth_message_feed(m, SPAN(MESSAGE));
    auth_message_end(m);
    auth_message_end(m);
    pump(m, z, &pending, false);
    const struct auth_message_result *r = auth_message_result(m);
    assert_null(r->spf);
    assert_int_equal(r->dmarc->result, AUTH_FAIL);
    auth_message_put_results(m, &b, SPAN("mx.example.net"), false);
    assert_null(strstr(buf_str(&b), "spf="));
}

static void strange_calls(void **state)
{
    (void)state;
    struct auth_message_request q = {.no_spf = true};
    struct auth_message *m = auth_message_new(&q);
    struct dns_answer answer = {.standing = DNS_INSECURE, .presence = DNS_NXDOMAIN};
    for (unsigned ticket = 0; ticket < 500; ticket++)
        auth_message_answer(m, ticket, &answer);
    auth_message_answer(m, UINT_MAX, &answer);
    assert_int_equal(auth_message_next(m).kind, AUTH_WAIT);
    auth_message_free(&m); // in the middle
    auth_message_free(&m);
    m = auth_message_new(&q);
    auth_message_end(m); // not one byte
    assert_int_equal(auth_message_next(m).kind, AUTH_DONE);
    assert_int_equal(auth_message_result(m)->dmarc->result, AUTH_PERMERROR);
    auth_message_free(&m);
}

static void header_without_end(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf line = BUF(2048);
    struct auth_message_request q = {.no_spf = true};
    CLEANUP(auth_message_free) struct auth_message *m = auth_message_new(&q);
    buf_printf(&line, "From: a@example.org\r\nX: %0900d\r\n", 0);
    for (int i = 0; i < 400; i++)
        auth_message_feed(m, buf_span(&line));
    auth_message_end(m);
    for (struct auth_step s; (s = auth_message_next(m)).kind != AUTH_DONE;)
        assert_int_equal(s.kind, AUTH_ASK_DNS);
    assert_int_equal(auth_message_result(m)->dmarc->result, AUTH_PERMERROR);
    assert_int_equal(auth_message_result(m)->dmarc->from.problem, AUTH_FROM_UNREAD);
}

// Asks all that can be asked, then answers all of it. 0: there was nothing.
static unsigned turn(struct auth_message *m, struct zone *z)
{
    CLEANUP(arena_free) struct arena a = ARENA(16 << 20);
    struct zone_pending pending = {0};
    struct auth_step step = auth_message_next(m);
    for (; step.kind == AUTH_ASK_DNS; step = auth_message_next(m))
        zone_pending_add(&pending, &step);
    unsigned any = pending.count > 0;
    while (zone_pending_take(&pending, &step)) {
        struct dns_answer answer = zone_answer(z, &step.question, &a);
        auth_message_answer(m, step.ticket, &answer);
    }
    return any;
}

// What a slow DNS makes of it: each answer takes one turn, and all that can be asked
// is asked. It is the longest way that counts, not the number of questions.
static const struct {
    const char *name, *zone, *from, *helo, *author, *chain;
    bool sign, early; // early: SPF is asked a turn before the header is there
    unsigned questions, turns;
} ways[] = {
    {"all of one domain", SPF_PASS REJECT, "a@example.org", "mx.example.org", NULL, NULL, true,
     false, 4, 1},
    {"another HELO is asked beside", SPF_PASS REJECT "mx.example.net TXT v=spf1 a -all\n",
     "a@example.org", "mx.example.net", NULL, NULL, true, false, 5, 2},
    {"an include of an include is the longest way",
     "example.org TXT v=spf1 include:a.example -all\na.example TXT v=spf1 include:b.example -all\n"
     "b.example TXT v=spf1 mx -all\nb.example MX 1 m1.b.example\nb.example MX 2 m2.b.example\n"
     "m1.b.example A 192.0.2.7\nm2.b.example A 192.0.2.1\n" REJECT,
     "a@example.org", "mx.example.org", NULL, NULL, true, false, 9, 5},
    {"SPF is done when the header comes", SPF_PASS REJECT, "a@example.org", "mx.example.org", NULL,
     NULL, true, true, 4, 2},
    {"the way to the author's policy is gone beside SPF",
     "example.org TXT v=spf1 include:a.example -all\na.example TXT v=spf1 include:b.example -all\n"
     "b.example TXT v=spf1 -all\n_dmarc.author.example TXT v=DMARC1; p=reject\n",
     "a@example.org", "mx.example.org", "b.author.example", NULL, true, false, 8, 3},
    // RFC 9989 §4.10: a step of a walk is taken if the one before found no end.
    {"a domain that must be shown to be aligned is a way behind SPF",
     "a.b.example.org TXT v=spf1 +all\n" REJECT, "a@a.b.example.org", "mx.example.org", NULL, NULL,
     false, false, 6, 4},
    {"keys of a chain", QUARANTINE, "l@list.example", "list.example", NULL, "none+b", false, false,
     3, 1},
};

static void turns_are_taken_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct scene s = {.zone = ways[i].zone,
                          .from = ways[i].from,
                          .helo = ways[i].helo,
                          .author = ways[i].author,
                          .sign = ways[i].sign,
                          .chain = ways[i].chain};
        CLEANUP(buf_free) struct buf message = BUF(1 << 20);
        CLEANUP(zone_free) struct zone *z = world(&s);
        CLEANUP(auth_message_free) struct auth_message *m = open_message(&s);
        compose(&message, &s);
        unsigned turns = ways[i].early ? turn(m, z) : 0;
        auth_message_feed(m, buf_span(&message));
        auth_message_end(m);
        while (turn(m, z))
            turns++;
        assert_non_null(auth_message_result(m));
        if (turns != ways[i].turns || zone_questions(z) != ways[i].questions) {
            for (unsigned n = 0; n < zone_questions(z); n++)
                print_error("%s\n", zone_question(z, n));
            fail_msg("%s: %u turns, %u questions", ways[i].name, turns, zone_questions(z));
        }
    }
}

int main(void)
{
    enum { SCENES = sizeof scenes / sizeof *scenes, OTHERS = 5 };
    struct CMUnitTest tests[SCENES + OTHERS] = {
        cmocka_unit_test(field_text), cmocka_unit_test(without_a_client),
        cmocka_unit_test(turns_are_taken_together), cmocka_unit_test(strange_calls),
        cmocka_unit_test(header_without_end)};
    for (size_t i = 0; i < SCENES; i++)
        tests[OTHERS + i] = (struct CMUnitTest){
            .name = scenes[i].name, .test_func = scene_case, .initial_state = (void *)&scenes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
