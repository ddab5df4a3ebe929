#include "auth_results.h"

#include "auth_dkim.h"
#include "auth_results_token.h"

enum { COLUMNS = 78, PIECE_MAX = 900 };

// Behind a blank, or in a new line where it would not fit.
static void word(struct auth_results_writer *w, struct span text)
{
    bool fold = w->column + 1 + text.len > COLUMNS && w->column > 1;
    buf_put(w->out, fold ? SPAN("\r\n\t") : SPAN(" "));
    buf_put(w->out, text);
    w->column = (fold ? 1 : w->column + 1) + text.len;
}

static void clean(struct buf *b, struct span s, bool utf8, const char *escaped)
{
    s = span_first(s, PIECE_MAX / 2);
    while (s.len) {
        size_t n = span_utf8(s);
        unsigned char c = (unsigned char)s.at[0];
        if (n == 0 || (n > 1 && !utf8))
            buf_putc(b, '?');
        else if (n == 1 && (c < ' ' || c == 0x7f))
            buf_putc(b, ' ');
        else if (span_index(span_str(escaped), s.at[0]) < span_str(escaped).len)
            buf_printf(b, "\\%c", s.at[0]);
        else
            buf_put(b, span_first(s, n));
        s = span_skip(s, n ? n : 1);
    }
}

// RFC 8601 §2.2 pvalue: a token, or [local-part] "@" domain of atoms; else quoted.
static bool bare(struct span s)
{
    size_t at = span_index(s, '@');
    struct span local = span_first(s, at), domain = span_skip(s, at + 1);
    if (at == s.len)
        return auth_token_fits(s);
    return (local.len == 0 || auth_atoms_fit(local)) && auth_atoms_fit(domain);
}

static void value(struct buf *b, struct span s, bool utf8)
{
    CLEANUP(buf_free) struct buf plain = BUF(2 * PIECE_MAX);
    clean(&plain, s, utf8, "");
    if (bare(buf_span(&plain))) {
        buf_put(b, buf_span(&plain));
        return;
    }
    buf_putc(b, '"');
    clean(b, s, utf8, "\"\\");
    buf_putc(b, '"');
}

struct auth_results_writer auth_results_open(struct buf *out, struct span id, bool utf8)
{
    struct auth_results_writer w = {out, utf8, .column = sizeof "Authentication-Results:" - 1};
    CLEANUP(buf_free) struct buf b = BUF(2 * PIECE_MAX);
    buf_put(out, SPAN("Authentication-Results:"));
    value(&b, id, utf8);
    word(&w, buf_span(&b));
    return w;
}

void auth_results_method(struct auth_results_writer *w, const char *method, enum auth_result r)
{
    CLEANUP(buf_free) struct buf b = BUF(200);
    buf_printf(&b, "%s=%s", method, auth_result_text(r));
    buf_put(w->out, SPAN(";\r\n\t"));
    buf_put(w->out, buf_span(&b));
    w->column = 1 + b.len;
    w->methods++;
}

void auth_results_comment(struct auth_results_writer *w, struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(2 * PIECE_MAX);
    struct span rest = span_trim(span_first(text, PIECE_MAX / 2));
    bool first = true;
    while (rest.at && rest.len) { // words, so that it can be folded
        struct span part = span_cut(&rest, ' ');
        if (part.len == 0)
            continue;
        buf_clear(&b);
        if (first)
            buf_putc(&b, '(');
        clean(&b, part, w->utf8, "()\\");
        if (!rest.at || span_trim(rest).len == 0)
            buf_putc(&b, ')');
        word(w, buf_span(&b));
        first = false;
    }
}

void auth_results_reason(struct auth_results_writer *w, struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(2 * PIECE_MAX);
    buf_put(&b, SPAN("reason="));
    value(&b, text, w->utf8);
    word(w, buf_span(&b));
}

void auth_results_property(struct auth_results_writer *w, const char *name, struct span v)
{
    CLEANUP(buf_free) struct buf b = BUF(2 * PIECE_MAX);
    if (v.len == 0)
        return;
    buf_printf(&b, "%s=", name);
    value(&b, v, w->utf8);
    word(w, buf_span(&b));
}

void auth_results_close(struct auth_results_writer *w)
{
    if (w->methods == 0)
        buf_put(w->out, SPAN("; none"));
    buf_put(w->out, SPAN("\r\n"));
}

// RFC 6008 §4: enough of b= to tell signatures of one domain apart.
static void dkim_b(struct auth_results_writer *w, struct span b_text)
{
    char room[8];
    size_t n = 0;
    for (size_t i = 0; i < b_text.len && n < sizeof room; i++)
        if (span_index(SPAN(" \t\r\n"), b_text.at[i]) == 4)
            room[n++] = b_text.at[i];
    auth_results_property(w, "header.b", (struct span){room, n});
}

static void dkim_one(struct auth_results_writer *w, const struct auth_dkim_result *r)
{
    auth_results_method(w, "dkim", r->result);
    if (r->result == AUTH_PASS && (r->key_bits || r->testing)) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        buf_printf(&b, "%u-bit key%s%s", r->key_bits, r->testing ? ", testing" : "",
                   r->tlsrpt ? "" : ", " AUTH_DKIM_NOT_TLSRPT);
        auth_results_comment(w, buf_span(&b));
    }
    if (r->result != AUTH_PASS && r->reason)
        auth_results_reason(w, span_str(r->reason));
    if (!r->named)
        return;
    auth_results_property(w, "header.d", dns_name_span(&r->signature.domain));
    auth_results_property(w, "header.i", r->signature.identity);
    auth_results_property(w, "header.s", dns_name_span(&r->signature.selector));
    auth_results_property(w, "header.a", span_str(r->algorithm));
    dkim_b(w, r->signature.b_text);
}

void auth_results_dkim(struct auth_results_writer *w, const struct auth_dkim *d)
{
    for (size_t i = 0; i < auth_dkim_count(d); i++)
        dkim_one(w, auth_dkim_result(d, i));
    if (auth_dkim_count(d) == 0)
        auth_results_method(w, "dkim", AUTH_NONE);
}

void auth_results_spf(struct auth_results_writer *w, const struct auth_results_spf *r)
{
    auth_results_method(w, "spf", r->result);
    auth_results_comment(w, r->comment);
    auth_results_property(w, "smtp.mailfrom", r->mail_from);
    auth_results_property(w, "smtp.helo", r->helo);
}

void auth_results_dmarc(struct auth_results_writer *w, const struct auth_results_dmarc *r)
{
    auth_results_method(w, "dmarc", r->result);
    auth_results_comment(w, r->comment);
    auth_results_property(w, "header.from", r->from);
    auth_results_property(w, "policy.dmarc", r->disposition);
}

void auth_results_arc(struct auth_results_writer *w, const struct auth_results_arc *r)
{
    auth_results_method(w, "arc", r->result);
    auth_results_comment(w, r->comment);
    auth_results_property(w, "smtp.remote-ip", r->client);
    auth_results_property(w, "header.oldest-pass", r->oldest_pass);
}

void auth_results_iprev(struct auth_results_writer *w, const struct auth_results_iprev *r)
{
    auth_results_method(w, "iprev", r->result);
    auth_results_comment(w, r->comment);
    auth_results_property(w, "policy.iprev", r->address);
}
