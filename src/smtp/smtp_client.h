// The sending side of SMTP (RFC 5321) as a pure machine. It serves one
// connection and any number of transactions on it.
//
// Driver: like smtp_server.h, smtp_client_next() over a span of unread input,
// until SMTP_CLIENT_READ. At the decision points (CAPABLE, HANDSHAKE, NO_TLS,
// BODY, DONE) the machine waits for the driver's call; each is handed out once,
// after it next() gives READ. Also call next() with what comes in meanwhile: a
// server may say 421 at any time; any other reply nobody asked for ends in
// CLOSE. Tell the time by tick() before input, before calls, and at the deadline.
// Nothing learnt before the TLS handshake is believed after it: input is dropped
// until secured(), EHLO is said again, capabilities start anew.
#pragma once
#include "base_time.h"
#include "base_rc.h"
#include "smtp_reply.h"

struct smtp_client_conf {
    struct span hostname; // for EHLO; borrowed
    bool lmtp;            // LHLO and a reply per recipient (RFC 2033)
    int64_t connect_us;   // greeting (RFC 5321 §4.5.3.2)
    int64_t command_us;
    int64_t data_us; // a piece of the body
    int64_t end_us;  // the reply to the final dot
};

struct smtp_capabilities {
    bool esmtp, starttls, pipelining, eight_bit, size_given, requiretls, dsn, smtputf8, chunking;
    uint64_t size; // SIZE limit; 0: none
};

enum smtp_outcome { SMTP_PENDING, SMTP_ACCEPTED, SMTP_DEFERRED, SMTP_REJECTED };

struct smtp_client_recipient {
    struct span address;
    uint8_t notify;    // SMTP_NOTIFY bits (smtp_server.h); 0: not given
    struct span orcpt; // xtext, as it came; empty: not given
    enum smtp_outcome outcome;
    struct smtp_reply reply; // text lives in the machine until the next transaction
    bool own;                // the refusal is the machine's, the server was not asked
    bool dsn; // accepted, and what NOTIFY asks for is the server's to tell (RFC 3461 §5.2.1)
    struct span wire; // the machine's: the address as it is sent
};

struct smtp_client_transaction {
    struct span sender; // without brackets; empty: null path
    uint64_t size;      // bytes of the message
    bool eight_bit;     // message holds 8-bit bytes
    bool requiretls;    // send the REQUIRETLS parameter
    bool utf8;          // it needs SMTPUTF8 whatever its addresses are (UTF-8 in header fields)
    uint8_t ret;        // enum smtp_ret (smtp_server.h)
    struct span envid;  // xtext, as it came; empty: not given
    struct smtp_client_recipient *recipients;
    size_t count;
};

enum smtp_client_kind {
    SMTP_CLIENT_READ,
    SMTP_CLIENT_SEND,      // bytes: send them
    SMTP_CLIENT_CAPABLE,   // EHLO answered: starttls(), begin() or quit()
    SMTP_CLIENT_HANDSHAKE, // STARTTLS answered 220: handshake, then secured(), or drop it
    SMTP_CLIENT_NO_TLS,    // STARTTLS answered otherwise (reply): begin() or quit()
    SMTP_CLIENT_BODY,      // 354: give the message with body() pieces, then body_end()
    SMTP_CLIENT_DONE,      // transaction over, every outcome set: begin() or quit()
    SMTP_CLIENT_CLOSE,     // over (after quit, or `failure` says why): close the connection
};

struct smtp_client_step {
    enum smtp_client_kind kind;
    struct span bytes;
    struct smtp_reply reply; // CLOSE after a refusal, NO_TLS: what the server said; else code 0
    struct rc failure;       // CLOSE: OK, or TIMEOUT, CLOSED, MALFORMED, REFUSED (by reply)
};

struct smtp_client;
struct smtp_client *smtp_client_new(const struct smtp_client_conf *conf, struct mono now);
void smtp_client_free(struct smtp_client *c);

struct smtp_client_step smtp_client_next(struct smtp_client *c, struct span *in);
void smtp_client_starttls(struct smtp_client *c);
void smtp_client_secured(struct smtp_client *c);
// Starts a transaction; `t` is borrowed until DONE or CLOSE. With PIPELINING
// MAIL, RCPTs and DATA go out together. 8-bit content to a server without
// 8BITMIME (5.6.3: it is never converted, which would break its signatures), a
// message over its SIZE (5.3.4), `requiretls` to a server without REQUIRETLS
// (5.7.30), UTF-8 in header fields (5.6.9) or in an address (5.6.7) to a server
// without SMTPUTF8 and addresses that cannot stand in a command are refused here,
// clearly, by outcome. A domain with U-labels is sent in A-labels, for which no
// SMTPUTF8 is needed. RET, ENVID, NOTIFY and ORCPT go to servers with DSN only.
// After a failure: everything is DEFERRED.
void smtp_client_begin(struct smtp_client *c, struct smtp_client_transaction *t);
// Dot-stuffs a piece of the message onto `out`. The message has CRLF line ends
// only (the store holds no other; a bare CR or LF would go out as CRLF); body_end
// adds a missing last CRLF and the dot. Both do nothing once the machine is over.
void smtp_client_body(struct smtp_client *c, struct span piece, struct buf *out);
void smtp_client_body_end(struct smtp_client *c, struct buf *out);
void smtp_client_quit(struct smtp_client *c);
// The connection ended or failed under us: outcomes still pending become
// DEFERRED, except after the final dot, where they are DEFERRED too and
// *uncertain says that a duplicate is possible. Then next() gives CLOSE.
void smtp_client_lost(struct smtp_client *c, struct rc why, bool *uncertain);
// The final dot was sent and what ended the connection came before its reply.
bool smtp_client_uncertain(const struct smtp_client *c);
void smtp_client_tick(struct smtp_client *c, struct mono now);
struct mono smtp_client_deadline(const struct smtp_client *c);

const struct smtp_capabilities *smtp_client_capabilities(const struct smtp_client *c);
// What the server called itself in its last answer to EHLO or HELO: visible ASCII, or empty.
enum { SMTP_PEER_NAME_MAX = 255 };
struct span smtp_client_peer_name(const struct smtp_client *c);
