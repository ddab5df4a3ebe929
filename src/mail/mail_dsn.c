#include "mail_dsn_inner.h"

enum {
    HEAD_MAX = 65536,   // of the original header, what is returned
    UTF8_MAX = 900,     // of a field's text: no word is cut inside a character
    CODE_MAX = 0x10ffff // Unicode's last
};

void mail_dsn_field(struct buf *b, struct span name, struct span type, struct span value)
{
    struct mail_fold f = mail_fold_open(b, name);
    if (type.len)
        mail_fold_word(&f, SPAN(""), type, SPAN(";"));
    mail_fold_words(&f, value);
    mail_fold_close(&f);
}

// Foreign text as one line: UTF-8 where the reader knows SMTPUTF8, else 7-bit.
static void text_field(struct buf *b, const struct mail_dsn *d, struct span name, struct span type,
                       struct span value)
{
    CLEANUP(buf_free) struct buf text = BUF(16 * MAIL_DSN_TEXT_MAX);
    if (d->utf8)
        mail_line_put(&text, value, UTF8_MAX);
    else
        mail_ascii_put(&text, value, MAIL_DSN_TEXT_MAX);
    mail_dsn_field(b, name, type, buf_span(&text));
}

static bool visible_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    return s.len > 0 && s.len < MAIL_DSN_NAME_MAX;
}

// The mailbox of the sender. One that has no 7-bit form stands as the name of
// an empty group (RFC 6854; RFC 6857 §3.1.8 does so): the envelope says it.
static void to_put(struct buf *b, struct span to)
{
    struct mail_fold f = mail_fold_open(b, SPAN("To"));
    if (visible_ascii(to))
        mail_fold_word(&f, SPAN("<"), to, SPAN(">"));
    else {
        mail_encoded_words(&f, to.len ? span_first(to, MAIL_DSN_NAME_MAX) : SPAN("unknown"));
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

// Something that no line of what is returned begins with. The message id is
// new, so a first try can only meet by the design of who can foresee it.
void mail_dsn_boundary(struct buf *b, struct span id, struct span returned)
{
    unsigned attempt = 0;
    id = span_first(id, 40);
    do {
        buf_clear(b);
        buf_printf(b, "=_%u_", attempt++);
        for (size_t i = 0; i < id.len; i++) {
            char c = id.at[i];
            bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            buf_putc(b, plain ? c : '-');
        }
    } while (occurs(returned, buf_span(b)));
}

// RFC 3464 §2, RFC 3834 §5; the postmaster reads what is answered to it.
static void head_put(struct buf *b, const struct mail_dsn *d, struct span boundary)
{
    CLEANUP(buf_free) struct buf text = BUF(1024);
    time_put_rfc5322(&text, d->now);
    mail_dsn_field(b, SPAN("Date"), SPAN(""), buf_span(&text));
    buf_clear(&text);
    mail_ascii_put(&text, d->reporting_mta, MAIL_DSN_NAME_MAX);
    struct mail_fold f = mail_fold_open(b, SPAN("From"));
    mail_fold_words(&f, SPAN("Mail Delivery System"));
    mail_fold_word(&f, SPAN("<MAILER-DAEMON@"), buf_span(&text), SPAN(">"));
    mail_fold_close(&f);
    to_put(b, d->to);
    mail_dsn_field(b, SPAN("Subject"), SPAN(""), mail_dsn_subject(d->action));
    buf_clear(&text);
    mail_ascii_put(&text, d->message_id, MAIL_DSN_NAME_MAX);
    f = mail_fold_open(b, SPAN("Message-ID"));
    mail_fold_word(&f, SPAN("<"), buf_span(&text), SPAN(">"));
    mail_fold_close(&f);
    mail_dsn_field(b, SPAN("Auto-Submitted"), SPAN(""), SPAN("auto-replied"));
    mail_dsn_field(b, SPAN("MIME-Version"), SPAN(""), SPAN("1.0"));
    f = mail_fold_open(b, SPAN("Content-Type"));
    mail_fold_words(&f, SPAN("multipart/report; report-type=delivery-status;"));
    mail_fold_word(&f, SPAN("boundary=\""), boundary, SPAN("\""));
    mail_fold_close(&f);
    buf_put(b, SPAN("\r\n"));
}

void mail_dsn_part_open(struct buf *b, struct span boundary, struct span type)
{
    buf_put(b, SPAN("--"));
    buf_put(b, boundary);
    buf_put(b, SPAN("\r\n"));
    mail_dsn_field(b, SPAN("Content-Type"), SPAN(""), type);
}

static void encoded_put(struct buf *b, struct span text, struct span encoding)
{
    mail_dsn_field(b, SPAN("Content-Transfer-Encoding"), SPAN(""), encoding);
    buf_put(b, SPAN("\r\n"));
    if (span_eq(encoding, SPAN("quoted-printable")))
        mail_quoted_put(b, text);
    else
        buf_put(b, text);
    if (!span_ends(text, SPAN("\r\n")))
        buf_put(b, SPAN("\r\n"));
}

// People and simple programs read raw notices.
void mail_dsn_content(struct buf *b, struct span text)
{
    encoded_put(b, text, mail_is_7bit(text) ? SPAN("7bit") : SPAN("quoted-printable"));
}

void mail_dsn_close(struct buf *b, struct span boundary)
{
    buf_put(b, SPAN("\r\n--"));
    buf_put(b, boundary);
    buf_put(b, SPAN("--\r\n"));
}

static void line_end(struct buf *b)
{
    buf_put(b, SPAN("\r\n"));
}

static void text_put(struct buf *b, const struct mail_dsn *d, struct span boundary,
                     enum mail_dsn_returned returned)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_PARTS_MAX);
    mail_dsn_text(&text, d, returned);
    mail_dsn_part_open(b, boundary,
                       span_is_ascii(buf_span(&text)) ? SPAN("text/plain; charset=us-ascii")
                                                      : SPAN("text/plain; charset=utf-8"));
    mail_dsn_content(b, buf_span(&text));
}

