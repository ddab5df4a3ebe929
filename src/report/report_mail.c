#include "report_mail.h"

#include "base_code.h"
#include "mail_encode.h"

enum { PART_MAX = 1 << 20, ADDRESS_MAX = 320, LINE_BYTES = 57, DOMAIN_SHOWN = 100 };

static const struct kind {
    const char *media, *extension, *report_type;
} kinds[] = {
    [REPORT_TLSRPT] = {"application/tlsrpt+gzip", ".json.gz",
                       "multipart/report; report-type=\"tlsrpt\";"},
    [REPORT_DMARC] = {"application/gzip", ".xml.gz", "multipart/mixed;"},
};

const char *report_media_type(enum report_kind k)
{
    return kinds[k].media;
}

static void alnum_put(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            buf_putc(b, c);
    }
}

// RFC 8460 §5.1, RFC 9990 §3.5.2.
void report_name_put(struct buf *b, const struct report_cover *c)
{
    buf_printf(b, "%s!%s!%lld!%lld", c->submitter.text, c->policy_domain.text,
               (long long)(c->begin.us / US_PER_S), (long long)(c->end.us / US_PER_S));
    if (c->unique.len) {
        buf_putc(b, '!');
        alnum_put(b, c->unique);
    }
    buf_put(b, span_str(kinds[c->kind].extension));
}

// Bytes of a dot-atom, and "@" (RFC 5322 §3.2.3); others become "-".
static void id_put(struct buf *b, struct span id)
{
    static const char also[] = "!#$%&'*+-/=?^_`{|}~.@";
    struct span others = span_str(also);
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    span_index(others, c) < others.len;
        buf_putc(b, fine ? c : '-');
    }
}

void report_id_put(struct buf *b, const struct report_cover *c)
{
    CLEANUP(buf_free) struct buf day = BUF(64);
    if (c->kind == REPORT_DMARC) {
        alnum_put(b, c->unique);
        return;
    }
    time_put_iso(&day, c->begin);
    buf_put(b, span_first(buf_span(&day), 10));
    buf_putc(b, '.');
    buf_put(b, span_first(dns_name_span(&c->policy_domain), DOMAIN_SHOWN));
    buf_putc(b, '.');
    alnum_put(b, c->unique);
    buf_printf(b, "@%s", c->submitter.text);
}

// RFC 8460 §5.3 wants two sides; RFC 9990 takes both forms.
static void id_text(struct buf *b, const struct report_cover *c)
{
    id_put(b, c->id);
    if (c->kind == REPORT_TLSRPT && span_index(c->id, '@') == c->id.len)
        buf_printf(b, "@%s", c->submitter.text);
}

void report_subject_put(struct buf *b, const struct report_cover *c)
{
    buf_printf(b, "Report Domain: %s Submitter: %s Report-ID: <", c->policy_domain.text,
               c->submitter.text);
    id_text(b, c);
    buf_putc(b, '>');
}

// --- The mail.

static void field(struct buf *b, struct span name, struct span value)
{
    struct mail_fold f = mail_fold_open(b, name);
    mail_fold_words(&f, value);
    mail_fold_close(&f);
}

static void name_put(struct mail_fold *f, struct span name)
{
    CLEANUP(buf_free) struct buf plain = BUF(ADDRESS_MAX);
    if (!span_is_ascii(name)) {
        mail_encoded_words(f, name);
        return;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        buf_putc(&plain, c < ' ' || c == '"' || c == '\\' || c == 0x7f ? ' ' : c);
    }
    mail_fold_word(f, SPAN("\""), buf_span(&plain), SPAN("\""));
}

static void address_put(struct mail_fold *f, struct span address, bool last)
{
    CLEANUP(buf_free) struct buf text = BUF(16 * ADDRESS_MAX);
    mail_ascii_put(&text, address, ADDRESS_MAX);
    mail_fold_word(f, SPAN("<"), buf_span(&text), last ? SPAN(">") : SPAN(">,"));
}

static void from_put(struct buf *b, const struct report_mail *m)
{
    struct mail_fold f = mail_fold_open(b, SPAN("From"));
    if (m->from_name.len)
        name_put(&f, m->from_name);
    address_put(&f, m->from, true);
    mail_fold_close(&f);
}

static void to_put(struct buf *b, const struct report_mail *m)
{
    struct mail_fold f = mail_fold_open(b, SPAN("To"));
    for (size_t i = 0; i < m->to_count; i++)
        address_put(&f, m->to[i], i + 1 == m->to_count);
    mail_fold_close(&f);
}

static void date_put(struct buf *b, struct wall now)
{
    CLEANUP(buf_free) struct buf text = BUF(64);
    time_put_rfc5322(&text, now);
    field(b, SPAN("Date"), buf_span(&text));
}

