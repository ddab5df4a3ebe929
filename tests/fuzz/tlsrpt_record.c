// _smtp._tls TXT records (RFC 8460 §3), several in an answer, parted by zeros.
#include "trust_tlsrpt.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena arena = ARENA(1 << 20);
    struct dns_record records[8] = {{0}};
    struct dns_answer a = {.standing = DNS_SECURE, .presence = DNS_DATA, .records = records};
    struct span rest = {(const char *)data, size}, *uris;
    while (rest.at && a.count < 8)
        records[a.count++].data = span_cut(&rest, '\0');
    size_t n = trust_tlsrpt_record(&a, &arena, &uris);
    if (n > TLSRPT_URIS_MAX)
        panic("too many URIs");
    for (size_t i = 0; i < n; i++)
        if (!span_istarts(uris[i], SPAN("mailto:")) && !span_istarts(uris[i], SPAN("https://")))
            panic("a URI of another scheme");
    return 0;
}
