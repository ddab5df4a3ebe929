// DNS questions answered from the network by a validating resolver of our own
// (libunbound, on the role's loop). It never believes somebody else's AD bit.
#pragma once
#include "dns_answer.h"
#include "io_loop.h"

struct lookup_dns_conf {
    struct span trust_anchor;   // file of DS or DNSKEY records; empty: Debian's dns-root-data
    struct span root_hints;     // file; empty: built in
    const struct span *forward; // "address@port"; count 0: full recursion
    size_t forward_count;
    int64_t timeout_us;   // for a question: then INDETERMINATE
    unsigned outstanding; // ceiling of questions under way
    bool raw;             // nothing is validated, no anchor is needed: for a self-test
};

// Files are read here, and never again. The library's thread starts with the
// first question. With forwarders or root hints the DNS is taken for one's own:
// "test." and the reverse zones of private networks are asked for like others.
struct lookup_dns;
struct rc lookup_dns_new(struct lookup_dns **out, struct io_loop *l,
                         const struct lookup_dns_conf *conf, const char **why);
// Questions under way are forgotten, their `done` not called. Not from inside `done`.
void lookup_dns_free(struct lookup_dns *d);
// `done` is called exactly once, later (never from inside this call), with a
// verdict for dns_answer_read(); its spans are borrowed during the call. Over
// the ceiling the verdict is no_answer.
void lookup_dns_ask(struct lookup_dns *d, const struct dns_question *q,
                    void (*done)(void *arg, const struct dns_verdict *v), void *arg);