static void subject_put(struct buf *b, const struct report_cover *c)
{
    CLEANUP(buf_free) struct buf text = BUF(PART_MAX);
    report_subject_put(&text, c);
    field(b, SPAN("Subject"), buf_span(&text));
}

static void id_field(struct buf *b, struct span id)
{
    CLEANUP(buf_free) struct buf text = BUF(PART_MAX);
    id_put(&text, id);
    struct mail_fold f = mail_fold_open(b, SPAN("Message-ID"));
    mail_fold_word(&f, SPAN("<"), buf_span(&text), SPAN(">"));
    mail_fold_close(&f);
}

static void head_put(struct buf *b, const struct report_mail *m, struct span boundary)
{
    const struct report_cover *c = &m->cover;
    from_put(b, m);
    to_put(b, m);
    date_put(b, m->now);
    subject_put(b, c);
    id_field(b, m->message_id);
    if (c->kind == REPORT_TLSRPT) {
        field(b, SPAN("TLS-Report-Domain"), dns_name_span(&c->policy_domain));
        field(b, SPAN("TLS-Report-Submitter"), dns_name_span(&c->submitter));
        field(b, SPAN("TLS-Required"), SPAN("No"));
    }
    field(b, SPAN("Auto-Submitted"), SPAN("auto-generated")); // RFC 3834 §5
    field(b, SPAN("MIME-Version"), SPAN("1.0"));
    struct mail_fold f = mail_fold_open(b, SPAN("Content-Type"));
    mail_fold_words(&f, span_str(kinds[c->kind].report_type));
    mail_fold_word(&f, SPAN("boundary=\""), boundary, SPAN("\""));
    mail_fold_close(&f);
}

static void delimiter(struct buf *b, struct span boundary, struct span end)
{
    buf_put(b, SPAN("\r\n--"));
    buf_put(b, boundary);
    buf_put(b, end);
    buf_put(b, SPAN("\r\n"));
}

static void text_make(struct buf *b, const struct report_mail *m)
{
    bool tls = m->cover.kind == REPORT_TLSRPT;
    buf_printf(b, "This is an aggregate %s report about %s\r\nfrom %s.\r\n", tls ? "TLS" : "DMARC",
               m->cover.policy_domain.text, m->cover.submitter.text);
    if (m->summary.len)
        buf_put(b, SPAN("\r\n"));
    buf_put(b, m->summary);
    if (!span_ends(buf_span(b), SPAN("\r\n")))
        buf_put(b, SPAN("\r\n"));
}

// Raw where that is legal and cannot look like a boundary, which begin with "--=_".
static void text_put(struct buf *b, const struct report_mail *m)
{
    CLEANUP(buf_free) struct buf text = BUF(PART_MAX);
    text_make(&text, m);
    struct span s = buf_span(&text);
    bool raw = mail_is_7bit(s) && span_index(s, '=') == s.len;
    field(b, SPAN("Content-Type"),
          span_is_ascii(s) ? SPAN("text/plain; charset=us-ascii")
                           : SPAN("text/plain; charset=utf-8"));
    field(b, SPAN("Content-Transfer-Encoding"), raw ? SPAN("7bit") : SPAN("quoted-printable"));
    buf_put(b, SPAN("\r\n"));
    if (raw)
        buf_put(b, s);
    else
        mail_quoted_put(b, s);
}

static void attachment_put(struct buf *b, const struct report_mail *m)
{
    CLEANUP(buf_free) struct buf name = BUF(PART_MAX);
    report_name_put(&name, &m->cover);
    field(b, SPAN("Content-Type"), span_str(kinds[m->cover.kind].media));
    field(b, SPAN("Content-Transfer-Encoding"), SPAN("base64"));
    struct mail_fold f = mail_fold_open(b, SPAN("Content-Disposition"));
    mail_fold_word(&f, SPAN(""), SPAN("attachment;"), SPAN(""));
    mail_fold_word(&f, SPAN("filename=\""), buf_span(&name), SPAN("\""));
    mail_fold_close(&f);
    buf_put(b, SPAN("\r\n"));
    for (struct span s = m->packed; s.len; s = span_skip(s, LINE_BYTES)) {
        code_put_base64(b, span_first(s, LINE_BYTES));
        buf_put(b, SPAN("\r\n"));
    }
}

void report_mail_put(struct buf *b, const struct report_mail *m)
{
    CLEANUP(buf_free) struct buf boundary = BUF(70); // RFC 2046 §5.1.1
    buf_put(&boundary, SPAN("=_report_"));
    alnum_put(&boundary, span_first(m->cover.unique, 40));
    head_put(b, m, buf_span(&boundary));
    delimiter(b, buf_span(&boundary), SPAN(""));
    text_put(b, m);
    delimiter(b, buf_span(&boundary), SPAN(""));
    attachment_put(b, m);
    delimiter(b, buf_span(&boundary), SPAN("--"));
}
