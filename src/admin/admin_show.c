#include "admin_ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 11 };

// Control characters, C1 among them, and what turns writing around (U+202A to
// U+202E, U+2066 to U+2069): none of it is for a terminal.
static bool harmful(struct span c)
{
    unsigned char a = (unsigned char)c.at[0];
    if (c.len == 1)
        return a < ' ' || a == 0x7f;
    unsigned char b = (unsigned char)c.at[1];
    if (c.len == 2)
        return a == 0xc2 && b < 0xa0;
    unsigned char d = (unsigned char)c.at[2];
    return c.len == 3 && a == 0xe2 &&
           ((b == 0x80 && d >= 0xaa && d <= 0xae) || (b == 0x81 && d >= 0xa6 && d <= 0xa9));
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
