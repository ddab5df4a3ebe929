#include "sasl_users.h"

static void field(struct buf *b, struct span s)
{
    buf_putc(b, ' ');
    buf_put(b, s.len ? s : SPAN("-"));
}

void sasl_user_put(struct buf *b, const struct sasl_user_line *l)
{
    buf_put(b, l->name);
    field(b, l->hash);
    field(b, l->verifier);
    field(b, l->senders);
    buf_putc(b, '\n');
}

static bool is_of(struct span line, const char *key)
{
    char is[SASL_KEY_MAX];
    line = span_trim(line);
    if (line.len == 0 || line.at[0] == '#' || line.at[0] == '@')
        return false;
    size_t n = 0;
    while (n < line.len && line.at[n] != ' ' && line.at[n] != '\t' && line.at[n] != '\r')
        n++;
    return sasl_key(is, span_first(line, n)) && span_eq(span_str(is), span_str(key));
}

bool sasl_users_change(struct buf *out, struct span text, struct span name, struct span line)
{
    char key[SASL_KEY_MAX];
    bool there = false;
    if (!sasl_key(key, name))
        return false;
    while (text.len) {
        struct span one = span_cut(&text, '\n');
        if (is_of(one, key)) {
            if (!there)
                buf_put(out, line);
            there = true;
            continue;
        }
        buf_put(out, one);
        buf_putc(out, '\n');
    }
    if (!there)
        buf_put(out, line);
    return there;
}
