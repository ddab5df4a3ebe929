// MTA-STS policy files over HTTPS (RFC 8461 §3.3) by libcurl: only the
// addresses it is given, only https, certificate valid for mta-sts.<domain> by
// SAN, no redirect, no proxy, no netrc, text/plain, bounded size and time.
#pragma once
#include "dns_answer.h"
#include "io_loop.h"
#include "trust_sts.h"

struct lookup_https_conf {
    struct span ca_file; // PEM; empty: the system's anchors. Read here, and never again
    int64_t timeout_us;  // whole request, trickling included; 0: a minute (RFC 8461 §3.3)
    uint16_t port;       // 0: 443; tests may move it
    unsigned outstanding;
};

struct lookup_https;
struct rc lookup_https_new(struct lookup_https **out, struct io_loop *l,
                           const struct lookup_https_conf *conf, const char **why);
// Requests under way are forgotten, their `done` not called. Not from inside `done`.
void lookup_https_free(struct lookup_https *h);
// `done` is called exactly once, never from inside this call; spans borrowed.
// Without an address the result is TRUST_FETCH_DNS, over the ceiling CONNECT.
void lookup_https_policy(struct lookup_https *h, const struct dns_name *domain,
                         const struct dns_address *addresses, size_t count,
                         void (*done)(void *arg, const struct trust_fetched *f), void *arg);
