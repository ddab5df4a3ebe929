#include "proc_message.h"

enum {
    EIGHT_BIT = 1,
    REQUIRETLS = 2,
    TLS_REQUIRED_NO = 4,
    SMTPUTF8 = 8,
    TLS = 16,
    REPORT = 32,
    FLAGS_END = 64,
    RET_END = 3,
    CIPHERS = 1,
    DOMAIN_MAX = 255,
    HOLD_MAX = 1000,
    EVALUATION_TEXTS = 19,
    RECIPIENT_LEAST = 62, // bytes of a recipient whose texts are all empty
};

static uint8_t flags_of(const struct store_envelope *e)
{
    return (uint8_t)((e->eight_bit ? EIGHT_BIT : 0) | (e->requiretls ? REQUIRETLS : 0) |
                     (e->tls_required_no ? TLS_REQUIRED_NO : 0) | (e->smtputf8 ? SMTPUTF8 : 0) |
                     (e->authenticated_tls ? TLS : 0) | (e->report ? REPORT : 0));
}

static void flags_set(struct store_envelope *e, unsigned flags)
{
    e->eight_bit = flags & EIGHT_BIT;
    e->requiretls = flags & REQUIRETLS;
    e->tls_required_no = flags & TLS_REQUIRED_NO;
    e->smtputf8 = flags & SMTPUTF8;
    e->authenticated_tls = flags & TLS;
    e->report = flags & REPORT;
}

static void range_pack(struct buf *b, const struct store_range *r)
{
    wr_u32(b, r->segment);
    wr_u8(b, r->cipher);
    wr_u64(b, r->offset);
    wr_u64(b, r->length);
    buf_put(b, SPAN_OF(r->digest.at));
}

// Offsets go to calls that take signed ones: what does not fit is no range.
static void range_unpack(struct rd *r, struct store_range *out)
{
    out->segment = rd_u32(r);
    out->cipher = (uint8_t)rd_enum(r, CIPHERS);
    out->offset = rd_u64(r);
    out->length = rd_u64(r);
    struct span digest = rd_bytes(r, sizeof out->digest.at);
    if (out->offset > INT64_MAX || out->length > INT64_MAX - out->offset)
        r->bad = true;
    if (!r->bad)
        span_bytes(out->digest.at, sizeof out->digest.at, digest);
}

static void recipient_pack(struct buf *b, const struct store_recipient *who)
{
    wr_u64(b, who->id);
    wr_u8(b, who->notify);
    wr_u8(b, (uint8_t)who->notice);
    wr_u32(b, who->attempts);
    wr_i64(b, who->due.us);
    wr_i64(b, who->tried.us);
    wr_span(b, who->address);
    wr_span(b, who->domain);
    wr_span(b, who->return_path);
    wr_span(b, who->orcpt);
    wr_span(b, who->status);
    wr_span(b, who->reason);
    wr_span(b, who->remote);
    wr_span(b, who->diagnostic);
}

void proc_envelope_pack(struct buf *b, const struct store_envelope *e)
{
    wr_u64(b, e->id);
    wr_i64(b, e->received.us);
    wr_span(b, e->sender);
    wr_span(b, e->client);
    wr_u8(b, flags_of(e));
    wr_span(b, e->envid);
    wr_u8(b, e->ret);
    wr_span(b, e->head);
    range_pack(b, &e->body);
    wr_span(b, e->wrapped_key);
    wr_u32(b, (uint32_t)e->count);
    for (size_t i = 0; i < e->count; i++)
        recipient_pack(b, &e->recipients[i]);
    wr_span(b, e->hold);
}

// A span copied into the arena; past its ceiling the input counts as malformed.
static struct span kept(struct rd *r, struct arena *a)
{
    struct span s = rd_span(r);
    if (r->bad)
        return (struct span){NULL, 0};
    struct span copy = arena_dup(a, s);
    if (!copy.at)
        r->bad = true;
    return copy;
}

static bool recipient_unpack(struct rd *r, struct store_recipient *out, struct arena *a)
{
    out->id = rd_u64(r);
    out->notify = rd_u8(r);
    out->notice = (enum store_notice)rd_enum(r, STORE_NOTICES);
    out->attempts = rd_u32(r);
    out->due.us = rd_i64(r);
    out->tried.us = rd_i64(r);
    out->address = kept(r, a);
    out->domain = kept(r, a);
    out->return_path = kept(r, a);
    out->orcpt = kept(r, a);
    out->status = kept(r, a);
    out->reason = kept(r, a);
    out->remote = kept(r, a);
    out->diagnostic = kept(r, a);
    // An empty domain has a meaning of its own (bounces) and is nobody's.
    return !r->bad && out->address.len > 0 && out->domain.len > 0 && out->domain.len <= DOMAIN_MAX;
}

