// The XML of RFC 9990. Elements stand in the order of its schema, and only with values it permits.
#include "report_dmarc.h"

#include "report_mail.h"

#include <stdlib.h>

enum { XML_MAX = 256 << 20 };

// XML 1.0 §2.2 and §2.4: what no document may hold becomes U+FFFD or a blank.
static void text_put(struct buf *b, struct span s)
{
    while (s.len) {
        size_t n = span_utf8(s);
        unsigned char c = (unsigned char)s.at[0];
        bool nonchar = n == 3 && c == 0xef && s.at[1] == '\xbf' && (unsigned char)s.at[2] >= 0xbe;
        if (n == 0 || nonchar)
            buf_put(b, SPAN("\xef\xbf\xbd"));
        else if (c < ' ' || c == 0x7f)
            buf_putc(b, ' ');
        else if (c == '<' || c == '>' || c == '&')
            buf_put(b, c == '<' ? SPAN("&lt;") : c == '>' ? SPAN("&gt;") : SPAN("&amp;"));
        else
            buf_put(b, span_first(s, n));
        s = span_skip(s, n ? n : 1);
    }
}

static void always(struct buf *b, unsigned indent, const char *name, struct span text)
{
    buf_printf(b, "%*s<%s>", (int)indent, "", name);
    text_put(b, text);
    buf_printf(b, "</%s>\n", name);
}

static void given(struct buf *b, unsigned indent, const char *name, struct span text)
{
    if (text.len)
        always(b, indent, name, text);
}

static void word(struct buf *b, unsigned indent, const char *name, const char *text)
{
    if (text)
        always(b, indent, name, span_str(text));
}

static void seconds(struct buf *b, const char *name, struct wall when)
{
    buf_printf(b, "      <%s>%lld</%s>\n", name, (long long)(when.us / US_PER_S), name);
}

static void metadata_put(struct buf *b, const struct report_dmarc *d)
{
    buf_put(b, SPAN("  <report_metadata>\n"));
    always(b, 4, "org_name", d->organization);
    always(b, 4, "email", d->email);
    given(b, 4, "extra_contact_info", d->extra_contact);
    always(b, 4, "report_id", d->id);
    buf_put(b, SPAN("    <date_range>\n"));
    seconds(b, "begin", d->begin);
    seconds(b, "end", d->end);
    buf_put(b, SPAN("    </date_range>\n"));
    given(b, 4, "error", d->error);
    given(b, 4, "generator", d->generator);
    buf_put(b, SPAN("  </report_metadata>\n"));
}

static void published_put(struct buf *b, const struct report_published *p)
{
    const char *policy = report_policy_text(p->p);
    buf_put(b, SPAN("  <policy_published>\n"));
    always(b, 4, "domain", p->domain);
    word(b, 4, "discovery_method", report_discovery_text(p->discovery));
    word(b, 4, "p", policy ? policy : "none"); // required
    word(b, 4, "sp", report_policy_text(p->sp));
    word(b, 4, "np", report_policy_text(p->np));
    given(b, 4, "fo", p->fo);
    word(b, 4, "adkim", report_alignment_text(p->adkim));
    word(b, 4, "aspf", report_alignment_text(p->aspf));
    word(b, 4, "testing", report_yes_text(p->testing));
    buf_put(b, SPAN("  </policy_published>\n"));
}

static void reason_put(struct buf *b, const struct report_reason *r)
{
    bool modern = r->type != REPORT_OVERRIDE_UNSAID && r->type != REPORT_FORWARDED &&
                  r->type != REPORT_SAMPLED_OUT;
    buf_put(b, SPAN("        <reason>\n"));
    word(b, 10, "type", modern ? report_override_text(r->type) : "other");
    given(b, 10, "comment", r->comment);
    buf_put(b, SPAN("        </reason>\n"));
}

static void row_put(struct buf *b, const struct report_record *rec)
{
    const char *disposition = report_disposition_text(rec->disposition);
    CLEANUP(buf_free) struct buf address = BUF(64);
    if (rec->source_given)
        dns_address_put(&address, &rec->source);
    buf_put(b, SPAN("    <row>\n"));
    always(b, 6, "source_ip", buf_span(&address));
    buf_printf(b, "      <count>%llu</count>\n", (unsigned long long)rec->count);
    buf_put(b, SPAN("      <policy_evaluated>\n"));
    word(b, 8, "disposition", disposition ? disposition : "none");
    word(b, 8, "dkim", rec->dkim_aligned == REPORT_ALIGNED_PASS ? "pass" : "fail");
    word(b, 8, "spf", rec->spf_aligned == REPORT_ALIGNED_PASS ? "pass" : "fail");
    for (size_t i = 0; i < rec->reason_count; i++)
        reason_put(b, &rec->reasons[i]);
    buf_put(b, SPAN("      </policy_evaluated>\n    </row>\n"));
}

static void identifiers_put(struct buf *b, const struct report_record *rec)
{
    buf_put(b, SPAN("    <identifiers>\n"));
    always(b, 6, "header_from", rec->header_from);
    if (rec->null_sender)
        buf_put(b, SPAN("      <envelope_from/>\n")); // §3.1.1.11
    else
        given(b, 6, "envelope_from", rec->envelope_from);
    given(b, 6, "envelope_to", rec->envelope_to);
    buf_put(b, SPAN("    </identifiers>\n"));
}

static const char *dkim_result(enum report_auth r) // softfail is SPF's alone
{
    const char *text = report_auth_text(r == REPORT_AUTH_SOFTFAIL ? REPORT_AUTH_FAIL : r);
    return text ? text : "none";
}

