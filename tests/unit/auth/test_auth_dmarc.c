// DMARC: RFC 9989 §4.10 (walk, discovery, alignment), §5.3 (verdict), §4.7 (t, sp, np).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "auth_dmarc.h"
#include "tree.h"
#include "zone.h"

// "RESULT DOMAIN" of a mechanism; "HELO" before it: SPF of the HELO identity alone.
static enum auth_result result_of(struct span word)
{
    for (unsigned r = 0; r < AUTH_RESULTS; r++)
        if (span_eq(word, span_str(auth_result_text((enum auth_result)r))))
            return (enum auth_result)r;
    panic("no such result: %.*s", SPAN_FMT(word));
}

static struct dns_name name_of(struct span text)
{
    struct dns_name n;
    if (!dns_name_parse(&n, text))
        panic("no such name: %.*s", SPAN_FMT(text));
    return n;
}

static struct auth_dmarc_spf spf_of(struct span text)
{
    struct auth_dmarc_spf spf = {.mail_from = true};
    if (text.len == 0)
        return spf;
    if (span_starts(text, SPAN("HELO "))) {
        spf.mail_from = false;
        text = span_skip(text, 5);
    }
    spf.result = result_of(span_cut(&text, ' '));
    spf.domain = name_of(text);
    return spf;
}

static size_t dkim_of(struct auth_dmarc_dkim *to, size_t room, struct span text)
{
    size_t n = 0;
    while (text.at && text.len && n < room) {
        struct span one = span_trim(span_cut(&text, ','));
        to[n].result = result_of(span_cut(&one, ' '));
        to[n++].domain = name_of(one);
    }
    return n;
}

static void drive(struct auth_dmarc *m, struct zone *z, unsigned seed)
{
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    struct zone_pending pending = {.seed = seed};
    struct auth_step step;
    for (;;) {
        auth_dmarc_next(m, &step);
        if (step.kind == AUTH_DONE)
            return;
        if (step.kind == AUTH_ASK_DNS) {
            zone_pending_add(&pending, &step);
        } else {
            if (!zone_pending_take(&pending, &step))
                return;
            struct dns_answer answer = zone_answer(z, &step.question, &a);
            auth_dmarc_answer(m, step.ticket, &answer);
        }
    }
}

struct scene {
    const char *name, *zone, *from, *spf, *dkim;
    // "RESULT [POLICY-DOMAIN TAG=POLICY DISPOSITION [org=DOMAIN] [aligned…]]"
    const char *want;
    unsigned questions; // 0: not counted
};

#define REJECT "_dmarc.example.com TXT v=DMARC1; p=reject\n"

