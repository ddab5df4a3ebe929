#include "auth_dkim.h"

#include "auth_body.h"
#include "auth_head.h"

#include <stdlib.h>

struct question {
    struct dns_name name;
    bool asked, answered;
    enum dns_standing standing;
    enum auth_result fault_result; // with .fault: there is no key to try
    const char *fault;
    size_t count;
    struct auth_dkim_key keys[AUTH_DKIM_KEYS_MAX];
    const char *key_faults[AUTH_DKIM_KEYS_MAX]; // by record; NULL: usable
};

struct evaluation {
    struct auth_dkim_result result;
    bool given_up; // result is final before any answer
    size_t question, body_hash;
    struct crypto_digest header_hash;
};

struct auth_dkim {
    struct auth_dkim_options options;
    struct arena arena;
    struct auth_split split;
    struct auth_head head;
    bool head_read, ended, judged;
    size_t count, questions;
    struct evaluation at[AUTH_DKIM_RESULTS_MAX];
    struct question asked[AUTH_DKIM_SIGNATURES_MAX];
    struct auth_body body;
};

enum { VERIFIER_ARENA = 1 << 20 };

static unsigned or_else(unsigned n, unsigned otherwise)
{
    return n ? n : otherwise;
}

struct auth_dkim *auth_dkim_new(const struct auth_dkim_options *o)
{
    struct auth_dkim *d = mem_new(sizeof *d);
    d->options = *o;
    unsigned most = or_else(o->signatures_max, AUTH_DKIM_SIGNATURES_MAX);
    d->options.signatures_max = most < AUTH_DKIM_SIGNATURES_MAX ? most : AUTH_DKIM_SIGNATURES_MAX;
    d->options.rsa_bits_min = or_else(o->rsa_bits_min, AUTH_DKIM_RSA_BITS_MIN);
    d->options.service = o->service ? o->service : "email";
    d->arena = ARENA(VERIFIER_ARENA);
    d->split = AUTH_SPLIT;
    return d;
}

void auth_dkim_free(struct auth_dkim *d)
{
    if (!d)
        return;
    for (size_t q = 0; q < d->questions; q++)
        for (size_t k = 0; k < AUTH_DKIM_KEYS_MAX; k++)
            crypto_public_free(d->asked[q].keys[k].key);
    auth_body_free(&d->body);
    auth_split_free(&d->split);
    arena_free(&d->arena);
    free(d);
}

static void give_up(struct evaluation *e, enum auth_result result, const char *reason)
{
    e->given_up = true;
    e->result.result = result;
    e->result.reason = reason;
}

static void feed_hash(void *context, struct span s)
{
    crypto_hash_feed(context, s);
}

static void hash_free(struct crypto_hash **h)
{
    crypto_hash_free(*h);
}

// RFC 6376 §3.7: the fields that h= selects, then the signature without b=.
static struct crypto_digest hash_header(const struct auth_head *head, size_t own,
                                        const struct auth_dkim_signature *s)
{
    CLEANUP(hash_free) struct crypto_hash *hash = crypto_hash_new();
    struct auth_sink to = {feed_hash, hash};
    auth_head_select(head, s->headers, own, s->header, &to);
    auth_canon_own(s->header, head->at[own].text, s->b_text, &to);
    return crypto_hash_done(hash);
}

// Signatures with the same key share its question.
static size_t question_for(struct auth_dkim *d, const struct dns_name *name)
{
    for (size_t i = 0; i < d->questions; i++)
        if (dns_name_eq(&d->asked[i].name, name))
            return i;
    d->asked[d->questions].name = *name;
    return d->questions++;
}

static bool key_name(struct dns_name *out, const struct auth_dkim_signature *s)
{
    CLEANUP(buf_free) struct buf b = BUF(512);
    buf_put(&b, dns_name_span(&s->selector));
    buf_put(&b, SPAN("._domainkey"));
    return dns_name_prepend(out, buf_span(&b), &s->domain);
}

static void begin_evaluation(struct auth_dkim *d, struct evaluation *e)
{
    static const char *const algorithms[] = {
        [CRYPTO_RSA_SHA256] = "rsa-sha256", [CRYPTO_ED25519_SHA256] = "ed25519-sha256"};
    struct auth_dkim_signature *s = &e->result.signature;
    struct dns_name name;
    const char *fault =
        auth_dkim_signature_read(s, d->head.at[e->result.field].value, d->options.form, &d->arena);
    e->result.named = s->domain.len && s->selector.len;
    if (!fault && (!s->identity.at || !s->signature.at))
        fault = "the signatures are too large"; // the arena is full
    if (!fault && !key_name(&name, s))
        fault = "the key's name is too long";
    if (fault) {
        give_up(e, AUTH_PERMERROR, fault);
        return;
    }
    e->result.algorithm = algorithms[s->algorithm];
    e->question = question_for(d, &name);
    e->body_hash = auth_body_want(&d->body, s->body, s->limited ? s->length : AUTH_BODY_WHOLE);
    e->header_hash = hash_header(&d->head, e->result.field, s);
}

