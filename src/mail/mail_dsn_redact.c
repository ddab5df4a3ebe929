// A notice without what it returned (RFC 8689 §5: "redacted").
#include "mail_dsn_inner.h"
#include "mail_mime.h"

enum { ROOM = 1 << 20, PARTS = 2 };

struct report {
    struct mail_mime_part part[PARTS];
    bool is_one;
};

static bool is_status(struct span type)
{
    return span_ieq(type, SPAN("message/delivery-status")) ||
           span_ieq(type, SPAN("message/global-delivery-status"));
}

static struct report report_of(struct span message, struct arena *a)
{
    struct report r = {0};
    struct mail_mime_part p;
    struct mail_mime m = mail_mime_open(message, a);
    if (!mail_mime_next(&m, &p) || !p.container || !span_ieq(p.type, SPAN("multipart/report")))
        return r;
    size_t n = 0;
    while (n < PARTS && mail_mime_next(&m, &p) && !p.container && p.depth == 1)
        r.part[n++] = p;
    r.is_one = n == PARTS && is_status(r.part[1].type);
    return r;
}

// A subject may say what the message was about.
static void head_put(struct buf *b, struct span message, struct span boundary)
{
    static const char *const kept[] = {"Date", "From", "To", "Message-ID", "Auto-Submitted"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        CLEANUP(buf_free) struct buf text = BUF(16 * MAIL_DSN_TEXT_MAX);
        struct span value;
        if (!mail_field_find(message, span_str(kept[i]), &value))
            continue;
        mail_ascii_put(&text, value, MAIL_DSN_TEXT_MAX);
        mail_dsn_field(b, span_str(kept[i]), SPAN(""), buf_span(&text));
    }
    mail_dsn_field(b, SPAN("Subject"), SPAN(""), SPAN("A report whose content is left out"));
    mail_dsn_field(b, SPAN("MIME-Version"), SPAN(""), SPAN("1.0"));
    if (!boundary.len)
        return;
    struct mail_fold f = mail_fold_open(b, SPAN("Content-Type"));
    mail_fold_words(&f, SPAN("multipart/report; report-type=delivery-status;"));
    mail_fold_word(&f, SPAN("boundary=\""), boundary, SPAN("\""));
    mail_fold_close(&f);
    buf_put(b, SPAN("\r\n"));
}

static void text_make(struct buf *b, const struct report *r, bool ours)
{
    if (r->is_one && ours)
        mail_mime_decode(b, &r->part[0]);
    buf_put(b, b->len ? SPAN("\r\n") : SPAN(""));
    buf_put(b, SPAN("What this report returned is left out: it may only travel protected, or in a "
                    "form\r\nthat the way to you does not have.\r\n"));
}

static void text_put(struct buf *b, const struct report *r, struct span boundary, bool ours)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_PARTS_MAX);
    text_make(&text, r, ours);
    struct span type = span_is_ascii(buf_span(&text)) ? SPAN("text/plain; charset=us-ascii")
                                                      : SPAN("text/plain; charset=utf-8");
    if (boundary.len)
        mail_dsn_part_open(b, boundary, type);
    else
        mail_dsn_field(b, SPAN("Content-Type"), SPAN(""), type);
    mail_dsn_content(b, buf_span(&text));
}

static void status_put(struct buf *b, const struct report *r, struct span boundary)
{
    CLEANUP(buf_free) struct buf text = BUF(MAIL_DSN_PARTS_MAX);
    mail_mime_decode(&text, &r->part[1]);
    bool plain = mail_is_7bit(buf_span(&text)) && span_ends(buf_span(&text), SPAN("\r\n"));
    buf_put(b, SPAN("\r\n"));
    mail_dsn_part_open(b, boundary,
                       plain ? SPAN("message/delivery-status")
                             : SPAN("message/global-delivery-status"));
    if (plain) {
        buf_put(b, SPAN("\r\n"));
        buf_put(b, buf_span(&text));
    } else
        mail_dsn_content(b, buf_span(&text));
}

void mail_dsn_redact(struct buf *b, struct span message, bool ours)
{
    CLEANUP(arena_free) struct arena a = ARENA(ROOM);
    CLEANUP(buf_free) struct buf boundary = BUF(70);
    struct report r = report_of(message, &a);
    if (r.is_one)
        mail_dsn_boundary(&boundary, SPAN("redacted"), message);
    head_put(b, message, buf_span(&boundary));
    text_put(b, &r, buf_span(&boundary), ours);
    if (!r.is_one)
        return;
    status_put(b, &r, buf_span(&boundary));
    mail_dsn_close(b, buf_span(&boundary));
}