static const struct scene scenes[] = {
    {"pass by DKIM", REJECT, "u@example.com", "", "pass example.com",
     "pass example.com p=reject none org=example.com dkim=example.com", 1},
    {"pass by SPF", REJECT, "u@example.com", "pass example.com", "",
     "pass example.com p=reject none org=example.com spf", 1},
    {"pass by both", REJECT, "u@example.com", "pass example.com", "pass example.com",
     "pass example.com p=reject none org=example.com spf dkim=example.com", 1},
    {"pass relaxed, identifier below", REJECT, "u@example.com", "pass bounce.example.com", "",
     "pass example.com p=reject none org=example.com spf", 3},
    {"pass relaxed, author below", REJECT, "u@news.example.com", "", "pass example.com",
     "pass example.com sp=reject none org=example.com dkim=example.com", 3},
    {"pass relaxed, siblings", REJECT, "u@a.example.com", "", "pass b.example.com",
     "pass example.com sp=reject none org=example.com dkim=b.example.com", 4},
    {"pass by one of many", REJECT, "u@example.com", "fail example.com",
     "fail example.com,pass example.net,pass mail.example.com",
     "pass example.com p=reject none org=example.com dkim=mail.example.com", 3},
    {"case does not matter", REJECT, "u@EXAMPLE.com", "pass Example.COM", "",
     "pass example.com p=reject none org=example.com spf", 1},
    {"A-label and U-label", "_dmarc.xn--bcher-kva.example TXT v=DMARC1; p=reject\n",
     "u@b\xc3\xbc"
     "cher.example",
     "", "pass xn--bcher-kva.example",
     "pass xn--bcher-kva.example p=reject none org=xn--bcher-kva.example "
     "dkim=xn--bcher-kva.example",
     1},

    {"fail, nothing passed", REJECT, "u@example.com", "fail example.com", "fail example.com",
     "fail example.com p=reject reject", 1},
    {"fail, nothing there", REJECT, "u@example.com", "", "", "fail example.com p=reject reject", 1},
    {"fail, other domain needs no walk", REJECT, "u@example.com", "pass example.net",
     "pass example.org", "fail example.com p=reject reject", 1},
    {"fail, other domain under the same top", REJECT, "u@example.com", "", "pass evil.com",
     "fail example.com p=reject reject org=example.com", 2},
    {"fail, only the end of the name is the same", REJECT, "u@example.com", "",
     "pass badexample.com", "fail example.com p=reject reject org=example.com", 2},
    {"softfail, neutral and policy are no pass", REJECT, "u@example.com", "softfail example.com",
     "neutral example.com,policy example.com,permerror example.com,none example.com",
     "fail example.com p=reject reject", 1},
    {"SPF of HELO alone does not count (§4.4.2)", REJECT, "u@example.com", "HELO pass example.com",
     "", "fail example.com p=reject reject", 1},
    {"p=none", "_dmarc.example.com TXT v=DMARC1; p=none\n", "u@example.com", "", "",
     "fail example.com p=none none", 1},
    {"p=quarantine", "_dmarc.example.com TXT v=DMARC1; p=quarantine\n", "u@example.com", "", "",
     "fail example.com p=quarantine quarantine", 1},
    {"t=y, reject", "_dmarc.example.com TXT v=DMARC1; p=reject; t=y\n", "u@example.com", "", "",
     "fail example.com p=reject quarantine", 1},
    {"t=y, quarantine", "_dmarc.example.com TXT v=DMARC1; p=quarantine; t=y\n", "u@example.com", "",
     "", "fail example.com p=quarantine none", 1},
    {"t=y, none", "_dmarc.example.com TXT v=DMARC1; p=none; t=y\n", "u@example.com", "", "",
     "fail example.com p=none none", 1},
    {"pct is not obeyed", "_dmarc.example.com TXT v=DMARC1; p=reject; pct=0\n", "u@example.com", "",
     "", "fail example.com p=reject reject", 1},

    {"strict DKIM, same", "_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s\n", "u@example.com",
     "", "pass example.com", "pass example.com p=reject none org=example.com dkim=example.com", 1},
    {"strict DKIM, below", "_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s\n", "u@example.com",
     "", "pass mail.example.com", "fail example.com p=reject reject", 1},
    {"strict DKIM, SPF relaxed", "_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s\n",
     "u@example.com", "pass mail.example.com", "pass mail.example.com",
     "pass example.com p=reject none org=example.com spf", 3},
    {"strict SPF, below", "_dmarc.example.com TXT v=DMARC1; p=reject; aspf=s\n", "u@example.com",
     "pass mail.example.com", "", "fail example.com p=reject reject", 1},
    {"strict, inherited record, same domain",
     "_dmarc.example.com TXT v=DMARC1; p=reject; adkim=s; aspf=s\n", "u@a.example.com", "",
     "pass a.example.com", "pass example.com sp=reject none org=example.com dkim=a.example.com", 3},

    {"sp for a subdomain",
     "_dmarc.example.com TXT v=DMARC1; p=reject; sp=quarantine\n"
     "a.example.com A 192.0.2.1\n",
     "u@a.example.com", "", "", "fail example.com sp=quarantine quarantine org=example.com", 3},
    {"sp does not touch the domain itself", "_dmarc.example.com TXT v=DMARC1; p=reject; sp=none\n",
     "u@example.com", "", "", "fail example.com p=reject reject", 1},
    {"a record of its own: sp of the parent is ignored",
     "_dmarc.example.com TXT v=DMARC1; p=none; sp=reject\n"
     "_dmarc.a.example.com TXT v=DMARC1; p=quarantine\n",
     "u@a.example.com", "", "", "fail a.example.com p=quarantine quarantine", 1},
    {"np for one that does not exist", "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n",
     "u@a.example.com", "", "", "fail example.com np=reject reject org=example.com", 4},
    {"np over sp", "_dmarc.example.com TXT v=DMARC1; p=none; sp=quarantine; np=reject\n",
     "u@a.example.com", "", "", "fail example.com np=reject reject org=example.com", 4},
    {"np not for one that exists",
     "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n"
     "a.example.com MX 10 mx.example.com\n",
     "u@a.example.com", "", "", "fail example.com sp=none none org=example.com", 4},
    {"np not for an empty non-terminal, which the walk shows",
     "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n"
     "x._dmarc.a.example.com TXT x\n",
     "u@a.example.com", "", "", "fail example.com sp=none none org=example.com", 3},
    {"np not for an alias to nowhere",
     "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n"
     "a.example.com CNAME nowhere.example.net\n",
     "u@a.example.com", "", "", "fail example.com sp=none none org=example.com", 0},
    {"np as sp is: not asked", "_dmarc.example.com TXT v=DMARC1; p=none; sp=reject; np=reject\n",
     "u@a.example.com", "", "", "fail example.com sp=reject reject org=example.com", 3},
    {"np cannot be told",
     "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n"
     "a.example.com A !timeout\n",
     "u@a.example.com", "", "", "temperror example.com sp=none none org=example.com", 0},
    {"np cannot be told, but it passes",
     "_dmarc.example.com TXT v=DMARC1; p=none; np=reject\n"
     "a.example.com A !timeout\n",
     "u@a.example.com", "pass a.example.com", "",
     "pass example.com sp=none none org=example.com spf", 0},

    {"none: no record", "", "u@example.com", "pass example.com", "pass example.com", "none", 2},
    {"none: another TXT record", "_dmarc.example.com TXT v=spf1 -all\n", "u@example.com", "", "",
     "none", 2},
    {"none: two records", REJECT "_dmarc.example.com TXT v=DMARC1; p=none\n", "u@example.com", "",
     "", "none", 2},
    {"two records, one with nonsense, are none too", REJECT "_dmarc.example.com TXT v=DMARC1; x\n",
     "u@example.com", "", "", "none", 2},
    {"two records, and the walk goes on",
     REJECT "_dmarc.a.example.com TXT v=DMARC1; p=none\n_dmarc.a.example.com TXT v=DMARC1; "
            "p=none\n",
     "u@a.example.com", "", "", "fail example.com sp=reject reject org=example.com", 3},
    {"no valid record, and the walk goes on",
     REJECT "_dmarc.a.example.com TXT v=DMARC1; p=none; p=reject\n", "u@a.example.com", "", "",
     "fail example.com sp=reject reject org=example.com", 3},
    {"one among other TXT records", REJECT "_dmarc.example.com TXT x\n", "u@example.com", "", "",
     "fail example.com p=reject reject", 1},
    {"a record in pieces", "_dmarc.example.com TXT \"v=DMA\" \"RC1; p=rej\" \"ect\"\n",
     "u@example.com", "", "", "fail example.com p=reject reject", 1},
    {"no policy, no rua: no DMARC (§4.10.1)", REJECT "_dmarc.a.example.com TXT v=DMARC1; p=hello\n",
     "u@a.example.com", "pass a.example.com", "", "none", 1},
    {"no policy, a rua: p=none (§4.10.1)",
     REJECT "_dmarc.a.example.com TXT v=DMARC1; p=hello; rua=mailto:r@example.com\n",
     "u@a.example.com", "", "", "fail a.example.com p=none none", 1},
    {"an alias is followed",
     "_dmarc.example.com CNAME d.example.net\n"
     "d.example.net TXT v=DMARC1; p=reject\n",
     "u@example.com", "", "", "fail example.com p=reject reject", 1},
    {"one label", "_dmarc.localhost TXT v=DMARC1; p=reject\n", "u@localhost", "", "",
     "fail localhost p=reject reject", 1},

    {"the topmost record is the organization's", "_dmarc.com TXT v=DMARC1; p=none\n" REJECT,
     "u@example.com", "", "pass other.com", "pass example.com p=reject none org=com dkim=other.com",
     3},
    {"psd=y above: siblings are not aligned", "_dmarc.com TXT v=DMARC1; p=none; psd=y\n" REJECT,
     "u@example.com", "", "pass other.com", "fail example.com p=reject reject org=example.com", 2},
    {"psd=y: policy of the suffix",
     "_dmarc.com TXT v=DMARC1; p=none; sp=quarantine; psd=y\n"
     "example.com A 192.0.2.1\n",
     "u@example.com", "", "", "fail com sp=quarantine quarantine org=example.com psd", 2},
    {"psd=y: np of the suffix", "_dmarc.com TXT v=DMARC1; p=none; np=reject; psd=y\n",
     "u@nothing.com", "", "", "fail com np=reject reject org=nothing.com psd", 3},
    {"psd=y: policy of the suffix, deep", "_dmarc.com TXT v=DMARC1; p=reject; psd=y\n",
     "u@a.b.example.com", "", "pass example.com",
     "pass com sp=reject none org=example.com dkim=example.com psd", 4},
    {"psd=y at the author", "_dmarc.com TXT v=DMARC1; p=reject; psd=y\n", "u@com", "", "pass com",
     "pass com p=reject none org=com dkim=com", 1},
    {"psd=y at the author, one below is another", "_dmarc.com TXT v=DMARC1; p=reject; psd=y\n",
     "u@com", "", "pass example.com", "fail com p=reject reject org=com", 2},
    {"psd=n ends the walk", "_dmarc.a.example.com TXT v=DMARC1; p=reject; psd=n\n" REJECT,
     "u@a.example.com", "", "pass b.example.com",
     "fail a.example.com p=reject reject org=a.example.com", 1},
    {"psd=n: below it is aligned", "_dmarc.a.example.com TXT v=DMARC1; p=reject; psd=n\n" REJECT,
     "u@a.example.com", "", "pass x.a.example.com",
     "pass a.example.com p=reject none org=a.example.com dkim=x.a.example.com", 2},
    {"psd=n below the author's organization",
     REJECT "_dmarc.a.example.com TXT v=DMARC1; p=none; psd=n\n", "u@example.com", "",
     "pass a.example.com", "fail example.com p=reject reject org=example.com", 3},
    {"middle record is passed over", REJECT "_dmarc.b.example.com TXT v=DMARC1; p=none\n",
     "u@a.b.example.com", "", "", "fail example.com sp=reject reject org=example.com", 4},
    {"eight labels: each is asked", "_dmarc.com TXT v=DMARC1; p=reject\n",
     "u@a.b.c.d.e.f.example.com", "", "", "fail com sp=reject reject org=com", 8},
    {"twenty labels: eight questions", "_dmarc.com TXT v=DMARC1; p=reject\n",
     "u@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.example.com", "", "",
     "fail com sp=reject reject org=com", 8},
    {"nine labels: the second is skipped",
     "_dmarc.b.c.d.e.f.g.example.com TXT v=DMARC1; p=reject\n", "u@a.b.c.d.e.f.g.example.com", "",
     "", "none", 8},

    {"temperror: the author's record", "_dmarc.example.com TXT !timeout\n", "u@example.com",
     "pass example.com", "", "temperror", 1},
    {"temperror: SERVFAIL", "_dmarc.example.com TXT !servfail\n", "u@example.com", "", "",
     "temperror", 1},
    {"temperror: bogus is not none", "_dmarc.example.com TXT !bogus\n", "u@example.com", "", "",
     "temperror", 1},
    {"temperror: records that nobody could read", "_dmarc.example.com TXT !empty\n",
     "u@example.com", "", "", "temperror", 1},
    {"temperror: on the way up", REJECT "_dmarc.com TXT !timeout\n", "u@a.example.com",
     "pass a.example.com", "", "temperror", 3},
    {"temperror: alignment cannot be told", REJECT "_dmarc.com TXT !timeout\n", "u@example.com",
     "pass mail.example.com", "", "temperror example.com p=reject none", 2},
    {"no walk is needed: pass although the walk would fail", REJECT "_dmarc.com TXT !timeout\n",
     "u@example.com", "pass example.com", "pass mail.example.com",
     "pass example.com p=reject none org=example.com spf", 2},
    {"temperror: the identifier's walk", REJECT "_dmarc.mail.example.com TXT !timeout\n",
     "u@example.com", "", "pass mail.example.com",
     "temperror example.com p=reject none org=example.com", 3},
    {"temperror: SPF could not be checked", REJECT, "u@example.com", "temperror example.com", "",
     "temperror example.com p=reject none", 1},
    {"temperror: DKIM could not be checked", REJECT, "u@example.com", "",
     "temperror mail.example.com", "temperror example.com p=reject none org=example.com", 3},
    {"temperror of another domain is nothing", REJECT, "u@example.com", "temperror example.net",
     "temperror evil.com", "fail example.com p=reject reject org=example.com", 2},
    {"temperror beside a pass", REJECT, "u@example.com", "temperror example.com",
     "pass example.com", "pass example.com p=reject none org=example.com dkim=example.com", 1},

    {"permerror: several domains", REJECT, "u@example.com, v@example.net", "pass example.com", "",
     "permerror", 0},
    {"permerror: malformed", REJECT, "u@example.com@example.net", "pass example.com", "",
     "permerror", 0},
    {"permerror: no domain", REJECT, "Undisclosed:;", "pass example.com", "", "permerror", 0},
};

