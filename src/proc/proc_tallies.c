#include "proc_tallies.h"

#include "report_dmarc.h"
#include "report_tlsrpt.h"

#include <string.h>

enum { STRINGS_MAX = REPORT_TLS_STRINGS_MAX, KEY_ROOM = 64 << 10 };

// ---- about ----

static void about_put(struct buf *b, const struct span *rua, size_t count, struct span published,
                      struct span organization)
{
    count = count < TALLIES_RUA_MAX ? count : TALLIES_RUA_MAX;
    wr_u16(b, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        wr_span(b, rua[i]);
    wr_span(b, published);
    wr_span(b, organization);
}

bool tallies_about_unpack(struct span about, struct tallies_about *out)
{
    struct rd r = RD(about);
    *out = (struct tallies_about){.count = rd_u16(&r)};
    if (out->count > TALLIES_RUA_MAX)
        return false;
    for (size_t i = 0; i < out->count; i++)
        out->rua[i] = rd_span(&r);
    out->published = rd_span(&r);
    out->organization = rd_span(&r);
    return rd_end(&r);
}

// ---- sessions ----

struct strings {
    struct span at[STRINGS_MAX];
    size_t count;
    struct buf text;
};

// Spans are set last, when the text does not move any more.
static void string_end(struct strings *s, size_t begin)
{
    if (s->count < STRINGS_MAX)
        s->at[s->count++] = (struct span){NULL, s->text.len - begin};
}

static void strings_settle(struct strings *s)
{
    const char *at = s->text.at;
    for (size_t i = 0; i < s->count; at += s->at[i++].len)
        s->at[i].at = at;
}

static void sts_strings(struct strings *s, const struct trust_sts_policy *p)
{
    size_t begin = s->text.len;
    buf_put(&s->text, SPAN("version: STSv1"));
    string_end(s, begin);
    begin = s->text.len;
    buf_printf(&s->text, "mode: %s", trust_sts_mode_text(p->mode));
    string_end(s, begin);
    for (size_t i = 0; i < p->count && s->count < STRINGS_MAX - 1; i++) {
        begin = s->text.len;
        buf_printf(&s->text, "mx: %s%s", p->mx[i].wildcard ? "*." : "", p->mx[i].name.text);
        string_end(s, begin);
    }
    begin = s->text.len;
    buf_printf(&s->text, "max_age: %u", (unsigned)p->max_age);
    string_end(s, begin);
}

static void sts_patterns(struct strings *s, const struct trust_sts_policy *p)
{
    for (size_t i = 0; i < p->count && s->count < STRINGS_MAX; i++) {
        size_t begin = s->text.len;
        buf_printf(&s->text, "%s%s", p->mx[i].wildcard ? "*." : "", p->mx[i].name.text);
        string_end(s, begin);
    }
}

static void tlsa_strings(struct strings *s, const struct trust_host *h)
{
    for (size_t i = 0; i < h->tlsa_count && s->count < STRINGS_MAX; i++) {
        size_t begin = s->text.len;
        trust_tlsa_put(&s->text, &h->tlsa[i]);
        string_end(s, begin);
    }
}

static void host_names(struct strings *s, const struct trust_plan *plan)
{
    for (size_t i = 0; i < plan->host_count && s->count < STRINGS_MAX; i++) {
        size_t begin = s->text.len;
        buf_put(&s->text, dns_name_span(&plan->hosts[i].name));
        string_end(s, begin);
    }
}

// RFC 8460 §4.4: the policy that was applied. `host` NULL: that of MTA-STS.
static enum report_tls_type type_of(const struct trust_plan *plan, const struct trust_host *host)
{
    bool sts = plan->sts.state == TRUST_STS_ENFORCE || plan->sts.state == TRUST_STS_TESTING;
    if (!host)
        return REPORT_TLS_STS;
    if (host->tlsa_count)
        return REPORT_TLS_TLSA;
    return sts ? REPORT_TLS_STS : REPORT_TLS_NONE;
}

static void policy_put(struct buf *b, const struct trust_plan *plan, const struct trust_host *host)
{
    struct strings strings = {.text = BUF(KEY_ROOM)}, mx = {.text = BUF(KEY_ROOM)};
    struct report_tls_policy p = {.type = type_of(plan, host),
                                  .domain = dns_name_span(&plan->domain)};
    if (p.type == REPORT_TLS_TLSA) {
        size_t begin = 0;
        tlsa_strings(&strings, host);
        buf_put(&mx.text, dns_name_span(&host->name));
        string_end(&mx, begin);
        p.domain =
            dns_name_span(dns_name_is_root(&host->tlsa_base) ? &host->name : &host->tlsa_base);
    } else if (p.type == REPORT_TLS_STS) {
        if (plan->sts.policy.count || plan->sts.policy.max_age)
            sts_strings(&strings, &plan->sts.policy);
        sts_patterns(&mx, &plan->sts.policy);
    } else {
        host_names(&mx, plan);
    }
    strings_settle(&strings);
    strings_settle(&mx);
    p.strings = strings.at;
    p.string_count = strings.count;
    p.mx = mx.at;
    p.mx_count = mx.count;
    report_tls_policy_pack(b, &p);
    buf_free(&strings.text);
    buf_free(&mx.text);
}

static struct span reason_of(const struct trust_plan *plan, const struct trust_host *host,
                             enum trust_result_type result)
{
    if (host && host->sts_mismatch)
        return SPAN(REPORT_TLS_STS_MX_MISMATCH);
    if (type_of(plan, host) == REPORT_TLS_TLSA && result == TRUST_VALIDATION_FAILURE)
        return SPAN(REPORT_TLS_TLSA_MISMATCH);
    return SPAN("");
}

// `s` NULL: no connection was made.
static void entry_put(struct buf *sessions, const struct trust_plan *plan,
                      const struct trust_host *host, const struct trust_session *s,
                      enum trust_result_type result)
{
    CLEANUP(buf_free) struct buf policy = BUF(KEY_ROOM), detail = BUF(KEY_ROOM);
    CLEANUP(buf_free) struct buf coarse = BUF(KEY_ROOM);
    policy_put(&policy, plan, host);
    if (result != TRUST_RESULT_OK) {
        struct report_tls_failure f = {
            .result = report_tls_result_of(span_str(trust_result_type_text(result)))};
        report_tls_failure_pack(&coarse, &f);
        if (s) {
            f.sending_ip = (struct report_tls_address){s->source_given, s->source};
            f.receiving_ip = (struct report_tls_address){true, s->address};
            f.mx_helo = s->helo;
        }
        if (host)
            f.mx_hostname = dns_name_span(&host->name);
        f.reason_code = reason_of(plan, host, result);
        report_tls_failure_pack(&detail, &f);
    }
    wr_span(sessions, buf_span(&policy));
    wr_span(sessions, buf_span(&detail));
    wr_span(sessions, buf_span(&coarse));
}

void tallies_session(struct buf *sessions, const struct trust_plan *plan,
                     const struct trust_host *host, const struct trust_session *s,
                     enum trust_result_type result)
{
    // What ended before STARTTLS could be seen, and a retry in the clear, are no sessions
    // of RFC 8460; a connection that is used again was counted.
    bool secured = s->tls_version.len > 0;
    if (!plan->tlsrpt_count || s->reused || s->local || (result == TRUST_RESULT_OK && !secured))
        return;
    if (result == TRUST_RESULT_OK)
        result = host->result;
    entry_put(sessions, plan, host, s, result);
}

void tallies_plan(struct buf *sessions, const struct trust_plan *plan)
{
    if (!plan->tlsrpt_count)
        return;
    if (plan->sts.result_type != TRUST_RESULT_OK)
        entry_put(sessions, plan, NULL, NULL, plan->sts.result_type);
    for (size_t i = 0; i < plan->host_count; i++)
        if (plan->hosts[i].requirement == TRUST_REQ_UNUSABLE &&
            plan->hosts[i].result != TRUST_RESULT_OK)
            entry_put(sessions, plan, &plan->hosts[i], NULL, plan->hosts[i].result);
}

enum store_protection tallies_protection(const struct trust_session *s)
{
    if (s->local)
        return STORE_UNCOUNTED;
    if (!s->tls_version.len)
        return STORE_CLEAR;
    if (s->verified == TRUST_VERIFIED_DANE)
        return STORE_DANE;
    if (s->verified == TRUST_VERIFIED_NONE)
        return STORE_ENCRYPTED;
    return s->requirement == TRUST_REQ_STS ? STORE_STS : STORE_PKIX;
}

void tallies_put(struct buf *b, const uint32_t delivered[STORE_PROTECTIONS],
                 const struct trust_plan *plan, struct span sessions)
{
    CLEANUP(buf_free) struct buf about = BUF(TALLIES_ROOM);
    for (unsigned p = STORE_UNCOUNTED + 1; p < STORE_PROTECTIONS; p++)
        wr_u32(b, delivered[p]);
    if (sessions.len && plan)
        about_put(&about, plan->tlsrpt, plan->tlsrpt_count, SPAN(""), SPAN(""));
    wr_span(b, buf_span(&about));
    wr_span(b, sessions);
}

// ---- evaluations ----

static struct span fo_text(char room[static 16], unsigned fo)
{
    static const struct {
        unsigned bit;
        char c;
    } options[] = {
        {DMARC_FO_ALL, '0'}, {DMARC_FO_ANY, '1'}, {DMARC_FO_DKIM, 'd'}, {DMARC_FO_SPF, 's'}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (fo & options[i].bit) {
            if (n)
                room[n++] = ':';
            room[n++] = options[i].c;
        }
    return (struct span){room, n};
}

// With the size that an old record asks for, which report_rua.h keeps to.
static void rua_strings(struct strings *s, const struct auth_dmarc_record *r)
{
    for (size_t i = 0; i < r->rua_count && i < TALLIES_RUA_MAX; i++) {
        size_t begin = s->text.len;
        buf_put(&s->text, r->rua[i].uri);
        if (r->rua[i].size_max)
            buf_printf(&s->text, "!%llu", (unsigned long long)r->rua[i].size_max);
        string_end(s, begin);
    }
    strings_settle(s);
}

static void published_put(struct buf *b, const struct auth_dmarc_result *d)
{
    const struct auth_dmarc_record *r = d->record;
    static const enum report_policy policies[DMARC_POLICIES] = {
        REPORT_POLICY_NONE, REPORT_POLICY_QUARANTINE, REPORT_POLICY_REJECT};
    char fo[16];
    struct report_published p = {.domain = dns_name_span(&d->policy_domain),
                                 .p = policies[r->p],
                                 .sp = policies[r->sp],
                                 .np = policies[r->np],
                                 .adkim = r->adkim_strict ? REPORT_STRICT : REPORT_RELAXED,
                                 .aspf = r->aspf_strict ? REPORT_STRICT : REPORT_RELAXED,
                                 .testing = r->testing ? REPORT_YES : REPORT_NO,
                                 .discovery = REPORT_TREEWALK,
                                 .fo = fo_text(fo, r->fo)};
    report_published_pack(b, &p);
}

static enum report_disposition disposition_of(const struct store_evaluation *e,
                                              const struct auth_dmarc_result *d)
{
    // RFC 9990 appendix A: "pass" is a pass under a policy of enforcement (RFC 9989 §3.2.9).
    if (d->result == AUTH_PASS && d->policy != DMARC_NONE &&
        !span_eq(e->disposition, SPAN("reject")))
        return REPORT_DISPOSITION_PASS;
    return report_disposition_of(e->disposition);
}

static enum report_aligned aligned_of(bool aligned)
{
    return aligned ? REPORT_ALIGNED_PASS : REPORT_ALIGNED_FAIL;
}

static bool passed_aligned(const struct auth_dmarc_result *d, const struct auth_dkim_result *s)
{
    for (size_t i = 0; i < d->dkim_count; i++)
        if (s->result == AUTH_PASS && dns_name_eq(&d->dkim[i], &s->signature.domain))
            return true;
    return false;
}

static size_t signatures(struct report_dkim *out, const struct auth_message_result *r)
{
    size_t n = 0;
    for (size_t i = 0; i < auth_dkim_count(r->dkim) && n < AUTH_DKIM_RESULTS_MAX; i++) {
        const struct auth_dkim_result *s = auth_dkim_result(r->dkim, i);
        if (!s->named)
            continue;
        out[n++] =
            (struct report_dkim){.domain = dns_name_span(&s->signature.domain),
                                 .selector = dns_name_span(&s->signature.selector),
                                 .result = report_auth_of(span_str(auth_result_text(s->result))),
                                 .human = s->reason ? span_str(s->reason) : SPAN(""),
                                 .aligned = passed_aligned(r->dmarc, s)};
    }
    return n;
}

// What all messages of a source have in common that came to the same result: said where there are
// too many different records. It has nothing in it that whoever sends can choose but the author.
static void coarse_put(struct buf *b, const struct report_record *whole)
{
    struct report_record rec = *whole;
    struct report_reason type = {0};
    rec.envelope_from = rec.envelope_to = SPAN("");
    rec.null_sender = false;
    rec.dkim_count = rec.spf_count = 0;
    if (rec.reason_count)
        type.type = rec.reasons[0].type;
    rec.reasons = &type;
    report_record_pack(b, &rec);
}

static void record_put(struct buf *b, struct buf *coarse, const struct store_evaluation *e,
                       const struct tallies_letter *l)
{
    struct report_dkim dkim[AUTH_DKIM_RESULTS_MAX];
    struct report_spf spf = {
        .domain = e->spf_domain, .scope = REPORT_MFROM, .result = report_auth_of(e->spf)};
    struct report_reason reason = {report_override_of(e->override_reason), e->comment};
    struct report_record rec = {.source = *l->client,
                                .source_given = true,
                                .disposition = disposition_of(e, l->result->dmarc),
                                .dkim_aligned = aligned_of(e->dkim_aligned),
                                .spf_aligned = aligned_of(e->spf_aligned),
                                .reason_count = e->override_reason.len ? 1 : 0,
                                .reasons = &reason,
                                .header_from = e->author,
                                .envelope_from = e->sender,
                                .null_sender = l->null_sender,
                                .envelope_to = l->to,
                                .dkim_count = signatures(dkim, l->result),
                                .dkim = dkim,
                                .spf_count = e->spf_domain.len ? 1 : 0,
                                .spf = &spf};
    report_record_pack(b, &rec);
    coarse_put(coarse, &rec);
}

void tallies_evaluation(struct buf *b, struct store_evaluation *e, const struct tallies_letter *l)
{
    const struct auth_dmarc_result *d = l->result->dmarc;
    CLEANUP(buf_free) struct buf published = BUF(KEY_ROOM), coarse = BUF(KEY_ROOM);
    struct strings rua = {.text = BUF(KEY_ROOM)};
    if (!d->found || !d->record->rua_count)
        return;
    rua_strings(&rua, d->record);
    published_put(&published, d);
    about_put(b, rua.at, rua.count, buf_span(&published), dns_name_span(&d->organization));
    buf_free(&rua.text);
    size_t about = b->len;
    record_put(b, &coarse, e, l);
    size_t record = b->len;
    buf_put(b, buf_span(&coarse));
    if (!rc_ok(buf_state(b)) || !rc_ok(buf_state(&coarse)))
        return;
    struct span all = buf_span(b);
    e->about = span_first(all, about);
    e->record = span_first(span_skip(all, about), record - about);
    e->coarse = span_skip(all, record);
}
