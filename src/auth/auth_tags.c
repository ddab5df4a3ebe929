#include "auth_tags.h"

#include "base_code.h"

bool auth_fws(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span auth_fws_trim(struct span s)
{
    while (s.len && auth_fws(s.at[0]))
        s = span_skip(s, 1);
    while (s.len && auth_fws(s.at[s.len - 1]))
        s.len--;
    return s;
}

static bool name_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && ((c >= '0' && c <= '9') || c == '_'));
}

static bool name_fits(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.at[i], i == 0))
            return false;
    return name.len > 0;
}

static bool value_fits(struct span s)
{
    while (s.len) {
        size_t n = span_utf8(s);
        char c = s.at[0];
        if (n == 0 || (n == 1 && !auth_fws(c) && (c <= ' ' || c == 0x7f)))
            return false;
        s = span_skip(s, n);
    }
    return true;
}

static bool tag_read(struct auth_tag *out, struct span spec)
{
    struct span rest = spec;
    out->name = auth_fws_trim(span_cut(&rest, '='));
    if (!rest.at)
        return false;
    out->raw = rest;
    out->value = auth_fws_trim(rest);
    return name_fits(out->name) && value_fits(out->value);
}

bool auth_tags_read(struct auth_tags *out, struct span text)
{
    out->count = 0;
    text = text.at ? text : SPAN("");
    while (text.at) {
        struct span spec = span_cut(&text, ';');
        if (!text.at && out->count && auth_fws_trim(spec).len == 0)
            return true; // after the last ";"
        if (out->count == AUTH_TAGS_MAX || !tag_read(&out->at[out->count], spec) ||
            auth_tags_get(out, out->at[out->count].name).at)
            return false;
        out->count++;
    }
    return true;
}

struct span auth_tags_get(const struct auth_tags *t, struct span name)
{
    for (size_t i = 0; i < t->count; i++)
        if (span_eq(t->at[i].name, name))
            return t->at[i].value;
    return (struct span){0};
}

struct span auth_list_next(struct span *rest, char colon)
{
    struct span item = span_cut(rest, colon);
    return item.at ? auth_fws_trim(item) : item;
}

bool auth_list_has(struct span list, char colon, struct span word)
{
    while (list.at)
        if (span_ieq(auth_list_next(&list, colon), word))
            return true;
    return false;
}

bool auth_base64_read(struct buf *out, struct span text)
{
    CLEANUP(buf_free) struct buf solid = BUF(64 << 10);
    for (size_t i = 0; i < text.len; i++)
        if (!auth_fws(text.at[i]))
            buf_putc(&solid, text.at[i]);
    return rc_ok(buf_state(&solid)) && code_get_base64(out, buf_span(&solid));
}