static void put_result(struct buf *b, const struct auth_dmarc_result *r)
{
    buf_printf(b, "%s", auth_result_text(r->result));
    if (r->found)
        buf_printf(b, " %s %s=%s %s", r->policy_domain.text, auth_dmarc_tag_text(r->applies),
                   auth_dmarc_policy_text(r->policy), auth_dmarc_policy_text(r->disposition));
    if (r->organization.len)
        buf_printf(b, " org=%s", r->organization.text);
    if (r->spf_aligned)
        buf_printf(b, " spf");
    for (size_t i = 0; i < r->dkim_count; i++)
        buf_printf(b, " dkim=%s", r->dkim[i].text);
    if (r->policy_is_psd)
        buf_printf(b, " psd");
}

// `late`: everything is answered before SPF and DKIM are known, as when the body
// is long.
static void play(const struct scene *s, unsigned seed, bool late)
{
    CLEANUP(zone_free) struct zone *z = zone_new(s->zone);
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct span from = span_str(s->from);
    struct auth_dmarc_spf spf = spf_of(span_str(s->spf));
    struct auth_dmarc_dkim dkim[40];
    size_t count = dkim_of(dkim, 40, span_str(s->dkim));
    auth_dmarc_from(m, &from, 1);
    if (late)
        drive(m, z, seed);
    assert_null(auth_dmarc_result(m));
    auth_dmarc_identifiers(m, &spf, dkim, count);
    drive(m, z, seed);
    const struct auth_dmarc_result *r = auth_dmarc_result(m);
    assert_non_null(r);
    put_result(&b, r);
    assert_string_equal(buf_str(&b), s->want);
    assert_true(r->reason[0] != '\0');
    if (s->questions)
        assert_int_equal(zone_questions(z), s->questions);
}

