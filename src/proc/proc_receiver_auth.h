// The evaluation of one message in the receiver (SPF, DKIM, ARC, DMARC): it asks
// the resolver while the message comes in, and has its verdict by a deadline.
#pragma once
#include "auth_message.h"
#include "io_stream.h"
#include "proc_role.h"

struct networks;
struct receiver_rules; // what the configuration says; shared with messages under way
struct receiver_rules *receiver_rules_new(const struct conf *c); // NULL: nothing is evaluated
void receiver_rules_release(struct receiver_rules *r);           // NULL: nothing
bool receiver_rules_relayed(const struct receiver_rules *r);     // relay.networks too

struct receiver_auth_request {
    const struct io_endpoint *client;
    struct span helo, sender; // sender: local@domain; empty: null path
};
struct receiver_auth;
// Asks at once what SPF wants to know.
struct receiver_auth *receiver_auth_new(struct proc *p, struct receiver_rules *rules,
                                        const struct receiver_auth_request *q);
void receiver_auth_free(struct receiver_auth *a); // NULL: nothing; `done` is not called any more
void receiver_auth_feed(struct receiver_auth *a, struct span piece); // as it came
// No more will come. True: the verdict is there; false: `done` is called once, later.
bool receiver_auth_end(struct receiver_auth *a, void (*done)(void *arg), void *arg);

struct span receiver_auth_id(const struct receiver_auth *a); // the authserv-id

// After the verdict.
struct receiver_refusal {
    unsigned code; // 0: the message is accepted
    const char *status;
    struct buf text;
};
void receiver_auth_refusal(const struct receiver_auth *a, struct receiver_refusal *out);
// It has a signature of its author by a key that is for TLS reports alone (RFC 8460 §3): none for
// DMARC, and all that such a report needs.
bool receiver_auth_tlsrpt(const struct receiver_auth *a);
void receiver_auth_put(const struct receiver_auth *a, struct buf *head); // fields to be added
// Why it is to be held in the queue; nothing is written if it is not.
void receiver_auth_hold(const struct receiver_auth *a, struct buf *why);
// To the store, and to the log. `to`: domain of the recipients, as a DMARC report may tell it;
// `counts`: whether one may tell of the message.
void receiver_auth_record(const struct receiver_auth *a, uint64_t id, struct span to, bool accepted,
                          bool counts);
