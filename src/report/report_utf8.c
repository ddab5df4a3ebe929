#include "report_utf8.h"

#include "dns_name.h"
#include "mail_encode.h"

static void point_put(struct buf *out, unsigned v)
{
    if (v < 0x80) {
        buf_putc(out, (char)v);
    } else if (v < 0x800) {
        buf_putc(out, (char)(0xc0 | v >> 6));
        buf_putc(out, (char)(0x80 | (v & 0x3f)));
    } else {
        buf_putc(out, (char)(v < 0x10000 ? 0xe0 | v >> 12 : 0xf0 | v >> 18));
        if (v >= 0x10000)
            buf_putc(out, (char)(0x80 | (v >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (v >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (v & 0x3f)));
    }
}

static bool is_control(unsigned v)
{
    return (v < ' ' && v != '\t' && v != '\r' && v != '\n') || v == 0x7f;
}

static void control_put(struct buf *out, struct report_notes *notes)
{
    report_remark(notes, REPORT_REMARK_CONTROL_CHARACTERS, SPAN(""));
    buf_putc(out, ' ');
}

static size_t plain_run(struct span s)
{
    size_t n = 0;
    while (n < s.len && (unsigned char)s.at[n] < 0x7f && !is_control((unsigned char)s.at[n]))
        n++;
    return n;
}

static void latin_put(struct buf *out, unsigned char c, struct report_notes *notes)
{
    report_remark(notes, REPORT_REMARK_NOT_UTF8, SPAN(""));
    point_put(out, c >= 0xa0 ? c : '?');
}

// U+FFFE and U+FFFF are no characters of XML 1.0 (§2.2).
static bool is_nonchar(struct span s, size_t n)
{
    return n == 3 && s.at[0] == '\xef' && s.at[1] == '\xbf' && (unsigned char)s.at[2] >= 0xbe;
}

// Takes what is a whole character; leaves the front of one that may go on in the next piece.
static struct span utf8_take(struct buf *out, struct span s, bool last, struct report_notes *notes)
{
    while (s.len) {
        size_t run = plain_run(s), n;
        buf_put(out, span_first(s, run));
        s = span_skip(s, run);
        if (!s.len)
            break;
        if ((n = span_utf8(s)) > 1)
            buf_put(out, is_nonchar(s, n) ? SPAN("\xef\xbf\xbd") : span_first(s, n));
        else if (n == 1)
            control_put(out, notes);
        else if (!last && s.len < 4 && (unsigned char)s.at[0] >= 0xc0)
            break;
        else
            latin_put(out, (unsigned char)s.at[0], notes);
        s = span_skip(s, n ? n : 1);
    }
    return s;
}

static void unit_put(struct report_utf8 *u, struct buf *out, unsigned v, struct report_notes *notes)
{
    bool low = v >= 0xdc00 && v < 0xe000;
    if (u->high && low)
        v = 0x10000 + ((u->high - 0xd800) << 10) + (v - 0xdc00);
    else if (u->high || low || v >= 0xfffe)
        v = low || v >= 0xfffe ? 0xfffd : v;
    u->high = v >= 0xd800 && v < 0xdc00 ? v : 0;
    if (u->high)
        return;
    if (is_control(v))
        control_put(out, notes);
    else
        point_put(out, v);
}

static struct span utf16_take(struct report_utf8 *u, struct buf *out, struct span s,
                              struct report_notes *notes)
{
    for (; s.len >= 2; s = span_skip(s, 2)) {
        unsigned a = (unsigned char)s.at[0], b = (unsigned char)s.at[1];
        unit_put(u, out, u->form == REPORT_UTF16_LE ? b << 8 | a : a << 8 | b, notes);
    }
    return s;
}

// A byte order mark, or a first character of which every other byte is zero.
static struct span form_find(struct report_utf8 *u, struct span s, struct report_notes *notes)
{
    static const struct {
        struct span mark;
        size_t skip;
        enum report_form form;
    } marks[] = {
        {{"\xef\xbb\xbf", 3}, 3, REPORT_UTF8}, {{"\xff\xfe", 2}, 2, REPORT_UTF16_LE},
        {{"\xfe\xff", 2}, 2, REPORT_UTF16_BE}, {{"<\0", 2}, 0, REPORT_UTF16_LE},
        {{"\0<", 2}, 0, REPORT_UTF16_BE},      {{"{\0", 2}, 0, REPORT_UTF16_LE},
        {{"\0{", 2}, 0, REPORT_UTF16_BE},
    };
    u->form = REPORT_UTF8;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (span_starts(s, marks[i].mark)) {
            u->form = marks[i].form;
            if (u->form != REPORT_UTF8)
                report_remark(notes, REPORT_REMARK_NOT_UTF8, SPAN("UTF-16"));
            return span_skip(s, marks[i].skip);
        }
    return s;
}

void report_utf8_feed(struct report_utf8 *u, struct buf *out, struct span piece, bool last,
                      struct report_notes *notes)
{
    buf_put(&u->rest, piece);
    struct span s = buf_span(&u->rest);
    if (u->form == REPORT_FORM_UNKNOWN) {
        if (s.len < 4 && !last)
            return;
        s = form_find(u, s, notes);
    }
    s = u->form == REPORT_UTF8 ? utf8_take(out, s, last, notes) : utf16_take(u, out, s, notes);
    buf_consume(&u->rest, u->rest.len - s.len);
}

void report_utf8_free(struct report_utf8 *u)
{
    buf_free(&u->rest);
}

struct span report_line(struct arena *a, struct span text, size_t max, struct report_notes *notes)
{
    while (text.len && (unsigned char)text.at[0] <= ' ')
        text = span_skip(text, 1);
    while (text.len && (unsigned char)text.at[text.len - 1] <= ' ')
        text.len--;
    if (text.len > max)
        report_remark(notes, REPORT_REMARK_TEXT_CUT, text);
    CLEANUP(buf_free) struct buf line = BUF(3 * max + 4);
    mail_line_put(&line, text, max);
    return arena_dup(a, buf_span(&line));
}

struct span report_domain(struct arena *a, struct span text, struct report_notes *notes)
{
    struct dns_name name;
    struct span line = report_line(a, text, 255, notes);
    if (!line.len)
        return line;
    if (dns_name_parse(&name, line))
        return arena_dup(a, dns_name_span(&name));
    report_remark(notes, REPORT_REMARK_NOT_DOMAIN, line);
    return line;
}
