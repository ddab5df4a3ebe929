#include "mail_encode.h"

struct mail_fold mail_fold_open(struct buf *out, struct span name)
{
    buf_put(out, name);
    buf_putc(out, ':');
    return (struct mail_fold){out, name.len + 1};
}

void mail_fold_word(struct mail_fold *f, struct span before, struct span word, struct span after)
{
    word = span_first(word, MAIL_LINE_MAX - 10 - before.len - after.len);
    size_t len = before.len + word.len + after.len;
    if (f->column + 1 + len > MAIL_COLUMN_MAX && f->column > 1) {
        buf_put(f->out, SPAN("\r\n"));
        f->column = 0;
    }
    buf_putc(f->out, f->column ? ' ' : '\t');
    buf_put(f->out, before);
    buf_put(f->out, word);
    buf_put(f->out, after);
    f->column += 1 + len;
}

void mail_fold_words(struct mail_fold *f, struct span text)
{
    while (text.at) {
        struct span word = span_cut(&text, ' ');
        if (word.len)
            mail_fold_word(f, SPAN(""), word, SPAN(""));
    }
}

void mail_fold_close(struct mail_fold *f)
{
    buf_put(f->out, SPAN("\r\n"));
    f->column = 0;
}

static bool control(char c)
{
    return (c >= 0 && c < ' ') || c == 0x7f;
}

// The character that span_utf8 measured.
static unsigned code_point(struct span s, size_t n)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned v = (unsigned char)s.at[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s.at[i] & 0x3f);
    return v;
}

static void ascii_put(struct buf *b, struct span s, struct span escaped, bool blank_escaped)
{
    while (s.len) {
        size_t n = span_utf8(s);
        char c = control(s.at[0]) ? ' ' : s.at[0];
        bool plain =
            n == 1 && span_index(escaped, c) == escaped.len && !(blank_escaped && c == ' ');
        if (n == 0)
            buf_putc(b, '?');
        else if (plain)
            buf_putc(b, c);
        else
            buf_printf(b, "\\x{%02X}", n == 1 ? (unsigned)c : code_point(s, n));
        s = span_skip(s, n ? n : 1);
    }
}

void mail_ascii_put(struct buf *b, struct span s, size_t max)
{
    ascii_put(b, span_first(s, max), SPAN(""), false);
}

void mail_xtext_address_put(struct buf *b, struct span s, size_t max)
{
    ascii_put(b, span_first(s, max), SPAN("\\+="), true);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; // RFC 3461 §4: upper case
}

void mail_xtext_put(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c > ' ' && c < 0x7f && c != '+' && c != '=')
            buf_putc(b, (char)c);
        else
            buf_printf(b, "+%02X", c);
    }
}

