// A report for people: a TLS report as its policies with their failures, a DMARC report as a table
// of who sent how much, and what came of it.
#include "admin_report.h"

enum { ROWS_SHOWN = 200, CELL_MAX = 400 };

static void newline(struct admin_page *p)
{
    buf_putc(&p->out, '\n');
}

static void line(struct admin_page *p, const char *label, struct span text)
{
    char cell[CELL_MAX * 4];
    if (!text.len || !span_copy(cell, sizeof cell, span_first(text, sizeof cell - 1)))
        return;
    admin_line(p, "  ", label, INK_NONE, cell);
}

static void sender(struct admin_page *p, struct span who, struct span contact)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    buf_printf(&b, "%.*s", SPAN_FMT(who));
    if (contact.len)
        buf_printf(&b, "%s<%.*s>", who.len ? " " : "", SPAN_FMT(contact));
    line(p, "from", buf_span(&b));
}

static void range(struct admin_page *p, struct wall begin, struct wall end)
{
    CLEANUP(buf_free) struct buf b = BUF(256);
    time_put_iso(&b, begin);
    b.len = b.len > 19 ? 19 : b.len;
    buf_put(&b, SPAN(" to "));
    size_t at = b.len;
    time_put_iso(&b, end);
    b.len = b.len > at + 19 ? at + 19 : b.len;
    buf_put(&b, SPAN(" UTC"));
    line(p, "days", buf_span(&b));
}

static void more(struct admin_page *p, size_t count, const char *what)
{
    admin_putf(p, INK_DIM, "  and %zu %s more; --json has all", count, what);
    newline(p);
}

// ---- TLS ----

static void failure(struct admin_page *p, const struct report_tls_failure *f)
{
    CLEANUP(buf_free) struct buf b = BUF(8192);
    bool other = f->result == REPORT_TLS_RESULT_OTHER && f->result_text.len;
    admin_putf(p, INK_NONE, "  │ %8llu  ", (unsigned long long)f->count);
    admin_put(p, INK_BAD, other ? f->result_text : span_str(report_tls_result_text(f->result)));
    if (f->reason_code.len)
        buf_printf(&b, " (%.*s)", SPAN_FMT(f->reason_code));
    if (f->mx_hostname.len)
        buf_printf(&b, "  at %.*s", SPAN_FMT(f->mx_hostname));
    if (f->receiving_ip.given) {
        buf_put(&b, SPAN(" ["));
        dns_address_put(&b, &f->receiving_ip.at);
        buf_putc(&b, ']');
    }
    if (f->sending_ip.given) {
        buf_put(&b, SPAN("  from "));
        dns_address_put(&b, &f->sending_ip.at);
    }
    if (f->information.len)
        buf_printf(&b, "  see %.*s", SPAN_FMT(f->information));
    admin_put(p, INK_NONE, buf_span(&b));
    newline(p);
}

static void strings(struct admin_page *p, const char *label, const struct span *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        admin_putf(p, INK_DIM, "  │ %-9s ", i ? "" : label);
        admin_put(p, INK_NONE, s[i]);
        newline(p);
    }
}

static void tls_policy(struct admin_page *p, const struct report_tls_policy *t)
{
    bool other = t->type == REPORT_TLS_TYPE_OTHER && t->type_text.len;
    admin_put(p, INK_NONE, SPAN("  ├─ "));
    admin_put(p, INK_BOLD, other ? t->type_text : span_str(report_tls_type_text(t->type)));
    admin_putf(p, INK_NONE, "  %.*s  ", SPAN_FMT(t->domain));
    admin_putf(p, t->successes ? INK_GOOD : INK_NONE, "%llu good",
               (unsigned long long)t->successes);
    admin_put(p, INK_NONE, SPAN(", "));
    admin_putf(p, t->failures ? INK_BAD : INK_NONE, "%llu failed", (unsigned long long)t->failures);
    newline(p);
    strings(p, "policy", t->strings, t->string_count);
    strings(p, "MX", t->mx, t->mx_count);
    for (size_t i = 0; i < t->detail_count && i < ROWS_SHOWN; i++)
        failure(p, &t->details[i]);
    if (t->detail_count > ROWS_SHOWN)
        more(p, t->detail_count - ROWS_SHOWN, "kinds of failure");
}

static void tls_show(struct admin_page *p, const struct report_tlsrpt *d)
{
    sender(p, d->organization, d->contact);
    range(p, d->begin, d->end);
    line(p, "id", d->id);
    for (size_t i = 0; i < d->policy_count; i++)
        tls_policy(p, &d->policies[i]);
}

// ---- DMARC ----

static const char *or_dash(const char *word)
{
    return word ? word : "-";
}

static void published(struct admin_page *p, const struct report_published *d)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    const struct {
        const char *tag, *value;
    } tags[] = {
        {"p", report_policy_text(d->p)},          {"sp", report_policy_text(d->sp)},
        {"np", report_policy_text(d->np)},        {"adkim", report_alignment_text(d->adkim)},
        {"aspf", report_alignment_text(d->aspf)}, {"t", report_yes_text(d->testing)}};
    buf_printf(&b, "%.*s ", SPAN_FMT(d->domain));
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (tags[i].value)
            buf_printf(&b, " %s=%s", tags[i].tag, tags[i].value);
    if (d->pct_given)
        buf_printf(&b, " pct=%u", d->pct);
    line(p, "policy", buf_span(&b));
}

