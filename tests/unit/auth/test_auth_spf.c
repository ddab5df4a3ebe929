// The SPF machine: results, limits, failures, macros and hostile input. The
// suites of others are in spf_vectors.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "auth_spf.h"
#include "base_rc.h"
#include "zone.h"

struct play {
    struct zone *zone;
    struct arena arena, answers;
    struct auth_spf_request r;
    const struct auth_spf_result *result;
    unsigned most_at_once;
};

static struct auth_spf_request request(const char *ip, const char *helo, const char *from)
{
    struct auth_spf_request r = {
        .helo = span_str(helo), .mail_from = span_str(from), .now = {1700000000 * US_PER_S}};
    assert_true(dns_address_parse(&r.client, span_str(ip)));
    assert_true(dns_name_parse(&r.receiver, SPAN("mx.receiver.example")));
    return r;
}

static void drive(struct play *p, struct auth_spf *s, unsigned seed)
{
    struct zone_pending pending = {.seed = seed};
    for (;;) {
        struct auth_step step = auth_spf_next(s), chosen;
        if (step.kind == AUTH_DONE)
            break;
        assert_null(auth_spf_result(s));
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(&pending, &step);
            if (pending.count > p->most_at_once)
                p->most_at_once = (unsigned)pending.count;
            continue;
        }
        assert_true(zone_pending_take(&pending, &chosen));
        struct dns_answer a = zone_answer(p->zone, &chosen.question, &p->answers);
        auth_spf_answer(s, chosen.ticket, &a);
        auth_spf_answer(s, chosen.ticket, &a); // again: ignored
        auth_spf_answer(s, 0, &a);
        auth_spf_answer(s, 9999, &a);
    }
    assert_int_equal(auth_spf_next(s).kind, AUTH_WAIT);
    p->result = auth_spf_result(s);
}

static void play_request(struct play *p, const struct auth_spf_request *r, const char *zone)
{
    *p = (struct play){.zone = zone_new(zone),
                       .arena = ARENA(AUTH_SPF_ARENA),
                       .answers = ARENA(128 << 20),
                       .r = *r};
    struct auth_spf *s = auth_spf_new(r, &p->arena);
    assert_non_null(s);
    drive(p, s, 7);
    for (int i = 0; i < AUTH_SPF_IDENTITIES; i++) {
        const struct auth_spf_check *c = &p->result->check[i];
        if (!c->checked)
            continue;
        assert_true(c->reason.len > 10 && c->reason.at[c->reason.len - 1] == '.');
        assert_true(c->step_count <= AUTH_SPF_STEPS);
        assert_true(c->lookups <= AUTH_SPF_LOOKUPS + 2);
    }
}

static void play(struct play *p, const char *ip, const char *from, const char *zone)
{
    struct auth_spf_request r = request(ip, "helo.example.org", from);
    play_request(p, &r, zone);
}

static void play_free(struct play *p)
{
    zone_free(&p->zone);
    arena_free(&p->arena);
    arena_free(&p->answers);
}

static const struct auth_spf_check *from_check(const struct play *p)
{
    return &p->result->check[AUTH_SPF_MAIL_FROM];
}

// --- a zone, a client, a result

struct row {
    const char *name, *zone, *ip;
    enum auth_result want;
    const char *mechanism;
    const char *from; // NULL: u@example.org
};

static void test_row(void **state)
{
    const struct row *row = *state;
    CLEANUP(play_free) struct play p;
    play(&p, row->ip, row->from ? row->from : "u@example.org", row->zone);
    const struct auth_spf_check *c = from_check(&p);
    if (c->result != row->want)
        print_message("%.*s\n", SPAN_FMT(c->reason));
    assert_string_equal(auth_result_text(c->result), auth_result_text(row->want));
    if (row->mechanism)
        assert_true(span_eq(c->mechanism, span_str(row->mechanism)));
}

