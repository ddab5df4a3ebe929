// The inside of the authenticator role, for its files: proc_authenticator.c is the
// role and its questions, proc_authenticator_exchange.c one login,
// proc_authenticator_limits.c who tried too often and who sent too much.
#pragma once
#include "abuse_bucket.h"
#include "proc_asker.h"
#include "proc_dovecot.h"
#include "proc_login.h"
#include "proc_users.h"
#include "queue_table.h"
#include "sasl.h"

enum { EXCHANGES_MAX = 20000 };

struct limits {
    struct abuse_buckets *addresses, *names, *good, *messages, *recipients;
    struct abuse_rate address, name, message, recipient;
};

struct authenticator {
    struct proc *proc;
    struct proc_users *users;
    struct dovecot *logins, *mailboxes; // NULL: not configured
    uint8_t offered;                    // what receivers were told last
    unsigned char secret[SASL_SECRET_BYTES];
    struct limits limits;
    struct queue_table exchanges;
    struct mailbox *open; // questions about mailboxes that wait for Dovecot
};

// proc_authenticator_exchange.c
bool exchange_start(struct authenticator *a, struct proc_peer *peer, struct io_message *m);
bool exchange_more(struct authenticator *a, struct proc_peer *peer, struct io_message *m);
bool exchange_gone(struct authenticator *a, struct proc_peer *peer, struct io_message *m);
void exchanges_drop(struct authenticator *a, const struct proc_peer *peer); // NULL: all

// proc_authenticator_limits.c
void limits_open(struct limits *l, const struct conf *c);
// Is this address to be heard at all?
bool limits_hear(const struct limits *l, const struct dns_address *client, struct mono now);
bool limits_try(const struct limits *l, const struct dns_address *client, struct span name,
                struct mono now);
// How long until the client is told.
int64_t limits_failed(struct limits *l, const struct dns_address *client, struct span name,
                      struct mono now);
void limits_succeeded(struct limits *l, const struct dns_address *client, struct span name,
                      struct mono now);
// Microseconds until there is room; 0: counted.
int64_t limits_send(struct limits *l, struct span user, uint32_t messages, uint32_t recipients,
                    struct mono now);
