#include "admin_ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 11 };

// Of a whole character (RFC 3629 §3).
static unsigned code_point(struct span c)
{
    unsigned first = (unsigned char)c.at[0];
    unsigned v = c.len == 1 ? first : first & (0x7fU >> c.len);
    for (size_t i = 1; i < c.len; i++)
        v = v << 6 | ((unsigned char)c.at[i] & 0x3fU);
    return v;
}

// Control characters, C1 among them, what turns writing around or breaks lines, and what cannot
// be seen, so that two names that differ look the same: none of it is for a terminal.
static bool harmful(struct span c)
{
    static const struct {
        unsigned from, to;
    } table[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
                 {0x180e, 0x180e}, {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
                 {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    unsigned v = code_point(c);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (v >= table[i].from && v <= table[i].to)
            return true;
    return false;
}

void admin_put_harmless(struct buf *b, struct span text)
{
    while (text.len) {
        size_t n = span_utf8(text);
        struct span c = span_first(text, n ? n : 1);
        if (n == 0 || harmful(c))
            buf_putc(b, '?');
        else
            buf_put(b, c);
        text = span_skip(text, c.len);
    }
}

void admin_put(struct admin_page *p, enum admin_ink ink, struct span text)
{
    static const char *const codes[INKS] = {
        [INK_NONE] = "",         [INK_BOLD] = "\033[1m",  [INK_DIM] = "\033[2m",
        [INK_GOOD] = "\033[32m", [INK_WARN] = "\033[33m", [INK_BAD] = "\033[31m"};
    bool coloured = p->colour && ink != INK_NONE;
    if (coloured)
        buf_put(&p->out, span_str(codes[ink]));
    admin_put_harmless(&p->out, text);
    if (coloured)
        buf_put(&p->out, SPAN("\033[0m"));
}

void admin_putf(struct admin_page *p, enum admin_ink ink, const char *format, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    admin_put(p, ink, span_str(text));
}

void admin_line(struct admin_page *p, const char *indent, const char *label, enum admin_ink ink,
                const char *value)
{
    admin_put(p, INK_NONE, span_str(indent));
    admin_putf(p, INK_DIM, "%-*s", LABEL_WIDTH, label);
    admin_put(p, ink, span_str(value));
    buf_putc(&p->out, '\n');
}

enum admin_ink admin_ink_of(const char *word)
{
    static const struct {
        const char *word;
        enum admin_ink ink;
    } inks[] = {
        {"deliver", INK_GOOD},
        {"delivered", INK_GOOD},
        {"secure", INK_GOOD},
        {"dane", INK_GOOD},
        {"sts", INK_GOOD},
        {"pkix", INK_GOOD},
        {"pinned", INK_GOOD},
        {"enforce", INK_GOOD},
        {"validating", INK_GOOD},
        {"local-verify", INK_GOOD},
        {"local-dane-only", INK_GOOD},
        {"local-pinned", INK_GOOD},
        {"defer", INK_WARN},
        {"deferred", INK_WARN},
        {"indeterminate", INK_WARN},
        {"not-validating", INK_BAD},
        {"stripped", INK_BAD},
        {"testing", INK_WARN},
        {"unusable", INK_BAD},
        {"bogus", INK_BAD},
        {"fail", INK_BAD},
        {"failed", INK_BAD},
        {"error", INK_BAD},
        {"held", INK_WARN},
    };
    for (size_t i = 0; i < sizeof inks / sizeof *inks; i++)
        if (strcmp(inks[i].word, word) == 0)
            return inks[i].ink;
    return INK_NONE;
}

const char *admin_str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

int64_t admin_int(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

bool admin_bool(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

const json_t *admin_at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}
