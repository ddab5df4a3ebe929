// The table, swept against invariants stated on their own; the walk; the byte
// forms of plan and session.
#include "trust_record.h"
#include "trust_zone.h"

#include <string.h>

struct at { // one cell of need × offered × verified
    struct trust_host host;
    struct trust_need need;
    bool retry;
    struct trust_seen seen;
    struct trust_ruling r;
};

static void sweep(void (*look)(const struct at *at))
{
    static const unsigned replies[] = {0, 421, 554, 521};
    unsigned n = 0;
    for (unsigned bits = 0; bits < 1u << 12; bits++)
        for (unsigned q = 0; q < TRUST_REQUIREMENTS; q++)
            for (unsigned stage = 0; stage < TRUST_STAGES; stage++)
                for (unsigned v = 0; v < TRUST_VERIFIEDS; v++) {
                    struct at at = {.host = {.requirement = (enum trust_requirement)q,
                                             .name_protected = bits & 1,
                                             .sts_testing = bits & 2,
                                             .sts_mismatch = bits & 4},
                                    .need = {.requiretls = bits & 8, .tls_required_no = bits & 16},
                                    .retry = bits & 32,
                                    .seen = {.stage = (enum trust_stage)stage,
                                             .ok = bits & 64,
                                             .starttls = bits & 128,
                                             .requiretls = bits & 256,
                                             .reply = replies[bits >> 10],
                                             .verified = (enum trust_verified)v,
                                             .failure = bits & 512 ? TRUST_CERTIFICATE_EXPIRED
                                                                   : TRUST_RESULT_OK}};
                    at.r = trust_rule(&at.host, &at.need, at.retry, &at.seen);
                    look(&at);
                    n++;
                }
    assert_int_equal(n, 4096 * TRUST_REQUIREMENTS * TRUST_STAGES * TRUST_VERIFIEDS);
}

static bool one_of(enum trust_requirement r, const enum trust_requirement *list)
{
    for (; *list != TRUST_REQUIREMENTS; list++)
        if (*list == r)
            return true;
    return false;
}
#define IS(at, ...)                                                                                \
    one_of((at)->host.requirement,                                                                 \
           (const enum trust_requirement[]){__VA_ARGS__, TRUST_REQUIREMENTS})

static bool in_tls(const struct at *a)
{
    return a->seen.stage == TRUST_AT_SECURED;
}

static bool opportunistic(const struct at *a)
{
    return IS(a, TRUST_REQ_OPPORTUNISTIC, TRUST_REQ_LOCAL_OPPORTUNISTIC) && !a->need.requiretls;
}

static void clear_only_if_allowed(const struct at *a)
{
    if (a->r.verdict == TRUST_GO_TALK && !in_tls(a))
        assert_true(opportunistic(a) || (IS(a, TRUST_REQ_LOCAL_CLEAR) && !a->need.requiretls));
    if (a->r.verdict == TRUST_GO_CLEAR)
        assert_true(opportunistic(a) && a->seen.stage == TRUST_AT_HANDSHAKE && !a->seen.ok);
}

static void proof_before_talk(const struct at *a)
{
    enum trust_verified v = a->seen.verified;
    if (a->r.verdict != TRUST_GO_TALK && a->r.verdict != TRUST_GO_EHLO)
        return;
    if (IS(a, TRUST_REQ_STS, TRUST_REQ_PKIX))
        assert_int_equal(v, TRUST_VERIFIED_PKIX);
    if (IS(a, TRUST_REQ_DANE, TRUST_REQ_LOCAL_DANE_ONLY))
        assert_int_equal(v, TRUST_VERIFIED_DANE);
    if (IS(a, TRUST_REQ_LOCAL_VERIFY))
        assert_true(v == TRUST_VERIFIED_DANE || v == TRUST_VERIFIED_PKIX);
    if (IS(a, TRUST_REQ_LOCAL_PINNED))
        assert_int_equal(v, TRUST_VERIFIED_PINNED);
}

