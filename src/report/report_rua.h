// Where reports go: rua URIs, and for DMARC the verification of destinations outside the policy's
// organization (RFC 9990 §4): for each URI the one DNS question, if any, that decides, and what its
// answer says. The asking, the order and the retry are the caller's.
#pragma once
#include "base_arena.h"
#include "dns_answer.h"
#include "report_notes.h"

enum report_rua_state {
    REPORT_RUA_SEND,  // may be sent there
    REPORT_RUA_ASK,   // `question` decides
    REPORT_RUA_LATER, // its answer was no answer (bogus, indeterminate): ask again later
    REPORT_RUA_DROP,  // never: not a URI we can use, or its host did not agree
    REPORT_RUA_STATES
};

enum { REPORT_RUA_TO_MAX = 8 };

struct report_rua {
    enum report_rua_state state;
    struct span uri; // as given, without the size; https only for TLS-RPT
    bool https;
    size_t to_count; // mailto: the addresses (RFC 6068), checked
    struct span to[REPORT_RUA_TO_MAX];
    bool one_domain;              // of all of them
    struct dns_name host;         // domain of the addresses, or host of the https URI
    uint64_t size_max;            // "!10m" of RFC 7489; 0: none
    struct dns_question question; // when ASK or LATER
    const char *why;              // one sentence, when LATER or DROP
};

// A URI of a _smtp._tls record: mailto or https. No verification is asked (RFC 8460 has none).
void report_rua_tls(struct report_rua *out, struct span uri, struct arena *a);
// A URI of a DMARC record found at `policy_domain`. Hosts at or below `organization` (RFC 9989's
// organizational domain of the policy domain; the root: not known, then the policy domain itself)
// are its own and need no question. All addresses of one URI must be of one domain.
void report_rua_dmarc(struct report_rua *out, struct span uri, const struct dns_name *policy_domain,
                      const struct dns_name *organization, struct arena *a);
// The answer to `question`. A `rua` in it replaces the URI if it names the same host, else nothing
// is sent (§4 step 9).
void report_rua_answer(struct report_rua *rua, const struct dns_answer *txt, struct arena *a);
// Whether a mail of this many bytes may be sent there.
bool report_rua_fits(const struct report_rua *rua, uint64_t size);
