// The server machine's inside, shared by its files: smtp_server.c moves it from
// state to state, smtp_server_data.c, _chunk.c and _auth.c have states of their own,
// smtp_server_command.c carries out commands, smtp_server_answer.c takes the driver's
// answers.
#pragma once
#include "smtp_command.h"
#include "smtp_dot.h"
#include "smtp_server.h"

enum smtp_server_state {
    STATE_GREET,
    STATE_COMMAND,
    STATE_SKIP,       // inside a command line that is too long
    STATE_ASK,        // `question` is to be handed out
    STATE_WAIT,       // `question` was handed out
    STATE_AUTH,       // a response is awaited
    STATE_DATA,       // the message passes through
    STATE_SWALLOW,    // the message is dropped, `verdict` follows its end
    STATE_CHUNK,      // a chunk passes through
    STATE_CHUNK_DROP, // a chunk is dropped, `verdict` follows its end
    STATE_STARTTLS,   // 220 is on its way, or the session begins with TLS
    STATE_HANDSHAKE,  // waits for secured()
    STATE_CLOSING,    // ABORT if due, what is to be sent, CLOSE
    STATE_CLOSED,
    STATE_COUNT,
};

struct smtp_server {
    const struct smtp_server_conf *conf;
    enum smtp_server_state state;
    enum smtp_server_kind question;
    const struct mail_address *asked;
    struct mono begun, since, now, data_since; // data_since: when the message began
    bool ticked, stale;                        // see smtp_server_touch()
    bool tls, esmtp, draining, sent, abort_due, cancel_due;
    bool body_open;     // ASK_DATA was answered well, neither COMMIT nor ABORT followed
    bool open;          // MAIL was accepted
    bool authenticated; // AUTH was
    unsigned errors, idle_commands, messages, refused_recipients;

    struct buf out;
    char helo[256];
    struct span helo_span;

    struct arena memory;  // sender and recipients of the transaction
    struct arena scratch; // the recipient in question
    struct smtp_recipient recipient;
    struct smtp_transaction transaction;
    struct smtp_recipient *recipients;
    size_t recipients_cap;

    struct smtp_undot undot;
    uint64_t received; // bytes of message or of a line that are gone; chunks: announced
    uint64_t chunk_left;
    bool chunking;                             // BDAT began the message
    bool chunk_last, chunk_cr, chunk_mid_line; // cr: one is held back
    struct smtp_reply verdict;

    bool auth_initial;
    struct span mechanism;
    struct buf auth; // the response in question, else nothing
};

enum { SMTP_CHALLENGE_MAX = 9210 }; // in base64 a line of 12288 (RFC 4954 §4)

// The peer did something: its patience starts anew, now. The driver tells the
// time first; if it did not, the next tick tells when "now" was.
void smtp_server_touch(struct smtp_server *s);
// Puts a reply out; counts errors, and closes where their ceiling is reached or
// where the reply is a 421.
void smtp_server_say(struct smtp_server *s, const struct smtp_reply *r);
void smtp_server_say_last(struct smtp_server *s, const struct smtp_reply *r); // then CLOSE
void smtp_server_ask(struct smtp_server *s, enum smtp_server_kind question,
                     const struct mail_address *address);
void smtp_server_reset(struct smtp_server *s); // no transaction (RFC 5321 §4.1.1.5)
void smtp_server_execute(struct smtp_server *s, struct span line);
void smtp_server_drop_body(struct smtp_server *s); // ABORT is due, if there is a message
void smtp_server_refuse_bare(struct smtp_server *s);
// Drops the rest of a line, then says `verdict`.
void smtp_server_skip_line(struct smtp_server *s, struct smtp_reply verdict);
// Drops a piece of a message; closes with `verdict` where it goes too far.
void smtp_server_swallow(struct smtp_server *s, struct span piece);
int64_t smtp_server_too_slow(const struct smtp_server *s); // when it will be (µs)

// States. True: *step is to be handed out.
bool smtp_server_run_data(struct smtp_server *s, struct span *in, struct smtp_server_step *step);
bool smtp_server_run_chunk(struct smtp_server *s, struct span *in, struct smtp_server_step *step);
bool smtp_server_run_chunk_drop(struct smtp_server *s, struct span *in,
                                struct smtp_server_step *step);
bool smtp_server_run_auth(struct smtp_server *s, struct span *in, struct smtp_server_step *step);
bool smtp_server_give(struct smtp_server *s, struct smtp_server_step *step,
                      enum smtp_server_kind kind);
bool smtp_server_wait_input(struct smtp_server *s, struct smtp_server_step *step);
bool smtp_server_settle(struct smtp_server *s, struct smtp_server_step *step); // ABORT, CANCEL

struct smtp_reply smtp_server_do_bdat(struct smtp_server *s, const struct smtp_command *c);
struct smtp_reply smtp_server_begin_chunks(struct smtp_server *s, struct smtp_reply r);
bool smtp_server_offers_auth(const struct smtp_server *s); // on this port, inside TLS
struct smtp_reply smtp_server_do_auth(struct smtp_server *s, const struct smtp_command *c);
struct smtp_reply smtp_server_answer_auth(struct smtp_server *s, struct smtp_reply r);
void smtp_server_auth_fill(struct smtp_server *s, struct smtp_server_step *step);
void smtp_server_auth_forget(struct smtp_server *s);
