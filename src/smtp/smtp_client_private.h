// The client machine's inside, shared by its files: smtp_client.c has the
// connection, smtp_client_transaction.c what happens from MAIL to the final dot,
// smtp_client_command.c what MAIL and RCPT say, and what is refused before.
#pragma once
#include "base_arena.h"
#include "smtp_capability.h"
#include "smtp_dot.h"

enum smtp_client_state {
    STATE_GREETING, // these wait for a reply
    STATE_EHLO,
    STATE_HELO,
    STATE_STARTTLS,
    STATE_RSET,
    STATE_MAIL,
    STATE_RCPT,
    STATE_DATA,
    STATE_END,
    STATE_EMPTY_END, // the dot of a message without recipients
    STATE_QUIT,
    STATE_IDLE, // these for the driver
    STATE_HANDSHAKE,
    STATE_BODY,
    STATE_CLOSED,
    STATE_COUNT,
};

struct smtp_client {
    struct smtp_client_conf conf;
    enum smtp_client_state state;
    enum smtp_client_kind hand; // to be handed out once; READ: nothing
    struct mono since, now;
    bool ticked, stale; // as in the server
    bool sent;
    bool unheard; // commands go out first after a pause: nothing may have come before
    bool uncertain;
    struct rc failure;

    struct buf out, text;
    struct smtp_reply reply; // the last one; text in `text`
    struct smtp_capabilities capabilities;
    char peer_name[SMTP_PEER_NAME_MAX + 1];

    struct smtp_client_transaction *t;
    struct arena memory; // texts of the recipients' replies
    struct span sender;  // as it is sent
    struct smtp_reply mail_reply;
    size_t at, accepted; // recipient whose reply is due; how many were accepted
    bool pipelined, mail_refused;
    bool unfinished; // a transaction was left open on the server: RSET first
    struct smtp_dot dot;
};

void smtp_client_touch(struct smtp_client *c);                             // patience starts anew
void smtp_client_pause(struct smtp_client *c, enum smtp_client_kind hand); // hand out, then IDLE
// Over: recipients that have no outcome are DEFERRED.
void smtp_client_fail(struct smtp_client *c, struct rc why);
void smtp_client_refuse(struct smtp_client *c); // the same, by the last reply
// Gives every recipient without an outcome this one.
void smtp_client_settle(struct smtp_client *c, const struct smtp_reply *r, enum smtp_outcome o);
enum smtp_outcome smtp_client_outcome(const struct smtp_reply *r);
struct smtp_reply smtp_client_keep(struct smtp_client *c, const struct smtp_reply *r);

// Of a line: address, ORCPT (500), NOTIFY (RFC 3461 §5.4), and as much again.
enum { SMTP_CLIENT_COMMAND_MAX = 2048 };
void smtp_client_refuse_own(struct smtp_client *c); // what the server need not be asked
void smtp_client_mail_put(struct smtp_client *c);
void smtp_client_rcpt_put(struct smtp_client *c, size_t recipient);

void smtp_client_on_rset(struct smtp_client *c);
void smtp_client_on_mail(struct smtp_client *c);
void smtp_client_on_rcpt(struct smtp_client *c);
void smtp_client_on_data(struct smtp_client *c);
void smtp_client_on_body(struct smtp_client *c); // a reply before the message is out
void smtp_client_on_end(struct smtp_client *c);
void smtp_client_on_empty_end(struct smtp_client *c);
