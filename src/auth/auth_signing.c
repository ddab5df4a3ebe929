#include "auth_signing.h"

#include <string.h>

static size_t take(const struct auth_signing *keys, size_t count, const struct auth_signing *m,
                   struct span sender, size_t *out, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n < most; i++)
        if (dns_name_eq(&keys[i].domain, &m->domain) && span_ieq(keys[i].sender, sender) &&
            (keys[i].services == 0 || keys[i].services & m->services))
            out[n++] = i;
    return n;
}

size_t auth_signing_choose(const struct auth_signing *keys, size_t count,
                           const struct auth_signing *message, bool below, size_t *out, size_t most)
{
    struct auth_signing m = *message;
    size_t n = m.sender.len ? take(keys, count, &m, m.sender, out, most) : 0;
    if (n == 0)
        n = take(keys, count, &m, SPAN(""), out, most);
    while (n == 0 && below && dns_name_parent(&m.domain, &m.domain))
        n = take(keys, count, &m, SPAN(""), out, most);
    return n;
}

bool auth_sender_fits(struct span local)
{
    struct span rest = local;
    while (rest.len) {
        size_t n = span_utf8(rest);
        if (n == 0 || (n == 1 && (rest.at[0] <= ' ' || rest.at[0] > '~' ||
                                  strchr("()<>[]:;@\\,\"", rest.at[0]))))
            return false;
        rest = span_skip(rest, n);
    }
    return local.len > 0 && local.len <= AUTH_SENDER_MAX;
}
