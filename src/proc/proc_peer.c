#include "proc_inner.h"

#include "base_log.h"

#include <stdlib.h>
#include <unistd.h>

struct proc_peer_slot {
    struct proc_peer peer;
    int fd; // until START; then -1
    struct io_timer cut_off;
};
// The master sees who dies, but not who was left alone for saying nonsense: both
// would go on without each other for ever.
static const int64_t cut_off_us = SECONDS(2);

static struct proc_peer_slot *slot_of(struct proc_peer *peer)
{
    return CONTAINER(peer, struct proc_peer_slot, peer);
}

struct proc_peer *proc_peer(struct proc *p, enum proc_kind kind, unsigned index)
{
    for (size_t i = 0; i < p->peer_count; i++)
        if (p->peers[i]->kind == kind && p->peers[i]->index == index)
            return p->peers[i];
    return NULL;
}

void proc_send(struct proc_peer *peer, enum proc_message kind, uint32_t ticket, struct span payload,
               int fd)
{
    if (peer->channel)
        io_channel_send(peer->channel, (uint16_t)kind, ticket, payload, fd);
}

// Answers have odd kinds.
static bool got(void *arg, struct io_message *m)
{
    struct proc_peer *peer = arg;
    if (m->kind & 1)
        return proc_answer_got(peer, m);
    if (m->kind == MSG_METERS && peer->kind == PROC_WEB)
        return proc_meters_answer(peer, m);
    return peer->proc->role->got && peer->proc->role->got(peer, m);
}

static void down(struct proc_peer *peer)
{
    io_channel_free(peer->channel);
    peer->channel = NULL;
    LOG(LOG_DEBUG, "peer-down", LOG_T("peer", proc_kind_text(peer->kind)),
        LOG_I("index", peer->index));
    proc_questions_down(peer);
    if (peer->proc->role->peer_down)
        peer->proc->role->peer_down(peer);
}

static void tell_cut_off(void *arg)
{
    struct proc_peer_slot *slot = arg;
    struct proc *p = slot->peer.proc;
    CLEANUP(buf_free) struct buf b = BUF(16);
    wr_u8(&b, (uint8_t)slot->peer.kind);
    wr_u16(&b, (uint16_t)slot->peer.index);
    io_channel_send(proc_inner(p)->master, MSG_CUT_OFF, 0, buf_span(&b), -1);
    io_timer_set(p->loop, &slot->cut_off, (struct mono){io_now(p->loop).us + cut_off_us});
}

// One of the two tells, lest the channel is made twice.
static void closed(void *arg)
{
    struct proc_peer_slot *slot = slot_of(arg);
    struct proc *p = slot->peer.proc;
    down(&slot->peer);
    if (p->role->kind > slot->peer.kind)
        return;
    slot->cut_off.fire = tell_cut_off;
    slot->cut_off.arg = slot;
    io_timer_set(p->loop, &slot->cut_off, (struct mono){io_now(p->loop).us + cut_off_us});
}

static void open_channel(struct proc_peer *peer)
{
    struct proc_peer_slot *slot = slot_of(peer);
    if (slot->fd < 0)
        return;
    io_timer_cancel(peer->proc->loop, &slot->cut_off);
    peer->channel = io_channel_new(peer->proc->loop, slot->fd, got, closed, peer);
    if (peer->kind == PROC_AUTHENTICATOR || peer->proc->role->kind == PROC_AUTHENTICATOR)
        io_channel_secret(peer->channel); // logins
    peer->generation++;
    slot->fd = -1;
}

// The role first: on some channels it has something to say before any question.
static void up(struct proc_peer *peer)
{
    if (!peer->channel)
        return;
    LOG(LOG_DEBUG, "peer-up", LOG_T("peer", proc_kind_text(peer->kind)),
        LOG_I("index", peer->index));
    if (peer->proc->role->peer_up)
        peer->proc->role->peer_up(peer);
    if (peer->channel)
        proc_questions_up(peer);
}

static struct proc_peer_slot *slot_new(struct proc *p, enum proc_kind kind, unsigned index)
{
    struct proc_peer_slot *slot = mem_new(sizeof *slot);
    slot->peer = (struct proc_peer){.proc = p, .kind = kind, .index = index};
    slot->fd = -1;
    p->peers = mem_resize(p->peers, (p->peer_count + 1) * sizeof(struct proc_peer *));
    p->peers[p->peer_count++] = &slot->peer;
    return slot;
}

void proc_peer_give(struct proc *p, enum proc_kind kind, unsigned index, int fd)
{
    struct proc_peer *peer = proc_peer(p, kind, index);
    if (peer && peer->channel) // the master saw it die before we did
        down(peer);
    struct proc_peer_slot *slot = peer ? slot_of(peer) : slot_new(p, kind, index);
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = fd;
    if (proc_inner(p)->started) {
        open_channel(&slot->peer);
        up(&slot->peer);
    }
}

void proc_peers_open(struct proc *p)
{
    for (size_t i = 0; i < p->peer_count; i++)
        open_channel(p->peers[i]);
}

void proc_peers_up(struct proc *p)
{
    for (size_t i = 0; i < p->peer_count; i++)
        up(p->peers[i]);
}

void proc_peers_free(struct proc *p)
{
    for (size_t i = 0; i < p->peer_count; i++) {
        struct proc_peer_slot *slot = slot_of(p->peers[i]);
        if (slot->peer.channel)
            io_channel_free(slot->peer.channel);
        if (slot->fd >= 0)
            close(slot->fd);
        io_timer_cancel(p->loop, &slot->cut_off);
        free(slot);
    }
    free(p->peers);
    p->peers = NULL;
    p->peer_count = 0;
}