static void add_field(struct auth_dkim *d, size_t field)
{
    if (d->count == AUTH_DKIM_RESULTS_MAX)
        return;
    struct evaluation *e = &d->at[d->count++];
    e->result.field = field;
    if (d->count > d->options.signatures_max)
        give_up(e, AUTH_POLICY, "too many signatures");
    else
        begin_evaluation(d, e);
}

// In a header that is no list of fields: is there a line that begins like one?
static bool may_be_signed(struct span bytes, struct span field)
{
    while (bytes.at) {
        if (span_istarts(bytes, field))
            return true;
        (void)span_cut(&bytes, '\n');
    }
    return false;
}

static void read_head(struct auth_dkim *d)
{
    struct span field = d->options.form == AUTH_ARC_SIGNATURE ? SPAN("ARC-Message-Signature")
                                                              : SPAN("DKIM-Signature");
    d->head_read = true;
    auth_head_read(&d->head, buf_span(&d->split.head), &d->arena);
    const char *fault = d->split.too_large ? "the header is too large" : d->head.fault;
    for (size_t i = 0; i < d->head.count && !fault; i++)
        if (span_ieq(d->head.at[i].name, field))
            add_field(d, i);
    if (fault && (d->split.too_large || may_be_signed(buf_span(&d->split.head), field)))
        give_up(&d->at[d->count++], AUTH_PERMERROR, fault);
}

void auth_dkim_feed(struct auth_dkim *d, struct span chunk)
{
    struct span body = auth_split_feed(&d->split, chunk);
    if (d->split.done && !d->head_read)
        read_head(d);
    if (body.len)
        auth_body_feed(&d->body, body);
}

void auth_dkim_end(struct auth_dkim *d)
{
    if (d->ended)
        return;
    if (!d->head_read)
        read_head(d); // no empty line: all was header
    auth_body_end(&d->body);
    d->ended = true;
}

static void no_key(struct question *q, enum auth_result result, const char *fault)
{
    q->fault_result = result;
    q->fault = fault;
}

// A key for TLS reports alone is read as well: whoever they are for is told of it.
static const char *read_key(struct auth_dkim_key *out, struct span record, struct span service)
{
    const char *fault = auth_dkim_key_read(out, record, service);
    if (!fault || !out->tlsrpt)
        return fault;
    fault = auth_dkim_key_read(out, record, SPAN("tlsrpt"));
    out->aside = true;
    return fault;
}

static void read_keys(struct auth_dkim *d, struct question *q, const struct dns_answer *a)
{
    struct span service = span_str(d->options.service);
    for (size_t i = 0; i < a->count && q->count < AUTH_DKIM_KEYS_MAX; i++, q->count++)
        q->key_faults[q->count] = read_key(&q->keys[q->count], a->records[i].data, service);
    if (q->count == 0)
        no_key(q, AUTH_PERMERROR, "the key record cannot be read");
}

void auth_dkim_answer(struct auth_dkim *d, unsigned ticket, const struct dns_answer *a)
{
    struct question *q = ticket < d->questions ? &d->asked[ticket] : NULL;
    if (!q || !q->asked || q->answered)
        return;
    q->answered = true;
    q->standing = a->standing;
    if (a->standing == DNS_BOGUS)
        no_key(q, AUTH_TEMPERROR, "the key's DNS answer is bogus");
    else if (a->standing == DNS_INDETERMINATE || a->presence == DNS_NO_ANSWER)
        no_key(q, AUTH_TEMPERROR, "the key could not be looked up");
    else if (a->presence != DNS_DATA)
        no_key(q, AUTH_PERMERROR, "there is no key");
    else
        read_keys(d, q, a);
}

// Why this record's key is not the one to verify with, or NULL.
static const char *unfit(const struct auth_dkim_key *k, const char *fault,
                         const struct auth_dkim_signature *s)
{
    if (fault)
        return fault;
    if (k->algorithm != s->algorithm)
        return "the key is of another type";
    if (k->strict && !s->instance && !dns_name_eq(&s->identity_domain, &s->domain))
        return "i= is below d=, which the key forbids";
    return NULL;
}

static bool from_is_covered(const struct auth_dkim *d, const struct auth_dkim_signature *s)
{
    size_t named = 0;
    for (struct span rest = s->headers; rest.at;)
        named += span_ieq(auth_list_next(&rest, ':'), SPAN("From"));
    return auth_head_count(&d->head, SPAN("From")) <= named;
}

static bool length_taken(const struct auth_dkim *d, const struct auth_dkim_result *r)
{
    return !r->signature.limited || d->options.length == AUTH_DKIM_LENGTH_ACCEPT ||
           (d->options.length == AUTH_DKIM_LENGTH_WHOLE && r->signature.length == r->body_length);
}

