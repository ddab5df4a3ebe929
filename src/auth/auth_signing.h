// Which of the keys that may sign do sign a message: one rule, whatever they come from.
//
// Those of the author's domain sign; where some of them are bound to this very author
// they stand in place of the others. A domain without such keys has those of the
// nearest domain above it that are bound to nobody, if that is permitted: what they
// sign is aligned where the domain's DMARC record does not ask for more (RFC 9989
// §4.4.1). A key whose record restricts it (s=) signs for that service only. A TLS
// report is both mail, whose signature DMARC looks at, and a report: keys for either
// sign it (RFC 8460 §3: it MUST be signed, by a key for tlsrpt it only SHOULD).
#pragma once
#include "dns_name.h"

enum { AUTH_SENDER_MAX = 64 }; // RFC 5321 §4.5.3.1.1
// RFC 6376 §3.6.1, RFC 8460 §3
enum { AUTH_SERVICE_EMAIL = 1, AUTH_SERVICE_TLSRPT = 2, AUTH_SERVICES_END = 4 };

struct auth_signing {
    struct dns_name domain;
    struct span sender; // local part, compared without case; of a key: empty is everybody's
    unsigned services;  // AUTH_SERVICE_…; of a key: 0 is all; of a message: what it is
};

// The indices of those that sign `message`, at most `most`; how many.
size_t auth_signing_choose(const struct auth_signing *keys, size_t count,
                           const struct auth_signing *message, bool below, size_t *out,
                           size_t most);
// A local part that a key can be bound to: no quotes, no blanks, no controls.
bool auth_sender_fits(struct span local);
