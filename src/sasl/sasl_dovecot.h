// Dovecot's authentication protocol (version 1.x), from the client's side: lines of
// tab-separated fields. Both kinds of socket: for logging in (AUTH) and for the user
// database (USER). Pure: what to send, and what a line means.
#pragma once
#include "base_buf.h"

enum { SASL_DOVECOT_LINE_MAX = 64 << 10 };

enum sasl_dovecot_kind {
    SASL_DOVECOT_OTHER,    // nothing to us
    SASL_DOVECOT_VERSION,  // `ours`: one we speak
    SASL_DOVECOT_MECH,     // text: its name
    SASL_DOVECOT_DONE,     // the greeting is over
    SASL_DOVECOT_OK,       // user: whose
    SASL_DOVECOT_CONT,     // text: the challenge, base64
    SASL_DOVECOT_FAIL,     // `temporary`: it could not be asked; reason
    SASL_DOVECOT_USER,     // it exists
    SASL_DOVECOT_NOTFOUND, // it does not
};

struct sasl_dovecot {
    enum sasl_dovecot_kind kind;
    uint32_t id; // of the request; 0: none
    bool ours, temporary;
    struct span text, user, reason; // as they came; borrowed from the line. Maybe escaped
};
// `line` without its end. False: malformed.
bool sasl_dovecot_read(struct sasl_dovecot *out, struct span line);
// Takes the protocol's escapes out; false: malformed.
bool sasl_dovecot_unescape(struct buf *out, struct span text);

struct sasl_dovecot_request {
    uint32_t id; // not 0
    struct span mechanism;
    struct span response; // bytes; .at NULL: no initial response
    struct span remote;   // the client's address
    bool secured;         // inside TLS
};
void sasl_dovecot_put_hello(struct buf *b, uint32_t pid);
void sasl_dovecot_put_auth(struct buf *b, const struct sasl_dovecot_request *r);
void sasl_dovecot_put_more(struct buf *b, uint32_t id, struct span response);
void sasl_dovecot_put_cancel(struct buf *b, uint32_t id);
void sasl_dovecot_put_user_hello(struct buf *b);
void sasl_dovecot_put_user(struct buf *b, uint32_t id, struct span user);