// RFC 3463 §2: class "." subject "." detail. What has expired failed with a class 4.
static bool status_fits(enum mail_dsn_action action, struct span s)
{
    uint64_t n;
    struct span class = span_cut(&s, '.'), subject = span_cut(&s, '.');
    bool four = span_eq(class, SPAN("4"));
    bool fits = action == MAIL_DSN_FAILED    ? four || span_eq(class, SPAN("5"))
                : action == MAIL_DSN_DELAYED ? four
                                             : span_eq(class, SPAN("2"));
    return fits && subject.len <= 3 && s.len <= 3 && span_number(subject, 999, &n) &&
           span_number(s, 999, &n);
}

static void status_put(struct buf *b, enum mail_dsn_action action, struct span status)
{
    struct span instead = action == MAIL_DSN_FAILED    ? SPAN("5.0.0")
                          : action == MAIL_DSN_DELAYED ? SPAN("4.0.0")
                                                       : SPAN("2.0.0");
    mail_dsn_field(b, SPAN("Status"), SPAN(""), status_fits(action, status) ? status : instead);
}

// The address type says if characters over 127 stand there, in a form of RFC 6533 §3.
static void final_recipient_put(struct buf *b, const struct mail_dsn *d, struct span address)
{
    CLEANUP(buf_free) struct buf text = BUF(16 * MAIL_DSN_TEXT_MAX);
    bool ascii = span_is_ascii(address);
    if (ascii)
        mail_ascii_put(&text, address, MAIL_DSN_TEXT_MAX);
    else if (d->utf8)
        mail_line_put(&text, address, UTF8_MAX);
    else
        mail_xtext_address_put(&text, address, MAIL_DSN_TEXT_MAX);
    // As one word: the blanks of a quoted local part are part of the address.
    struct mail_fold f = mail_fold_open(b, SPAN("Final-Recipient"));
    mail_fold_word(&f, SPAN(""), ascii ? SPAN("rfc822;") : SPAN("utf-8;"), SPAN(""));
    mail_fold_word(&f, SPAN(""), buf_span(&text), SPAN(""));
    mail_fold_close(&f);
}

static void envid_put(struct buf *b, const struct mail_dsn *d)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_TEXT_MAX);
    if (d->envid.len == 0)
        return;
    mail_xtext_decode(&text, span_first(d->envid, MAIL_DSN_TEXT_MAX));
    text_field(b, d, SPAN("Original-Envelope-Id"), SPAN(""), buf_span(&text));
}

// Undone for readers that know UTF-8 (RFC 6533 §4.1).
static void original_recipient_put(struct buf *b, const struct mail_dsn *d, struct span orcpt)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_TEXT_MAX), plain = BUF(MAIL_DSN_TEXT_MAX);
    if (orcpt.len == 0)
        return;
    mail_xtext_decode(&text, span_first(orcpt, MAIL_DSN_TEXT_MAX));
    if (d->utf8 && span_istarts(buf_span(&text), SPAN("utf-8;")))
        mail_unitext_decode(&plain, buf_span(&text));
    else
        buf_put(&plain, buf_span(&text));
    text_field(b, d, SPAN("Original-Recipient"), SPAN(""), buf_span(&plain));
}

static void time_field(struct buf *b, struct span name, struct wall when)
{
    CLEANUP(buf_free) struct buf text = BUF(64);
    if (when.us == 0)
        return;
    time_put_rfc5322(&text, when);
    mail_dsn_field(b, name, SPAN(""), buf_span(&text));
}

// RFC 3464 §2.3.
static void recipient_put(struct buf *b, const struct mail_dsn *d,
                          const struct mail_dsn_recipient *r)
{
    line_end(b);
    original_recipient_put(b, d, r->orcpt);
    final_recipient_put(b, d, r->address);
    mail_dsn_field(b, SPAN("Action"), SPAN(""), mail_dsn_action_text(d->action));
    status_put(b, d->action, r->status);
    if (r->remote_mta.len)
        text_field(b, d, SPAN("Remote-MTA"), SPAN("dns"), r->remote_mta);
    if (r->diagnostic.len)
        text_field(b, d, SPAN("Diagnostic-Code"), SPAN("smtp"), r->diagnostic);
    time_field(b, SPAN("Last-Attempt-Date"), r->tried);
    if (d->action == MAIL_DSN_DELAYED)
        time_field(b, SPAN("Will-Retry-Until"), d->retry_until);
}

