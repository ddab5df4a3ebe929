// One SMTP session of a receiver, private to its files: proc_receiver_session.c is the
// pump between stream and machine, proc_receiver_answer.c answers what the machine
// asks before there is a message, proc_receiver_message.c takes the message in.
#pragma once
#include "mail_header.h"
#include "proc_receiver_guard.h"
#include "proc_receiver_login.h"
#include "proc_receiver_screen.h"

struct session {
    struct session *next, *previous;
    struct receiver *receiver;
    struct io_stream *stream; // NULL: the client is gone
    struct smtp_server *smtp;
    struct smtp_server_conf conf; // a reload changes the receiver's
    struct io_endpoint peer;
    struct io_timer timer;
    bool waiting; // for an answer: the machine must not be moved
    bool pumping, committing, judging, in_message;
    bool inside; // a client of relay.networks, or a user
    struct session_login login;
    struct foresight *foresight; // a plan that is waited for; NULL: none
    struct guard_session guard;
    bool proxied; // the header of a balancer is to come
    struct receiver_body body;
    struct receiver_screen screen;
    struct mail_scan scan;
    uint64_t bytes;                   // of the message under way
    uint64_t id;                      // of the message being committed
    const struct mail_address *asked; // the recipient in question
    struct routes *routes;            // of the recipients that were accepted; NULL: none yet
};

// proc_receiver_session.c
void session_gone(struct session *s);
void session_free(struct session *s);
void session_hold_input(struct session *s);
void session_resume(struct session *s);
// Of what the machine asked; `text` is one line.
void session_answer(struct session *s, unsigned code, const char *status, struct span text);
// Says no to what the machine asked, and counts it. False: there is nothing to say.
bool session_refuse(struct session *s, const struct guard_refusal *r);
void session_put_client(struct buf *b, const struct session *s); // "192.0.2.1"

// proc_receiver_tls.c
void session_starttls(struct session *s); // the handshake begins
void session_tls_failed(const struct session *s, const char *why);
void session_tls_count(const struct session *s);                     // a handshake that succeeded
void session_tls_talker(const struct session *s, struct span bytes); // looks for one
// True: tls.require asks for more than this client has shown, and MAIL was answered.
bool session_tls_refuses(struct session *s, const struct mail_address *from);
void session_put_tls_peer(struct buf *b, const struct session *s); // how it was authenticated

// proc_receiver_answer.c
void session_answer_mail(struct session *s, const struct mail_address *from);
void session_answer_rcpt(struct session *s, const struct mail_address *to);
void session_answer_data(struct session *s);
void session_accept_rcpt(struct session *s); // it has a way

// proc_receiver_recipient.c
// Where mail for `to` goes, through aliases and to mailboxes: answers RCPT, now or later.
void session_route(struct session *s, const struct mail_address *to);
void session_routes_drop(struct session *s); // of a transaction that is over, or a question
// The envelope's recipients, from those that were accepted. They borrow from the routes.
size_t session_routes_count(const struct session *s);
bool session_routes_reports(const struct session *s); // all lead to report.addresses
size_t session_routes_put(const struct session *s, struct store_recipient *out, struct wall due);

// proc_receiver_foresee.c
// A user's message with REQUIRETLS: can it be delivered at all? False: nothing is to be
// asked. Else session_foreseen() is called, now or later; `refused`: RCPT is answered.
bool session_foresee(struct session *s, struct span domain);
void session_foreseen(struct session *s, bool refused); // proc_receiver_recipient.c
void session_foresight_free(struct session *s);         // the session ends

// proc_receiver_message.c
void session_body_piece(struct session *s, struct span piece);
void session_body_abort(struct session *s);
void session_commit(struct session *s);