// What we do not take although it verifies (RFC 8601 §2.7.1 "policy"), or NULL.
static const char *objection(const struct auth_dkim *d, const struct auth_dkim_result *r)
{
    const struct auth_dkim_signature *s = &r->signature;
    int64_t now = (d->options.now.us - d->options.skew) / US_PER_S;
    if (s->algorithm == CRYPTO_RSA_SHA256 && r->key_bits < d->options.rsa_bits_min)
        return "the key is too short";
    if (s->expires && now > s->expiry)
        return "the signature has expired";
    if (!from_is_covered(d, s))
        return "a From field is not signed"; // RFC 6376 §8.15
    if (!length_taken(d, r))
        return "l= leaves the end of the body open";
    return NULL;
}

static void verdict(struct auth_dkim_result *r, enum auth_result result, const char *reason)
{
    r->result = result;
    r->reason = reason;
}

static void judge_with_key(const struct auth_dkim *d, struct evaluation *e,
                           const struct auth_dkim_key *k)
{
    struct auth_dkim_result *r = &e->result;
    const struct auth_body_hash *body = &d->body.hashes[e->body_hash];
    r->key_bits = k->bits;
    r->weak_key = k->algorithm == CRYPTO_RSA_SHA256 && k->bits < AUTH_DKIM_RSA_BITS_GOOD;
    r->testing = k->testing;
    r->tlsrpt = k->tlsrpt;
    if (r->signature.limited && r->signature.length > r->body_length)
        verdict(r, AUTH_PERMERROR, "l= is larger than the body");
    else if (!span_eq(SPAN_OF(body->digest.at), SPAN_OF(r->signature.body_hash.at)))
        verdict(r, AUTH_FAIL, "the body hash does not match");
    else if (!crypto_verify(k->key, &e->header_hash, r->signature.signature))
        verdict(r, AUTH_FAIL, "the signature does not match");
    else if (objection(d, r))
        verdict(r, AUTH_POLICY, objection(d, r));
    else if (k->aside)
        verdict(r, AUTH_POLICY, AUTH_DKIM_TLSRPT_ONLY);
    else
        verdict(r, AUTH_PASS, r->weak_key ? "RSA key below 2048 bits" : NULL);
}

// Several records at one name: whichever verifies (RFC 6376 §3.6.2.2).
static void judge(const struct auth_dkim *d, struct evaluation *e)
{
    const struct question *q = &d->asked[e->question];
    const char *why = q->fault;
    bool tried = false;
    e->result.key_standing = q->standing;
    e->result.body_length = auth_body_len(&d->body, e->body_hash);
    verdict(&e->result, q->fault_result, q->fault);
    for (size_t i = 0; i < q->count && e->result.result != AUTH_PASS; i++) {
        const char *no = unfit(&q->keys[i], q->key_faults[i], &e->result.signature);
        if (!no)
            judge_with_key(d, e, &q->keys[i]);
        tried = tried || !no;
        why = why ? why : no;
    }
    if (!tried && !q->fault)
        verdict(&e->result, AUTH_PERMERROR, why);
}

static bool all_answered(const struct auth_dkim *d)
{
    for (size_t i = 0; i < d->questions; i++)
        if (!d->asked[i].answered)
            return false;
    return true;
}

static void judge_all(struct auth_dkim *d)
{
    d->judged = true;
    for (size_t i = 0; i < d->count; i++)
        if (!d->at[i].given_up)
            judge(d, &d->at[i]);
}

struct auth_step auth_dkim_next(struct auth_dkim *d)
{
    for (unsigned i = 0; i < d->questions; i++) {
        if (d->asked[i].asked)
            continue;
        d->asked[i].asked = true;
        return (struct auth_step){AUTH_ASK_DNS, i, {d->asked[i].name, DNS_TXT}};
    }
    if (!d->ended || !all_answered(d))
        return (struct auth_step){.kind = AUTH_WAIT};
    if (!d->judged)
        judge_all(d);
    return (struct auth_step){.kind = AUTH_DONE};
}

size_t auth_dkim_count(const struct auth_dkim *d)
{
    return d->judged ? d->count : 0;
}

const struct auth_dkim_result *auth_dkim_result(const struct auth_dkim *d, size_t i)
{
    return &d->at[i].result;
}

enum auth_result auth_dkim_overall(const struct auth_dkim *d)
{
    static const enum auth_result best_first[] = {AUTH_PASS, AUTH_TEMPERROR, AUTH_POLICY, AUTH_FAIL,
                                                  AUTH_PERMERROR};
    for (size_t r = 0; r < sizeof best_first / sizeof best_first[0]; r++)
        for (size_t i = 0; i < auth_dkim_count(d); i++)
            if (d->at[i].result.result == best_first[r])
                return best_first[r];
    return AUTH_NONE;
}
