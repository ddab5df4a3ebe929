// What passes between a receiver and the authenticator.
#pragma once
#include "dns_answer.h"
#include "proc_message.h"

enum { LOGIN_SENDERS_MAX = 1000 };

struct login_request {
    uint64_t exchange; // the receiver's own number for it, until it is over
    struct span mechanism;
    struct span initial;             // .at NULL: no initial response
    struct span exporter, end_point; // channel bindings; empty: none
    bool tls;
    uint8_t offered; // what was on our list: bits of sasl_mechanism
    struct dns_address client;
};
void login_request_pack(struct buf *b, const struct login_request *q);
bool login_request_unpack(struct rd *r, struct login_request *out); // borrows from r

enum login_is {
    LOGIN_CHALLENGE, // bytes: for the client, whose answer is LOGIN_MORE
    LOGIN_SUCCESS,   // user, senders (as sasl_may_send takes them)
    LOGIN_FAILURE,   // not he, or not so
    LOGIN_LATER,     // it could not be found out: never a failure
    LOGIN_TOO_MANY,  // failed too often; nothing was looked at
    LOGIN_KINDS
};
struct login_answer {
    enum login_is is;
    struct span bytes, user;
    size_t sender_count;
    struct span senders[LOGIN_SENDERS_MAX];
};
void login_answer_pack(struct buf *b, const struct login_answer *a);
bool login_answer_unpack(struct rd *r, struct login_answer *out); // borrows from r

enum mailbox_is { MAILBOX_NOT_KNOWN, MAILBOX_THERE, MAILBOX_NOT_THERE, MAILBOX_KINDS };
