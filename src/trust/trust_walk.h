// From a plan to a connection: which host and address next, and what every
// outcome means. Every outcome of a connection (refused, reply, time-out, no
// STARTTLS, handshake, certificate, capabilities) comes back through one door,
// trust_walk_seen(), which reads one table: need × offered × verified.
#pragma once
#include "trust_plan.h"

enum trust_verified {
    TRUST_VERIFIED_NONE,
    TRUST_VERIFIED_PKIX,
    TRUST_VERIFIED_DANE,
    TRUST_VERIFIED_PINNED,
    TRUST_VERIFIEDS
};
const char *trust_verified_text(enum trust_verified v); // "none", "pkix", "dane", "pinned"

// How far a connection came, and what was seen there.
enum trust_stage {
    TRUST_AT_CONNECT,   // `ok` false: not connected, or lost before EHLO was answered
    TRUST_AT_REFUSAL,   // greeting or EHLO answered 4xx or 5xx: `reply` (`ok` is false)
    TRUST_AT_CAPABLE,   // EHLO answered in the clear: `starttls`
    TRUST_AT_NO_TLS,    // STARTTLS was offered and then refused
    TRUST_AT_HANDSHAKE, // handshake over: `ok`, and if so `verified`, `failure`
    TRUST_AT_SECURED,   // EHLO answered inside TLS: `requiretls`, and again `verified`, `failure`
    TRUST_STAGES
};
struct trust_seen {
    enum trust_stage stage;
    bool ok, starttls, requiretls;
    unsigned reply;                 // the code of a refusal; 0: as any 4xx
    enum trust_verified verified;   // what the certificate proved of what the host calls for
    enum trust_result_type failure; // why it did not, or why the handshake failed
    struct span detail;             // for people
};

enum trust_verdict {
    TRUST_GO_STARTTLS, // say STARTTLS
    TRUST_GO_EHLO,     // handshake good enough: EHLO inside TLS, then ask AT_SECURED
    TRUST_GO_TALK,     // deliver on this connection
    TRUST_GO_CLEAR,    // opportunistic TLS failed: the same address again, in the clear
    TRUST_GO_NEXT,     // leave this one, ask trust_walk_next()
    TRUST_VERDICTS
};

// The table behind it, pure, for tests to sweep: the row's verdict, with the
// TLS-RPT result type and the sentence that goes into the record.
struct trust_ruling {
    enum trust_verdict verdict;
    // For TLS-RPT, of the last ruling of a connection: the whole session's. What
    // ended before STARTTLS could be seen, and a retry in the clear, whose
    // handshake was counted before, are not counted at all.
    enum trust_result_type result;
    bool permanent;     // no try later can change it (REQUIRETLS not offered, 521)
    const char *status; // enhanced code of the failure; NULL: none
    const char *rule;   // one sentence, with the RFC section
};
// `retry_in_clear`: this connection is the one after TRUST_GO_CLEAR.
struct trust_ruling trust_rule(const struct trust_host *host, const struct trust_need *need,
                               bool retry_in_clear, const struct trust_seen *seen);

struct trust_try {
    const struct trust_host *host; // NULL: nothing is left
    const struct dns_address *address;
    bool clear; // do not use STARTTLS (after TRUST_GO_CLEAR)
};

struct trust_walk {
    const struct trust_plan *plan;
    struct trust_need need;
    size_t host, address;
    unsigned connections; // tried so far, at most `ceiling`
    unsigned ceiling;
    bool clear_next, begun;
    bool ended;          // no host is left
    bool permanent_only; // every host failed for good
    const char *status;  // of the last failure
    struct buf *why;     // sentence of the last failure; owned by the caller
};

void trust_walk_start(struct trust_walk *w, const struct trust_plan *plan,
                      const struct trust_need *need, unsigned ceiling, struct buf *why);
struct trust_try trust_walk_next(struct trust_walk *w);
struct trust_ruling trust_walk_seen(struct trust_walk *w, const struct trust_seen *seen);
// The transaction on this host failed for now (4xx, lost): go to the next host.
void trust_walk_leave_host(struct trust_walk *w, struct span why);
// When nothing is left: DEFER, or FAIL where every host failed for good.
enum trust_decision trust_walk_end(const struct trust_walk *w, const char **status);
