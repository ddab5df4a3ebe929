// The document about one subject: its cover, its tallies as what the RFCs say, packed.
#include "proc_reporter.h"

#include "base_code.h"
#include "base_log.h"

enum { UNIQUE_BYTES = 8 };
#define DAY_US SECONDS(86400)

struct span reporter_organization(const struct reporter *r)
{
    struct span name = conf_span(r->proc->conf, CONF_report_organization);
    return name.len ? name : conf_span(r->proc->conf, CONF_hostname);
}

static struct span contact(const struct reporter *r)
{
    struct span s = conf_span(r->proc->conf, CONF_report_contact);
    return s.len ? s : conf_span(r->proc->conf, CONF_report_from);
}

static bool cover_make(struct reporter *r)
{
    struct store_subject *s = &r->row.subject;
    CLEANUP(buf_free) struct buf b = BUF(2048), unique = BUF(64), id = BUF(1024);
    struct span from = conf_span(r->proc->conf, CONF_report_from);
    r->cover = (struct report_cover){
        .kind = s->kind == STORE_ABOUT_TLS ? REPORT_TLSRPT : REPORT_DMARC,
        .begin = {s->day * DAY_US},
        .end = {(s->day + 1) * DAY_US - US_PER_S},
    };
    if (!dns_name_parse(&r->cover.submitter, span_skip(from, span_index(from, '@') + 1)) ||
        !dns_name_parse(&r->cover.policy_domain, s->domain))
        return false;
    // Of the same report always the same, so that who gets it twice can tell.
    buf_printf(&b, "%lld %u %.*s %.*s", (long long)s->day, s->kind, SPAN_FMT(s->domain),
               SPAN_FMT(conf_span(r->proc->conf, CONF_hostname)));
    struct crypto_digest digest = crypto_sha256(buf_span(&b));
    code_put_hex(&unique, span_first(SPAN_OF(digest.at), UNIQUE_BYTES));
    r->cover.unique = arena_dup(&r->arena, buf_span(&unique));
    report_id_put(&id, &r->cover);
    r->cover.id = arena_dup(&r->arena, buf_span(&id));
    return true;
}

static bool make_tls(struct reporter *r)
{
    struct report_tlsrpt d = {.organization = reporter_organization(r),
                              .contact = contact(r),
                              .id = r->cover.id,
                              .begin = r->cover.begin,
                              .end = r->cover.end};
    size_t bad = 0;
    return report_tlsrpt_tally(&d, r->tallies, r->count, REPORT_TLS_OWN_DETAILS_MAX, &r->arena,
                               &bad) &&
           d.policy_count && rc_ok(report_tlsrpt_pack_gzip(&r->packed, &d, REPORTER_PACKED_MAX));
}

static bool make_dmarc(struct reporter *r)
{
    struct report_dmarc d = {0};
    size_t bad = 0;
    if (!report_dmarc_tally(&d, r->about.published, r->records, r->count, &r->arena, &bad) ||
        !d.record_count)
        return false;
    d.dialect = REPORT_RFC9990;
    d.organization = reporter_organization(r);
    d.email = contact(r);
    d.id = r->cover.id;
    d.generator = SPAN("Geleit");
    d.begin = r->cover.begin;
    d.end = r->cover.end;
    return rc_ok(report_dmarc_pack_gzip(&r->packed, &d, REPORTER_PACKED_MAX));
}

void reporter_document(struct reporter *r)
{
    r->packed = BUF(REPORTER_PACKED_MAX + 65536);
    bool tls = r->row.subject.kind == STORE_ABOUT_TLS;
    if (cover_make(r) && (tls ? make_tls(r) : make_dmarc(r))) {
        reporter_send(r);
        return;
    }
    LOG(LOG_WARN, "report-not-made", LOG_S("domain", r->row.subject.domain));
    reporter_subject_over(r);
}