static void requiretls_whole(const struct at *a)
{
    if (!a->need.requiretls || a->r.verdict != TRUST_GO_TALK)
        return;
    assert_true(in_tls(a) && a->seen.requiretls);
    assert_true(a->seen.verified != TRUST_VERIFIED_NONE);
    assert_true(a->host.name_protected || a->seen.verified == TRUST_VERIFIED_PINNED);
}

static void requiretls_codes(const struct at *a)
{
    if (!a->need.requiretls || a->r.verdict != TRUST_GO_NEXT || IS(a, TRUST_REQ_UNUSABLE) ||
        a->seen.stage <= TRUST_AT_REFUSAL)
        return;
    if (a->r.permanent)
        assert_true(!strcmp(a->r.status, "5.7.10") || !strcmp(a->r.status, "5.7.30"));
    if (a->seen.stage == TRUST_AT_NO_TLS ||
        (a->seen.stage == TRUST_AT_CAPABLE && !a->seen.starttls))
        assert_string_equal(a->r.status, "5.7.10");
    if (!strcmp(a->r.status, "5.7.30"))
        assert_true(in_tls(a) && !a->seen.requiretls && a->seen.verified != TRUST_VERIFIED_NONE);
}

static void unusable_never(const struct at *a)
{
    if (IS(a, TRUST_REQ_UNUSABLE))
        assert_int_equal(a->r.verdict, TRUST_GO_NEXT);
}

static void clear_never_starttls(const struct at *a)
{
    if (IS(a, TRUST_REQ_LOCAL_CLEAR))
        assert_true(a->r.verdict == TRUST_GO_TALK || a->r.verdict == TRUST_GO_NEXT);
}

static void retry_never_starttls(const struct at *a)
{
    if (a->retry && a->seen.stage == TRUST_AT_CAPABLE)
        assert_int_not_equal(a->r.verdict, TRUST_GO_STARTTLS);
}

static void stages_fit(const struct at *a)
{
    if (a->r.verdict == TRUST_GO_STARTTLS)
        assert_true(a->seen.stage == TRUST_AT_CAPABLE && a->seen.starttls);
    if (a->r.verdict == TRUST_GO_EHLO)
        assert_true(a->seen.stage == TRUST_AT_HANDSHAKE && a->seen.ok);
    if (a->r.verdict == TRUST_GO_TALK)
        assert_true(a->seen.stage >= TRUST_AT_CAPABLE && a->seen.stage != TRUST_AT_HANDSHAKE);
}

static void codes_fit(const struct at *a)
{
    assert_int_equal(a->r.verdict == TRUST_GO_NEXT, a->r.status != NULL);
    if (a->r.status)
        assert_int_equal(a->r.status[0], a->r.permanent ? '5' : '4');
    bool shut = a->seen.stage == TRUST_AT_REFUSAL && a->seen.reply == 521;
    bool tls = !opportunistic(a) && !IS(a, TRUST_REQ_LOCAL_CLEAR);
    // Nothing else bounces by security; nor does anybody's word before TLS where it is called for.
    assert_true(!a->r.permanent || (shut ? !tls && !a->need.requiretls : a->need.requiretls));
    assert_non_null(strstr(a->r.rule, "(RFC "));
    assert_true(a->r.rule[strlen(a->r.rule) - 1] == '.');
}

