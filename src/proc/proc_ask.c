#include "proc_inner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACE_BITS = 20, PLACE_MASK = PROC_QUESTIONS_MAX - 1 };

static void grow(struct proc_questions *q)
{
    size_t old = q->count, now = old ? 2 * old : 64;
    if (now > PROC_QUESTIONS_MAX)
        panic("%d questions at once", PROC_QUESTIONS_MAX);
    q->at = mem_resize(q->at, now * sizeof *q->at);
    q->generation = mem_resize(q->generation, now * sizeof *q->generation);
    q->free = mem_resize(q->free, now * sizeof *q->free);
    for (size_t i = old; i < now; i++) {
        q->at[i] = NULL;
        q->generation[i] = 0;
        q->free[q->free_count++] = (uint32_t)(now - 1 - (i - old));
    }
    q->count = now;
}

// Generations run from 1: a ticket is never 0.
static uint32_t place(struct proc_questions *q, struct proc_question *one)
{
    if (q->free_count == 0)
        grow(q);
    uint32_t i = q->free[--q->free_count];
    q->at[i] = one;
    q->generation[i] = q->generation[i] % ((1u << (32 - PLACE_BITS)) - 1) + 1;
    return q->generation[i] << PLACE_BITS | i;
}

static struct proc_question *find(struct proc_questions *q, uint32_t ticket)
{
    size_t i = ticket & PLACE_MASK;
    if (i >= q->count || !q->at[i] || q->at[i]->ticket != ticket)
        return NULL;
    return q->at[i];
}

// A login may have waited here.
static void payload_wipe(struct proc_question *one)
{
    if (one->payload.at)
        explicit_bzero(one->payload.at, one->payload.cap);
    buf_free(&one->payload);
    if (one->fd >= 0)
        close(one->fd);
    one->fd = -1;
}

static void question_free(struct proc_question *one)
{
    struct proc_questions *q = &proc_inner(one->proc)->questions;
    uint32_t i = one->ticket & PLACE_MASK;
    q->at[i] = NULL;
    q->free[q->free_count++] = i;
    io_timer_cancel(one->proc->loop, &one->timer);
    payload_wipe(one);
    free(one);
}

// The question is gone before its asker hears: it may ask again at once.
static bool finish(struct proc_question *one, struct io_message *answer)
{
    proc_answered answered = one->answered;
    void *arg = one->arg;
    question_free(one);
    return answered(arg, answer);
}

static void timed_out(void *arg)
{
    (void)finish(arg, NULL);
}

static void send_or_wait(struct proc_question *one, struct span payload, int fd)
{
    struct proc_peer *peer = proc_peer(one->proc, one->kind, one->index);
    one->sent = peer && peer->channel;
    if (one->sent) {
        io_channel_send(peer->channel, one->message, one->ticket, payload, fd);
        return;
    }
    buf_put(&one->payload, payload);
    if (fd >= 0 && (one->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
        panic("no descriptor for a question that waits");
}

uint32_t proc_ask(struct proc *p, enum proc_kind kind, unsigned index, enum proc_message question,
                  struct span payload, int64_t timeout_us, proc_answered answered, void *arg)
{
    return proc_ask_with(p, kind, index, question, payload, -1, timeout_us, answered, arg);
}

uint32_t proc_ask_with(struct proc *p, enum proc_kind kind, unsigned index,
                       enum proc_message question, struct span payload, int fd, int64_t timeout_us,
                       proc_answered answered, void *arg)
{
    struct proc_question *one = mem_new(sizeof *one);
    *one = (struct proc_question){
        .proc = p,
        .kind = kind,
        .index = index,
        .message = (uint16_t)question,
        .payload = BUF(IO_MESSAGE_MAX),
        .fd = -1,
        .answered = answered,
        .arg = arg,
    };
    one->timer = (struct io_timer){.fire = timed_out, .arg = one};
    one->ticket = place(&proc_inner(p)->questions, one);
    io_timer_set(p->loop, &one->timer, (struct mono){io_now(p->loop).us + timeout_us});
    send_or_wait(one, payload, fd);
    return one->ticket;
}

void proc_forget(struct proc *p, uint32_t ticket)
{
    struct proc_question *one = find(&proc_inner(p)->questions, ticket);
    if (one)
        question_free(one);
}

// An answer to nothing came too late. One to a question that was put to somebody
// else, or of another kind, is a peer that makes things up.
bool proc_answer_got(struct proc_peer *peer, struct io_message *m)
{
    struct proc_question *one = find(&proc_inner(peer->proc)->questions, m->ticket);
    if (!one)
        return true;
    if (one->kind != peer->kind || one->index != peer->index || one->message + 1 != m->kind ||
        !one->sent)
        return false;
    return finish(one, m);
}

static bool is_for(const struct proc_question *one, const struct proc_peer *peer)
{
    return one && one->kind == peer->kind && one->index == peer->index;
}

void proc_questions_up(struct proc_peer *peer)
{
    struct proc_questions *q = &proc_inner(peer->proc)->questions;
    for (size_t i = 0; i < q->count; i++) {
        struct proc_question *one = q->at[i];
        if (!is_for(one, peer) || one->sent)
            continue;
        io_channel_send(peer->channel, one->message, one->ticket, buf_span(&one->payload), one->fd);
        one->sent = true;
        payload_wipe(one);
    }
}

// Questions asked on the way are not sent yet, and wait.
void proc_questions_down(struct proc_peer *peer)
{
    struct proc_questions *q = &proc_inner(peer->proc)->questions;
    for (size_t i = 0; i < q->count; i++)
        if (is_for(q->at[i], peer) && q->at[i]->sent)
            (void)finish(q->at[i], NULL);
}

void proc_questions_free(struct proc *p)
{
    struct proc_questions *q = &proc_inner(p)->questions;
    for (size_t i = 0; i < q->count; i++)
        if (q->at[i])
            question_free(q->at[i]);
    free(q->at);
    free(q->generation);
    free(q->free);
    *q = (struct proc_questions){0};
}
