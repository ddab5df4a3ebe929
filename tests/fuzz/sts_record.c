// _mta-sts TXT records (RFC 8461 §3.1), several in an answer, parted by zeros;
// and the byte forms of stored policies and fetch results.
#include "trust_sts.h"

#include "base_rc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void forms(struct span s)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    struct trust_sts_stored stored;
    struct trust_fetched fetched;
    struct rd r = RD(s);
    if (trust_sts_unpack(&r, &stored, &a) && rd_end(&r)) {
        trust_sts_pack(&b, &stored);
        if (!span_eq(buf_span(&b), s))
            panic("a stored policy that changes");
    }
    r = RD(s);
    if (trust_fetched_unpack(&r, &fetched, &a) && fetched.result >= TRUST_FETCH_RESULTS)
        panic("a fetch result that is none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_record records[8] = {{0}};
    struct dns_answer a = {.standing = DNS_SECURE, .presence = DNS_DATA, .records = records};
    struct span rest = {(const char *)data, size};
    char id[STS_ID_MAX + 1];
    forms(rest);
    while (rest.at && a.count < 8)
        records[a.count++].data = span_cut(&rest, '\0');
    if (trust_sts_record(&a, id) && (strlen(id) == 0 || strlen(id) > STS_ID_MAX))
        panic("an id that is none");
    return 0;
}
