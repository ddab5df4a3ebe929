#include "auth_arc_inner.h"

static const char *try_key(const struct auth_arc *m, const struct auth_dkim_key *k,
                           const struct arc_signature *s)
{
    if (k->algorithm != s->at.algorithm)
        return "the key is of another type";
    if (k->algorithm == CRYPTO_RSA_SHA256 && k->bits < m->options.rsa_bits_min)
        return "the key is too short";
    return crypto_verify(k->key, &s->digest, s->at.signature) ? NULL
                                                              : "the signature does not match";
}

// NULL: verified by one of the keys at that name.
static const char *try_keys(struct auth_arc *m, const struct arc_signature *s)
{
    const struct arc_question *q = &m->asked[s->question];
    const char *why = q->fault;
    if (s->fault)
        return s->fault;
    for (size_t i = 0; i < q->count; i++) {
        const char *fault = q->faults[i] ? q->faults[i] : try_key(m, &q->keys[i], s);
        if (!fault)
            return NULL;
        why = why ? why : fault;
    }
    return why;
}

static const char *check_message(struct auth_arc *m, const struct arc_signature *s)
{
    if (s->fault)
        return s->fault;
    const struct auth_body_hash *body = &m->body.hashes[s->body_hash];
    int64_t late = m->options.now.us - m->options.skew;
    if (s->at.limited && s->at.length != auth_body_len(&m->body, s->body_hash))
        return "l= leaves the end of the body open"; // RFC 6376 §8.2
    if (!span_eq(SPAN_OF(body->digest.at), SPAN_OF(s->at.body_hash.at)))
        return "the body hash does not match";
    if (s->at.expires && late / US_PER_S > s->at.expiry)
        return "the signature has expired";
    return try_keys(m, s);
}

static void put_reason(struct auth_arc *m, enum auth_result result, const struct buf *b)
{
    m->result.result = result;
    struct span text = span_first(buf_span(b), sizeof m->result.reason - 1);
    if (!span_copy(m->result.reason, sizeof m->result.reason, text))
        panic("a reason with a NUL in it");
}

static void fail(struct auth_arc *m, const char *what, unsigned instance, const char *why,
                 const struct arc_signature *s)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    buf_printf(&b, "the %s of instance %u", what, instance);
    if (s->at.domain.len)
        buf_printf(&b, " by %s", s->at.domain.text);
    buf_printf(&b, ": %s", why);
    m->result.dns_failed = !s->fault && m->asked[s->question].dns_failed;
    put_reason(m, AUTH_FAIL, &b);
}

static void fail_broken(struct auth_arc *m)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    buf_printf(&b, "the chain is broken");
    if (m->broken_at)
        buf_printf(&b, " at instance %u", m->broken_at);
    buf_printf(&b, ": %s", m->broken);
    put_reason(m, AUTH_FAIL, &b);
}

// Step 4, and 5 for the older ones: those behind the first failure are not
// looked at.
static bool messages_pass(struct auth_arc *m)
{
    for (unsigned i = m->count; i > 0; i--) {
        struct auth_arc_set *shown = &m->shown[i - 1];
        shown->message_reason = check_message(m, &m->sets[i - 1].message);
        shown->message = shown->message_reason ? AUTH_FAIL : AUTH_PASS;
        if (!shown->message_reason)
            continue;
        m->result.oldest_pass = i + 1;
        if (i == m->count)
            fail(m, "message signature", i, shown->message_reason, &m->sets[i - 1].message);
        return i < m->count;
    }
    return true;
}

// Step 6
static bool seals_pass(struct auth_arc *m)
{
    for (unsigned i = m->count; i > 0; i--) {
        struct auth_arc_set *shown = &m->shown[i - 1];
        shown->seal_reason = try_keys(m, &m->sets[i - 1].seal);
        shown->seal = shown->seal_reason ? AUTH_FAIL : AUTH_PASS;
        if (shown->seal_reason) {
            fail(m, "seal", i, shown->seal_reason, &m->sets[i - 1].seal);
            return false;
        }
    }
    return true;
}

static void pass(struct auth_arc *m)
{
    CLEANUP(buf_free) struct buf b = BUF(2048);
    const char *newest = m->shown[m->count - 1].seal_domain.text;
    if (m->count == 1)
        buf_printf(&b, "the one seal verifies, by %s", newest);
    else
        buf_printf(&b, "all %u seals verify, the newest by %s", m->count, newest);
    put_reason(m, AUTH_PASS, &b);
    arc_hint(m);
}

static void none(struct auth_arc *m)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    buf_printf(&b, "there is no chain");
    put_reason(m, AUTH_NONE, &b);
}

void arc_judge(struct auth_arc *m)
{
    m->result.sets = m->shown;
    m->result.count = m->broken ? 0 : m->count;
    if (m->broken)
        fail_broken(m);
    else if (m->count == 0)
        none(m);
    else if (messages_pass(m) && seals_pass(m))
        pass(m);
    if (m->result.result != AUTH_PASS)
        m->result.oldest_pass = 0;
}