void mail_xtext_decode(struct buf *b, struct span x)
{
    for (size_t i = 0; i < x.len; i++) {
        int high = x.at[i] == '+' && i + 2 < x.len ? hex_digit(x.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(x.at[i + 2]) : -1;
        int c = low >= 0 ? high << 4 | low : x.at[i];
        buf_putc(b, (char)c);
        i += low >= 0 ? 2 : 0;
    }
}

static void utf8_put(struct buf *b, unsigned c)
{
    static const struct {
        unsigned below, shift, lead;
    } forms[] = {{0x80, 0, 0}, {0x800, 6, 0xc0}, {0x10000, 12, 0xe0}, {0x110000, 18, 0xf0}};
    size_t i = 0;
    while (c >= forms[i].below)
        i++;
    buf_putc(b, (char)(forms[i].lead | c >> forms[i].shift));
    for (unsigned shift = forms[i].shift; shift; shift -= 6)
        buf_putc(b, (char)(0x80 | (c >> (shift - 6) & 0x3f)));
}

// "{HEX}" of a character that may stand in text; 0: it is none.
static size_t embedded(struct span s, unsigned *c)
{
    size_t n = 3; // behind "\\x{"
    *c = 0;
    if (!span_starts(s, SPAN("\\x{")))
        return 0;
    for (; n < s.len && n < 9 && hex_digit(s.at[n]) >= 0; n++)
        *c = *c << 4 | (unsigned)hex_digit(s.at[n]);
    bool surrogate = *c >= 0xd800 && *c < 0xe000;
    bool fits = *c >= ' ' && *c != 0x7f && *c < 0x110000 && !surrogate;
    return n > 4 && n < s.len && s.at[n] == '}' && fits ? n + 1 : 0;
}

void mail_unitext_decode(struct buf *b, struct span s)
{
    while (s.len) {
        unsigned c;
        size_t n = embedded(s, &c);
        if (n)
            utf8_put(b, c);
        else
            buf_putc(b, s.at[0]);
        s = span_skip(s, n ? n : 1);
    }
}

void mail_line_put(struct buf *b, struct span s, size_t max)
{
    size_t done = 0;
    while (s.len) {
        size_t n = span_utf8(s), step = n ? n : 1;
        done += step;
        if (done > max)
            return;
        if (n == 0)
            buf_put(b, SPAN("\xef\xbf\xbd"));
        else if (control(s.at[0]))
            buf_putc(b, ' ');
        else
            buf_put(b, span_first(s, n));
        s = span_skip(s, step);
    }
}

bool mail_is_8bit(struct span text)
{
    if (span_index(text, '\0') < text.len)
        return false;
    while (text.len) {
        size_t n = span_index(text, '\n');
        struct span line = span_first(text, n);
        bool ends = n < text.len, cr = span_ends(line, SPAN("\r"));
        line.len -= cr;
        if (cr != ends || line.len > MAIL_LINE_MAX || span_index(line, '\r') < line.len)
            return false;
        text = span_skip(text, n + 1);
    }
    return true;
}

bool mail_is_7bit(struct span text)
{
    return span_is_ascii(text) && mail_is_8bit(text);
}

enum { QUOTED_LINE = 75 }; // and one for the "=" of a soft line break

void mail_quoted_put(struct buf *b, struct span text)
{
    size_t column = 0;
    while (text.len) {
        if (span_starts(text, SPAN("\r\n"))) {
            buf_put(b, SPAN("\r\n"));
            text = span_skip(text, 2);
            column = 0;
            continue;
        }
        char c = text.at[0];
        text = span_skip(text, 1);
        bool at_end = text.len == 0 || span_starts(text, SPAN("\r\n"));
        bool plain = (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !at_end);
        if (column + (plain ? 1 : 3) > QUOTED_LINE) {
            buf_put(b, SPAN("=\r\n"));
            column = 0;
        }
        if (plain)
            buf_putc(b, c);
        else
            buf_printf(b, "=%02X", (unsigned char)c);
        column += plain ? 1 : 3;
    }
}

static bool word_plain(char c) // RFC 2047 §5 (3), the narrowest set
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void encoded_char(struct buf *b, struct span character)
{
    for (size_t i = 0; i < character.len; i++) {
        if (word_plain(character.at[i]))
            buf_putc(b, character.at[i]);
        else
            buf_printf(b, "=%02X", (unsigned char)character.at[i]);
    }
}

void mail_encoded_words(struct mail_fold *f, struct span s)
{
    enum { WORD_MAX = 75 - 12 - 12 }; // RFC 2047 §2, less the frame and one character
    CLEANUP(buf_free) struct buf word = BUF(128);
    while (s.len) {
        size_t n = span_utf8(s);
        encoded_char(&word, n ? span_first(s, n) : SPAN("?"));
        s = span_skip(s, n ? n : 1);
        if (s.len && word.len <= WORD_MAX)
            continue;
        mail_fold_word(f, SPAN("=?utf-8?Q?"), buf_span(&word), SPAN("?="));
        buf_clear(&word);
    }
}