// TLS-RPT: what failed is counted by the type seen; what was never reached is not.
static void result_types(const struct at *a)
{
    bool early = a->seen.stage <= TRUST_AT_REFUSAL;
    assert_true(a->r.result < TRUST_RESULT_TYPES);
    if (early || IS(a, TRUST_REQ_UNUSABLE, TRUST_REQ_LOCAL_CLEAR))
        return;
    if (a->seen.stage == TRUST_AT_CAPABLE && !a->seen.starttls && !a->retry)
        assert_int_equal(a->r.result, TRUST_STARTTLS_NOT_SUPPORTED);
    if (a->seen.stage == TRUST_AT_HANDSHAKE && !a->seen.ok)
        assert_int_equal(a->r.result,
                         a->seen.failure ? TRUST_CERTIFICATE_EXPIRED : TRUST_VALIDATION_FAILURE);
    bool tested =
        a->host.sts_testing && (a->host.sts_mismatch || a->seen.verified != TRUST_VERIFIED_PKIX);
    if (in_tls(a) && a->r.verdict == TRUST_GO_TALK && !tested)
        assert_int_equal(a->r.result, TRUST_RESULT_OK);
    if (in_tls(a) && tested && IS(a, TRUST_REQ_OPPORTUNISTIC, TRUST_REQ_ENCRYPT) &&
        !a->need.requiretls)
        assert_true(a->r.verdict == TRUST_GO_TALK && a->r.result != TRUST_RESULT_OK);
}

// Every requirement can be met by some connection, so none is a dead end.
static bool talked[TRUST_REQUIREMENTS], talked_requiretls[TRUST_REQUIREMENTS];
static void note_talk(const struct at *a)
{
    if (a->r.verdict == TRUST_GO_TALK && !a->retry)
        (a->need.requiretls ? talked_requiretls : talked)[a->host.requirement] = true;
}

#define SWEEP(look)                                                                                \
    static void sweep_##look(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        sweep(look);                                                                               \
    }
SWEEP(clear_only_if_allowed)
SWEEP(proof_before_talk)
SWEEP(requiretls_whole)
SWEEP(requiretls_codes)
SWEEP(unusable_never)
SWEEP(clear_never_starttls)
SWEEP(retry_never_starttls)
SWEEP(stages_fit)
SWEEP(codes_fit)
SWEEP(result_types)

static void sweep_reaches_talk(void **state)
{
    (void)state;
    sweep(note_talk);
    for (unsigned q = 0; q < TRUST_REQUIREMENTS; q++) {
        assert_int_equal(talked[q], q != TRUST_REQ_UNUSABLE);
        assert_int_equal(talked_requiretls[q],
                         q != TRUST_REQ_UNUSABLE && q != TRUST_REQ_LOCAL_CLEAR);
    }
}

// --- the walk

struct walked {
    struct arena arena;
    struct trust_plan plan;
    struct trust_walk w;
    struct buf why;
};

// "dane 2; unusable 1 for-good; …": requirement and number of addresses.
static void plan_of(struct walked *k, const char *hosts, const struct trust_need *need,
                    unsigned ceiling)
{
    struct span rest = span_str(hosts);
    *k = (struct walked){.arena = ARENA(1 << 20), .why = BUF(4096)};
    k->plan.hosts = arena_alloc(&k->arena, 8 * sizeof *k->plan.hosts);
    while (rest.len) {
        struct span word = span_cut(&rest, ';'), name = span_cut(&word, ' ');
        struct span count = span_cut(&word, ' ');
        struct trust_host *h = &k->plan.hosts[k->plan.host_count++];
        uint64_t n = 0;
        for (unsigned q = 0; q < TRUST_REQUIREMENTS; q++)
            if (span_eq(name, span_str(trust_requirement_text((enum trust_requirement)q))))
                h->requirement = (enum trust_requirement)q;
        assert_true(span_number(count, 8, &n));
        h->name = name_of("mx.example.net");
        h->name_protected = true;
        h->address_count = n;
        h->addresses = arena_alloc(&k->arena, 8 * sizeof *h->addresses);
        for (size_t i = 0; i < n; i++)
            h->addresses[i].at[3] = (unsigned char)(10 * k->plan.host_count + i);
        bool behind_us = span_eq(word, SPAN("behind-us"));
        h->for_good = behind_us || span_eq(word, SPAN("for-good"));
        h->status = h->requirement ? NULL : behind_us ? "5.4.6" : h->for_good ? "5.7.10" : "4.7.5";
        h->reason = SPAN("It was not usable.");
    }
    trust_walk_start(&k->w, &k->plan, need, ceiling, &k->why);
}

