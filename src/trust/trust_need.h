// What is asked of a delivery besides what the recipient's domain publishes:
// by the message (REQUIRETLS, TLS-Required: No, RFC 8689) and by the operator.
#pragma once
#include "base_span.h"

struct trust_need {
    bool requiretls;      // the MAIL FROM parameter; overrides the header field
    bool tls_required_no; // "TLS-Required: No"
};

// Local policy of the operator for a destination. FOLLOW: what is published.
// The others replace it; DANE still verifies where LOCAL_ENCRYPT or stricter
// finds usable records.
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
