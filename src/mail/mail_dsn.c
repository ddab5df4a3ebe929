#include "mail_dsn.h"

#include "mail_encode.h"

enum {
    HEAD_MAX = 65536, // of the original header, what is returned
    TEXT_MAX = 1000,  // bytes of one foreign sentence or reply
    NAME_MAX_SHOWN = 255,
    PARTS_MAX = 4 << 20, // one part of ours: all recipients of a transaction fit
};

static void field(struct buf *b, struct span name, struct span type, struct span value)
{
    struct mail_fold f = mail_fold_open(b, name);
    if (type.len)
        mail_fold_word(&f, SPAN(""), type, SPAN(";"));
    mail_fold_words(&f, value);
    mail_fold_close(&f);
}

static void ascii_field(struct buf *b, struct span name, struct span type, struct span value)
{
    CLEANUP(buf_free) struct buf text = BUF(16 * TEXT_MAX);
    mail_ascii_put(&text, value, TEXT_MAX);
    field(b, name, type, buf_span(&text));
}

static bool visible_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    return s.len > 0 && s.len < NAME_MAX_SHOWN;
}

// The mailbox of the sender. One that has no 7-bit form stands as the name of
// an empty group (RFC 6854; RFC 6857 §3.1.8 does so): the envelope says it.
static void to_put(struct buf *b, struct span to)
{
    struct mail_fold f = mail_fold_open(b, SPAN("To"));
    if (visible_ascii(to))
        mail_fold_word(&f, SPAN("<"), to, SPAN(">"));
    else {
        mail_encoded_words(&f, to.len ? span_first(to, NAME_MAX_SHOWN) : SPAN("unknown"));
        mail_fold_word(&f, SPAN(""), SPAN(":;"), SPAN(""));
    }
    mail_fold_close(&f);
}

static bool occurs(struct span text, struct span what)
{
    for (size_t i; (i = span_index(text, what.at[0])) < text.len; text = span_skip(text, 1)) {
        text = span_skip(text, i);
        if (span_starts(text, what))
            return true;
    }
    return false;
}

// Something that no line of the returned header begins with. The message id is
// new, so a first try can only meet by the design of who can foresee it.
static void boundary_make(struct buf *b, const struct mail_dsn *d)
{
    struct span id = span_first(d->message_id, 40);
    unsigned attempt = 0;
    do {
        buf_clear(b);
        buf_printf(b, "=_%u_", attempt++);
        for (size_t i = 0; i < id.len; i++) {
            char c = id.at[i];
            bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            buf_putc(b, plain ? c : '-');
        }
    } while (occurs(d->original_head, buf_span(b)));
}

// RFC 3464 §2, RFC 3834 §5; the postmaster reads what is answered to it.
static void head_put(struct buf *b, const struct mail_dsn *d, struct span boundary)
{
    CLEANUP(buf_free) struct buf text = BUF(1024);
    time_put_rfc5322(&text, d->now);
    field(b, SPAN("Date"), SPAN(""), buf_span(&text));
    buf_clear(&text);
    mail_ascii_put(&text, d->reporting_mta, NAME_MAX_SHOWN);
    struct mail_fold f = mail_fold_open(b, SPAN("From"));
    mail_fold_words(&f, SPAN("Mail Delivery System"));
    mail_fold_word(&f, SPAN("<MAILER-DAEMON@"), buf_span(&text), SPAN(">"));
    mail_fold_close(&f);
    to_put(b, d->to);
    field(b, SPAN("Subject"), SPAN(""), SPAN("Your message could not be delivered"));
    buf_clear(&text);
    mail_ascii_put(&text, d->message_id, NAME_MAX_SHOWN);
    f = mail_fold_open(b, SPAN("Message-ID"));
    mail_fold_word(&f, SPAN("<"), buf_span(&text), SPAN(">"));
    mail_fold_close(&f);
    field(b, SPAN("Auto-Submitted"), SPAN(""), SPAN("auto-replied"));
    field(b, SPAN("MIME-Version"), SPAN(""), SPAN("1.0"));
    f = mail_fold_open(b, SPAN("Content-Type"));
    mail_fold_words(&f, SPAN("multipart/report; report-type=delivery-status;"));
    mail_fold_word(&f, SPAN("boundary=\""), boundary, SPAN("\""));
    mail_fold_close(&f);
    buf_put(b, SPAN("\r\n"));
}

