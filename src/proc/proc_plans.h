// The planning service: one planner a domain at a time, its questions put to
// resolver, fetcher and store, its plan shared until it is old. The sender
// delivers by it and control explains by it: one code, so they cannot disagree.
//
// A peer that the table never gave (a resolver and a fetcher on their own have
// no store) is not waited for: its questions count as unanswered at once.
#pragma once
#include "proc_outbound.h"

// A plan with its JSON, shared until the last user releases it.
struct shared_plan {
    unsigned users;
    struct arena arena;
    const struct trust_plan *plan;
    struct buf json;
};
struct plans;
struct plans *plans_new(const struct outbound *o); // which stays in its place
void plans_free(struct plans *p);
void plans_forget(struct plans *p); // nothing is taken for granted: the next are made anew
// `ready` is called once, now or later. The caller releases the plan.
typedef void (*plan_ready)(void *arg, struct shared_plan *plan);
void plans_get(struct plans *p, const struct dns_name *domain, struct trust_need need,
               plan_ready ready, void *arg);
void plans_release(struct shared_plan *plan);
void plans_refresh(struct plans *p); // MTA-STS policies that are about to expire
// One policy, fetched now (RFC 8461 §3.3); the plan has no hosts.
void plans_refresh_one(struct plans *p, const struct dns_name *domain, plan_ready ready, void *arg);
