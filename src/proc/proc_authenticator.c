// The authenticator role: who may log in, whether a mailbox is there, how much a user
// may still send. It alone sees passwords' hashes and Dovecot's sockets. Checking a
// password takes some 20 ms and is done on the spot: nobody else waits for this loop.
#include "proc_authenticator.h"

#include "base_log.h"
#include "mail_address.h"

#include <stdlib.h>

// ---- what receivers offer ----

static uint8_t mechanisms(struct authenticator *a)
{
    const struct sasl_users *users = proc_users_now(a->users, NULL);
    uint8_t all = 1 << SASL_PLAIN | 1 << SASL_LOGIN;
    bool local = !users || sasl_users_all_scram(users);
    // Dovecot cannot see our channel: a client that binds would fail for its users.
    if (!a->logins)
        return local ? (uint8_t)(all | 1 << SASL_SCRAM | 1 << SASL_SCRAM_PLUS) : all;
    if (local && dovecot_offers(a->logins, SPAN("SCRAM-SHA-256")))
        all |= 1 << SASL_SCRAM;
    return all;
}

static void tell(struct authenticator *a, struct proc_peer *peer)
{
    if (peer->kind != PROC_RECEIVER)
        return;
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, a->offered);
    proc_send(peer, MSG_MECHANISMS, 0, buf_span(&b), -1);
}

static void look_again(void *arg)
{
    struct authenticator *a = arg;
    uint8_t now = mechanisms(a);
    if (now == a->offered)
        return;
    a->offered = now;
    for (size_t i = 0; i < a->proc->peer_count; i++)
        tell(a, a->proc->peers[i]);
}

// ---- mailboxes ----

struct mailbox { // a question that waits for Dovecot
    struct mailbox *next, **at;
    struct authenticator *auth;
    struct proc_asker asker;
    struct dovecot_question dovecot;
};

static void mailbox_reply(const struct proc_asker *asker, enum mailbox_is is)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)is);
    proc_reply(asker, MSG_MAILBOX_IS, buf_span(&b), -1);
}

static void mailbox_free(struct mailbox *q)
{
    dovecot_forget(&q->dovecot);
    *q->at = q->next;
    if (q->next)
        q->next->at = q->at;
    free(q);
}

static void mailbox_told(void *arg, const struct sasl_dovecot *line)
{
    struct mailbox *q = arg;
    bool there = line && line->kind == SASL_DOVECOT_USER;
    bool not_there = line && line->kind == SASL_DOVECOT_NOTFOUND;
    mailbox_reply(&q->asker, there       ? MAILBOX_THERE
                             : not_there ? MAILBOX_NOT_THERE
                                         : MAILBOX_NOT_KNOWN);
    mailbox_free(q);
}

static void ask_mailbox(struct authenticator *a, const struct proc_asker *asker,
                        struct span address)
{
    struct mailbox *q = mem_new(sizeof *q);
    *q = (struct mailbox){.next = a->open, .at = &a->open, .auth = a, .asker = *asker};
    if (q->next)
        q->next->at = &q->next;
    a->open = q;
    q->dovecot.told = mailbox_told;
    q->dovecot.arg = q;
    dovecot_user(a->mailboxes, &q->dovecot, address);
}

static bool got_mailbox(struct authenticator *a, struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct span address = rd_span(&r);
    struct proc_asker asker = proc_asker_of(peer, m);
    const struct sasl_users *users = proc_users_now(a->users, NULL);
    if (!rd_end(&r) || address.len > MAIL_PATH_MAX)
        return false;
    if (users && sasl_users_find(users, address))
        mailbox_reply(&asker, MAILBOX_THERE);
    else if (a->mailboxes)
        ask_mailbox(a, &asker, address);
    else
        mailbox_reply(&asker, users ? MAILBOX_NOT_THERE : MAILBOX_NOT_KNOWN);
    return true;
}

static bool got_allowance(struct authenticator *a, struct proc_peer *peer, struct io_message *m)
{
    CLEANUP(buf_free) struct buf b = BUF(16);
    struct rd r = RD(m->payload);
    struct span user = rd_span(&r);
    uint32_t messages = rd_u32(&r), recipients = rd_u32(&r);
    if (!rd_end(&r))
        return false;
    struct proc_asker asker = proc_asker_of(peer, m);
    wr_i64(&b, limits_send(&a->limits, user, messages, recipients, io_now(a->proc->loop)));
    proc_reply(&asker, MSG_ALLOWED, buf_span(&b), -1);
    return true;
}

// ---- the role ----

static bool got(struct proc_peer *peer, struct io_message *m)
{
    static const struct {
        uint16_t kind;
        bool (*got)(struct authenticator *a, struct proc_peer *peer, struct io_message *m);
    } kinds[] = {
        {MSG_LOGIN, exchange_start},     {MSG_LOGIN_MORE, exchange_more},
        {MSG_LOGIN_GONE, exchange_gone}, {MSG_MAILBOX, got_mailbox},
        {MSG_ALLOWANCE, got_allowance},
    };
    struct authenticator *a = peer->proc->data;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].kind != m->kind)
            continue;
        bool fine = kinds[i].got(a, peer, m);
        look_again(a); // the file may have changed
        return fine;
    }
    return false;
}

static struct dovecot *open_dovecot(struct authenticator *a, enum conf_id path, bool userdb)
{
    const struct conf *c = a->proc->conf;
    if (conf_span(c, path).len == 0)
        return NULL;
    return dovecot_new(a->proc->loop,
                       &(struct dovecot_conf){.path = conf_span(c, path),
                                              .userdb = userdb,
                                              .patience_us = conf_int(c, CONF_users_timeout),
                                              .greeted = look_again,
                                              .arg = a});
}

static void open_all(struct authenticator *a)
{
    limits_open(&a->limits, a->proc->conf);
    a->users = proc_users_new(a->proc->conf);
    a->logins = open_dovecot(a, CONF_users_dovecot, false);
    a->mailboxes = open_dovecot(a, CONF_users_dovecot_userdb, true);
    look_again(a);
}

static void start(struct proc *p)
{
    struct authenticator *a = mem_new(sizeof *a);
    a->proc = p;
    for (size_t i = 0; i < sizeof a->secret; i++)
        a->secret[i] = (unsigned char)io_random();
    p->data = a;
    open_all(a);
}

// What waits for Dovecot hears that there is no answer: the connections are new.
static void reload(struct proc *p)
{
    struct authenticator *a = p->data;
    exchanges_drop(a, NULL);
    while (a->open) {
        mailbox_reply(&a->open->asker, MAILBOX_NOT_KNOWN);
        mailbox_free(a->open);
    }
    dovecot_free(a->logins);
    dovecot_free(a->mailboxes);
    proc_users_free(a->users);
    open_all(a);
}

static void peer_up(struct proc_peer *peer)
{
    tell(peer->proc->data, peer);
}

static void peer_down(struct proc_peer *peer)
{
    exchanges_drop(peer->proc->data, peer);
}

static void drain(struct proc *p)
{
    proc_drained(p);
}

const struct proc_role proc_authenticator = {.kind = PROC_AUTHENTICATOR,
                                             .start = start,
                                             .reload = reload,
                                             .drain = drain,
                                             .peer_up = peer_up,
                                             .peer_down = peer_down,
                                             .got = got};
