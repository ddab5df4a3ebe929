// HTTPS by libcurl, for MTA-STS policy files (RFC 8461 §3.3) and reports by POST
// (RFC 8460 §5.4): only the addresses it is given, only https, no redirect, no proxy,
// no netrc, bounded size and time.
#pragma once
#include "dns_answer.h"
#include "io_loop.h"
#include "trust_sts.h"

struct lookup_https_conf {
    struct span ca_file; // PEM; empty: the system's anchors. Read here, and never again
    int64_t timeout_us;  // whole request, trickling included; 0: a minute (RFC 8461 §3.3)
    uint16_t port;       // of policy hosts; 0: 443; tests may move it
    unsigned outstanding;
};

enum { LOOKUP_POST_MAX = 4 << 20 };

struct lookup_https;
struct rc lookup_https_new(struct lookup_https **out, struct io_loop *l,
                           const struct lookup_https_conf *conf, const char **why);
// Requests under way are forgotten, their `done` not called. Not from inside `done`.
void lookup_https_free(struct lookup_https *h);
// The certificate must be valid for mta-sts.<domain> by SAN, the file text/plain.
// `done` is called exactly once, never from inside this call; spans borrowed.
// Without an address the result is TRUST_FETCH_DNS, over the ceiling CONNECT.
void lookup_https_policy(struct lookup_https *h, const struct dns_name *domain,
                         const struct dns_address *addresses, size_t count,
                         void (*done)(void *arg, const struct trust_fetched *f), void *arg);

struct lookup_post {
    struct dns_name host;
    uint16_t port;
    struct span target;     // path and query; a "/" that it does not begin with is added
    struct span media_type; // of `body`, at most LOOKUP_POST_MAX bytes
    struct span body;
    int64_t timeout_us; // 0: as for policies
};
struct lookup_posted {
    struct rc rc;    // OK: the answer's status is 2xx. Else rc_retry() says whether to try again
    unsigned status; // of the answer; 0: there was none
    bool shaken;     // TLS came to be
    bool verified;   // with a certificate valid for the host, by SAN
    struct span why; // one sentence, of success, too
};
// As lookup_https_policy(); everything given is copied.
void lookup_https_post(struct lookup_https *h, const struct lookup_post *what,
                       const struct dns_address *addresses, size_t count,
                       void (*done)(void *arg, const struct lookup_posted *p), void *arg);
