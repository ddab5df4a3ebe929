// Limits of clients: how many sessions, connections, messages and recipients, how the
// DNS speaks of them, and who talks too early. Counted in each receiver by itself;
// what belongs to relay.networks, and to users when they have logged in, is not looked at.
#pragma once
#include "abuse_client.h"
#include "proc_receiver.h"

struct session;
struct guard;

struct guard *guard_new(void); // of a receiver, as long as it lives
void guard_configure(struct guard *g, const struct conf *c);
void guard_free(struct guard *g);
bool guard_is_balancer(const struct guard *g, const struct io_endpoint *peer);

struct guard_session { // of a session; {0}: nobody is counted
    struct guard *guard;
    struct guard_count *client, *network;
    struct guard_lookup *lookup;     // NULL: nothing is asked
    void (*then)(struct session *s); // waits for what the DNS says
    bool pausing;                    // not greeted yet
    bool said;                       // the log has a refusal of this session
};
struct guard_refusal {
    unsigned code; // 0: none
    const char *status;
    char text[200];
    enum meter meter;
};
// The client is there. A refusal ends the session.
struct guard_refusal guard_enter(struct guard *g, struct session *s);
void guard_trust(struct session *s); // a user from now on: not counted, nothing asked
void guard_leave(struct session *s);
struct guard_refusal guard_message(struct session *s);   // one more, at MAIL
struct guard_refusal guard_recipient(struct session *s); // one more, at RCPT
// What the DNS says: calls `then` at once or later, when it is known or time is over.
void guard_await(struct session *s, void (*then)(struct session *s));
// And what follows from it.
struct guard_refusal guard_verdict(struct session *s);
int64_t guard_greet_pause(const struct guard *g);
// Patience for commands in a session that begins now.
int64_t guard_patience(const struct guard *g, const struct receiver *r);