static const struct row rows[] = {
    {"no record", "example.org TXT hello\n", "192.0.2.1", AUTH_NONE, ""},
    {"no domain", "other.org TXT hello\n", "192.0.2.1", AUTH_NONE, ""},
    {"record fails to come", "example.org TXT !timeout\n", "192.0.2.1", AUTH_TEMPERROR, ""},
    {"record is bogus", "example.org TXT !bogus\n", "192.0.2.1", AUTH_TEMPERROR, ""},
    {"records that cannot be read", "example.org TXT !empty\n", "192.0.2.1", AUTH_TEMPERROR, ""},
    {"strings are joined", "example.org TXT \"v=sp\" \"f1 ip4:192.0\" \".2.1 -all\"\n", "192.0.2.1",
     AUTH_PASS, "ip4:192.0.2.1"},
    {"upper case", "example.org TXT V=SPF1 IP4:192.0.2.1 -ALL\n", "192.0.2.1", AUTH_PASS,
     "IP4:192.0.2.1"},
    {"two records", "example.org TXT v=spf1 -all\nexample.org TXT v=spf1\n", "192.0.2.1",
     AUTH_PERMERROR, ""},
    {"behind a CNAME", "example.org CNAME e.net\ne.net TXT v=spf1 ip4:192.0.2.1 -all\n",
     "192.0.2.1", AUTH_PASS, "ip4:192.0.2.1"},
    {"tab does not separate", "example.org TXT \"v=spf1 ip4:192.0.2.1\\009-all\"\n", "192.0.2.1",
     AUTH_PERMERROR, ""},
    {"ip4 network", "example.org TXT v=spf1 ip4:192.0.2.128/25 -all\n", "192.0.2.129", AUTH_PASS,
     "ip4:192.0.2.128/25"},
    {"ip4 outside", "example.org TXT v=spf1 ip4:192.0.2.128/25 -all\n", "192.0.2.1", AUTH_FAIL,
     "-all"},
    {"ip6 network", "example.org TXT v=spf1 ip6:2001:db8::/33 ~all\n", "2001:db8:7fff::1",
     AUTH_PASS, "ip6:2001:db8::/33"},
    {"ip6 outside by a bit", "example.org TXT v=spf1 ip6:2001:db8::/33 ~all\n", "2001:db8:8000::1",
     AUTH_SOFTFAIL, "~all"},
    {"mapped client is IPv4", "example.org TXT v=spf1 ip4:192.0.2.1 -all\n", "::ffff:192.0.2.1",
     AUTH_PASS, "ip4:192.0.2.1"},
    {"dual prefix, IPv4", "example.org TXT v=spf1 a/24//64 -all\nexample.org A 192.0.2.200\n",
     "192.0.2.1", AUTH_PASS, "a/24//64"},
    {"dual prefix, IPv6", "example.org TXT v=spf1 a/24//64 -all\nexample.org AAAA 2001:db8::1\n",
     "2001:db8::2", AUTH_PASS, "a/24//64"},
    {"a, lookup failed", "example.org TXT v=spf1 a ?all\nexample.org A !servfail\n", "192.0.2.1",
     AUTH_TEMPERROR, ""},
    {"mx, lookup failed", "example.org TXT v=spf1 mx ?all\nexample.org MX !timeout\n", "192.0.2.1",
     AUTH_TEMPERROR, ""},
    {"mx, a host failed, none matches",
     "example.org TXT v=spf1 mx -all\nexample.org MX 1 a.example.org\nexample.org MX 2 "
     "b.example.org\na.example.org A !timeout\nb.example.org A 192.0.2.2\n",
     "192.0.2.1", AUTH_TEMPERROR, ""},
    {"mx, a host failed, another matches",
     "example.org TXT v=spf1 mx -all\nexample.org MX 1 a.example.org\nexample.org MX 2 "
     "b.example.org\na.example.org A !timeout\nb.example.org A 192.0.2.1\n",
     "192.0.2.1", AUTH_PASS, "mx"},
    {"null MX", "example.org TXT v=spf1 mx -all\nexample.org MX 0 .\n", "192.0.2.1", AUTH_FAIL,
     "-all"},
    {"exists, lookup failed", "example.org TXT v=spf1 exists:x.org ?all\nx.org A !bogus\n",
     "192.0.2.1", AUTH_TEMPERROR, ""},
    {"include none", "example.org TXT v=spf1 include:x.org -all\nx.org TXT nothing\n", "192.0.2.1",
     AUTH_PERMERROR, ""},
    {"include failed", "example.org TXT v=spf1 include:x.org -all\nx.org * !timeout\n", "192.0.2.1",
     AUTH_TEMPERROR, ""},
    {"include says which term",
     "example.org TXT v=spf1 ~include:x.org -all\nx.org TXT v=spf1 ip4:192.0.2.1 -all\n",
     "192.0.2.1", AUTH_SOFTFAIL, "~include:x.org"},
    {"include's own all is not ours",
     "example.org TXT v=spf1 include:x.org\nx.org TXT v=spf1 -all\n", "192.0.2.1", AUTH_NEUTRAL,
     ""},
    {"redirect inside include",
     "example.org TXT v=spf1 include:x.org -all\nx.org TXT v=spf1 redirect=y.org\ny.org TXT v=spf1 "
     "ip4:192.0.2.1\n",
     "192.0.2.1", AUTH_PASS, "include:x.org"},
    {"redirect, the target's mechanism",
     "example.org TXT v=spf1 redirect=y.org\ny.org TXT v=spf1 ?ip4:192.0.2.1\n", "192.0.2.1",
     AUTH_NEUTRAL, "?ip4:192.0.2.1"},
    {"redirect to nothing", "example.org TXT v=spf1 redirect=y.org\n", "192.0.2.1", AUTH_PERMERROR,
     ""},
    {"redirect to a name that is none", "example.org TXT v=spf1 redirect=y..org\n", "192.0.2.1",
     AUTH_PERMERROR, ""},
    {"include of one label", "example.org TXT v=spf1 include:%{d1} -all\n", "192.0.2.1",
     AUTH_PERMERROR, ""},
    {"a name with an empty label does not match", "example.org TXT v=spf1 a:x..org -all\n",
     "192.0.2.1", AUTH_FAIL, "-all"},
    {"ptr",
     "example.org TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR m.example.org\nm.example.org A "
     "192.0.2.1\n",
     "192.0.2.1", AUTH_PASS, "ptr"},
    {"ptr that does not lead back",
     "example.org TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR m.example.org\nm.example.org A "
     "192.0.2.2\n",
     "192.0.2.1", AUTH_FAIL, "-all"},
    {"ptr of a longer name",
     "example.org TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR badexample.org\nbadexample.org A "
     "192.0.2.1\n",
     "192.0.2.1", AUTH_FAIL, "-all"},
    {"ptr lookup failed", "example.org TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR !timeout\n",
     "192.0.2.1", AUTH_FAIL, "-all"},
    {"ptr, a name failed, another is good",
     "example.org TXT v=spf1 ptr -all\n1.2.0.192.in-addr.arpa PTR "
     "a.example.org\n1.2.0.192.in-addr.arpa PTR b.example.org\na.example.org A "
     "!timeout\nb.example.org A 192.0.2.1\n",
     "192.0.2.1", AUTH_PASS, "ptr"},
    {"client's own reverse zone cannot spoil the policy",
     "example.org TXT v=spf1 ptr a:x.org -all\n1.2.0.192.in-addr.arpa PTR "
     "a.e.net\n1.2.0.192.in-addr.arpa PTR b.e.net\n1.2.0.192.in-addr.arpa PTR "
     "c.e.net\n1.2.0.192.in-addr.arpa PTR d.e.net\n",
     "192.0.2.1", AUTH_FAIL, "-all"},
    {"two void lookups", "example.org TXT v=spf1 a:x.org a:y.org -all\n", "192.0.2.1", AUTH_FAIL,
     "-all"},
    {"three void lookups", "example.org TXT v=spf1 a:x.org mx:y.org exists:z.org -all\n",
     "192.0.2.1", AUTH_PERMERROR, ""},
    {"void lookups of MX hosts",
     "example.org TXT v=spf1 mx -all\nexample.org MX 1 a.x.org\nexample.org MX 1 "
     "b.x.org\nexample.org "
     "MX 1 c.x.org\n",
     "192.0.2.1", AUTH_PERMERROR, ""},
    {"void lookups in an include count here",
     "example.org TXT v=spf1 a:x.org include:i.org a:z.org -all\ni.org TXT v=spf1 a:y.org\n",
     "192.0.2.1", AUTH_PERMERROR, ""},
    {"EAI domain", "xn--bcher-kva.example TXT v=spf1 ip4:192.0.2.1 -all\n", "192.0.2.1", AUTH_PASS,
     "ip4:192.0.2.1", "u@b\303\274cher.example"},
    {"EAI domain in %{o}",
     "xn--bcher-kva.example TXT v=spf1 exists:%{o}.x.org -all\nxn--bcher-kva.example.x.org A "
     "127.0.0.2\n",
     "192.0.2.1", AUTH_PASS, "exists:%{o}.x.org", "u@b\303\274cher.example"},
    {"EAI local-part matches nothing",
     "example.org TXT v=spf1 exists:%{l}.x.org exists:%{L}.x.org -all\n*.x.org A 127.0.0.2\n",
     "192.0.2.1", AUTH_FAIL, "-all", "\303\274@example.org"},
    {"EAI local-part, a term without it",
     "example.org TXT v=spf1 exists:%{l}.x.org ip4:192.0.2.1 -all\n*.x.org A 127.0.0.2\n",
     "192.0.2.1", AUTH_PASS, "ip4:192.0.2.1", "\303\274@example.org"},
    {"no local-part is postmaster",
     "example.org TXT v=spf1 exists:%{l}.x.org -all\npostmaster.x.org A 127.0.0.2\n", "192.0.2.1",
     AUTH_PASS, "exists:%{l}.x.org", "@example.org"},
    {"quoted local-part with an at sign", "example.org TXT v=spf1 ip4:192.0.2.1 -all\n",
     "192.0.2.1", AUTH_PASS, NULL, "\"a@b.net\"@example.org"},
    {"address literal", "", "192.0.2.1", AUTH_NONE, "", "u@[192.0.2.1]"},
    {"no domain at all", "", "192.0.2.1", AUTH_NONE, "", "u@"},
    {"one label", "localhost TXT v=spf1 -all\n", "192.0.2.1", AUTH_NONE, "", "u@localhost"},
    {"text in place of an address", "", "192.0.2.1", AUTH_NONE, "", "\001\002\377 \"<>"},
};

