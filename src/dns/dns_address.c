#include "dns_answer.h"
#include <arpa/inet.h>

bool dns_address_eq(const struct dns_address *a, const struct dns_address *b)
{
    return a->v6 == b->v6 && span_eq(span_first(SPAN_OF(a->at), a->v6 ? 16 : 4),
                                     span_first(SPAN_OF(b->at), a->v6 ? 16 : 4));
}

void dns_address_put(struct buf *b, const struct dns_address *a)
{
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->at, text, sizeof text))
        buf_put(b, span_str(text));
}

bool dns_address_parse(struct dns_address *out, struct span text)
{
    char copy[INET6_ADDRSTRLEN];
    struct dns_address a = {.v6 = span_index(text, ':') < text.len};
    if (!span_copy(copy, sizeof copy, text) ||
        inet_pton(a.v6 ? AF_INET6 : AF_INET, copy, a.at) != 1)
        return false;
    *out = a;
    return true;
}
