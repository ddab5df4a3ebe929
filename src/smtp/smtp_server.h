// The receiving side of SMTP (RFC 5321) as a pure machine: bytes, answers and
// time in; steps out. No socket, no clock, no store.
//
// Driver: keep the input that was read in one buffer and call
// smtp_server_next() with a span of it, until it returns SMTP_SERVER_READ; what
// the span no longer covers has been consumed. Spans in a step are valid until
// the next call. After SEND, BODY and ABORT just go on; after an ASK, COMMIT,
// STARTTLS the machine waits: nothing more is taken from the input until the
// answer is in (RFC 2920 §3.2: replies stay in order).
//
// AUTH (RFC 4954), where `mechanisms` are offered: ASK_AUTH begins an exchange. It
// and each ASK_AUTH_MORE is answered by smtp_server_challenge() (the client is to say
// more) or by answer(): 235 and the session is authenticated, anything else and it is
// not. AUTH_CANCEL: the client gave the exchange up, or sent what is no base64, after
// a challenge: no answer. An exchange that is waited in ends with CLOSE as well.
//
// SUBMISSIONS (RFC 8314) begins with STARTTLS as the first step, without a 220: the
// greeting comes after secured().
//
// The machine has no clock: tell it the time by tick() before you hand it input
// or an answer, and when its deadline is reached; then call next().
//
// While it waits for answer() or secured(), next() gives READ and takes nothing,
// but for one case: input before the handshake is an attack, and leads to CLOSE.
// A reply with code 421 as an answer ends the session after it was sent.
//
// Rules it keeps by itself: command order and syntax, limits of §4.5.3, CRLF
// alone ends a line and CRLF.CRLF the data (bare CR or LF: 5xx and close), the
// input must be empty after STARTTLS (else close), state reset after the
// handshake, dot-unstuffing, size, ENHANCEDSTATUSCODES (RFC 2034), error and
// command ceilings, time-outs (§4.5.3.2.7), an HTTP or TLS talker on a
// clear-text port is told so. Not its own: the length of text lines and 8-bit
// bytes in the message; mail_scan tells the driver, who may refuse at COMMIT.
#pragma once
#include "base_arena.h"
#include "base_time.h"
#include "mail_address.h"
#include "smtp_reply.h"

// What a port is for: other servers' mail (RFC 5321), or that of users (RFC 6409).
enum smtp_service {
    SMTP_SERVICE_MX,
    SMTP_SERVICE_SUBMISSION,  // begins in clear text, TLS by STARTTLS
    SMTP_SERVICE_SUBMISSIONS, // TLS from the first byte (RFC 8314)
    SMTP_SERVICES
};

struct smtp_server_conf {
    enum smtp_service service;
    struct span hostname;
    uint64_t max_size;       // bytes of one message
    unsigned max_recipients; // at least 100 (§4.5.3.1.8)
    unsigned max_errors;     // 5xx replies before 421
    unsigned max_messages;   // in one session, dropped ones too, before 421
    int64_t command_us;      // patience for a command
    int64_t data_us;         // patience between chunks of data
    int64_t session_us;      // ceiling of a session
    uint64_t data_rate;      // bytes a second a message comes with, after a minute; 0: any
    bool starttls;           // offered (a certificate is there)
    // SASL mechanisms, upper case, "PLAIN LOGIN SCRAM-SHA-256": offered inside TLS where
    // the service is not MX; empty: no AUTH. Submission takes no MAIL without it.
    struct span mechanisms;
};

enum { // RFC 3461 §4.1
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8,
};
enum smtp_ret { SMTP_RET_DEFAULT, SMTP_RET_FULL, SMTP_RET_HEADERS }; // RFC 3461 §4.3

struct smtp_recipient {
    struct mail_address address;
    uint8_t notify;    // SMTP_NOTIFY bits; 0: not given
    struct span orcpt; // "rfc822;user@example.org", xtext as it came; empty: not given. ASCII:
                       // raw UTF-8 of type utf-8 has become \x{…} (RFC 6533 §3)
};

