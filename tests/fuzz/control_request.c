// What comes in at the local door, and what a command is told. The first byte picks
// the decoder. What is accepted must pack to the same bytes.
#include "proc_control_request.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request(struct span input, struct buf *b)
{
    struct control_request q;
    struct dns_name domain;
    struct rd r = RD(input);
    if (!control_request_unpack(&r, &q))
        return;
    control_request_pack(b, &q);
    if (!span_eq(buf_span(b), input))
        panic("packed differently");
    if (!control_domain(q.word, &domain) && !dns_name_is_host(&domain))
        panic("no domain");
}

static void answer(struct span input, struct buf *b)
{
    struct control_answer a;
    struct rd r = RD(input);
    if (!control_answer_unpack(&r, &a))
        return;
    control_answer_pack(b, &a);
    if (!span_eq(buf_span(b), input))
        panic("packed differently");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 24);
    if (size == 0)
        return 0;
    struct span rest = {(const char *)data + 1, size - 1};
    if (data[0] & 1)
        answer(rest, &b);
    else
        request(rest, &b);
    return 0;
}
