// Who a session is (AUTH, carried between the client and the authenticator), and
// what that user may: which senders, how much in an hour.
#pragma once
#include "base_arena.h"
#include "proc_login.h"
#include "smtp_server.h"

struct session;
struct receiver_user {
    struct arena texts;
    struct span name;
    const struct span *senders;
    size_t sender_count;
};

struct session_login {
    struct receiver_user *user; // NULL: nobody has logged in
    uint64_t exchange;          // 0: none is under way
    uint32_t asked;             // ticket of a question to the authenticator; 0: none
    uint8_t offered;            // bits of sasl_mechanism
    void (*then)(struct session *s);
};

// "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN", or less; a string that stays.
struct span receiver_mechanisms(uint8_t offered);

void session_login(struct session *s, const struct smtp_server_step *st);
void session_login_more(struct session *s, struct span message);
void session_login_cancel(struct session *s);
void session_login_free(struct session *s); // the session ends

// May the user write as this address? The null path is everybody's (RFC 8098 §2.1).
bool session_may_send(const struct session *s, const struct mail_address *from);
// Counts against the user's hour, and goes on with `then`, or refuses.
void session_count(struct session *s, uint32_t messages, uint32_t recipients,
                   void (*then)(struct session *s));