static void part_open(struct buf *b, struct span boundary, struct span type)
{
    buf_put(b, SPAN("--"));
    buf_put(b, boundary);
    buf_put(b, SPAN("\r\n"));
    field(b, SPAN("Content-Type"), SPAN(""), type);
}

// Text that is legal as it is stays as it is: people and simple programs read
// raw notices. All other goes as quoted-printable.
static void content_put(struct buf *b, struct span text)
{
    bool raw = mail_is_7bit(text);
    field(b, SPAN("Content-Transfer-Encoding"), SPAN(""),
          raw ? SPAN("7bit") : SPAN("quoted-printable"));
    buf_put(b, SPAN("\r\n"));
    if (raw)
        buf_put(b, text);
    else
        mail_quoted_put(b, text);
    if (!span_ends(text, SPAN("\r\n")))
        buf_put(b, SPAN("\r\n"));
}

static void line_end(struct buf *b)
{
    buf_put(b, SPAN("\r\n"));
}

static void recipient_text(struct buf *b, const struct mail_dsn_recipient *r)
{
    line_end(b);
    buf_putc(b, '<');
    mail_line_put(b, r->address, TEXT_MAX);
    buf_put(b, SPAN(">:\r\n    "));
    mail_line_put(b, r->reason, TEXT_MAX);
    line_end(b);
    if (!r->diagnostic.len)
        return;
    buf_put(b, SPAN("    "));
    mail_line_put(b, r->remote_mta.len ? r->remote_mta : SPAN("The server"), NAME_MAX_SHOWN);
    buf_put(b, SPAN(" said: "));
    mail_line_put(b, r->diagnostic, TEXT_MAX);
    line_end(b);
}

static void text_make(struct buf *b, const struct mail_dsn *d)
{
    mail_line_put(b, d->count ? d->recipients[0].reason : SPAN("The message was not delivered."),
                  TEXT_MAX);
    buf_put(b, SPAN("\r\n\r\nThis is the mail server "));
    mail_line_put(b, d->reporting_mta, NAME_MAX_SHOWN);
    buf_put(b, SPAN(".\r\nIt received your message on "));
    time_put_rfc5322(b, d->arrived);
    buf_put(b, SPAN(",\r\ncould not deliver it to the recipients below, and has given up.\r\n"));
    for (size_t i = 0; i < d->count; i++)
        recipient_text(b, &d->recipients[i]);
    if (d->leave_out_original)
        buf_put(b, SPAN("\r\nYour message may only travel protected (REQUIRETLS), and the way back "
                        "to you\r\nis not: nothing of it is returned here.\r\n"));
}

static void text_put(struct buf *b, const struct mail_dsn *d, struct span boundary)
{
    CLEANUP(buf_free) struct buf text = BUF(PARTS_MAX);
    text_make(&text, d);
    part_open(b, boundary,
              span_is_ascii(buf_span(&text)) ? SPAN("text/plain; charset=us-ascii")
                                             : SPAN("text/plain; charset=utf-8"));
    content_put(b, buf_span(&text));
}

// RFC 3463 §2: class "." subject "." detail.
static bool status_fits(struct span s)
{
    uint64_t n;
    struct span class = span_cut(&s, '.'), subject = span_cut(&s, '.');
    bool failure = span_eq(class, SPAN("4")) || span_eq(class, SPAN("5"));
    return failure && subject.len <= 3 && s.len <= 3 && span_number(subject, 999, &n) &&
           span_number(s, 999, &n);
}

