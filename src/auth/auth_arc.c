#include "auth_arc_inner.h"

#include <stdlib.h>

struct auth_arc *auth_arc_new(const struct auth_arc_options *o)
{
    struct auth_arc *m = mem_new(sizeof *m);
    m->options = *o;
    if (!m->options.rsa_bits_min)
        m->options.rsa_bits_min = ARC_RSA_BITS_MIN;
    m->sealers = mem_new((o->sealer_count + 1) * sizeof *m->sealers);
    for (size_t i = 0; i < o->sealer_count; i++)
        m->sealers[i] = o->sealers[i];
    m->options.sealers = m->sealers;
    m->arena = ARENA(ARC_ARENA);
    m->split = AUTH_SPLIT;
    return m;
}

void auth_arc_free(struct auth_arc **at)
{
    struct auth_arc *m = *at;
    *at = NULL;
    if (!m)
        return;
    for (size_t q = 0; q < m->questions; q++)
        for (size_t k = 0; k < ARC_KEYS_PER_ANSWER; k++)
            crypto_public_free(m->asked[q].keys[k].key);
    auth_body_free(&m->body);
    auth_split_free(&m->split);
    arena_free(&m->arena);
    free(m->sealers);
    free(m);
}

static void read_head(struct auth_arc *m)
{
    m->head_read = true;
    auth_head_read(&m->head, buf_span(&m->split.head), &m->arena);
    arc_collect(m);
}

void auth_arc_feed(struct auth_arc *m, struct span chunk)
{
    struct span body = auth_split_feed(&m->split, chunk);
    if (m->split.done && !m->head_read)
        read_head(m);
    if (body.len && m->questions > 0)
        auth_body_feed(&m->body, body);
}

void auth_arc_end(struct auth_arc *m)
{
    if (m->ended)
        return;
    if (!m->head_read)
        read_head(m); // no empty line: all was header
    auth_body_end(&m->body);
    m->ended = true;
}

static void read_keys(struct arc_question *q, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->count && q->count < ARC_KEYS_PER_ANSWER; i++, q->count++)
        q->faults[q->count] =
            auth_dkim_key_read(&q->keys[q->count], a->records[i].data, SPAN("email"));
    if (q->count == 0)
        q->fault = "the key record cannot be read";
}

void auth_arc_answer(struct auth_arc *m, unsigned ticket, const struct dns_answer *a)
{
    struct arc_question *q = ticket < m->questions ? &m->asked[ticket] : NULL;
    if (!q || !q->asked || q->answered)
        return;
    q->answered = true;
    q->dns_failed = a->presence == DNS_NO_ANSWER;
    if (q->dns_failed)
        q->fault = "the key could not be looked up";
    else if (a->presence != DNS_DATA)
        q->fault = "there is no key";
    else
        read_keys(q, a);
}

static bool all_answered(const struct auth_arc *m)
{
    for (size_t i = 0; i < m->questions; i++)
        if (!m->asked[i].answered)
            return false;
    return true;
}

struct auth_step auth_arc_next(struct auth_arc *m)
{
    for (unsigned i = 0; i < m->questions; i++) {
        if (m->asked[i].asked)
            continue;
        m->asked[i].asked = true;
        return (struct auth_step){AUTH_ASK_DNS, i, {m->asked[i].name, DNS_TXT}};
    }
    if (!m->ended || !all_answered(m))
        return (struct auth_step){.kind = AUTH_WAIT};
    if (!m->judged)
        arc_judge(m);
    m->judged = true;
    return (struct auth_step){.kind = AUTH_DONE};
}

const struct auth_arc_result *auth_arc_result(const struct auth_arc *m)
{
    return m->judged ? &m->result : NULL;
}
