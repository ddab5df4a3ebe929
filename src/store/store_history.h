// history.db: what was decided and what happened. Plans are kept once each
// (by digest), sessions and attempts refer to them. Not mail: WAL with
// synchronous=NORMAL, committed in groups; a crash may lose the last moment.
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
};
struct rc store_history_attempt(struct store_history *h, const struct store_attempt *a);
// The attempts of a message, the latest `limit` of them, latest first; the spans are
// borrowed during the call. `each` returns false where it has enough.
struct rc store_history_of(struct store_history *h, uint64_t message, size_t limit,
                           bool (*each)(void *arg, const struct store_attempt *a), void *arg);
struct rc store_history_commit(struct store_history *h);
// Removes what is older than `before`, at most `limit` attempts a call: *removed
// says how many; fewer than `limit`: no more. Commits.
struct rc store_history_trim(struct store_history *h, struct wall before, size_t limit,
                             size_t *removed);
