// history.db: what was decided and what happened, about mail that went
// out (attempts) and mail that came in (evaluations). Plans are kept once each
// (by digest), sessions and attempts refer to them. Not mail: WAL with
// synchronous=NORMAL, committed in groups; a crash may lose the last moment, but for what
// store_history_sync() stands behind (store_taken.h).
#pragma once
#include "base_time.h"
#include "base_rc.h"
#include "crypto_digest.h"

struct store_history;
struct rc store_history_open(struct store_history **out, const char *path, const char **why);
void store_history_close(struct store_history *h);

struct store_attempt {
    struct wall when;
    uint64_t message;
    struct span sender, domain;
    struct span recipients; // JSON array: address, outcome, status, reply
    struct span plan;       // JSON (trust_plan_put_json); stored once for equal bytes
    struct span sessions;   // JSON array (trust_session_put_json), in order of the tries
    struct span decision;   // "delivered", "deferred", "failed"
    struct span reason;     // one sentence
    int64_t duration_us;
    struct span counts; // for the tallies (proc_tallies.h); empty: nothing
};
struct rc store_history_attempt(struct store_history *h, const struct store_attempt *a);
// The attempts of a message, the latest `limit` of them, latest first; the spans are
// borrowed during the call. `each` returns false where it has enough.
struct rc store_history_of(struct store_history *h, uint64_t message, size_t limit,
                           bool (*each)(void *arg, const struct store_attempt *a), void *arg);

// What was found out about who sent a message, kept whether it was accepted or
// not: what DMARC aggregate reports (RFC 9990) are made of. Results are words of
// RFC 8601, domains A-labels.
struct store_evaluation {
    struct wall when;
    uint64_t message;   // as its Received field has it; of one refused: as it would have
    struct span client; // "192.0.2.1"
    struct span helo;
    struct span sender; // domain of MAIL FROM; empty: null path
    struct span author; // domain of the From field; empty: there is no single one
    struct span spf, spf_domain;
    struct span spf_scope; // "mfrom", "helo"
    struct span dkim;      // JSON array: domain, selector, algorithm, result, reason
    struct span arc;
    struct span dmarc;
    bool spf_aligned, dkim_aligned;
    struct span policy_domain, policy;    // where the record is, and the record; empty: none
    struct span wish;                     // what the owner asks for: "none", "quarantine", "reject"
    struct span disposition;              // what was done
    struct span override_reason, comment; // why that differs (RFC 9990); empty
    bool accepted;
    // For DMARC reports, where the policy domain wants them, else empty: what is published,
    // this message as a record, and as one that many share (proc_tallies.h). Not of the record of
    // the evaluation.
    struct span about, record, coarse;
};
struct rc store_history_evaluation(struct store_history *h, const struct store_evaluation *e);
struct rc store_history_commit(struct store_history *h);
// Removes what is older than `before`, at most `limit` records a call: *removed
// says how many; fewer than `limit`: no more. Commits.
struct rc store_history_trim(struct store_history *h, struct wall before, size_t limit,
                             size_t *removed);
