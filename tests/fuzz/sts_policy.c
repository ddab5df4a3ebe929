// MTA-STS policy files (RFC 8461 §3.2): what is accepted has its bounds, and
// means the same when it is read again from its own patterns.
#include "trust_sts.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct trust_sts_policy p;
    if (trust_sts_parse(&p, (struct span){(const char *)data, size}, &a))
        return 0;
    if (p.max_age > 31557600 || p.count > STS_MX_MAX || p.mode >= STS_MODES)
        panic("a policy beyond its bounds");
    if (p.mode != STS_NONE && p.count == 0)
        panic("a policy without mx");
    for (size_t i = 0; i < p.count; i++) {
        struct dns_name n = p.mx[i].name, below;
        if (!dns_name_is_host(&n) || n.len == 0)
            panic("a pattern that is no host");
        if (!p.mx[i].wildcard && !trust_sts_match(&p, &n))
            panic("a pattern that does not match itself");
        if (p.mx[i].wildcard && dns_name_prepend(&below, SPAN("x."), &n) &&
            !trust_sts_match(&p, &below))
            panic("a wildcard that does not match below itself");
    }
    return 0;
}