static void scene_case(void **state)
{
    for (unsigned seed = 0; seed < 5; seed++)
        play(*state, seed, seed & 1);
}

static void other_order(void **state)
{
    (void)state;
    CLEANUP(zone_free) struct zone *z = zone_new(REJECT);
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct auth_step step;
    struct span from = SPAN("u@example.com");
    struct dns_answer answer = {.standing = DNS_INSECURE, .presence = DNS_NXDOMAIN};
    auth_dmarc_next(m, &step);
    assert_int_equal(step.kind, AUTH_WAIT);
    auth_dmarc_answer(m, 0, &answer); // nothing was asked: ignored
    auth_dmarc_identifiers(m, NULL, NULL, 0);
    auth_dmarc_next(m, &step);
    assert_int_equal(step.kind, AUTH_WAIT);
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_answer(m, 77, &answer);
    drive(m, z, 0);
    assert_int_equal(auth_dmarc_result(m)->result, AUTH_FAIL);
    auth_dmarc_answer(m, 0, &answer); // too late: ignored
    assert_int_equal(auth_dmarc_result(m)->result, AUTH_FAIL);
}

static void no_from(void **state)
{
    (void)state;
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct auth_step step;
    auth_dmarc_from(m, NULL, 0);
    auth_dmarc_identifiers(m, NULL, NULL, 0);
    auth_dmarc_next(m, &step);
    assert_int_equal(step.kind, AUTH_DONE);
    assert_int_equal(auth_dmarc_result(m)->result, AUTH_PERMERROR);
    assert_int_equal(auth_dmarc_result(m)->from.problem, AUTH_FROM_MISSING);
    assert_string_equal(auth_dmarc_result(m)->reason, "the message has no From field");
}