// The address type says if characters over 127 stand there in RFC 6533 form.
static void final_recipient_put(struct buf *b, struct span address)
{
    CLEANUP(buf_free) struct buf text = BUF(16 * TEXT_MAX);
    bool ascii = span_is_ascii(address);
    if (ascii)
        mail_ascii_put(&text, address, TEXT_MAX);
    else
        mail_xtext_address_put(&text, address, TEXT_MAX);
    // As one word: the blanks of a quoted local part are part of the address.
    struct mail_fold f = mail_fold_open(b, SPAN("Final-Recipient"));
    mail_fold_word(&f, SPAN(""), ascii ? SPAN("rfc822;") : SPAN("utf-8;"), SPAN(""));
    mail_fold_word(&f, SPAN(""), buf_span(&text), SPAN(""));
    mail_fold_close(&f);
}

static void xtext_field(struct buf *b, struct span name, struct span xtext)
{
    CLEANUP(buf_free) struct buf text = BUF(TEXT_MAX);
    if (xtext.len == 0)
        return;
    mail_xtext_decode(&text, span_first(xtext, TEXT_MAX));
    ascii_field(b, name, SPAN(""), buf_span(&text));
}

// RFC 3464 §2.3.
static void recipient_status(struct buf *b, const struct mail_dsn_recipient *r)
{
    line_end(b);
    xtext_field(b, SPAN("Original-Recipient"), r->orcpt);
    final_recipient_put(b, r->address);
    field(b, SPAN("Action"), SPAN(""), SPAN("failed"));
    field(b, SPAN("Status"), SPAN(""), status_fits(r->status) ? r->status : SPAN("5.0.0"));
    if (r->remote_mta.len)
        ascii_field(b, SPAN("Remote-MTA"), SPAN("dns"), r->remote_mta);
    if (r->diagnostic.len)
        ascii_field(b, SPAN("Diagnostic-Code"), SPAN("smtp"), r->diagnostic);
}

static void status_put(struct buf *b, const struct mail_dsn *d, struct span boundary)
{
    part_open(b, boundary, SPAN("message/delivery-status"));
    line_end(b);
    xtext_field(b, SPAN("Original-Envelope-Id"), d->envid);
    ascii_field(b, SPAN("Reporting-MTA"), SPAN("dns"), d->reporting_mta);
    CLEANUP(buf_free) struct buf when = BUF(64);
    time_put_rfc5322(&when, d->arrived);
    field(b, SPAN("Arrival-Date"), SPAN(""), buf_span(&when));
    for (size_t i = 0; i < d->count; i++)
        recipient_status(b, &d->recipients[i]);
}

static bool valid_utf8(struct span s)
{
    for (size_t n; s.len; s = span_skip(s, n))
        if ((n = span_utf8(s)) == 0)
            return false;
    return true;
}

// Header of a message with SMTPUTF8 has a type of its own (RFC 6533 §4.3), also
// when quoted-printable. The old type may be quoted-printable too "if the headers
// are broken" (RFC 6522 §4), which raw bytes over 127 are.
static struct span head_type(struct span head)
{
    return !span_is_ascii(head) && valid_utf8(head) ? SPAN("message/global-headers")
                                                    : SPAN("text/rfc822-headers");
}

// The fields without the empty line, and whole lines only where it is too long.
static struct span head_returned(struct span head)
{
    if (head.len > HEAD_MAX) {
        head.len = HEAD_MAX;
        while (head.len && head.at[head.len - 1] != '\n')
            head.len--;
    }
    while (span_ends(head, SPAN("\r\n\r\n")))
        head.len -= 2;
    return head;
}

void mail_dsn_put(struct buf *b, const struct mail_dsn *d)
{
    CLEANUP(buf_free) struct buf boundary = BUF(70); // RFC 2046 §5.1.1
    struct span head = head_returned(d->original_head);
    boundary_make(&boundary, d);
    head_put(b, d, buf_span(&boundary));
    text_put(b, d, buf_span(&boundary));
    line_end(b);
    status_put(b, d, buf_span(&boundary));
    if (head.len && !d->leave_out_original) {
        line_end(b);
        part_open(b, buf_span(&boundary), head_type(head));
        content_put(b, head);
    }
    buf_put(b, SPAN("\r\n--"));
    buf_put(b, buf_span(&boundary));
    buf_put(b, SPAN("--\r\n"));
}