static void walked_free(struct walked *k)
{
    arena_free(&k->arena);
    buf_free(&k->why);
}

static const struct trust_need nothing_asked = {false, false}, requiretls = {.requiretls = true};
static const struct trust_seen lost = {.stage = TRUST_AT_CONNECT},
                               no_starttls = {.stage = TRUST_AT_CAPABLE, .ok = true},
                               broken = {.stage = TRUST_AT_HANDSHAKE, .detail = {"alert", 5}},
                               offered = {.stage = TRUST_AT_CAPABLE, .ok = true, .starttls = true};

static int address(struct walked *k)
{
    struct trust_try t = trust_walk_next(&k->w);
    return t.host ? t.address->at[3] : -1;
}

static void ends(struct walked *k, enum trust_decision d, const char *status)
{
    const char *s = NULL;
    assert_int_equal(trust_walk_end(&k->w, &s), d);
    assert_string_equal(s, status);
}

static void walk_in_order(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "dane 2;unusable 3;opportunistic 1", &nothing_asked, 8);
    static const int want[] = {10, 11, 30, -1, -1};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(address(&k), want[i]);
        if (want[i] > 0)
            assert_int_equal(trust_walk_seen(&k.w, &lost).verdict, TRUST_GO_NEXT);
    }
    ends(&k, TRUST_DEFER, "4.4.1");
}

static void walk_once_in_the_clear(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "opportunistic 2", &nothing_asked, 8);
    struct trust_try t = trust_walk_next(&k.w);
    assert_false(t.clear);
    assert_int_equal(trust_walk_seen(&k.w, &offered).verdict, TRUST_GO_STARTTLS);
    assert_int_equal(trust_walk_seen(&k.w, &broken).verdict, TRUST_GO_CLEAR);
    t = trust_walk_next(&k.w);
    assert_true(t.clear);
    assert_int_equal(t.address->at[3], 10);
    assert_int_equal(trust_walk_seen(&k.w, &offered).verdict, TRUST_GO_TALK);
    // lost after all: the next address starts with TLS again
    assert_int_equal(trust_walk_seen(&k.w, &lost).verdict, TRUST_GO_NEXT);
    t = trust_walk_next(&k.w);
    assert_false(t.clear);
    assert_int_equal(t.address->at[3], 11);
    assert_int_equal(trust_walk_seen(&k.w, &offered).verdict, TRUST_GO_STARTTLS);
}

static void walk_never_clear_for_dane(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "dane 1;sts 1;encrypt 1", &nothing_asked, 8);
    for (int i = 0; i < 3; i++) {
        assert_false(trust_walk_next(&k.w).clear);
        assert_int_equal(trust_walk_seen(&k.w, &broken).verdict, TRUST_GO_NEXT);
    }
    assert_null(trust_walk_next(&k.w).host);
    ends(&k, TRUST_DEFER, "4.7.5");
    assert_non_null(strstr(buf_str(&k.why), "mx.example.net [0.0.0.30]: TLS is mandatory"));
    assert_non_null(strstr(buf_str(&k.why), "): alert"));
    assert_int_equal(k.why.at[k.why.len - 1], '.'); // and no other: one sentence
    assert_null(strstr(buf_str(&k.why), ". "));
}

static void walk_ceiling(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "opportunistic 8;opportunistic 8", &requiretls, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(address(&k), 10 + i);
        (void)trust_walk_seen(&k.w, &no_starttls);
    }
    assert_int_equal(address(&k), -1);
    ends(&k, TRUST_DEFER, "4.4.1"); // not every host has failed for good
}

static void walk_fails_for_good(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "pkix 1;unusable 1 for-good;pkix 1", &requiretls, 8);
    while (address(&k) > 0)
        assert_true(trust_walk_seen(&k.w, &no_starttls).permanent);
    ends(&k, TRUST_FAIL, "5.7.10");
}

