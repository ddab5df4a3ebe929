#include "mail_encode.h"
#include "mail_header.h"

enum { CLEAN_MAX = 255 }; // RFC 5321 §4.5.3.1.2, a domain

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Writes letters, digits and the bytes of `also`; "?" for anything else.
static void clean(struct buf *b, struct span s, struct span also)
{
    s = span_first(s, CLEAN_MAX);
    for (size_t i = 0; i < s.len; i++) {
        bool fine = alnum(s.at[i]) || span_index(also, s.at[i]) < also.len;
        buf_putc(b, fine ? s.at[i] : '?');
    }
}

// A name or an address literal whose brackets are a pair; whatever else a
// client may have called itself, it stays one word that opens nothing.
static void host_put(struct mail_fold *f, struct span before, struct span host, struct span after)
{
    CLEANUP(buf_free) struct buf b = BUF(CLEAN_MAX + 2);
    bool literal =
        host.len > 2 && host.len <= CLEAN_MAX && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (literal) {
        buf_putc(&b, '[');
        clean(&b, span_first(span_skip(host, 1), host.len - 2), SPAN(".:-"));
        buf_putc(&b, ']');
    } else {
        clean(&b, host.len ? host : SPAN("unknown"), SPAN(".-_:"));
    }
    mail_fold_word(f, before, buf_span(&b), after);
}

static void from_put(struct mail_fold *f, const struct mail_received *r)
{
    CLEANUP(buf_free) struct buf address = BUF(CLEAN_MAX);
    clean(&address, r->client_address, SPAN(".:"));
    host_put(f, SPAN("from "), r->helo, SPAN(""));
    if (r->client_name.len)
        host_put(f, SPAN("("), r->client_name, SPAN(""));
    if (address.len)
        mail_fold_word(f, r->client_name.len ? SPAN("[") : SPAN("(["), buf_span(&address),
                       SPAN("])"));
    else if (r->client_name.len)
        buf_putc(f->out, ')');
}

// RFC 3848; RFC 6531 §4.3.
static struct span with_value(const struct mail_received *r)
{
    static const char *const values[2][4] = {
        {"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"},
        {"UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"},
    };
    return r->esmtp ? span_str(values[r->utf8][(r->authenticated ? 2 : 0) + (r->tls ? 1 : 0)])
                    : SPAN("SMTP");
}

// RFC 8314 §4.3: a registered name, of letters, digits and underscores.
static bool cipher_registered(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!alnum(s.at[i]) && s.at[i] != '_')
            return false;
    return s.len > 0 && s.len < CLEAN_MAX && !(s.at[0] >= '0' && s.at[0] <= '9');
}

static void comment_put(struct buf *b, struct span text)
{
    if (text.len && b->len)
        buf_putc(b, ' ');
    clean(b, text, SPAN(" .,:;-_=/@+*"));
}

static void tls_put(struct mail_fold *f, const struct mail_received *r)
{
    CLEANUP(buf_free) struct buf about = BUF(4 * CLEAN_MAX);
    bool clause = cipher_registered(r->tls_cipher);
    if (clause)
        mail_fold_word(f, SPAN("tls "), r->tls_cipher, SPAN(""));
    comment_put(&about, r->tls_version);
    comment_put(&about, clause ? SPAN("") : r->tls_cipher);
    comment_put(&about, r->tls_peer);
    struct span text = span_trim(buf_span(&about));
    struct span before = SPAN("(");
    while (text.len) {
        struct span word = span_cut(&text, ' ');
        mail_fold_word(f, before, word, text.len ? SPAN("") : SPAN(")"));
        before = SPAN("");
    }
}

static bool recipient_fits(const struct mail_received *r)
{
    struct span s = r->recipient;
    for (size_t i = 0; i < s.len; i++)
        if ((s.at[i] >= 0 && s.at[i] < ' ') || s.at[i] == 0x7f)
            return false;
    return s.len > 0 && s.len <= 256 && (r->utf8 || span_is_ascii(s));
}

void mail_received_put(struct buf *b, const struct mail_received *r)
{
    CLEANUP(buf_free) struct buf when = BUF(64);
    time_put_rfc5322(&when, r->when);
    struct mail_fold f = mail_fold_open(b, SPAN("Received"));
    from_put(&f, r);
    mail_fold_word(&f, SPAN("by "), r->by, SPAN(""));
    mail_fold_word(&f, SPAN("with "), with_value(r), SPAN(""));
    mail_fold_word(&f, SPAN("id "), r->id, SPAN(""));
    if (recipient_fits(r))
        mail_fold_word(&f, SPAN("for <"), r->recipient, SPAN(">"));
    if (r->tls)
        tls_put(&f, r);
    buf_putc(b, ';');
    f.column++;
    mail_fold_word(&f, SPAN(""), buf_span(&when), SPAN(""));
    mail_fold_close(&f);
}
