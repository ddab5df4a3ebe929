// The document about one subject: its cover, its tallies as what the RFCs say, packed.
#include "proc_reporter.h"

#include "base_code.h"
#include "base_log.h"
#include "base_version.h"

enum { UNIQUE_BYTES = 8 };
#define DAY_US SECONDS(86400)

struct span reporter_organization(const struct reporter *r)
{
    struct span name = conf_span(r->proc->conf, CONF_report_organization);
    return name.len ? name : conf_span(r->proc->conf, CONF_hostname);
}

static struct span domain_of(struct span address)
{
    return span_skip(address, span_index(address, '@') + 1);
}

static struct span contact(const struct reporter *r)
{
    struct span from = conf_span(r->proc->conf, CONF_report_from);
    struct span s = conf_span(r->proc->conf, CONF_report_contact);
    // RFC 8460 §5.3: of the domain that submits, which is the one that signs.
    bool fits = r->cover.kind == REPORT_DMARC || span_ieq(domain_of(s), domain_of(from));
    return s.len && fits ? s : from;
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
    if (!dns_name_parse(&r->cover.submitter, domain_of(from)) ||
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

// What the day had beyond report.entries. RFC 9990 has no record for many sources at once, so
// that some are told coarsely and some only here.
static void put_beyond(struct buf *b, const struct reporter *r, const struct report_dmarc *d)
{
    uint64_t coarse = 0, beyond = r->row.lost;
    for (const struct report_record *rec = d->records; rec; rec = rec->next)
        coarse += report_record_is_coarse(rec) ? rec->count : 0;
    if (!beyond)
        return;
    buf_printf(b,
               "There were more different messages than are told apart: %llu are reported by "
               "source and result alone, %llu not at all.",
               (unsigned long long)coarse,
               (unsigned long long)(beyond > coarse ? beyond - coarse : 0));
}

static bool pack_dmarc(struct reporter *r, const struct report_dmarc *d)
{
    uint64_t left_out = 0;
    struct rc rc = report_dmarc_pack_gzip(&r->packed, d, REPORTER_PACKED_MAX, &left_out);
    if (d->error.len || left_out)
        LOG(LOG_WARN, "report-incomplete", LOG_S("domain", r->row.subject.domain),
            LOG_I("beyond-entries", r->row.lost), LOG_I("beyond-size", left_out));
    return rc_ok(rc);
}

static bool make_dmarc(struct reporter *r)
{
    CLEANUP(buf_free) struct buf beyond = BUF(1024);
    struct report_dmarc d = {0};
    size_t bad = 0;
    if (!report_dmarc_tally(&d, r->about.published, r->records, r->count, &r->arena, &bad) ||
        !d.record_count)
        return false;
    d.dialect = REPORT_RFC9990;
    d.organization = reporter_organization(r);
    d.email = contact(r);
    d.id = r->cover.id;
    d.generator = SPAN("Geleit " GELEIT_VERSION);
    d.begin = r->cover.begin;
    d.end = r->cover.end;
    put_beyond(&beyond, r, &d);
    d.error = buf_span(&beyond);
    return pack_dmarc(r, &d);
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
