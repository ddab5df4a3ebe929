#include "trust_need.h"

static const char *const locals[TRUST_LOCALS] = {
    [TRUST_FOLLOW] = "follow",
    [TRUST_LOCAL_CLEAR] = "clear",
    [TRUST_LOCAL_OPPORTUNISTIC] = "opportunistic",
    [TRUST_LOCAL_ENCRYPT] = "encrypt",
    [TRUST_LOCAL_VERIFY] = "verify",
    [TRUST_LOCAL_DANE_ONLY] = "dane-only",
    [TRUST_LOCAL_PINNED] = "pinned",
};

const char *trust_local_text(enum trust_local l)
{
    return locals[l];
}

bool trust_local_parse(enum trust_local *out, struct span text)
{
    for (unsigned i = 0; i < TRUST_LOCALS; i++)
        if (span_ieq(text, span_str(locals[i]))) {
            *out = (enum trust_local)i;
            return true;
        }
    return false;
}
