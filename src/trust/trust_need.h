// What is asked of a delivery besides what the recipient's domain publishes:
// by the message (REQUIRETLS, TLS-Required: No, RFC 8689) and by the operator.
#pragma once
#include "base_span.h"

struct trust_need {
    bool requiretls;      // the MAIL FROM parameter; overrides the header field
    bool tls_required_no; // "TLS-Required: No"
};

// Local policy of the operator for a destination. FOLLOW: what is published.
// The others replace it. LOCAL_ENCRYPT, _VERIFY and _DANE_ONLY still look for
// TLSA records, and where they are usable DANE verifies; under LOCAL_PINNED the
// pin alone counts and TLSA is not asked, as under _CLEAR and _OPPORTUNISTIC.
//
// REQUIRETLS brings all that is published back over a weaker local policy:
// _OPPORTUNISTIC and _ENCRYPT then judge as FOLLOW does, MTA-STS included; with
// _CLEAR no host is usable (5.7.10). _VERIFY and _DANE_ONLY stay and must also
// meet RFC 8689 §4.2.1 (a protected host name, and a certificate for it or DANE);
// _PINNED meets it by its key, whatever the name (docs/decisions/0011).
enum trust_local {
    TRUST_FOLLOW,
    TRUST_LOCAL_CLEAR,
    TRUST_LOCAL_OPPORTUNISTIC,
    TRUST_LOCAL_ENCRYPT,
    TRUST_LOCAL_VERIFY,
    TRUST_LOCAL_DANE_ONLY,
    TRUST_LOCAL_PINNED,
    TRUST_LOCALS
};
const char *trust_local_text(enum trust_local l); // "follow", "clear", "opportunistic", …
bool trust_local_parse(enum trust_local *out, struct span text);
