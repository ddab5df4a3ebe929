// What Dovecot says, line by line; what we say back is one line whatever is in it.
#include "sasl_dovecot.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void take(struct span line)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct sasl_dovecot l;
    if (!sasl_dovecot_read(&l, line))
        return;
    if (l.kind == SASL_DOVECOT_OK || l.kind == SASL_DOVECOT_CONT || l.kind == SASL_DOVECOT_FAIL)
        check(l.id > 0);
    if (sasl_dovecot_unescape(&b, l.user) && sasl_dovecot_unescape(&b, l.reason))
        check(b.len <= line.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf b = BUF(16 << 20), back = BUF(16 << 20);
    struct span all = {(const char *)data, size}, rest = all;
    while (rest.len)
        take(span_cut(&rest, '\n'));
    sasl_dovecot_put_user(&b, 1, all);
    check(span_index(buf_span(&b), '\n') == b.len - 1);
    struct span line = buf_span(&b), user;
    span_cut(&line, '\t');
    span_cut(&line, '\t');
    user = span_cut(&line, '\t');
    check(sasl_dovecot_unescape(&back, user) && span_eq(buf_span(&back), all));
    return 0;
}
