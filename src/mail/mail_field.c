// Header fields and their parameters (RFC 5322 §2.2, RFC 2045 §5.1, RFC 2231), liberal.
#include "base_code.h"
#include "mail_mime.h"

enum { PARAMETER_MAX = 4096, SECTIONS_MAX = 64 };

// Up to and with its line end.
static struct span line_take(struct span *rest)
{
    size_t end = span_index(*rest, '\n');
    struct span line = span_first(*rest, end < rest->len ? end + 1 : end);
    *rest = span_skip(*rest, line.len);
    return line;
}

static struct span without_end(struct span s)
{
    if (s.len && s.at[s.len - 1] == '\n')
        s.len--;
    if (s.len && s.at[s.len - 1] == '\r')
        s.len--;
    return s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
    while (s.len && is_blank(s.at[0]))
        s = span_skip(s, 1);
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

static struct span field_take(struct span *head)
{
    struct span all = line_take(head);
    while (head->len && (head->at[0] == ' ' || head->at[0] == '\t'))
        all.len += line_take(head).len;
    return all;
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f)
            return false;
    return s.len > 0;
}

bool mail_field_next(struct span *head, struct mail_field *out)
{
    while (head->len) {
        struct span all = field_take(head);
        if (without_end(all).len == 0)
            return false;
        struct span value = without_end(all), name = span_trim(span_cut(&value, ':'));
        if (!value.at || !is_name(name))
            continue;
        *out = (struct mail_field){name, value};
        return true;
    }
    return false;
}

bool mail_field_find(struct span head, struct span name, struct span *value)
{
    struct mail_field f;
    while (mail_field_next(&head, &f))
        if (span_ieq(f.name, name)) {
            *value = f.value;
            return true;
        }
    return false;
}

struct span mail_field_unfold(struct span value, struct arena *a)
{
    value = trim(value);
    char *to = arena_alloc(a, value.len + 1);
    if (!to)
        return (struct span){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] != '\r' && value.at[i] != '\n')
            to[n++] = value.at[i];
    return (struct span){to, n};
}

// --- Lexical tokens. A cursor moves; comments nest (RFC 5322 §3.2.2).

static void comment_skip(struct span *s)
{
    size_t i = 0;
    for (int depth = 0; i < s->len; i++) {
        if (s->at[i] == '\\')
            i++;
        else if (s->at[i] == '(')
            depth++;
        else if (s->at[i] == ')' && --depth == 0)
            break;
    }
    *s = span_skip(*s, i + 1 < s->len ? i + 1 : s->len);
}

static void blank_skip(struct span *s)
{
    while (s->len && (is_blank(s->at[0]) || s->at[0] == '('))
        if (s->at[0] == '(')
            comment_skip(s);
        else
            *s = span_skip(*s, 1);
}

static void quoted_take(struct buf *b, struct span *s)
{
    size_t i = 1;
    for (; i < s->len && s->at[i] != '"'; i++) {
        if (s->at[i] == '\\' && i + 1 < s->len)
            i++;
        else if (s->at[i] == '\r' || s->at[i] == '\n')
            continue;
        buf_putc(b, s->at[i]);
    }
    *s = span_skip(*s, i + 1 < s->len ? i + 1 : s->len);
}

static void token_take(struct buf *b, struct span *s, const char *stops)
{
    struct span ends = span_str(stops);
    while (s->len && !is_blank(s->at[0]) && span_index(ends, s->at[0]) == ends.len) {
        buf_putc(b, s->at[0]);
        *s = span_skip(*s, 1);
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

struct span mail_mime_token(struct span value, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(256);
    for (blank_skip(&value); value.len && value.at[0] != ';'; blank_skip(&value)) {
        size_t before = value.len;
        token_take(&b, &value, ";(");
        if (value.len == before)
            break;
    }
    for (size_t i = 0; i < b.len; i++)
        b.at[i] = lower(b.at[i]);
    return arena_dup(a, buf_span(&b));
}

// Behind the next ";" that is in no quotes and no comment.
static bool semicolon_pass(struct span *s)
{
    CLEANUP(buf_free) struct buf nothing = BUF(0);
    while (s->len && s->at[0] != ';') {
        if (s->at[0] == '"')
            quoted_take(&nothing, s);
        else if (s->at[0] == '(')
            comment_skip(s);
        else
            *s = span_skip(*s, 1);
    }
    bool there = s->len > 0;
    *s = span_skip(*s, 1);
    return there;
}

static bool parameter_next(struct span *s, struct buf *name, struct buf *value)
{
    buf_clear(name);
    buf_clear(value);
    if (!semicolon_pass(s))
        return false;
    blank_skip(s);
    token_take(name, s, ";=(\"");
    blank_skip(s);
    if (!s->len || s->at[0] != '=')
        return true;
    *s = span_skip(*s, 1);
    blank_skip(s);
    if (s->len && s->at[0] == '"')
        quoted_take(value, s);
    else
        token_take(value, s, ";(");
    return true;
}

static bool parameter_find(struct span value, struct span name, struct buf *out)
{
    CLEANUP(buf_free) struct buf found = BUF(256);
    while (parameter_next(&value, &found, out))
        if (span_ieq(buf_span(&found), name))
            return true;
    return false;
}

static void percent_undo(struct buf *out, struct span s)
{
    while (s.len) {
        struct span hex = span_first(span_skip(s, 1), 2);
        if (s.at[0] == '%' && hex.len == 2 && code_get_hex(out, hex)) {
            s = span_skip(s, 3);
            continue;
        }
        buf_putc(out, s.at[0]);
        s = span_skip(s, 1);
    }
}

// RFC 2231 §4: charset'language'text; the charset is for the reader to guess.
static struct span behind_charset(struct span s)
{
    struct span whole = s;
    span_cut(&s, '\'');
    span_cut(&s, '\'');
    return s.at ? s : whole;
}

// RFC 2231 §3 and §4.1: name*0, name*1*, …
static bool sections_find(struct span value, struct span name, struct buf *out)
{
    CLEANUP(buf_free) struct buf key = BUF(256), part = BUF(PARAMETER_MAX);
    for (unsigned i = 0; i < SECTIONS_MAX; i++) {
        buf_clear(&key);
        buf_printf(&key, "%.*s*%u", SPAN_FMT(name), i);
        if (parameter_find(value, buf_span(&key), &part)) {
            buf_put(out, buf_span(&part));
            continue;
        }
        buf_putc(&key, '*');
        if (!parameter_find(value, buf_span(&key), &part))
            return i > 0;
        percent_undo(out, i ? buf_span(&part) : behind_charset(buf_span(&part)));
    }
    return true;
}

struct span mail_mime_parameter(struct span value, struct span name, struct arena *a)
{
    CLEANUP(buf_free) struct buf out = BUF(PARAMETER_MAX), raw = BUF(PARAMETER_MAX);
    CLEANUP(buf_free) struct buf key = BUF(256);
    buf_printf(&key, "%.*s*", SPAN_FMT(name));
    if (sections_find(value, name, &out))
        return arena_dup(a, buf_span(&out));
    if (parameter_find(value, buf_span(&key), &raw)) {
        percent_undo(&out, behind_charset(buf_span(&raw)));
        return arena_dup(a, buf_span(&out));
    }
    if (parameter_find(value, name, &raw))
        return arena_dup(a, buf_span(&raw));
    return (struct span){NULL, 0};
}