// --- limits

static void test_ten_lookups(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    const char *zone = "example.org A 192.0.2.9\n"
                       "example.org TXT v=spf1 a a a a a a a a a a ip4:192.0.2.1 -all\n"
                       "eleven.org A 192.0.2.9\n"
                       "eleven.org TXT v=spf1 a a a a a a a a a a a ip4:192.0.2.1 -all\n";
    play(&p, "192.0.2.1", "u@example.org", zone);
    play(&q, "192.0.2.1", "u@eleven.org", zone);
    assert_int_equal(from_check(&p)->result, AUTH_PASS);
    assert_int_equal(from_check(&p)->lookups, 10);
    assert_int_equal(from_check(&q)->result, AUTH_PERMERROR);
    assert_int_equal(zone_questions(q.zone), 3); // both TXT, one A for all terms
}

static void test_redirect_round(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    play(&p, "192.0.2.1", "u@a.org",
         "a.org TXT v=spf1 redirect=b.org\nb.org TXT v=spf1 redirect=a.org\n");
    assert_int_equal(from_check(&p)->result, AUTH_PERMERROR);
}

// Twice as much in every step: only the limit of lookups can end it.
static void test_include_tree(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    play(&p, "192.0.2.1", "u@x.org",
         "x.org TXT v=spf1 include:%{d} include:%{d} include:a.%{d}\n"
         "*.x.org TXT v=spf1 include:a.%{d} include:b.%{d}\n");
    assert_int_equal(from_check(&p)->result, AUTH_PERMERROR);
    assert_true(zone_questions(p.zone) < 20);
}

