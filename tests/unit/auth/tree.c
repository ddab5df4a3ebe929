#include "tree.h"

#include "base_buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct span rest;
    struct arena *a;
};

static void blank(struct reader *r)
{
    while (r->rest.len && strchr(" \t\r\n", r->rest.at[0]))
        r->rest = span_skip(r->rest, 1);
}

static char peek(struct reader *r)
{
    blank(r);
    if (!r->rest.len)
        panic("JSON ends early");
    return r->rest.at[0];
}

static bool take(struct reader *r, char c)
{
    bool there = peek(r) == c;
    if (there)
        r->rest = span_skip(r->rest, 1);
    return there;
}

static void put_utf8(struct buf *b, unsigned long c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
        return;
    }
    if (c >= 0x800)
        buf_putc(b, (char)(0xe0 | c >> 12));
    buf_putc(b, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
    buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

static struct span string(struct reader *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    if (!take(r, '"'))
        panic("JSON: a string is missing");
    while (r->rest.len && r->rest.at[0] != '"') {
        char c = r->rest.at[0];
        r->rest = span_skip(r->rest, 1);
        if (c == '\\' && r->rest.len) {
            static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
            c = r->rest.at[0];
            r->rest = span_skip(r->rest, 1);
            const char *at = strchr(from, c);
            if (c == 'u') {
                char hex[5];
                (void)span_copy(hex, sizeof hex, span_first(r->rest, 4));
                put_utf8(&b, strtoul(hex, NULL, 16));
                r->rest = span_skip(r->rest, 4);
                continue;
            }
            c = at ? to[at - from] : c;
        }
        buf_putc(&b, c);
    }
    r->rest = span_skip(r->rest, 1);
    return arena_dup(r->a, buf_span(&b));
}

static struct tree *value(struct reader *r, int depth);

static struct tree *members(struct reader *r, char close, int depth)
{
    struct tree *first = NULL, **end = &first;
    while (!take(r, close)) {
        struct span key = close == '}' ? string(r) : (struct span){NULL, 0};
        if (close == '}' && !take(r, ':'))
            panic("JSON: a colon is missing");
        *end = value(r, depth);
        (*end)->key = key;
        end = &(*end)->next;
        (void)take(r, ',');
    }
    return first;
}

static struct tree *value(struct reader *r, int depth)
{
    struct tree *t = arena_alloc(r->a, sizeof *t);
    char c = peek(r);
    if (!t || depth > 50)
        panic("JSON: too large");
    t->kind = c;
    if (c == '{' || c == '[') {
        r->rest = span_skip(r->rest, 1);
        t->child = members(r, c == '{' ? '}' : ']', depth + 1);
    } else if (c == '"') {
        t->text = string(r);
    } else {
        size_t n = 0;
        while (n < r->rest.len && !strchr(",]} \t\r\n", r->rest.at[n]))
            n++;
        t->text = span_first(r->rest, n);
        r->rest = span_skip(r->rest, n);
        t->kind = strchr("ntf", c) ? c : '\0';
    }
    return t;
}

struct tree *tree_read(struct span text, struct arena *a)
{
    struct reader r = {text, a};
    return value(&r, 0);
}

struct span tree_bytes(const char *path, struct arena *a)
{
    const char *folder = getenv("GELEIT_VECTORS");
    CLEANUP(buf_free) struct buf b = BUF(4 << 20);
    char chunk[4096];
    size_t n = 0;
    buf_printf(&b, "%s/%s", folder ? folder : "", path);
    FILE *f = fopen(buf_str(&b), "r");
    buf_clear(&b);
    if (!f)
        return (struct span){NULL, 0};
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_put(&b, (struct span){chunk, n});
    fclose(f);
    return arena_dup(a, buf_span(&b));
}

struct tree *tree_file(const char *path, struct arena *a)
{
    struct span text = tree_bytes(path, a);
    return text.at ? tree_read(text, a) : NULL;
}

const struct tree *tree_get(const struct tree *t, const char *key)
{
    for (const struct tree *c = t ? t->child : NULL; c; c = c->next)
        if (span_eq(c->key, span_str(key)))
            return c;
    return NULL;
}

struct span tree_text(const struct tree *t, const char *key)
{
    const struct tree *c = tree_get(t, key);
    return c ? c->text : (struct span){NULL, 0};
}

bool tree_is(const struct tree *t, const char *key, const char *literal)
{
    return span_eq(tree_text(t, key), span_str(literal));
}
