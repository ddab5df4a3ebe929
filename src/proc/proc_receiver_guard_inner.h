// The guard's inside: proc_receiver_guard.c counts, proc_receiver_guard_dns.c asks the DNS.
#pragma once
#include "abuse_bucket.h"
#include "proc_receiver_session.h"

enum { GUARD_PLACES = 4096, GUARD_KEY_MAX = 1 + 8 };

struct guard_key {
    unsigned char len, at[GUARD_KEY_MAX];
};
struct guard_count { // sessions at once of a client or a network
    struct guard_count *next;
    struct guard_key key;
    unsigned count;
};
struct guard_rule { // so often in an hour
    struct abuse_rate client, network;
    bool on;
};
struct guard_zones { // what is asked; sessions outlive a reload
    unsigned users;
    struct abuse_conf conf;
};
struct guard {
    struct guard_count *counts[GUARD_PLACES];
    struct abuse_buckets *buckets[3];
    struct guard_rule rules[3];
    unsigned per_client, per_network;
    int64_t greet_pause_us, stress_us, dns_us;
    bool fcrdns_refuses;
    struct guard_zones *zones;
    struct networks *proxies, *inside;
    uint64_t seed;
};

struct guard_refusal guard_refusal_of(enum meter meter, unsigned code, const char *status,
                                      const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void guard_zones_release(struct guard_zones *z); // NULL: nothing
void guard_lookup_begin(struct session *s);
void guard_lookup_end(struct session *s);