// Many deep signing domains of the author's own: a bounded number of questions.
static void many_signers(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    for (int i = 0; i < 40; i++)
        buf_printf(&b, "%spass a.b.c.d.e.f.g%d.example.com", i ? "," : "", i);
    CLEANUP(zone_free) struct zone *z = zone_new(REJECT);
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct auth_dmarc_dkim dkim[40];
    size_t count = dkim_of(dkim, 40, buf_span(&b));
    struct span from = SPAN("u@example.com");
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_identifiers(m, NULL, dkim, count);
    drive(m, z, 0);
    assert_int_equal(auth_dmarc_result(m)->result, AUTH_PASS);
    assert_in_range(zone_questions(z), 1, DMARC_LOOKUPS_MAX + 1);
}

static void long_names(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 10);
    buf_printf(&b, "u@");
    for (int i = 0; i < 124; i++)
        buf_printf(&b, "a.");
    buf_printf(&b, "com"); // 251 bytes: no room for "_dmarc."
    CLEANUP(zone_free) struct zone *z = zone_new("_dmarc.com TXT v=DMARC1; p=reject\n");
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct span from = buf_span(&b);
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_identifiers(m, NULL, NULL, 0);
    drive(m, z, 0);
    assert_int_equal(auth_dmarc_result(m)->result, AUTH_FAIL);
    assert_int_equal(zone_questions(z), 7);
}