static void fields_put(struct buf *b, const struct mail_dsn *d)
{
    envid_put(b, d);
    text_field(b, d, SPAN("Reporting-MTA"), SPAN("dns"), d->reporting_mta);
    time_field(b, SPAN("Arrival-Date"), d->arrived);
    for (size_t i = 0; i < d->count; i++)
        recipient_put(b, d, &d->recipients[i]);
}

// The type for UTF-8 may be encoded (RFC 6533 §4.4), the old one may not (RFC 3464
// §2.1), and serves where there is nothing but ASCII.
static void report_put(struct buf *b, const struct mail_dsn *d, struct span boundary)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_PARTS_MAX);
    fields_put(&text, d);
    bool ascii = span_is_ascii(buf_span(&text));
    mail_dsn_part_open(b, boundary,
                       ascii ? SPAN("message/delivery-status")
                             : SPAN("message/global-delivery-status"));
    if (!ascii) {
        mail_dsn_content(b, buf_span(&text));
        return;
    }
    line_end(b);
    buf_put(b, buf_span(&text));
}

// ---- what comes back ----

static bool valid_utf8(struct span s)
{
    for (size_t n; s.len; s = span_skip(s, n))
        if ((n = span_utf8(s)) == 0)
            return false;
    return true;
}

static struct span header_of(struct span message)
{
    for (struct span rest = message; rest.len;) {
        struct span line = span_first(rest, span_index(rest, '\n'));
        if (line.len == 0 || span_eq(line, SPAN("\r")))
            return span_first(message, message.len - rest.len);
        rest = span_skip(rest, line.len + 1);
    }
    return message;
}

// Whole lines only, where it is too long.
static struct span header_returned(struct span message)
{
    struct span head = header_of(message);
    if (head.len > HEAD_MAX) {
        head.len = HEAD_MAX;
        while (head.len && head.at[head.len - 1] != '\n')
            head.len--;
    }
    return head;
}

// Header of a message with SMTPUTF8 has a type of its own (RFC 6533 §4.3), also
// when quoted-printable. The old type may be quoted-printable too "if the headers
// are broken" (RFC 6522 §4), which raw bytes over 127 are.
static void header_put(struct buf *b, struct span head, struct span boundary)
{
    mail_dsn_part_open(b, boundary,
                       !span_is_ascii(head) && valid_utf8(head) ? SPAN("message/global-headers")
                                                                : SPAN("text/rfc822-headers"));
    mail_dsn_content(b, head);
}

// message/rfc822 may be 7bit or 8bit only (RFC 2046 §5.2.1), message/global may be
// encoded (RFC 6532 §3.5), and is for UTF-8 in header fields.
static bool can_be_whole(struct span message)
{
    struct span head = header_of(message);
    return span_is_ascii(head) ? mail_is_8bit(message) : valid_utf8(head);
}

static void message_put(struct buf *b, struct span message, struct span boundary)
{
    bool global = !span_is_ascii(header_of(message));
    mail_dsn_part_open(b, boundary, global ? SPAN("message/global") : SPAN("message/rfc822"));
    encoded_put(b, message,
                global                  ? SPAN("quoted-printable")
                : mail_is_7bit(message) ? SPAN("7bit")
                                        : SPAN("8bit"));
}

static enum mail_dsn_returned returned_of(const struct mail_dsn *d)
{
    if (d->original.len == 0 || d->leave_out_original)
        return MAIL_DSN_NOTHING;
    if (d->too_large)
        return MAIL_DSN_HEADER_INSTEAD;
    if (!d->whole)
        return MAIL_DSN_HEADER;
    return can_be_whole(d->original) ? MAIL_DSN_WHOLE : MAIL_DSN_HEADER_INSTEAD;
}

void mail_dsn_put(struct buf *b, const struct mail_dsn *d)
{
    CLEANUP(buf_free) struct buf boundary = BUF(70); // RFC 2046 §5.1.1
    enum mail_dsn_returned what = returned_of(d);
    struct span back = what == MAIL_DSN_NOTHING ? SPAN("")
                       : what == MAIL_DSN_WHOLE ? d->original
                                                : header_returned(d->original);
    mail_dsn_boundary(&boundary, d->message_id, back);
    head_put(b, d, buf_span(&boundary));
    text_put(b, d, buf_span(&boundary), what);
    line_end(b);
    report_put(b, d, buf_span(&boundary));
    if (back.len) {
        line_end(b);
        if (what == MAIL_DSN_WHOLE)
            message_put(b, back, buf_span(&boundary));
        else
            header_put(b, back, buf_span(&boundary));
    }
    mail_dsn_close(b, buf_span(&boundary));
}