static void test_void_limit_configured(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    struct auth_spf_request r = request("192.0.2.1", "h", "u@example.org");
    r.voids_max = 4;
    play_request(&p, &r,
                 "example.org TXT v=spf1 a:x1.org a:x2.org a:x3.org a:x4.org ip4:192.0.2.1 -all\n");
    assert_int_equal(from_check(&p)->result, AUTH_PASS);
    assert_int_equal(from_check(&p)->voids, 4);
}

static void put_many(struct buf *b, const char *format, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_printf(b, "%s%u%s", format, i, ".example.org\n");
}

static void test_mx_names(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    CLEANUP(buf_free) struct buf ten = BUF(9999), eleven = BUF(9999);
    const char *head = "example.org TXT v=spf1 mx -all\n*.example.org A 192.0.2.1\n";
    buf_put(&ten, span_str(head));
    put_many(&ten, "example.org MX 1 m", 10);
    buf_put(&eleven, span_str(head));
    put_many(&eleven, "example.org MX 1 m", 11);
    play(&p, "192.0.2.1", "u@example.org", buf_str(&ten));
    play(&q, "192.0.2.1", "u@example.org", buf_str(&eleven));
    assert_int_equal(from_check(&p)->result, AUTH_PASS);
    assert_int_equal(p.most_at_once, 10); // all hosts at once
    assert_int_equal(from_check(&q)->result, AUTH_PERMERROR);
}

