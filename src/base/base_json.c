#include "base_json.h"

// Bytes at the front that stand for themselves.
static size_t plain(struct span s)
{
    size_t n = 0;
    while (n < s.len && s.at[n] >= ' ' && s.at[n] < 0x7f && s.at[n] != '"' && s.at[n] != '\\')
        n++;
    return n;
}

static void text(struct buf *b, struct span s)
{
    buf_putc(b, '"');
    for (;;) {
        size_t run = plain(s);
        buf_put(b, span_first(s, run));
        s = span_skip(s, run);
        if (!s.len)
            break;
        size_t n = span_utf8(s);
        unsigned char c = (unsigned char)s.at[0];
        if (n == 0)
            buf_put(b, SPAN("\xef\xbf\xbd"));
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_put(b, span_first(s, n));
        s = span_skip(s, n ? n : 1);
    }
    buf_putc(b, '"');
}

static void begin(struct json *j, const char *key)
{
    if (j->comma)
        buf_putc(j->out, ',');
    j->comma = true;
    if (key) {
        text(j->out, span_str(key));
        buf_putc(j->out, ':');
    }
}

void json_open(struct json *j, const char *key, char bracket)
{
    begin(j, key);
    buf_putc(j->out, bracket);
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    buf_putc(j->out, bracket);
    j->comma = true;
}

void json_str(struct json *j, const char *key, struct span s)
{
    if (!s.at) {
        json_none(j, key);
        return;
    }
    begin(j, key);
    text(j->out, s);
}

void json_int(struct json *j, const char *key, int64_t n)
{
    begin(j, key);
    buf_printf(j->out, "%lld", (long long)n);
}

void json_bool(struct json *j, const char *key, bool b)
{
    begin(j, key);
    buf_put(j->out, b ? SPAN("true") : SPAN("false"));
}

void json_none(struct json *j, const char *key)
{
    begin(j, key);
    buf_put(j->out, SPAN("null"));
}

void json_raw(struct json *j, const char *key, struct span json)
{
    begin(j, key);
    buf_put(j->out, json);
}
