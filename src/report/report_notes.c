#include "report_notes.h"

#include "mail_encode.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define X(name, sentence) #name,
    REPORT_REMARK_TABLE(X)
#undef X
};
static const char *const sentences[] = {
#define X(name, sentence) sentence,
    REPORT_REMARK_TABLE(X)
#undef X
};

const char *report_remark_text(enum report_remark r)
{
    return sentences[r];
}

// The longest front of whole characters that has at most `max` bytes.
static struct span front(struct span text, size_t max)
{
    size_t len = 0;
    for (size_t n; len < text.len && (n = span_utf8(span_skip(text, len))) && len + n <= max;)
        len += n;
    return span_first(text, len);
}

void report_remark(struct report_notes *n, enum report_remark r, struct span first)
{
    if (n->at[r].times == 0) {
        CLEANUP(buf_free) struct buf line = BUF(4 * REPORT_FIRST_MAX);
        mail_line_put(&line, first, REPORT_FIRST_MAX);
        if (!span_copy(n->at[r].first, REPORT_FIRST_MAX,
                       front(buf_span(&line), REPORT_FIRST_MAX - 1)))
            n->at[r].first[0] = 0;
    }
    if (n->at[r].times < UINT32_MAX)
        n->at[r].times++;
}

static void __attribute__((format(printf, 2, 0)))
fault(struct report_notes *n, const char *format, va_list args)
{
    char text[2 * REPORT_FAULT_MAX];
    if (n->fault[0])
        return;
    vsnprintf(text, sizeof text, format, args);
    CLEANUP(buf_free) struct buf line = BUF(8 * REPORT_FAULT_MAX);
    mail_line_put(&line, span_str(text), sizeof text);
    if (!span_copy(n->fault, REPORT_FAULT_MAX, front(buf_span(&line), REPORT_FAULT_MAX - 1)))
        n->fault[0] = 0;
}

struct rc report_malformed(struct report_notes *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault(n, format, args);
    va_end(args);
    return RC(MALFORMED);
}

struct rc report_too_large(struct report_notes *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault(n, format, args);
    va_end(args);
    return RC(TOO_LARGE);
}

size_t report_notes_count(const struct report_notes *n)
{
    size_t count = 0;
    for (size_t i = 0; i < REPORT_REMARKS; i++)
        count += n->at[i].times > 0;
    return count;
}

void report_notes_put(struct buf *b, const struct report_notes *n)
{
    for (size_t i = 0; i < REPORT_REMARKS; i++) {
        if (!n->at[i].times)
            continue;
        buf_put(b, span_str(sentences[i]));
        if (n->at[i].first[0])
            buf_printf(b, ": \"%s\"", n->at[i].first);
        if (n->at[i].times > 1)
            buf_printf(b, " (%u times)", n->at[i].times);
        buf_putc(b, '\n');
    }
}

static void name_put(struct json *j, const char *name)
{
    char lower[64] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    json_str(j, "remark", span_str(lower));
}

void report_notes_put_json(struct json *j, const char *key, const struct report_notes *n)
{
    json_open(j, key, '[');
    for (size_t i = 0; i < REPORT_REMARKS; i++) {
        if (!n->at[i].times)
            continue;
        json_open(j, NULL, '{');
        name_put(j, names[i]);
        json_str(j, "text", span_str(sentences[i]));
        json_int(j, "times", n->at[i].times);
        if (n->at[i].first[0])
            json_str(j, "first", span_str(n->at[i].first));
        json_close(j, '}');
    }
    json_close(j, ']');
}

void report_notes_pack(struct buf *b, const struct report_notes *n)
{
    wr_u16(b, (uint16_t)report_notes_count(n));
    for (unsigned i = 0; i < REPORT_REMARKS; i++) {
        if (!n->at[i].times)
            continue;
        wr_u16(b, (uint16_t)i);
        wr_u32(b, n->at[i].times);
        wr_span(b, span_str(n->at[i].first));
    }
    wr_span(b, span_str(n->fault));
}

bool report_notes_unpack(struct rd *r, struct report_notes *out)
{
    *out = (struct report_notes){0};
    for (unsigned left = rd_u16(r); left && !r->bad; left--) {
        unsigned kind = rd_u16(r);
        if (kind >= REPORT_REMARKS)
            return false;
        out->at[kind].times = rd_u32(r);
        if (!span_copy(out->at[kind].first, REPORT_FIRST_MAX, rd_span(r)))
            return false;
    }
    return span_copy(out->fault, REPORT_FAULT_MAX, rd_span(r)) && !r->bad;
}
