#include "smtp_reply.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static unsigned number(struct span s)
{
    unsigned n = 0;
    for (size_t i = 0; i < s.len; i++)
        n = n * 10 + (unsigned)(s.at[i] - '0');
    return n;
}

// Nothing in what is there of a line's beginning forbids it to become a reply
// line: three digits, then a hyphen, a blank or the end of the line.
static bool begins_well(struct span line)
{
    for (size_t i = 0; i < line.len && i < 3; i++)
        if (!digit(line.at[i]))
            return false;
    if (line.len && (line.at[0] < '2' || line.at[0] > '5'))
        return false;
    return line.len < 4 || span_index(SPAN("- \r\n"), line.at[3]) < 4;
}

struct reply_line {
    unsigned code;
    bool more; // "250-"
    struct span text;
};

// 1: a line was cut off, 0: it has no end yet, -1: it is none.
static int line_take(struct reply_line *out, struct span *rest)
{
    struct span look = span_first(*rest, SMTP_LINE_MAX);
    size_t lf = span_index(look, '\n');
    if (!begins_well(look))
        return -1;
    if (lf == look.len)
        return look.len == SMTP_LINE_MAX ? -1 : 0;
    struct span line = span_first(look, lf);
    if (span_ends(line, SPAN("\r")))
        line.len--;
    *rest = span_skip(*rest, lf + 1);
    if (line.len < 3)
        return -1;
    *out = (struct reply_line){.code = number(span_first(line, 3)),
                               .more = line.len > 3 && line.at[3] == '-',
                               .text = span_skip(line, 4)};
    return line.len == 3 || line.at[3] != '\r' ? 1 : -1;
}

// The subject or detail part of a status code: one to three digits (RFC 3463 §2).
static size_t part_len(struct span s)
{
    size_t n = 0;
    while (n < s.len && n < 4 && digit(s.at[n]))
        n++;
    return n <= 3 ? n : 0;
}

// Length of the status code a text begins with, whose class is that of the
// reply (RFC 2034 §4); 0: it begins with none.
static size_t status_len(struct span s, unsigned code)
{
    if (s.len < 5 || s.at[0] != (char)('0' + code / 100) || s.at[0] == '3' || s.at[1] != '.')
        return 0;
    size_t subject = part_len(span_skip(s, 2));
    if (subject == 0 || 2 + subject >= s.len || s.at[2 + subject] != '.')
        return 0;
    size_t detail = part_len(span_skip(s, 3 + subject));
    size_t all = 3 + subject + detail;
    return detail && (all == s.len || s.at[all] == ' ') ? all : 0;
}

static void text_put(struct buf *text, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        buf_putc(text, c < 0x20 || c == 0x7f ? (c == '\t' ? ' ' : '?') : s.at[i]);
    }
}

static void line_keep(struct smtp_reply *r, struct reply_line line, bool first, struct buf *text)
{
    size_t n = status_len(line.text, line.code);
    struct span status = span_first(line.text, n);
    if (first && n && !span_copy(r->status, sizeof r->status, status))
        panic("a status of %zu bytes", n);
    if (n && span_eq(status, span_str(r->status)))
        line.text = span_trim(span_skip(line.text, n));
    if (!first)
        buf_putc(text, '\n');
    text_put(text, line.text);
}

int smtp_reply_take(struct smtp_reply *out, struct span *in, struct buf *text)
{
    struct span rest = *in;
    struct reply_line line = {.more = true};
    buf_clear(text);
    *out = (struct smtp_reply){0};
    for (unsigned lines = 0; line.more; lines++) {
        int got = lines < SMTP_REPLY_LINES_MAX ? line_take(&line, &rest) : -1;
        if (got != 1)
            return got;
        if (lines && line.code != out->code)
            return -1; // RFC 5321 §4.2.1: the code is the same on every line
        out->code = line.code;
        line_keep(out, line, lines == 0, text);
        if (text->len > SMTP_REPLY_TEXT_MAX || !rc_ok(buf_state(text)))
            return -1;
    }
    out->text = buf_span(text);
    *in = rest;
    return 1;
}

void smtp_reply_put_line(struct buf *b, const struct smtp_reply *r)
{
    if (r->code)
        buf_printf(b, "%03u ", r->code);
    if (r->status[0])
        buf_printf(b, "%s ", r->status);
    for (size_t i = 0; i < r->text.len; i++) {
        unsigned char c = (unsigned char)r->text.at[i];
        buf_putc(b, c == '\n' ? ' ' : c < 0x20 || c == 0x7f ? '?' : r->text.at[i]);
    }
}
