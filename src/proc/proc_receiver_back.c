#include "proc_receiver_back.h"

#include "proc_aliases.h"
#include "proc_login.h"

#include <stdlib.h>

static const int64_t mailbox_us = SECONDS(30);

struct back {
    struct receiver *receiver;
    struct aliases *aliases;
    struct alias_walk *walk;
    struct arena *arena;
    struct mail_address to;
    void (*done)(void *arg, struct store_recipient *to, size_t count);
    void *arg;
};

static void done(struct back *b, struct store_recipient *to, size_t count)
{
    alias_walk_free(b->walk);
    aliases_release(b->aliases);
    b->done(b->arg, to, to ? count : 0);
    free(b);
}

static void to_itself(struct back *b)
{
    struct store_recipient *to = arena_alloc(b->arena, sizeof *to);
    struct span domain = arena_dup(b->arena, dns_name_span(&b->to.domain));
    if (to)
        *to = (struct store_recipient){.address = b->to.text, .domain = domain};
    done(b, domain.at ? to : NULL, 1);
}

static void to_goals(struct back *b)
{
    size_t count;
    const struct alias_goal *g = alias_walk_goals(b->walk, &count);
    struct store_recipient *to = arena_alloc(b->arena, count * sizeof *to);
    bool full = !to;
    for (size_t i = 0; !full && i < count; i++) {
        to[i] = (struct store_recipient){.address = arena_dup(b->arena, g[i].address),
                                         .domain = arena_dup(b->arena, g[i].domain)};
        full = !to[i].address.at || !to[i].domain.at;
    }
    done(b, full ? NULL : to, count);
}

static void walk_on(struct back *b);

static bool mailbox_told(void *arg, struct io_message *m)
{
    static const enum alias_mailbox is[MAILBOX_KINDS] = {
        [MAILBOX_NOT_KNOWN] = ALIAS_MAILBOX_NOT_KNOWN,
        [MAILBOX_THERE] = ALIAS_MAILBOX_THERE,
        [MAILBOX_NOT_THERE] = ALIAS_MAILBOX_NOT_THERE,
    };
    struct back *b = arg;
    struct rd rd = RD(m ? m->payload : SPAN(""));
    uint8_t told = m ? (uint8_t)rd_enum(&rd, MAILBOX_KINDS) : MAILBOX_NOT_KNOWN;
    bool wellformed = !m || (m->kind == MSG_MAILBOX_IS && rd_end(&rd));
    alias_walk_answer(b->walk, wellformed ? is[told] : ALIAS_MAILBOX_NOT_KNOWN);
    walk_on(b);
    return wellformed;
}

static void walk_on(struct back *b)
{
    struct span mailbox;
    while (alias_walk_asks(b->walk, &mailbox)) {
        if (!conf_bool(b->receiver->proc->conf, CONF_local_check)) {
            alias_walk_answer(b->walk, ALIAS_MAILBOX_THERE);
            continue;
        }
        CLEANUP(buf_free) struct buf msg = BUF(1024);
        wr_span(&msg, mailbox);
        proc_ask(b->receiver->proc, PROC_AUTHENTICATOR, 0, MSG_MAILBOX, buf_span(&msg), mailbox_us,
                 mailbox_told, b);
        return;
    }
    enum alias_end end = alias_walk_end(b->walk, &mailbox);
    if (end == ALIAS_GOES)
        to_goals(b);
    else if (end == ALIAS_LATER)
        done(b, NULL, 0);
    else // elsewhere; or nobody of ours any more, which the mailbox server will say
        to_itself(b);
}

// A sender of ours in front of somebody else's (SRS): the notice is for him.
static void undo_srs(struct back *b)
{
    struct mail_address sender;
    struct wall now = io_wall(b->receiver->proc->loop);
    if (!dns_name_eq(&b->to.domain, &b->aliases->srs_home) || b->aliases->srs.secret_count == 0)
        return;
    if (auth_srs_back(&b->aliases->srs, &b->to, now, &sender, b->arena) == AUTH_SRS_OK &&
        sender.kind == MAIL_DOMAIN)
        b->to = sender;
}

void receiver_back(struct receiver *r, struct span path, struct arena *a,
                   void (*finished)(void *arg, struct store_recipient *to, size_t count), void *arg)
{
    struct back *b = mem_new(sizeof *b);
    *b = (struct back){.receiver = r,
                       .aliases = aliases_hold(r->aliases),
                       .arena = a,
                       .done = finished,
                       .arg = arg};
    // It was a valid path when it was accepted; only a literal has no domain.
    if (!mail_address_parse(&b->to, path, true, a) || b->to.kind != MAIL_DOMAIN) {
        done(b, NULL, 0);
        return;
    }
    undo_srs(b);
    b->walk = alias_walk_new(&b->aliases->conf, &b->to);
    walk_on(b);
}