static enum admin_ink ink_of(enum report_aligned a)
{
    return a == REPORT_ALIGNED_PASS ? INK_GOOD : a == REPORT_ALIGNED_FAIL ? INK_BAD : INK_NONE;
}

static enum admin_ink ink_done(enum report_disposition d)
{
    bool harsh = d == REPORT_DISPOSITION_QUARANTINE || d == REPORT_DISPOSITION_REJECT;
    return harsh ? INK_WARN : INK_NONE;
}

// Signatures one by one: an Ed25519 "fail" of who cannot verify it, beside an RSA "pass", is fine.
static void checks(struct admin_page *p, const struct report_record *r)
{
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    for (size_t i = 0; i < r->dkim_count; i++)
        buf_printf(&b, "  dkim %.*s/%.*s %s", SPAN_FMT(r->dkim[i].domain),
                   SPAN_FMT(r->dkim[i].selector), or_dash(report_auth_text(r->dkim[i].result)));
    for (size_t i = 0; i < r->spf_count; i++)
        buf_printf(&b, "  spf %.*s %s", SPAN_FMT(r->spf[i].domain),
                   or_dash(report_auth_text(r->spf[i].result)));
    for (size_t i = 0; i < r->reason_count; i++)
        buf_printf(&b, "  because %s%s%.*s", or_dash(report_override_text(r->reasons[i].type)),
                   r->reasons[i].comment.len ? ": " : "", SPAN_FMT(r->reasons[i].comment));
    admin_put(p, INK_DIM, buf_span(&b));
}

static void record(struct admin_page *p, const struct report_record *r)
{
    CLEANUP(buf_free) struct buf address = BUF(64);
    if (r->source_given)
        dns_address_put(&address, &r->source);
    else
        buf_putc(&address, '-');
    admin_putf(p, INK_NONE, "  %8llu  %-15.*s  ", (unsigned long long)r->count,
               SPAN_FMT(buf_span(&address)));
    admin_putf(p, ink_done(r->disposition), "%-10s  ",
               or_dash(report_disposition_text(r->disposition)));
    admin_putf(p, ink_of(r->dkim_aligned), "%-4s  ", or_dash(report_aligned_text(r->dkim_aligned)));
    admin_putf(p, ink_of(r->spf_aligned), "%-4s  ", or_dash(report_aligned_text(r->spf_aligned)));
    admin_putf(p, INK_NONE, "%.*s", SPAN_FMT(r->header_from));
    checks(p, r);
    newline(p);
}

static void dmarc_show(struct admin_page *p, const struct report_dmarc *d)
{
    size_t shown = 0;
    sender(p, d->organization, d->email);
    line(p, "contact", d->extra_contact);
    range(p, d->begin, d->end);
    line(p, "id", d->id);
    published(p, &d->policy);
    line(p, "error", d->error);
    admin_putf(p, INK_DIM, "  %8s  %-15s  %-10s  %-4s  %-4s  %s", "messages", "source", "done",
               "DKIM", "SPF", "From");
    newline(p);
    for (const struct report_record *r = d->records; r && shown < ROWS_SHOWN; r = r->next, shown++)
        record(p, r);
    if (d->record_count > shown)
        more(p, d->record_count - shown, "records");
    admin_putf(p, INK_NONE, "  %8llu  in all", (unsigned long long)d->messages);
    newline(p);
}

// ---- either ----

static void remarks(struct admin_page *p, const struct report_notes *n)
{
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    report_notes_put(&b, n);
    struct span rest = buf_span(&b);
    while (rest.len) {
        struct span one = span_cut(&rest, '\n');
        admin_putf(p, INK_DIM, "  %-11s", "remark");
        admin_put(p, INK_WARN, one);
        newline(p);
    }
}

void admin_report_show(struct admin_page *p, const struct report_taken *d)
{
    bool tls = d->kind == REPORT_TLSRPT;
    admin_putf(p, INK_NONE, "  %s report (%s, %.*s)", tls ? "TLS" : "DMARC aggregate",
               tls ? "RFC 8460" : report_dialect_text(d->dmarc.dialect), SPAN_FMT(d->wrap));
    newline(p);
    if (tls)
        tls_show(p, &d->tls);
    else
        dmarc_show(p, &d->dmarc);
    remarks(p, &d->notes);
}

void admin_report_json(struct json *j, const struct report_taken *d)
{
    json_str(j, "kind", span_str(report_kind_text(d->kind)));
    json_str(j, "packed", d->wrap);
    if (d->kind == REPORT_TLSRPT)
        report_tlsrpt_put_value(j, "report", &d->tls);
    else
        report_dmarc_put_value(j, "report", &d->dmarc);
    report_notes_put_json(j, "remarks", &d->notes);
}