static void walk_no_extension(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    static const struct trust_seen secured = {
        .stage = TRUST_AT_SECURED, .ok = true, .verified = TRUST_VERIFIED_PKIX};
    plan_of(&k, "pkix 1", &requiretls, 8);
    assert_int_equal(address(&k), 10);
    (void)trust_walk_seen(&k.w, &secured);
    assert_int_equal(address(&k), -1);
    ends(&k, TRUST_FAIL, "5.7.30");
}

// 521 is for good of a host, 554 of a session; where TLS is called for neither is.
static void walk_refused_by_all(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        unsigned first, others;
        enum trust_decision decision;
        const char *status, *why;
    } cases[] = {
        {"opportunistic 1;opportunistic 1", 521, 521, TRUST_FAIL, "5.3.2", "RFC 7504"},
        {"opportunistic 1;opportunistic 1", 521, 554, TRUST_DEFER, "4.3.2", "rejected the session"},
        {"opportunistic 1;opportunistic 1", 421, 521, TRUST_DEFER, "4.3.2", "for now"},
        {"opportunistic 2", 554, 554, TRUST_DEFER, "4.3.2", "rejected the session"},
        {"dane 1", 521, 521, TRUST_DEFER, "4.3.2", "without proving"},
        {"opportunistic 1;sts 1", 521, 521, TRUST_DEFER, "4.3.2", "without proving"},
        {"opportunistic 1;unusable 1", 521, 521, TRUST_DEFER, "4.7.5", "not usable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(walked_free) struct walked k;
        plan_of(&k, cases[i].plan, &nothing_asked, 8);
        struct trust_seen s = {.stage = TRUST_AT_REFUSAL, .reply = cases[i].first};
        for (; address(&k) > 0; s.reply = cases[i].others)
            assert_int_equal(trust_walk_seen(&k.w, &s).verdict, TRUST_GO_NEXT);
        ends(&k, cases[i].decision, cases[i].status);
        assert_non_null(strstr(buf_str(&k.why), cases[i].why));
    }
}

// Hosts that were never candidates do not hide why the candidate failed, be
// they before it or behind it.
static void walk_left_out_is_silent(void **state)
{
    (void)state;
    static const char *const plans[] = {"pkix 1;unusable 1 behind-us;unusable 1 behind-us",
                                        "unusable 0 for-good;pkix 1;unusable 1 behind-us"};
    static const struct trust_seen secured = {
        .stage = TRUST_AT_SECURED, .ok = true, .verified = TRUST_VERIFIED_PKIX};
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(walked_free) struct walked k;
        plan_of(&k, plans[i / 2], &requiretls, 8);
        while (address(&k) > 0)
            assert_true(trust_walk_seen(&k.w, i % 2 ? &secured : &no_starttls).permanent);
        ends(&k, TRUST_FAIL, i % 2 ? "5.7.30" : "5.7.10");
        assert_non_null(strstr(buf_str(&k.why), "REQUIRETLS"));
    }
}

static void walk_one_may_do_later(void **state)
{
    (void)state;
    static const char *const plans[] = {"pkix 1;unusable 1", "unusable 1;pkix 1"};
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(walked_free) struct walked k;
        plan_of(&k, plans[i], &requiretls, 8);
        while (address(&k) > 0)
            (void)trust_walk_seen(&k.w, &no_starttls);
        ends(&k, TRUST_DEFER, "4.7.5");
        assert_non_null(strstr(buf_str(&k.why), "not usable"));
    }
}

static void walk_leaves_host(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "opportunistic 4;opportunistic 1", &nothing_asked, 8);
    assert_int_equal(address(&k), 10);
    trust_walk_leave_host(&k.w, SPAN("451 busy"));
    assert_int_equal(address(&k), 20);
    trust_walk_leave_host(&k.w, SPAN("451 busy"));
    assert_int_equal(address(&k), -1);
    ends(&k, TRUST_DEFER, "4.0.0");
}

static void walk_of_a_failed_plan(void **state)
{
    (void)state;
    CLEANUP(walked_free) struct walked k;
    plan_of(&k, "opportunistic 1", &nothing_asked, 8);
    k.plan.decision = TRUST_FAIL;
    k.plan.status = "5.1.10";
    assert_int_equal(address(&k), -1);
    ends(&k, TRUST_FAIL, "5.1.10");
}

