// A packet is read, packed, unpacked and packed again: the same bytes. The
// first byte chooses the question, the rest is the packet. The bytes are also
// tried as a packed answer.
#include "dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repack(struct span packed)
{
    CLEANUP(buf_free) struct buf again = BUF(1 << 20);
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer out;
    struct rd r = RD(packed);
    if (!dns_answer_unpack(&r, &out, &a) || !rd_end(&r))
        panic("a packed answer is not unpacked");
    dns_answer_pack(&again, &out);
    if (!span_eq(buf_span(&again), packed))
        panic("an answer changed on its way");
}

static void read_packet(unsigned choice, struct span packet)
{
    static const enum dns_type types[8] = {DNS_A,  DNS_AAAA, DNS_MX,   DNS_TXT,
                                           DNS_NS, DNS_PTR,  DNS_TLSA, DNS_CNAME};
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_question q = {.name = {7, "a.b.com"}, .type = types[choice % 8]};
    struct dns_verdict v = {.secure = choice & 8, .packet = packet, .ttl = 60};
    struct dns_answer out;
    dns_answer_read(&out, &q, &v, &a);
    dns_answer_pack(&b, &out);
    if (!rc_ok(buf_state(&b)))
        panic("an answer is too large to be sent");
    repack(buf_span(&b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {(const char *)data, size};
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer out;
    struct rd r = RD(in);
    if (dns_answer_unpack(&r, &out, &a))
        repack(span_first(in, size - r.rest.len));
    if (size > 0)
        read_packet(data[0], span_skip(in, 1));
    return 0;
}