static void dkim_put(struct buf *b, const struct report_dkim *d)
{
    buf_put(b, SPAN("      <dkim>\n"));
    always(b, 8, "domain", d->domain);
    always(b, 8, "selector", d->selector);
    word(b, 8, "result", dkim_result(d->result));
    given(b, 8, "human_result", d->human);
    buf_put(b, SPAN("      </dkim>\n"));
}

static void spf_put(struct buf *b, const struct report_spf *s)
{
    const char *result = report_auth_text(s->result);
    buf_put(b, SPAN("      <spf>\n"));
    always(b, 8, "domain", s->domain);
    word(b, 8, "scope", s->scope == REPORT_MFROM ? "mfrom" : NULL);
    word(b, 8, "result", result ? result : "none");
    given(b, 8, "human_result", s->human);
    buf_put(b, SPAN("      </spf>\n"));
}

// RFC 9990 §3.1.3: strictly aligned passes, aligned passes, passes, all others.
static unsigned dkim_rank(const struct report_record *rec, const struct report_dkim *d)
{
    if (d->result != REPORT_AUTH_PASS)
        return 3;
    return span_ieq(d->domain, rec->header_from) ? 0 : d->aligned ? 1 : 2;
}

static void results_put(struct buf *b, const struct report_record *rec)
{
    size_t written = 0;
    buf_put(b, SPAN("    <auth_results>\n"));
    for (unsigned rank = 0; rank <= 3; rank++)
        for (size_t i = 0; i < rec->dkim_count && written < REPORT_DMARC_LIST_MAX; i++)
            if (dkim_rank(rec, &rec->dkim[i]) == rank) {
                dkim_put(b, &rec->dkim[i]);
                written++;
            }
    if (rec->spf_count)
        spf_put(b, &rec->spf[0]);
    buf_put(b, SPAN("    </auth_results>\n"));
}

static void record_put(struct buf *b, const struct report_record *rec)
{
    buf_put(b, SPAN("  <record>\n"));
    row_put(b, rec);
    identifiers_put(b, rec);
    results_put(b, rec);
    buf_put(b, SPAN("  </record>\n"));
}

static void head_put(struct buf *b, const struct report_dmarc *d)
{
    buf_put(b, SPAN("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
                    "  <version>1.0</version>\n"));
    metadata_put(b, d);
    published_put(b, &d->policy);
}

static void end_put(struct buf *b)
{
    buf_put(b, SPAN("</feedback>\n"));
}

void report_dmarc_put_xml(struct buf *b, const struct report_dmarc *d)
{
    head_put(b, d);
    for (const struct report_record *rec = d->records; rec; rec = rec->next)
        record_put(b, rec);
    end_put(b);
}

bool report_record_is_coarse(const struct report_record *rec)
{
    return !rec->envelope_from.len && !rec->null_sender && !rec->dkim_count && !rec->spf_count;
}

// ---- within bounds ----

static bool gzip_fits(struct buf *gz, const struct buf *xml, size_t size_max)
{
    CLEANUP(buf_free) struct buf packed = BUF(size_max);
    if (!rc_ok(buf_state(xml)))
        return false;
    report_gzip(&packed, buf_span(xml));
    if (rc_ok(buf_state(&packed)))
        buf_put(gz, buf_span(&packed));
    return rc_ok(buf_state(&packed));
}

static bool whole_fits(struct buf *gz, const struct report_dmarc *d, size_t size_max)
{
    CLEANUP(buf_free) struct buf xml = BUF(XML_MAX);
    report_dmarc_put_xml(&xml, d);
    return gzip_fits(gz, &xml, size_max);
}

// The most messages first; of equal ones in the order they came in, so that a day gives one
// document.
struct place {
    const struct report_record *record;
    size_t number;
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->record->count != y->record->count)
        return x->record->count < y->record->count ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

static bool part_fits(struct buf *gz, const struct report_dmarc *d, const struct place *places,
                      size_t count, uint64_t left_out, size_t size_max)
{
    CLEANUP(buf_free) struct buf xml = BUF(XML_MAX), error = BUF(XML_MAX);
    struct report_dmarc part = *d;
    buf_put(&error, d->error);
    buf_printf(&error,
               "%s%llu messages in %zu records are left out, the report would be too large.",
               d->error.len ? " " : "", (unsigned long long)left_out, d->record_count - count);
    part.error = buf_span(&error);
    head_put(&xml, &part);
    for (size_t i = 0; i < count; i++)
        record_put(&xml, places[i].record);
    end_put(&xml);
    return gzip_fits(gz, &xml, size_max);
}

static struct place *places_new(const struct report_dmarc *d)
{
    struct place *places = mem_new((d->record_count ? d->record_count : 1) * sizeof *places);
    size_t n = 0;
    for (const struct report_record *rec = d->records; rec && n < d->record_count;
         rec = rec->next, n++)
        places[n] = (struct place){rec, n};
    qsort(places, n, sizeof *places, place_order);
    return places;
}

struct rc report_dmarc_pack_gzip(struct buf *gz, const struct report_dmarc *d, size_t size_max,
                                 uint64_t *left_out)
{
    *left_out = 0;
    if (whole_fits(gz, d, size_max))
        return buf_state(gz);
    struct place *places = places_new(d);
    size_t count = d->record_count;
    bool fits = false;
    while (!fits && count > 1) { // at least one record (RFC 9990 §3.1.1.2)
        for (size_t less = count / 2; count > less; count--)
            *left_out += places[count - 1].record->count;
        fits = part_fits(gz, d, places, count, *left_out, size_max);
    }
    free(places);
    return fits ? buf_state(gz) : RC(TOO_LARGE);
}
