#include "auth_message_inner.h"

#include <stdlib.h>

struct auth_message *auth_message_new(const struct auth_message_request *r)
{
    struct auth_message *m = mem_new(sizeof *m);
    m->request = *r;
    m->spf_arena = ARENA(AUTH_SPF_ARENA);
    m->spf = r->no_spf ? NULL : auth_spf_new(&r->spf, &m->spf_arena);
    m->dkim = auth_dkim_new(&r->dkim);
    m->arc = auth_arc_new(&r->arc);
    m->dmarc = auth_dmarc_new();
    m->split = AUTH_SPLIT;
    m->finished[PART_SPF] = !m->spf;
    return m;
}

void auth_message_free(struct auth_message **at)
{
    struct auth_message *m = *at;
    *at = NULL;
    if (!m)
        return;
    auth_dmarc_free(&m->dmarc);
    auth_arc_free(&m->arc);
    auth_dkim_free(m->dkim);
    auth_split_free(&m->split);
    arena_free(&m->spf_arena);
    free(m);
}

// --- Bytes

// A header that cannot be judged has no From field that could: readers of mail
// may see another one.
static void give_author(struct auth_message *m)
{
    enum { FROM_MAX = 2 }; // two are as wrong as more
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_HEAD_MAX);
    struct auth_head head;
    struct auth_from from = {.problem = AUTH_FROM_UNREAD};
    struct span values[FROM_MAX];
    size_t count = 0;
    auth_head_read(&head, buf_span(&m->split.head), &a);
    for (size_t i = 0; i < head.count && count < FROM_MAX; i++)
        if (span_ieq(head.at[i].name, SPAN("From")))
            values[count++] = head.at[i].value;
    if (!head.fault && !m->split.too_large) {
        auth_from_read(&from, values, count);
        message_hear(m, &head);
    }
    m->author_given = true;
    auth_dmarc_author(m->dmarc, &from);
    auth_split_free(&m->split);
}

void auth_message_feed(struct auth_message *m, struct span chunk)
{
    if (m->ended)
        panic("a message goes on after its end");
    auth_dkim_feed(m->dkim, chunk);
    auth_arc_feed(m->arc, chunk);
    if (m->author_given)
        return;
    (void)auth_split_feed(&m->split, chunk);
    if (m->split.done)
        give_author(m);
}

void auth_message_end(struct auth_message *m)
{
    if (m->ended)
        return;
    m->ended = true;
    auth_dkim_end(m->dkim);
    auth_arc_end(m->arc);
    if (!m->author_given) // no empty line: all was header
        give_author(m);
}

// --- Questions and answers

static struct auth_step next_of(struct auth_message *m, enum message_part part)
{
    struct auth_step step = {.kind = AUTH_WAIT};
    if (part == PART_SPF)
        return auth_spf_next(m->spf);
    if (part == PART_DKIM)
        return auth_dkim_next(m->dkim);
    if (part == PART_ARC)
        return auth_arc_next(m->arc);
    auth_dmarc_next(m->dmarc, &step);
    return step;
}

static void give_identifiers(struct auth_message *m)
{
    struct auth_dmarc_dkim dkim[AUTH_DKIM_RESULTS_MAX];
    struct auth_dmarc_spf spf = {.mail_from = true};
    size_t count = 0;
    for (size_t i = 0; i < auth_dkim_count(m->dkim) && i < AUTH_DKIM_RESULTS_MAX; i++) {
        const struct auth_dkim_result *r = auth_dkim_result(m->dkim, i);
        if (r->named)
            dkim[count++] = (struct auth_dmarc_dkim){r->result, r->signature.domain};
    }
    if (m->spf) {
        const struct auth_spf_check *c = &auth_spf_result(m->spf)->check[AUTH_SPF_MAIL_FROM];
        spf.result = c->result;
        spf.domain = c->domain;
    }
    m->identifiers_given = true;
    auth_dmarc_identifiers(m->dmarc, m->spf ? &spf : NULL, dkim, count);
}

static void finish(struct auth_message *m)
{
    struct auth_message_result *r = &m->result;
    struct auth_dmarc_facts facts = m->request.facts;
    m->done = true;
    r->spf = m->spf ? auth_spf_result(m->spf) : NULL;
    r->dkim = m->dkim;
    r->arc = auth_arc_result(m->arc);
    r->dmarc = auth_dmarc_result(m->dmarc);
    message_know(m, &facts);
    auth_dmarc_rule(&r->ruling, r->dmarc, &facts);
}

struct auth_step auth_message_next(struct auth_message *m)
{
    for (unsigned part = 0; part < PARTS; part++) {
        bool ready = m->finished[PART_SPF] && m->finished[PART_DKIM];
        if (part == PART_DMARC && ready && !m->identifiers_given)
            give_identifiers(m);
        if (m->finished[part])
            continue;
        struct auth_step step = next_of(m, (enum message_part)part);
        m->finished[part] = step.kind == AUTH_DONE;
        if (step.kind == AUTH_ASK_DNS) {
            step.ticket = step.ticket * PARTS + part;
            return step;
        }
    }
    for (unsigned part = 0; part < PARTS; part++)
        if (!m->finished[part])
            return (struct auth_step){.kind = AUTH_WAIT};
    if (!m->done)
        finish(m);
    return (struct auth_step){.kind = AUTH_DONE};
}

void auth_message_answer(struct auth_message *m, unsigned ticket, const struct dns_answer *a)
{
    unsigned inner = ticket / PARTS;
    switch ((enum message_part)(ticket % PARTS)) {
    case PART_SPF:
        if (m->spf)
            auth_spf_answer(m->spf, inner, a);
        break;
    case PART_DKIM:
        auth_dkim_answer(m->dkim, inner, a);
        break;
    case PART_ARC:
        auth_arc_answer(m->arc, inner, a);
        break;
    default:
        auth_dmarc_answer(m->dmarc, inner, a);
    }
}

const struct auth_message_result *auth_message_result(const struct auth_message *m)
{
    return m->done ? &m->result : NULL;
}
