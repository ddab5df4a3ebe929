// Token buckets by key: how often something may happen for an address, a network,
// a user. Of fixed size: a new key takes the place of the one nearest to full,
// which forgets least, so that nobody can make it grow.
//
// A bucket holds at most `burst` tokens and gains one every `every_us`.
#pragma once
#include "base_span.h"
#include "base_time.h"

struct abuse_rate {
    unsigned burst;   // at least 1
    int64_t every_us; // at least 1
};
// So many an hour, all of them at once if need be.
struct abuse_rate abuse_hourly(uint64_t n);

struct abuse_buckets;
// `seed`: not known outside, so that nobody can choose keys that collide.
struct abuse_buckets *abuse_buckets_new(size_t keys, uint64_t seed);
void abuse_buckets_free(struct abuse_buckets *b); // NULL: nothing

// Takes `tokens`, or none: then how long until there would be enough (INT64_MAX:
// never; more than the burst). 0: taken. One key always comes with one rate.
int64_t abuse_bucket_take(struct abuse_buckets *b, struct span key, const struct abuse_rate *rate,
                          unsigned tokens, struct mono now);
// How many are missing from the full bucket.
unsigned abuse_bucket_used(const struct abuse_buckets *b, struct span key,
                           const struct abuse_rate *rate, struct mono now);
void abuse_bucket_fill(struct abuse_buckets *b, struct span key); // all is forgiven