static bool recipients_unpack(struct rd *r, struct store_envelope *out, struct arena *a)
{
    size_t count = rd_u32(r);
    // Memory only for as many as the bytes that follow can hold.
    if (r->bad || count > r->rest.len / RECIPIENT_LEAST)
        return false;
    if (count == 0)
        return true;
    out->recipients = arena_alloc(a, count * sizeof(*out->recipients));
    if (!out->recipients)
        return false;
    for (; out->count < count; out->count++)
        if (!recipient_unpack(r, &out->recipients[out->count], a))
            return false;
    return true;
}

bool proc_envelope_unpack(struct rd *r, struct store_envelope *out, struct arena *a)
{
    *out = (struct store_envelope){.id = rd_u64(r)};
    out->received.us = rd_i64(r);
    out->sender = kept(r, a);
    out->client = kept(r, a);
    flags_set(out, rd_enum(r, FLAGS_END));
    out->envid = kept(r, a);
    out->ret = (uint8_t)rd_enum(r, RET_END);
    out->head = kept(r, a);
    range_unpack(r, &out->body);
    out->wrapped_key = kept(r, a);
    if (!recipients_unpack(r, out, a))
        return false;
    out->hold = kept(r, a);
    return !r->bad && out->hold.len <= HOLD_MAX;
}

void proc_attempt_pack(struct buf *b, const struct store_attempt *a)
{
    wr_i64(b, a->when.us);
    wr_u64(b, a->message);
    wr_span(b, a->sender);
    wr_span(b, a->domain);
    wr_span(b, a->recipients);
    wr_span(b, a->plan);
    wr_span(b, a->sessions);
    wr_span(b, a->decision);
    wr_span(b, a->reason);
    wr_i64(b, a->duration_us);
    wr_span(b, a->counts);
}

bool proc_attempt_unpack(struct rd *r, struct store_attempt *out)
{
    *out = (struct store_attempt){.when.us = rd_i64(r)};
    out->message = rd_u64(r);
    out->sender = rd_span(r);
    out->domain = rd_span(r);
    out->recipients = rd_span(r);
    out->plan = rd_span(r);
    out->sessions = rd_span(r);
    out->decision = rd_span(r);
    out->reason = rd_span(r);
    out->duration_us = rd_i64(r);
    out->counts = rd_span(r);
    return !r->bad;
}

void proc_outcome_pack(struct buf *b, const struct store_outcome *o)
{
    wr_u64(b, o->recipient);
    wr_u8(b, (uint8_t)o->result);
    wr_u8(b, (uint8_t)o->hop);
    wr_i64(b, o->due.us);
    wr_span(b, o->status);
    wr_span(b, o->reason);
    wr_span(b, o->remote);
    wr_span(b, o->diagnostic);
}

bool proc_outcome_unpack(struct rd *r, struct store_outcome *out)
{
    *out = (struct store_outcome){.recipient = rd_u64(r)};
    out->result = (enum store_result)rd_enum(r, STORE_RESULTS);
    out->hop = (enum store_hop)rd_enum(r, STORE_HOPS);
    out->due.us = rd_i64(r);
    out->status = rd_span(r);
    out->reason = rd_span(r);
    out->remote = rd_span(r);
    out->diagnostic = rd_span(r);
    return !r->bad;
}

// The texts of an evaluation, in their order on the wire.
static void evaluation_texts(struct store_evaluation *e, struct span *out[EVALUATION_TEXTS])
{
    struct span *const texts[EVALUATION_TEXTS] = {
        &e->client,        &e->helo,      &e->sender, &e->author,      &e->spf,
        &e->spf_domain,    &e->spf_scope, &e->dkim,   &e->arc,         &e->dmarc,
        &e->policy_domain, &e->policy,    &e->wish,   &e->disposition, &e->override_reason,
        &e->comment,       &e->about,     &e->record, &e->coarse};
    for (size_t i = 0; i < EVALUATION_TEXTS; i++)
        out[i] = texts[i];
}

void proc_evaluation_pack(struct buf *b, const struct store_evaluation *e)
{
    struct store_evaluation copy = *e;
    struct span *texts[EVALUATION_TEXTS];
    evaluation_texts(&copy, texts);
    wr_i64(b, e->when.us);
    wr_u64(b, e->message);
    for (size_t i = 0; i < EVALUATION_TEXTS; i++)
        wr_span(b, *texts[i]);
    wr_bool(b, e->spf_aligned);
    wr_bool(b, e->dkim_aligned);
    wr_bool(b, e->accepted);
}

bool proc_evaluation_unpack(struct rd *r, struct store_evaluation *out)
{
    struct span *texts[EVALUATION_TEXTS];
    *out = (struct store_evaluation){.when.us = rd_i64(r)};
    evaluation_texts(out, texts);
    out->message = rd_u64(r);
    for (size_t i = 0; i < EVALUATION_TEXTS; i++)
        *texts[i] = rd_span(r);
    out->spf_aligned = rd_bool(r);
    out->dkim_aligned = rd_bool(r);
    out->accepted = rd_bool(r);
    return !r->bad;
}