static void test_ptr_names(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(9999);
    buf_put(&b, SPAN("example.org TXT v=spf1 ptr -all\nn10.example.org A 192.0.2.1\n"));
    put_many(&b, "1.2.0.192.in-addr.arpa PTR n", 11);
    play(&p, "192.0.2.1", "u@example.org", buf_str(&b));
    assert_int_equal(from_check(&p)->result, AUTH_FAIL); // the eleventh is not looked at
}

static void test_long_record(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), c = BUF(1 << 20);
    buf_put(&b, SPAN("example.org TXT v=spf1"));
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, " ip4:10.0.%d.%d", i / 256, i % 256);
    buf_put(&c, buf_span(&b));
    for (int i = 0; i < 2000; i++)
        buf_put(&c, SPAN(" ip4:10.0.0.1"));
    buf_put(&b, SPAN(" -all\n"));
    play(&p, "192.0.2.1", "u@example.org", buf_str(&b));
    play(&q, "192.0.2.1", "u@example.org", buf_str(&c));
    assert_int_equal(from_check(&p)->result, AUTH_FAIL);
    assert_int_equal(from_check(&p)->step_count, AUTH_SPF_STEPS); // bounded, the last one kept
    assert_true(from_check(&p)->steps_left_out > 900);
    assert_true(span_eq(from_check(&p)->steps[AUTH_SPF_STEPS - 1].term, SPAN("-all")));
    assert_int_equal(from_check(&q)->result, AUTH_PERMERROR);
}

// --- macros (RFC 7208 §7.4, and hostile ones)

static void explained(const char *ip, const char *from, const char *macro, const char *want)
{
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(20000);
    const char *domain = span_str(from).at + span_index(span_str(from), '@') + 1;
    buf_printf(&b,
               "%s TXT v=spf1 -all exp=exp.example.net\nexp.example.net TXT %s\n"
               "3.2.0.192.in-addr.arpa PTR mx.example.org\nmx.example.org A 192.0.2.3\n",
               domain, macro);
    play(&p, ip, from, buf_str(&b));
    assert_int_equal(from_check(&p)->result, AUTH_FAIL);
    if (!span_eq(from_check(&p)->explanation, span_str(want)))
        print_message("%s: %.*s\n", macro, SPAN_FMT(from_check(&p)->explanation));
    assert_true(span_eq(from_check(&p)->explanation, span_str(want)));
}

static void test_macros(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d3}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr}", "strong-bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{p}", "mx.example.org"},
        {"%{h} %{c} %{r} %{t}", "helo.example.org 192.0.2.3 mx.receiver.example 1700000000"},
        {"%{S}", "strong-bad%40email.example.com"},
        {"%%%_%-", "% %20"},
        {"%{d128} %{d999999999999999999999}", "email.example.com email.example.com"},
        {"%{o.-_=/+,}", "email.example.com"},
        {"%{D2R}", "example.email"},
        {"a%{d0}", ""},
        {"%{", ""},
        {"%", ""},
        {"%{d", ""},
        {"%{d2-", ""},
        {"%{z}", ""},
        {"%{dr2}", ""},
        {"%{}", ""},
        {"\"tab\\009\"", ""},
        {"\"\\200\"", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        explained("192.0.2.3", "strong-bad@email.example.com", pairs[i][0], pairs[i][1]);
}