// What was agreed for the message under way. Valid from ASK_MAIL (its sender and
// parameters) until the answer to COMMIT, or until the next command that ends it.
// Addresses have UTF-8 only where `smtputf8`; their domains are A-labels always.
struct smtp_transaction {
    struct mail_address sender;
    uint64_t declared_size; // SIZE=; 0: none
    bool eight_bit;         // BODY=8BITMIME
    bool smtputf8;          // RFC 6531
    bool requiretls;        // RFC 8689
    enum smtp_ret ret;      // RFC 3461
    struct span envid;      // xtext as it came
    const struct smtp_recipient *recipients;
    size_t count;
};

enum smtp_server_kind {
    SMTP_SERVER_READ,     // wants more input
    SMTP_SERVER_SEND,     // bytes: send them
    SMTP_SERVER_ASK_MAIL, // sender: may it? answer()
    SMTP_SERVER_ASK_RCPT, // address: may it go there? answer()
    SMTP_SERVER_ASK_DATA, // before 354 or the first chunk: is there room? answer() (2xx or 3xx:
                          // go on)
    SMTP_SERVER_ASK_AUTH, // mechanism; bytes: the initial response, where has_initial
    SMTP_SERVER_ASK_AUTH_MORE, // bytes: the client's answer to the challenge
    SMTP_SERVER_AUTH_CANCEL,   // the exchange is over, without an answer: forget it
    SMTP_SERVER_BODY,          // bytes: a piece of the message, dots unstuffed, CRLF line ends
    SMTP_SERVER_COMMIT,        // the message is whole: make it durable, then answer()
    SMTP_SERVER_ABORT,         // forget what was received of the message: it will not be committed
    SMTP_SERVER_STARTTLS,      // 220 was sent: do the handshake, then secured(), or close
    SMTP_SERVER_CLOSE,         // close the connection (after what was sent)
};

struct smtp_server_step {
    enum smtp_server_kind kind;
    struct span bytes;
    const struct mail_address *address;
    struct span mechanism; // as `mechanisms` spells it
    bool has_initial;      // RFC 4954 §4: an empty one ("=") is not none
};

struct smtp_server;
// `conf` is borrowed and outlives the machine. The greeting is the first step.
struct smtp_server *smtp_server_new(const struct smtp_server_conf *conf, struct mono now);
void smtp_server_free(struct smtp_server *s);

struct smtp_server_step smtp_server_next(struct smtp_server *s, struct span *in);
// Answers the pending ASK or COMMIT with a reply whose text is one line (only
// the first is sent, without control characters). Its text is not kept.
void smtp_server_answer(struct smtp_server *s, const struct smtp_reply *r);
// Answers ASK_AUTH or ASK_AUTH_MORE: 334 with these bytes (may be empty). False: more
// than a line holds, and nothing was said: answer() is still due.
bool smtp_server_challenge(struct smtp_server *s, struct span bytes);
void smtp_server_secured(struct smtp_server *s);
// Time passes; moves to a 421 and CLOSE when patience is over. Call next() after.
void smtp_server_tick(struct smtp_server *s, struct mono now);
struct mono smtp_server_deadline(const struct smtp_server *s);
// No new message is begun: 421 at the next command boundary (SIGTERM), which an
// idle session is at already: call next() after.
void smtp_server_drain(struct smtp_server *s);

const struct smtp_transaction *smtp_server_transaction(const struct smtp_server *s);
// The recipient in question, between ASK_RCPT and its answer.
const struct smtp_recipient *smtp_server_recipient(const struct smtp_server *s);
struct span smtp_server_helo(const struct smtp_server *s); // empty before EHLO or HELO
bool smtp_server_esmtp(const struct smtp_server *s);       // EHLO, not HELO
bool smtp_server_tls(const struct smtp_server *s);
bool smtp_server_authenticated(const struct smtp_server *s); // 235 was answered
