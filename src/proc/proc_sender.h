// What the parts of the sender role share. A *delivery* is one job: a message
// and its recipients in one domain. It gets a plan (proc_sender_plans.c), walks
// its hosts over *links* (proc_sender_link.c: one connection each, kept open
// for the next message), and reports its outcome to the store.
#pragma once
#include "crypto_digest.h"
#include "io_stream.h"
#include "proc_role.h"
#include "proc_segments.h"
#include "smtp_client.h"
#include "trust_record.h"

struct sender;
struct delivery;
struct link;

// ---- plans ----
// A plan with its JSON, shared by the deliveries to one domain until it is old.
struct shared_plan {
    unsigned users;
    struct arena arena;
    const struct trust_plan *plan;
    struct buf json;
};
struct plans;
struct plans *plans_new(struct sender *s);
void plans_free(struct plans *p);
void plans_forget(struct plans *p); // a reload: nothing is taken for granted
// `ready` is called once, now or later. The caller releases the plan.
void plans_get(struct plans *p, const struct dns_name *domain, struct trust_need need,
               void (*ready)(void *arg, struct shared_plan *plan), void *arg);
void plans_release(struct shared_plan *plan);
void plans_refresh(struct plans *p); // MTA-STS policies that are about to expire

// ---- local configuration of a destination ----
// Sets route, local policy and pin in `r`, by the longest matching entry.
void routes_apply(const struct conf *c, struct trust_request *r);

// ---- links ----
struct link_wish {
    const struct trust_host *host;
    const struct dns_address *address;
    bool clear; // no STARTTLS on this one
};
// What a link tells its delivery. After `over` it has no delivery any more.
enum link_event {
    LINK_SEEN, // link->seen is new: rule on it (link_go_on or link_leave)
    LINK_BODY, // 354: send the message (delivery_send_body)
    LINK_DONE, // the transaction's outcomes are set; the link is idle or gone
    LINK_OVER, // lost during a transaction: link->failure; outcomes are set
};
struct link {
    struct link *next, *previous; // of the sender
    struct sender *sender;
    struct delivery *delivery; // NULL: idle or leaving
    enum {
        LINK_WAITS_SLOT,
        LINK_CONNECTS,
        LINK_OPENS,
        LINK_HANDSHAKE,
        LINK_RULED,
        LINK_TALKS,
        LINK_IDLE,
        LINK_LEAVES
    } state;
    struct crypto_digest key; // what it was opened and verified for
    struct dns_name host;
    uint16_t port;
    struct dns_address address;
    bool clear, secured, uncertain, pumping, dead;
    uint32_t slot; // ticket; 0: none
    bool slot_held;
    unsigned slot_generation;
    struct io_stream *stream;
    struct smtp_client *smtp;
    struct smtp_client_conf smtp_conf;
    struct io_timer timer;
    unsigned messages;
    struct trust_seen seen;
    enum trust_result_type fault; // of the handshake
    char detail[512];             // behind seen.detail
    struct rc failure;
    struct trust_session session;
};

// The key under which a connection may be used again: everything that was
// asked of it (TRAPS DANE 10).
struct crypto_digest link_key(const struct trust_host *host, const struct trust_need *need);
// An idle link with this key, taken out of idleness for `d`; NULL: none.
struct link *link_reuse(struct sender *s, const struct crypto_digest *key, struct delivery *d);
struct link *link_open(struct sender *s, struct delivery *d, const struct link_wish *wish,
                       const struct crypto_digest *key);
void link_starttls(struct link *l);
void link_handshake(struct link *l, const struct io_tls_want *want);
void link_secured(struct link *l); // the handshake was ruled good: EHLO again
void link_begin(struct link *l, struct smtp_client_transaction *t);
struct buf *link_out(struct link *l);
void link_body_piece(struct link *l, struct span piece);
void link_body_end(struct link *l);
void link_leave(struct link *l); // without its delivery: QUIT where it can be said
void links_close_idle(struct sender *s);

// ---- deliveries ----
void delivery_start(struct sender *s, uint64_t job, uint64_t message, struct span domain);
void delivery_event(struct delivery *d, struct link *l, enum link_event e);
void delivery_handshake(struct delivery *d, struct link *l); // answer with link_handshake
void delivery_drained(struct delivery *d, struct link *l);   // room to write again
bool delivery_wants(const struct delivery *d, const struct link *idle);
void delivery_take_over(struct delivery *d, struct link *idle);
void deliveries_busy(struct sender *s, struct buf *b);

struct sender {
    struct proc *proc;
    struct plans *plans;
    struct proc_segments *segments;
    struct io_tls_client *tls;
    struct link *links;
    struct delivery *deliveries;
    struct io_timer refresh;
    struct dns_address *self_addresses;
    size_t self_address_count;
    struct dns_name self;
};
void sender_idle(struct sender *s); // a delivery ended: drained now?
