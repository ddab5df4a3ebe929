// The server machine's inside, shared by its files: smtp_server.c moves it from
// state to state, smtp_server_command.c carries out commands, smtp_server_answer.c
// takes the driver's answers.
#pragma once
#include "smtp_command.h"
#include "smtp_dot.h"
#include "smtp_server.h"

enum smtp_server_state {
    STATE_GREET,
    STATE_COMMAND,
    STATE_SKIP,      // inside a command line that is too long
    STATE_ASK,       // `question` is to be handed out
    STATE_WAIT,      // `question` was handed out
    STATE_DATA,      // the message passes through
    STATE_SWALLOW,   // the message is dropped, `verdict` follows its end
    STATE_STARTTLS,  // 220 is on its way
    STATE_HANDSHAKE, // waits for secured()
    STATE_CLOSING,   // ABORT if due, what is to be sent, CLOSE
    STATE_CLOSED,
    STATE_COUNT,
};

struct smtp_server {
    const struct smtp_server_conf *conf;
    enum smtp_server_state state;
    enum smtp_server_kind question;
    const struct mail_address *asked;
    struct mono begun, since, now;
    bool ticked, stale; // see smtp_server_touch()
    bool tls, esmtp, draining, sent, abort_due;
    bool open;          // MAIL was accepted
    bool authenticated; // AUTH was
    unsigned errors, idle_commands, messages, refused_recipients;

    struct buf out;
    char helo[256];
    struct span helo_span;

    struct arena memory;  // sender and recipients of the transaction
    struct arena scratch; // the recipient in question
    struct mail_address recipient;
    struct smtp_transaction transaction;
    struct smtp_recipient *recipients;
    size_t recipients_cap;

    struct smtp_undot undot;
    uint64_t received; // bytes of message or of a line that are gone
    struct smtp_reply verdict;
};

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