struct rule_case {
    const char *name, *record;
    struct auth_dmarc_facts facts;
    enum auth_dmarc_policy disposition;
    const char *override, *comment;
};

static const struct rule_case rules[] = {
    {"rule: as the owner says", "p=reject", {.most = DMARC_REJECT}, DMARC_REJECT, "none", ""},
    {"rule: trusted forwarder",
     "p=reject",
     {.most = DMARC_REJECT, .trusted_forwarder = true, .mailing_list = true},
     DMARC_NONE,
     "trusted_forwarder",
     "forwarded by one we trust"},
    {"rule: mailing list",
     "p=quarantine",
     {.most = DMARC_REJECT, .mailing_list = true},
     DMARC_NONE,
     "mailing_list",
     "came by a mailing list"},
    {"rule: local rule",
     "p=reject",
     {.most = DMARC_REJECT, .local_allow = true},
     DMARC_NONE,
     "local_policy",
     "allowed by a local rule"},
    {"rule: quarantine at most",
     "p=reject",
     {.most = DMARC_QUARANTINE},
     DMARC_QUARANTINE,
     "local_policy",
     "the local policy is milder"},
    {"rule: quarantine at most, quarantine asked",
     "p=quarantine",
     {.most = DMARC_QUARANTINE},
     DMARC_QUARANTINE,
     "none",
     ""},
    {"rule: nothing to override",
     "p=none",
     {.most = DMARC_NONE, .mailing_list = true},
     DMARC_NONE,
     "none",
     ""},
    {"rule: testing",
     "p=reject; t=y",
     {.most = DMARC_REJECT},
     DMARC_QUARANTINE,
     "policy_test_mode",
     "the domain owner is testing (t=y)"},
    {"rule: testing, down to none",
     "p=quarantine; t=y",
     {.most = DMARC_REJECT, .mailing_list = true},
     DMARC_NONE,
     "policy_test_mode",
     "the domain owner is testing (t=y)"},
};