static void test_macros_ipv6(void **state)
{
    (void)state;
    explained("2001:db8::cb01", "strong-bad@email.example.com", "%{ir}.%{v}",
              "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6");
    explained("2001:db8::cb01", "u@email.example.com", "%{c} %{p}", "2001:db8::cb01 unknown");
}

static void test_explanation_is_tame(void **state)
{
    (void)state;
    explained("192.0.2.3", "\"a\r\nb\"@example.com", "x %{l} y", "x \"a??b\" y");
    explained("192.0.2.3", "\303\274@example.com", "x %{l} %{L}", "x ?? %C3%BC");
}

// A text that grows a hundredfold is cut, not written past.
static void test_explanation_is_bounded(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    buf_put(&b, SPAN("example.org TXT v=spf1 -all exp=e.org\ne.org TXT "));
    for (int i = 0; i < 3000; i++)
        buf_put(&b, SPAN("%{S}"));
    play(&p, "192.0.2.1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org",
         buf_str(&b));
    assert_int_equal(from_check(&p)->explanation.len, AUTH_SPF_EXPLANATION_MAX);
}

// The names of libspf2's overflows: long values, escapes, thousands of parts.
static void test_name_is_bounded(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    CLEANUP(buf_free) struct buf from = BUF(4096), zone = BUF(1 << 20);
    for (int i = 0; i < 300; i++)
        buf_putc(&from, i % 2 ? '.' : '=');
    buf_put(&from, SPAN("@example.org"));
    buf_put(&zone, SPAN("example.org TXT v=spf1 exists:"));
    for (int i = 0; i < 140; i++)
        buf_put(&zone, SPAN("%{Lr=.}"));
    buf_put(&zone, SPAN(".x.org -all\n"));
    play(&p, "192.0.2.1", buf_str(&from), buf_str(&zone));
    assert_int_equal(from_check(&p)->result, AUTH_FAIL);
    // Cut from the left, whole labels: what is left is a name, and is asked for.
    play(&q, "192.0.2.1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.org",
         "example.org TXT v=spf1 exists:%{l}.%{l}.%{l}.%{l}.%{l}.%{l}.x.org -all\n*.x.org A "
         "127.0.0.2\n");
    assert_int_equal(from_check(&q)->result, AUTH_PASS);
    assert_int_equal(span_str(zone_question(q.zone, 2)).len, 4 * 54 + 5 + 2);
}

static void test_long_input(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(200000);
    for (int i = 0; i < 90000; i++)
        buf_putc(&b, 'x');
    buf_put(&b, SPAN("@example.org"));
    struct auth_spf_request r = request("192.0.2.1", buf_str(&b), buf_str(&b));
    play_request(&p, &r, "example.org TXT v=spf1 -all\n");
    assert_int_equal(from_check(&p)->result, AUTH_NONE);
    assert_int_equal(zone_questions(p.zone), 0);
}

// All the work that a hostile zone can make, at once.
static void test_work_is_bounded(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf from = BUF(4096), zone = BUF(1 << 20), record = BUF(1 << 20);
    for (int i = 0; i < 300; i++)
        buf_putc(&from, i % 2 ? '=' : '+');
    buf_put(&from, SPAN("@example.org"));
    for (int i = 0; i < 9; i++) {
        buf_put(&record, SPAN(" exists:"));
        for (int k = 0; k < 140; k++)
            buf_put(&record, SPAN("%{Lr=+}"));
        buf_printf(&record, ".x%d.org", i);
    }
    for (int i = 0; i < 500; i++)
        buf_put(&record, SPAN(" ip4:10.1.2.3"));
    buf_printf(&zone, "example.org TXT v=spf1%s mx -all\n", buf_str(&record));
    put_many(&zone, "example.org MX 1 m", 10);
    play(&p, "192.0.2.1", buf_str(&from), buf_str(&zone));
    assert_int_equal(from_check(&p)->result, AUTH_PERMERROR); // ten MX hosts that are not there
}

// --- identities

