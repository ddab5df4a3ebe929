// dns: plain questions of a command, put to the resolver side by side.
#include "proc_control.h"

#include "dns_answer.h"

#include <stdlib.h>

enum { ANSWERS_ROOM = IO_MESSAGE_MAX - 65536 };
#define MARGIN SECONDS(5) // over the resolver's own time-out

struct questions;
struct one {
    struct questions *all;
    struct dns_question dns;
    struct buf answer; // dns_answer_pack
};
struct questions {
    struct control_job *job;
    size_t count, open;
    struct one one[CONTROL_QUESTIONS_MAX];
};

static void put_unknown(struct buf *b, const struct one *o, struct span why)
{
    struct dns_answer none = {.standing = DNS_INDETERMINATE, .expanded = o->dns.name, .why = why};
    buf_clear(b);
    dns_answer_pack(b, &none);
}

static void tell(struct questions *all)
{
    CLEANUP(buf_free) struct buf b = BUF(IO_MESSAGE_MAX);
    for (size_t i = 0; i < all->count; i++) {
        struct one *o = &all->one[i];
        if (b.len + o->answer.len > ANSWERS_ROOM)
            put_unknown(&o->answer, o, SPAN("the answers are too large to be told"));
        buf_put(&b, buf_span(&o->answer));
        buf_free(&o->answer);
    }
    control_tell(all->job, &(struct control_answer){.result = CONTROL_DONE, .json = buf_span(&b)});
    free(all);
}

static bool answered(void *arg, struct io_message *m)
{
    CLEANUP(arena_free) struct arena a = ARENA(2 * DNS_ANSWER_ARENA);
    struct one *o = arg;
    struct dns_answer answer;
    struct rd r = RD(m ? m->payload : SPAN(""));
    bool fine = m && m->kind == MSG_DNS_IS && dns_answer_unpack(&r, &answer, &a) && rd_end(&r);
    if (fine)
        buf_put(&o->answer, m->payload);
    else
        put_unknown(&o->answer, o, SPAN("the resolver gave no answer"));
    if (--o->all->open == 0)
        tell(o->all);
    return fine || !m;
}

static void ask(struct one *o)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct proc *p = o->all->job->control->proc;
    dns_question_pack(&b, &o->dns);
    proc_ask(p, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b),
             conf_int(p->conf, CONF_dns_timeout) + MARGIN, answered, o);
}

void control_dns(struct control_job *j)
{
    struct rd r = RD(j->request.questions);
    if (!control_same_section(j))
        return;
    struct questions *all = mem_new(sizeof *all);
    all->job = j;
    while (r.rest.len && !r.bad && all->count < CONTROL_QUESTIONS_MAX) {
        struct one *o = &all->one[all->count++];
        *o = (struct one){.all = all, .answer = BUF(IO_MESSAGE_MAX)};
        (void)dns_question_unpack(&r, &o->dns);
    }
    if (!rd_end(&r) || all->count == 0) {
        free(all);
        control_refuse(j, CONTROL_WRONG, "these are no questions, or more than %d",
                       CONTROL_QUESTIONS_MAX);
        return;
    }
    all->open = all->count;
    for (size_t i = 0; i < all->count; i++) // answers come later, never from inside
        ask(&all->one[i]);
}
