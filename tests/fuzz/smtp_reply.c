// A reply is judged by its own bytes: once it is whole or refused, what follows
// changes nothing; before, nothing is taken.
#include "smtp_reply.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_text(const struct smtp_reply *r)
{
    check(r->code >= 200 && r->code <= 599);
    check(r->text.len <= SMTP_REPLY_TEXT_MAX);
    check(!r->status[0] || r->status[0] == (char)('0' + r->code / 100));
    for (size_t i = 0; i < r->text.len; i++)
        check((unsigned char)r->text.at[i] >= ' ' || r->text.at[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf text = BUF(SMTP_REPLY_TEXT_MAX + SMTP_LINE_MAX);
    CLEANUP(buf_free) struct buf line = BUF(3 * SMTP_LINE_MAX);
    struct span whole = {(const char *)data, size}, in = whole;
    struct smtp_reply r;
    int got = smtp_reply_take(&r, &in, &text);
    size_t taken = size - in.len;
    check(got == 1 ? taken > 0 : taken == 0);
    if (got == 1) {
        check_text(&r);
        smtp_reply_put_line(&line, &r);
        check(span_index(buf_span(&line), '\n') == line.len);
    }
    for (size_t n = 0; n < size && size <= 4096; n++) {
        struct span part = span_first(whole, n);
        int early = smtp_reply_take(&r, &part, &text);
        check(early == 0 || early == got);
        check(early != 1 || n >= taken);
        check(part.len == (early == 1 ? n - taken : n));
    }
    return 0;
}