static void test_null_sender(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    play(&p, "192.0.2.1", "", "helo.example.org TXT v=spf1 exists:%{l}.x.org -all\n");
    assert_int_equal(from_check(&p)->result, AUTH_FAIL);
    assert_string_equal(from_check(&p)->domain.text, "helo.example.org");
    assert_int_equal(p.result->check[AUTH_SPF_HELO].result, AUTH_FAIL);
    assert_int_equal(p.result->check[AUTH_SPF_HELO].identity, AUTH_SPF_HELO);
    assert_string_equal(zone_question(p.zone, 1), "postmaster.x.org A");
    assert_ptr_equal(p.result->decides, from_check(&p));
}

static void test_helo_fail_stands(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    const char *zone = "helo.example.org TXT v=spf1 -all\nexample.org TXT v=spf1 +all\n";
    play(&p, "192.0.2.1", "u@example.org", zone);
    assert_int_equal(from_check(&p)->result, AUTH_PASS);
    assert_int_equal(p.result->decides->identity, AUTH_SPF_HELO);
    assert_int_equal(p.result->decides->result, AUTH_FAIL);
    struct auth_spf_request r = request("192.0.2.1", "helo.example.org", "u@example.org");
    r.no_helo = true;
    play_request(&q, &r, zone);
    assert_int_equal(q.result->decides->result, AUTH_PASS);
    assert_false(q.result->check[AUTH_SPF_HELO].checked);
    assert_int_equal(zone_questions(q.zone), 1);
}

static void test_helo_forms(void **state)
{
    (void)state;
    static const char *const helos[] = {"[192.0.2.1]", "localhost",    "", "b\303\274cher.example",
                                        "a b.example", "x..y.example", "."};
    for (size_t i = 0; i < sizeof helos / sizeof *helos; i++) {
        CLEANUP(play_free) struct play p;
        struct auth_spf_request r = request("192.0.2.1", helos[i], "");
        play_request(&p, &r, "*.example TXT v=spf1 -all\nxn--bcher-kva.example TXT v=spf1 -all\n");
        assert_int_equal(from_check(&p)->result, AUTH_NONE);
    }
}

// --- the way

static void put_way(struct buf *b, const struct auth_spf_check *c)
{
    for (size_t i = 0; i < c->step_count; i++) {
        const struct auth_spf_step *s = &c->steps[i];
        buf_printf(b, "%u %s [%.*s] %s %s\n", s->depth, s->domain.text, SPAN_FMT(s->term),
                   s->target.text, auth_spf_outcome_text(s->outcome));
    }
}

static void test_way(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(9999);
    play(&p, "192.0.2.1", "u@example.org",
         "example.org TXT v=spf1 include:i.%{d} redirect=r.org\n"
         "i.example.org TXT v=spf1 ip4:192.0.2.7\n"
         "r.org TXT v=spf1 mx -all\nr.org MX 1 m.r.org\nm.r.org A 192.0.2.8\n");
    put_way(&b, from_check(&p));
    assert_string_equal(buf_str(&b),
                        "0 example.org [v=spf1 include:i.%{d} redirect=r.org]  record\n"
                        "0 example.org [include:i.%{d}] i.example.org entered\n"
                        "1 i.example.org [v=spf1 ip4:192.0.2.7]  record\n"
                        "1 i.example.org [ip4:192.0.2.7]  no match\n"
                        "1 i.example.org []  end\n"
                        "0 example.org [include:i.%{d}] i.example.org no match\n"
                        "0 example.org [redirect=r.org] r.org entered\n"
                        "1 r.org [v=spf1 mx -all]  record\n"
                        "1 r.org [mx] r.org no match\n"
                        "1 r.org [-all]  match\n");
    assert_string_equal(from_check(&p)->record_domain.text, "r.org");
    assert_true(
        span_eq(from_check(&p)->reason,
                SPAN("The SPF record of r.org does not permit the client (\"-all\" matched).")));
}

static void test_reasons(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p, q;
    play(&p, "192.0.2.1", "u@example.org",
         "example.org TXT v=spf1 include:i.org -all\ni.org TXT v=spf1 a:x y\n");
    assert_true(span_eq(
        from_check(&p)->reason,
        SPAN("The SPF record of i.org is in error: the domain is not well-formed (at \"a:x\").")));
    play(&q, "192.0.2.1", "u@example.org",
         "example.org TXT v=spf1 a -all\nexample.org A !servfail\n");
    assert_true(
        span_eq(from_check(&q)->reason,
                SPAN("The SPF record of example.org could not be evaluated now: a DNS lookup "
                     "failed (at \"a\"), the name servers answered SERVFAIL.")));
}

