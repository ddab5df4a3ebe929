// ARC chains verified (RFC 8617 §5.2): a pure machine that sees header and body
// once, in any chunks, as the DKIM verifier does (auth_dkim.h has the order of
// calls). It seals nothing.
//
// Beside rsa-sha256, seals and message signatures with ed25519-sha256 are
// verified (RFC 8463's form; an extension). A chain is believed as far as the
// sealers are: `hint` says what configured ones reported, nothing else.
#pragma once
#include "auth_ask.h"
#include "auth_results.h"
#include "base_time.h"

enum { AUTH_ARC_SETS_MAX = 50, AUTH_ARC_REASON_MAX = 512 };

struct auth_arc_options {
    struct wall now;
    int64_t skew;          // microseconds by which clocks may differ (x=)
    unsigned rsa_bits_min; // 0: 1024
    // Whose seals are believed, by d=; copied.
    const struct dns_name *sealers;
    size_t sealer_count;
};

struct auth_arc_set {
    struct dns_name seal_domain, seal_selector;
    struct dns_name message_domain, message_selector;
    // PASS or FAIL; NONE: not looked at, as the chain had failed before, or, for
    // a message signature, a newer one had.
    enum auth_result seal, message;
    const char *seal_reason, *message_reason; // of a FAIL
    struct span results; // what the ARC-Authentication-Results say, behind "i=N;"
};

// What the oldest of the configured sealers reported that stands in an unbroken
// run of them up to the newest instance.
struct auth_arc_hint {
    unsigned instance; // 0: the newest seal is none of a configured sealer's
    struct auth_heard heard;
};

struct auth_arc_result {
    enum auth_result result;         // NONE: no chain; PASS; FAIL: as good as no chain
    unsigned count;                  // sets; 0 where the structure is broken
    const struct auth_arc_set *sets; // sets[0] is instance 1
    unsigned oldest_pass;            // §5.2 step 5; 0: all message signatures pass. With PASS only
    bool dns_failed;           // a FAIL for want of an answer: permanent all the same (§5.2.1)
    struct auth_arc_hint hint; // with PASS only
    char reason[AUTH_ARC_REASON_MAX]; // a sentence, printable ASCII
};

struct auth_arc;
struct auth_arc *auth_arc_new(const struct auth_arc_options *o);
void auth_arc_free(struct auth_arc **m); // for CLEANUP

void auth_arc_feed(struct auth_arc *m, struct span chunk); // the message, CRLF line ends
void auth_arc_end(struct auth_arc *m);
struct auth_step auth_arc_next(struct auth_arc *m);
// A ticket that is not under way is ignored.
void auth_arc_answer(struct auth_arc *m, unsigned ticket, const struct dns_answer *a);
// NULL before AUTH_DONE; valid as long as the machine.
const struct auth_arc_result *auth_arc_result(const struct auth_arc *m);