static void rule_case(void **state)
{
    const struct rule_case *c = *state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    buf_printf(&b, "_dmarc.example.com TXT v=DMARC1; %s\n", c->record);
    CLEANUP(zone_free) struct zone *z = zone_new(buf_str(&b));
    CLEANUP(auth_dmarc_free) struct auth_dmarc *m = auth_dmarc_new();
    struct span from = SPAN("u@example.com");
    struct auth_dmarc_ruling ruling;
    auth_dmarc_from(m, &from, 1);
    auth_dmarc_identifiers(m, NULL, NULL, 0);
    drive(m, z, 0);
    auth_dmarc_rule(&ruling, auth_dmarc_result(m), &c->facts);
    assert_int_equal(ruling.disposition, c->disposition);
    assert_string_equal(auth_dmarc_override_text(ruling.override), c->override);
    assert_string_equal(ruling.comment, c->comment);
}

static void rule_detail(void **state)
{
    (void)state;
    char long_text[1000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = i % 50 == 0 ? '\n' : 'x';
    struct auth_dmarc_result r = {
        .result = AUTH_FAIL, .policy = DMARC_REJECT, .disposition = DMARC_REJECT};
    struct auth_dmarc_facts f = {
        .most = DMARC_REJECT, .trusted_forwarder = true, .detail = SPAN_OF(long_text)};
    struct auth_dmarc_ruling ruling;
    auth_dmarc_rule(&ruling, &r, &f);
    assert_true(span_starts(span_str(ruling.comment), SPAN("forwarded by one we trust: ?xxx")));
    r.result = AUTH_PASS;
    r.disposition = DMARC_NONE;
    auth_dmarc_rule(&ruling, &r, &f);
    assert_int_equal(ruling.override, DMARC_OVERRIDE_NONE);
}

int main(void)
{
    enum { SCENES = sizeof scenes / sizeof *scenes, RULES = sizeof rules / sizeof *rules };
    struct CMUnitTest tests[SCENES + RULES + 5] = {
        cmocka_unit_test(other_order),  cmocka_unit_test(no_from),
        cmocka_unit_test(many_signers), cmocka_unit_test(long_names),
        cmocka_unit_test(rule_detail),
    };
    for (size_t i = 0; i < SCENES; i++)
        tests[5 + i] = (struct CMUnitTest){
            .name = scenes[i].name, .test_func = scene_case, .initial_state = (void *)&scenes[i]};
    for (size_t i = 0; i < RULES; i++)
        tests[5 + SCENES + i] = (struct CMUnitTest){
            .name = rules[i].name, .test_func = rule_case, .initial_state = (void *)&rules[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
