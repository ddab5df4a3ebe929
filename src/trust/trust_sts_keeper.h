// Which MTA-STS policy is in force, given the TXT record, what is stored and
// what a fetch brings (RFC 8461 §3.3, §5.1): the part of the planner that
// makes a blocked fetch or a forged record no downgrade. Inside the room.
#pragma once
#include "trust_plan.h"

enum trust_keeper_wants { TRUST_KEEPER_WAITS, TRUST_KEEPER_FETCH, TRUST_KEEPER_OVER };

struct trust_keeper {
    struct arena *arena;
    struct wall now;
    bool refresh;
    bool txt_in, stored_in, fetching;
    bool txt_failed, announced; // the record: not learnt; there is one, with this id
    char id[STS_ID_MAX + 1];
    bool live; // a stored policy that has not expired
    char live_id[STS_ID_MAX + 1];
    struct trust_sts_policy live_policy;
    struct wall live_until;
    struct trust_sts_held *held; // the result
    bool no_room; // a policy could not be read for want of memory: nothing can be said
    bool save;    // and `fresh` is to be kept
    struct trust_sts_stored fresh;
};

enum trust_keeper_wants trust_keeper_txt(struct trust_keeper *k, const struct dns_answer *answer);
enum trust_keeper_wants trust_keeper_stored(struct trust_keeper *k,
                                            const struct trust_sts_stored *stored);
enum trust_keeper_wants trust_keeper_fetched(struct trust_keeper *k,
                                             const struct trust_fetched *fetched);

bool trust_sts_is_id(struct span id); // 1*32(ALPHA / DIGIT)