#define CHECK                                                                                      \
    "\"result\":\"fail\",\"domain\":\"example.org\",\"record_domain\":\"example.org\","            \
    "\"mechanism\":\"-all\",\"reason\":\"The SPF record of example.org does not permit the "       \
    "client (\\\"-all\\\" matched).\",\"explanation\":null,\"lookups\":1,\"void_lookups\":1"

static void test_json(void **state)
{
    (void)state;
    CLEANUP(play_free) struct play p;
    CLEANUP(buf_free) struct buf b = BUF(9999);
    struct auth_spf_request r = request("192.0.2.1", "h.org", "u@example.org");
    r.no_helo = true;
    play_request(&p, &r, "example.org TXT v=spf1 a:\"x.org -all\n");
    auth_spf_put_json(&b, p.result);
    assert_string_equal(
        buf_str(&b), "{\"identity\":\"mail_from\"," CHECK ",\"mail_from\":{" CHECK ",\"steps\":["
                     "{\"depth\":0,\"domain\":\"example.org\",\"term\":\"v=spf1 a:\\\"x.org "
                     "-all\",\"target\":null,\"outcome\":\"record\",\"note\":null},"
                     "{\"depth\":0,\"domain\":\"example.org\",\"term\":\"a:\\\"x.org\",\"target\":"
                     "\"\\\"x.org\",\"outcome\":\"no match\",\"note\":null},"
                     "{\"depth\":0,\"domain\":\"example.org\",\"term\":\"-all\",\"target\":null,"
                     "\"outcome\":\"match\",\"note\":null}],\"steps_left_out\":0},\"helo\":null}");
}

// --- memory

static void test_any_ceiling(void **state)
{
    (void)state;
    const char *zone = "example.org TXT v=spf1 mx include:i.org ptr:x.org -all exp=e.org\n"
                       "example.org MX 1 m.example.org\nm.example.org A 192.0.2.9\n"
                       "i.org TXT v=spf1 a:a.i.org\na.i.org A 192.0.2.8\ne.org TXT hello %{p}\n";
    size_t reached = 0;
    for (size_t ceiling = 0; ceiling < 200000; ceiling += 997) {
        struct play p = {.zone = zone_new(zone),
                         .arena = ARENA(ceiling),
                         .answers = ARENA(64 << 20),
                         .r = request("192.0.2.1", "h.org", "u@example.org")};
        struct auth_spf *s = auth_spf_new(&p.r, &p.arena);
        if (s) {
            drive(&p, s, 3);
            enum auth_result r = from_check(&p)->result;
            assert_true(r == AUTH_TEMPERROR || r == AUTH_FAIL);
            reached += r == AUTH_FAIL;
        }
        play_free(&p);
    }
    assert_true(reached > 0);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_ten_lookups),
        cmocka_unit_test(test_redirect_round),
        cmocka_unit_test(test_include_tree),
        cmocka_unit_test(test_void_limit_configured),
        cmocka_unit_test(test_mx_names),
        cmocka_unit_test(test_ptr_names),
        cmocka_unit_test(test_long_record),
        cmocka_unit_test(test_macros),
        cmocka_unit_test(test_macros_ipv6),
        cmocka_unit_test(test_explanation_is_tame),
        cmocka_unit_test(test_explanation_is_bounded),
        cmocka_unit_test(test_name_is_bounded),
        cmocka_unit_test(test_long_input),
        cmocka_unit_test(test_work_is_bounded),
        cmocka_unit_test(test_null_sender),
        cmocka_unit_test(test_helo_fail_stands),
        cmocka_unit_test(test_helo_forms),
        cmocka_unit_test(test_way),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_any_ceiling),
    };
    enum { ROWS = sizeof rows / sizeof *rows, MORE = sizeof more / sizeof *more };
    static struct CMUnitTest tests[ROWS + MORE];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name, .test_func = test_row, .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < MORE; i++)
        tests[ROWS + i] = more[i];
    return _cmocka_run_group_tests("spf", tests, ROWS + MORE, NULL, NULL);
}
