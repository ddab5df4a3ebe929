// policy.db: cached MTA-STS policies (one opaque value a domain; their meaning
// is trust's). Durable at once: a policy must survive a restart.
#pragma once
#include "base_arena.h"
#include "base_rc.h"
#include "base_time.h"

struct store_policy;
struct rc store_policy_open(struct store_policy **out, const char *path, const char **why);
void store_policy_close(struct store_policy *p);
struct rc store_policy_put(struct store_policy *p, struct span domain, struct span value,
                           struct wall expires);
struct rc store_policy_get(struct store_policy *p, struct span domain, struct arena *a,
                           struct span *value); // NOT_FOUND: none
// Domains whose policy expires before `until`, at most `limit`: for refreshing.
struct rc store_policy_expiring(struct store_policy *p, struct wall until, size_t limit,
                                void (*each)(void *arg, struct span domain), void *arg);
struct rc store_policy_count(struct store_policy *p, uint64_t *count);
// Policies of domains behind `after`, in their order, at most `limit`.
struct rc store_policy_list(struct store_policy *p, struct span after, size_t limit,
                            void (*each)(void *arg, struct span domain, struct span value),
                            void *arg);
