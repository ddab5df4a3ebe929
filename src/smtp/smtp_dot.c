#include "smtp_dot.h"

// Where a CR or LF stands first, s.len: nowhere.
static size_t line_stop(struct span s)
{
    size_t cr = span_index(s, '\r');
    return span_index(span_first(s, cr), '\n');
}

static bool crlf_at(struct span s, size_t at)
{
    return s.at[at] == '\r' && at + 1 < s.len && s.at[at + 1] == '\n';
}

// How much of `s` is the same with dots and without: it ends before a line that
// begins with a dot, a bare CR or LF, a last CR, or with `s`.
static size_t plain_len(bool *mid_line, struct span s)
{
    size_t at = 0;
    while (at < s.len && (*mid_line || s.at[at] != '.')) {
        size_t stop = at + line_stop(span_skip(s, at));
        if (stop == s.len || !crlf_at(s, stop)) {
            *mid_line |= stop > at;
            return stop;
        }
        at = stop + 2;
        *mid_line = false;
    }
    return at;
}

size_t smtp_crlf_len(struct span s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t stop = at + line_stop(span_skip(s, at));
        if (stop == s.len || !crlf_at(s, stop))
            return stop;
        at = stop + 2;
    }
    return at;
}

static bool bare_at_front(struct span in)
{
    return in.len && (in.at[0] == '\n' || (in.at[0] == '\r' && in.len > 1 && in.at[1] != '\n'));
}

enum smtp_undot_kind smtp_undot_take(struct smtp_undot *u, struct span *in, struct span *piece)
{
    if (!u->mid_line && in->len && in->at[0] == '.') {
        if (span_starts(*in, SPAN(".\r\n"))) {
            *in = span_skip(*in, 3);
            return SMTP_UNDOT_END;
        }
        if (span_starts(SPAN(".\r\n"), *in))
            return SMTP_UNDOT_MORE;
        *in = span_skip(*in, 1);
        u->mid_line = true;
    }
    if (bare_at_front(*in))
        return SMTP_UNDOT_BARE;
    *piece = span_first(*in, plain_len(&u->mid_line, *in));
    *in = span_skip(*in, piece->len);
    return piece->len ? SMTP_UNDOT_PIECE : SMTP_UNDOT_MORE;
}

static void line_end_put(struct smtp_dot *d, struct buf *out)
{
    buf_put(out, SPAN("\r\n"));
    *d = (struct smtp_dot){0};
}

// Puts what plain_len() stopped at.
static struct span stop_put(struct smtp_dot *d, struct span s, struct buf *out)
{
    if (s.at[0] == '.') {
        buf_put(out, SPAN(".."));
        d->mid_line = true;
    } else if (s.at[0] == '\n') {
        line_end_put(d, out);
    } else {
        d->cr = true;
    }
    return span_skip(s, 1);
}

void smtp_dot_put(struct smtp_dot *d, struct span s, struct buf *out)
{
    while (s.len) {
        if (d->cr) {
            s = span_skip(s, s.at[0] == '\n');
            line_end_put(d, out);
            continue;
        }
        size_t n = plain_len(&d->mid_line, s);
        buf_put(out, span_first(s, n));
        s = span_skip(s, n);
        if (s.len)
            s = stop_put(d, s, out);
    }
}

void smtp_dot_end(struct smtp_dot *d, struct buf *out)
{
    if (d->cr || d->mid_line)
        line_end_put(d, out);
    buf_put(out, SPAN(".\r\n"));
    *d = (struct smtp_dot){0};
}
