// A delivery under way, private to its files: proc_sender_delivery.c loads the message and
// walks the hosts, proc_sender_talk.c is one transaction with one of them,
// proc_sender_report.c is the end: what happened is reported until the store has it.
#pragma once
#include "proc_sender.h"

#include "proc_tallies.h"

struct recipient {
    bool settled; // delivered or refused: nothing more is tried for it
    bool lacking; // the hosts so far lack what it needs (8BITMIME, SMTPUTF8)
    bool passing; // but for one that may take it later
    struct store_outcome outcome;
};

struct delivery {
    struct delivery *next, *previous;
    struct sender *sender;
    uint64_t job, message;
    struct dns_name domain;
    char domain_text[254];
    struct mono began;
    struct arena arena;
    struct store_envelope envelope;
    struct recipient *recipients;
    struct shared_plan *plan;
    struct trust_walk walk;
    struct trust_need need;
    struct trust_try trying;
    struct crypto_digest key;
    struct link *link;
    bool begun, waits_slot;
    bool passing; // a host failed that may take the message later
    struct smtp_client_transaction transaction;
    size_t *placed; // index of each recipient of the transaction
    struct {
        struct proc_segment *segment;
        uint64_t at; // bytes of head and body sent
        bool ended;
        struct crypto_hash *hash;
    } body;
    struct buf why, sessions, counted;
    uint32_t delivered[STORE_PROTECTIONS];
    enum trust_result_type talked; // of the ruling to talk
    struct json json;              // over sessions
    const char *decision;
    struct span reason;
    struct buf report;
    struct io_timer again;
};

const char *delivery_id_text(uint64_t id); // valid until the next call
// Copies that live as long as the delivery.
struct span delivery_keep(struct delivery *d, struct span s);
struct span delivery_keep_buf(struct delivery *d, struct buf *b);

// proc_sender_talk.c
void delivery_begin(struct delivery *d); // the transaction on the link it has
void delivery_send_body(struct delivery *d);
void delivery_take_outcomes(struct delivery *d); // sets what the transaction decided
struct span delivery_host_text(struct delivery *d);
void delivery_leave_link(struct delivery *d);

// proc_sender_intake.c
bool delivery_is_intake(const struct delivery *d); // reports of others: for the reporter
void delivery_intake(struct delivery *d);          // instead of a plan and a walk

// proc_sender_report.c
// Everyone not settled yet shares this outcome.
void delivery_settle_rest(struct delivery *d, enum store_result result, const char *status,
                          struct span reason);
bool delivery_all_settled(const struct delivery *d);
void delivery_finish(struct delivery *d);              // reports; then the job ends
void delivery_end_job(struct delivery *d, bool again); // without a report
void delivery_end_job_until(struct delivery *d, bool again, int64_t later);
