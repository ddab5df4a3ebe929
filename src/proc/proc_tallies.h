// What a delivery and an evaluation add to the tallies of the history: packed by sender
// and receiver where the facts are at hand, counted by the store in the group that
// commits them. Nothing for domains that ask for no reports but the protection.
#pragma once
#include "auth_message.h"
#include "report_rua.h"
#include "store_tally.h"
#include "trust_record.h"

enum { TALLIES_ROOM = 256 << 10, TALLIES_RUA_MAX = 20 };

// Sender. Into `sessions` of an attempt: a connection that came to an end, with the
// result of its last ruling, and what the plan says of hosts and policies without any.
void tallies_session(struct buf *sessions, const struct trust_plan *plan,
                     const struct trust_host *host, const struct trust_session *s,
                     enum trust_result_type result);
void tallies_plan(struct buf *sessions, const struct trust_plan *plan);
enum store_protection tallies_protection(const struct trust_session *s);
// `delivered`: recipients by protection. `plan` may be NULL.
void tallies_put(struct buf *b, const uint32_t delivered[STORE_PROTECTIONS],
                 const struct trust_plan *plan, struct span sessions);

struct tallies_letter {
    const struct dns_address *client;
    const struct auth_message_result *result;
    struct span to; // domain of the recipients; empty: not told
    bool null_sender;
};
// Receiver: fills e->about, e->record and e->coarse, in `b`, where the author's domain wants
// reports.
void tallies_evaluation(struct buf *b, struct store_evaluation *e, const struct tallies_letter *l);

// What stands in `about` of a subject. Spans borrow.
struct tallies_about {
    size_t count;
    struct span rua[TALLIES_RUA_MAX];
    struct span published, organization; // DMARC; report_published_pack, a name or empty
};
bool tallies_about_unpack(struct span about, struct tallies_about *out);
