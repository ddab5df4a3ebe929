#include "smtp_line.h"

// The kind is told by the first CR or LF and the byte behind it.
static enum smtp_line_kind judge(struct span in, size_t stop)
{
    if (stop == in.len || (in.at[stop] == '\r' && stop + 1 == in.len))
        return SMTP_LINE_MORE;
    return in.at[stop] == '\r' && in.at[stop + 1] == '\n' ? SMTP_LINE_WHOLE : SMTP_LINE_BARE;
}

static size_t stop_find(struct span in)
{
    size_t cr = span_index(in, '\r');
    return span_index(span_first(in, cr), '\n');
}

enum smtp_line_kind smtp_line_take(struct span *in, size_t max, struct span *line)
{
    struct span look = span_first(*in, max);
    size_t stop = stop_find(look);
    enum smtp_line_kind kind = judge(look, stop);
    if (kind == SMTP_LINE_MORE && look.len == max)
        return SMTP_LINE_LONG;
    if (kind == SMTP_LINE_WHOLE) {
        *line = span_first(look, stop);
        *in = span_skip(*in, stop + 2);
    }
    return kind;
}

enum smtp_line_kind smtp_line_skip(struct span *in)
{
    size_t stop = stop_find(*in);
    enum smtp_line_kind kind = judge(*in, stop);
    *in = span_skip(*in, kind == SMTP_LINE_WHOLE ? stop + 2 : stop);
    return kind;
}