// --- byte forms

static const char want_json[] =
    "{\"recipient_domain\":\"example.org\",\"decision\":\"deliver\",\"reason\":\"mx.example.net: "
    "The host "
    "has secure TLSA records, so its certificate must match one of them (RFC 7672 section 2.2).\","
    "\"status\":null,\"requiretls\":false,\"mx_dnssec\":\"secure\",\"mta_sts\":{\"state\":"
    "\"enforce\","
    "\"id\":\"new\",\"mx\":[\"mx.example.net\",\"*.example.com\"],\"max_age\":86400,\"source\":"
    "\"fetched\","
    "\"error\":null},\"tlsrpt\":[\"mailto:a@x.example\"],\"hosts\":[{\"name\":\"mx.example.net\","
    "\"preference\":10,\"implicit_mx\":false,\"port\":25,\"addresses\":[\"2001:db8::1\",\"192.0.2."
    "1\"],"
    "\"address_dnssec\":\"secure\",\"tlsa_dnssec\":\"secure\",\"tlsa\":[\"3 1 1 "
    "7878787878787878787878787878787878787878787878787878787878787878\",\"malformed\"],"
    "\"requirement\":\"dane\",\"reason\":\"The host has secure TLSA records, so its certificate "
    "must match "
    "one of them (RFC 7672 section 2.2).\",\"name_protected\":true,\"sts_testing\":false,"
    "\"sts_mismatch\":false,\"tlsa_base\":\"mx.example.net\",\"tlsa_usable\":[\"3 1 1 "
    "7878787878787878787878787878787878787878787878787878787878787878\"],"
    "\"names\":[\"mx.example.net\",\"example.org\"],\"probe\":null}]} ttl=300 saved=new";

static void plan_json(void **state)
{
    (void)state;
    static const struct scene s = {
        .zone =
            "example.org MX s 10 mx.example.net\nmx.example.net A s 192.0.2.1\n"
            "mx.example.net AAAA s 2001:db8::1\n_25._tcp.mx.example.net TLSA s 3 1 1 #32\n"
            "_25._tcp.mx.example.net TLSA s short\n_mta-sts.example.org TXT s v=STSv1; id=new;\n"
            "_smtp._tls.example.org TXT s v=TLSRPTv1; rua=mailto:a@x.example\n",
        .fetch = "version: STSv1\nmode: enforce\nmx: mx.example.net\nmx: *.example.com\nmax_age: "
                 "86400\n",
        .saved = "new"};
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    scene_run(&s, 0, &b);
    assert_string_equal(buf_str(&b), want_json);
}

static void plan_json_empty(void **state)
{
    (void)state;
    static const struct scene s = {.zone = "example.org MX i 0 .\n"};
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    scene_run(&s, 0, &b);
    assert_non_null(strstr(buf_str(&b), "\"mta_sts\":{\"state\":\"absent\",\"id\":null,\"mx\":[],"
                                        "\"max_age\":null,\"source\":null,\"error\":null},"
                                        "\"tlsrpt\":[],\"hosts\":[]}"));
}

static void plan_json_probed(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct trust_host h = {.name = name_of("mx.example.net"), .reason = SPAN("x")};
    struct trust_plan p = {.domain = name_of("example.org"), .hosts = &h, .host_count = 1};
    struct span probe = SPAN("{\"connected\":true}");
    trust_plan_put_json_probed(&b, &p, &probe);
    assert_non_null(strstr(buf_str(&b), "\"probe\":{\"connected\":true}"));
    assert_non_null(strstr(buf_str(&b), "\"address_dnssec\":\"not-asked\""));
}

