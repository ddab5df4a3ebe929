// The store's half of proc_tallies.h: what was packed is counted.
#pragma once
#include "store_tally.h"

struct rc tallies_attempt(struct store_history *h, const struct store_attempt *a,
                          unsigned keys_max);
struct rc tallies_evaluated(struct store_history *h, const struct store_evaluation *e,
                            unsigned keys_max);