static void session_json(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct json j = JSON(&b);
    struct trust_session s = {.host = name_of("mx.example.net"),
                              .requirement = TRUST_REQ_DANE,
                              .source_given = true,
                              .source = {.at = {192, 0, 2, 7}},
                              .connected = true,
                              .starttls = true,
                              .tls_version = SPAN("TLSv1.3"),
                              .cipher = SPAN("TLS_AES_256_GCM_SHA384"),
                              .verified = TRUST_VERIFIED_DANE,
                              .matched = SPAN("3 1 1"),
                              .certificate_until = 1800000000,
                              .rule = SPAN("r")};
    trust_session_put_json(&j, NULL, &s);
    assert_string_equal(
        buf_str(&b),
        "{\"host\":\"mx.example.net\",\"address\":\"0.0.0.0\",\"source\":\"192.0.2.7\",\"helo\":"
        "null,"
        "\"requirement\":\"dane\","
        "\"connected\":true,"
        "\"reused\":false,\"starttls\":true,\"tls_version\":\"TLSv1.3\",\"cipher\":"
        "\"TLS_AES_256_GCM_SHA384\",\"group\":null,\"peer_verified\":\"dane\",\"matched\":\"3 1 "
        "1\","
        "\"certificate\":null,\"certificate_until\":1800000000,\"requiretls\":false,\"rule\":\"r\","
        "\"error\":null,\"tlsrpt_result_type\":null}");
    buf_clear(&b);
    j = JSON(&b);
    s.result = TRUST_STARTTLS_NOT_SUPPORTED;
    s.error = SPAN("no");
    trust_session_put_json(&j, NULL, &s);
    assert_non_null(strstr(buf_str(&b), "\"tlsrpt_result_type\":\"starttls-not-supported\""));
}

static void words(void **state)
{
    (void)state;
    enum trust_local l;
    for (unsigned i = 0; i < TRUST_LOCALS; i++) {
        assert_true(trust_local_parse(&l, span_str(trust_local_text((enum trust_local)i))));
        assert_int_equal(l, i);
    }
    assert_false(trust_local_parse(&l, SPAN("")));
    assert_false(trust_local_parse(&l, SPAN("dane")));
    for (unsigned i = 0; i < TRUST_RESULT_TYPES; i++)
        assert_non_null(trust_result_type_text((enum trust_result_type)i));
    for (unsigned i = 0; i < TRUST_REQUIREMENTS; i++)
        assert_non_null(trust_requirement_text((enum trust_requirement)i));
    assert_string_equal(trust_verified_text(TRUST_VERIFIED_PINNED), "pinned");
    assert_string_equal(trust_decision_text(TRUST_FAIL), "fail");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_clear_only_if_allowed),
        cmocka_unit_test(sweep_proof_before_talk),
        cmocka_unit_test(sweep_requiretls_whole),
        cmocka_unit_test(sweep_requiretls_codes),
        cmocka_unit_test(sweep_unusable_never),
        cmocka_unit_test(sweep_clear_never_starttls),
        cmocka_unit_test(sweep_retry_never_starttls),
        cmocka_unit_test(sweep_stages_fit),
        cmocka_unit_test(sweep_codes_fit),
        cmocka_unit_test(sweep_result_types),
        cmocka_unit_test(sweep_reaches_talk),
        cmocka_unit_test(walk_in_order),
        cmocka_unit_test(walk_once_in_the_clear),
        cmocka_unit_test(walk_never_clear_for_dane),
        cmocka_unit_test(walk_ceiling),
        cmocka_unit_test(walk_fails_for_good),
        cmocka_unit_test(walk_no_extension),
        cmocka_unit_test(walk_refused_by_all),
        cmocka_unit_test(walk_left_out_is_silent),
        cmocka_unit_test(walk_one_may_do_later),
        cmocka_unit_test(walk_leaves_host),
        cmocka_unit_test(walk_of_a_failed_plan),
        cmocka_unit_test(plan_json),
        cmocka_unit_test(plan_json_empty),
        cmocka_unit_test(plan_json_probed),
        cmocka_unit_test(session_json),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests_name("trust_walk", tests, NULL, NULL);
}
