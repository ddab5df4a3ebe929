#include "auth_arc_inner.h"

static const struct {
    const char *field, *missing, *twice;
} kinds[ARC_KINDS] = {
    [ARC_RESULTS] = {"ARC-Authentication-Results", "the authentication results are missing",
                     "there are two fields of authentication results"},
    [ARC_MESSAGE] = {"ARC-Message-Signature", "the message signature is missing",
                     "there are two message signatures"},
    [ARC_SEAL] = {"ARC-Seal", "the seal is missing", "there are two seals"},
};

static void broken(struct auth_arc *m, unsigned instance, const char *why)
{
    if (m->broken)
        return;
    m->broken = why;
    m->broken_at = instance;
}

// --- Step 1: which field belongs to which set

static bool instance_read(struct span text, unsigned *out)
{
    uint64_t n = 0;
    if (text.len > 2 || !span_number(text, AUTH_ARC_SETS_MAX, &n) || n == 0)
        return false;
    *out = (unsigned)n;
    return true;
}

// "i=N;" in front of the results (§4.1.1); *rest is what stands behind.
static bool results_instance(struct span value, unsigned *out, struct span *rest)
{
    *rest = value;
    struct span number = span_cut(rest, ';');
    struct span name = span_cut(&number, '=');
    return rest->at && span_ieq(auth_fws_trim(name), SPAN("i")) &&
           instance_read(auth_fws_trim(number), out);
}

static bool tagged_instance(struct span value, unsigned *out)
{
    struct auth_tags tags;
    return value.len <= AUTH_DKIM_FIELD_MAX && auth_tags_read(&tags, value) &&
           instance_read(auth_tags_get(&tags, SPAN("i")), out);
}

static void add_field(struct auth_arc *m, enum arc_kind kind, size_t field)
{
    struct span value = m->head.at[field].value, rest;
    unsigned instance = 0;
    if (kind == ARC_RESULTS ? !results_instance(value, &instance, &rest)
                            : !tagged_instance(value, &instance)) {
        broken(m, 0, "a field of the chain has no instance from 1 to 50");
        return;
    }
    struct arc_set *set = &m->sets[instance - 1];
    if (set->field[kind])
        broken(m, instance, kinds[kind].twice);
    set->field[kind] = field + 1;
    m->count = instance > m->count ? instance : m->count;
    if (kind == ARC_RESULTS)
        m->shown[instance - 1].results = rest;
}

static bool collect_fields(struct auth_arc *m)
{
    bool any = false;
    for (size_t i = 0; i < m->head.count; i++)
        for (unsigned k = 0; k < ARC_KINDS; k++)
            if (span_ieq(m->head.at[i].name, span_str(kinds[k].field))) {
                add_field(m, (enum arc_kind)k, i);
                any = true;
            }
    return any;
}

// --- Seals, §4.1.3

static enum arc_cv cv_read(struct span v)
{
    return span_ieq(v, SPAN("none"))   ? ARC_CV_NONE
           : span_ieq(v, SPAN("pass")) ? ARC_CV_PASS
           : span_ieq(v, SPAN("fail")) ? ARC_CV_FAIL
                                       : ARC_CV_MISSING;
}

static const char *algorithm_read(enum crypto_algorithm *out, struct span v)
{
    bool rsa = span_ieq(v, SPAN("rsa-sha256"));
    *out = rsa ? CRYPTO_RSA_SHA256 : CRYPTO_ED25519_SHA256;
    return rsa || span_ieq(v, SPAN("ed25519-sha256")) ? NULL : "unknown algorithm";
}

static bool name_read(struct dns_name *out, struct span v)
{
    return v.len > 0 && !span_ends(v, SPAN(".")) && dns_name_parse(out, v);
}

static const char *seal_value(struct auth_dkim_signature *s, const struct auth_tags *tags,
                              struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(AUTH_DKIM_FIELD_MAX);
    const char *fault = algorithm_read(&s->algorithm, auth_tags_get(tags, SPAN("a")));
    if (fault)
        return fault;
    if (!auth_base64_read(&b, auth_tags_get(tags, SPAN("b"))) || b.len == 0)
        return "b= is no base64";
    s->signature = arena_dup(a, buf_span(&b));
    return s->signature.at ? NULL : "the seals are too large";
}

static const char *seal_read(struct auth_dkim_signature *s, enum arc_cv *cv, struct span value,
                             struct arena *a)
{
    struct auth_tags tags;
    if (!auth_tags_read(&tags, value))
        return "the seal is no list of tags";
    *cv = cv_read(auth_tags_get(&tags, SPAN("cv")));
    if (!name_read(&s->domain, auth_tags_get(&tags, SPAN("d"))))
        return "d= is no domain name";
    if (!name_read(&s->selector, auth_tags_get(&tags, SPAN("s"))))
        return "s= is no selector";
    if (auth_tags_get(&tags, SPAN("h")).at)
        return "the seal has an h= tag"; // §4.1.3
    for (size_t i = 0; i < tags.count; i++)
        if (span_eq(tags.at[i].name, SPAN("b")))
            s->b_text = tags.at[i].raw;
    return seal_value(s, &tags, a);
}

// --- Step 3: the structure

static const char *cv_fault(unsigned instance, enum arc_cv cv)
{
    if (cv == ARC_CV_FAIL)
        return "the sealer found the chain broken (cv=fail)";
    if (instance == 1)
        return cv == ARC_CV_NONE ? NULL : "cv= is not none";
    return cv == ARC_CV_PASS ? NULL : "cv= is not pass";
}

static void check_set(struct auth_arc *m, unsigned instance)
{
    struct arc_set *set = &m->sets[instance - 1];
    for (unsigned k = 0; k < ARC_KINDS; k++)
        if (!set->field[k])
            broken(m, instance, kinds[k].missing);
    if (m->broken)
        return;
    set->seal.fault =
        seal_read(&set->seal.at, &set->cv, m->head.at[set->field[ARC_SEAL] - 1].value, &m->arena);
    m->shown[instance - 1].seal_domain = set->seal.at.domain;
    m->shown[instance - 1].seal_selector = set->seal.at.selector;
    if (set->seal.fault)
        broken(m, instance, set->seal.fault);
    else
        broken(m, instance, cv_fault(instance, set->cv));
}

// --- What will be verified: digests and keys

static void feed_hash(void *context, struct span s)
{
    crypto_hash_feed(context, s);
}

static void hash_free(struct crypto_hash **h)
{
    crypto_hash_free(*h);
}

static struct span field_text(const struct auth_arc *m, unsigned instance, enum arc_kind kind)
{
    return m->head.at[m->sets[instance - 1].field[kind] - 1].text;
}

// §5.1.1: all sets up to this one, its own seal last and without b=.
static struct crypto_digest seal_digest(const struct auth_arc *m, unsigned instance)
{
    CLEANUP(hash_free) struct crypto_hash *hash = crypto_hash_new();
    struct auth_sink to = {feed_hash, hash};
    for (unsigned i = 1; i <= instance; i++)
        for (unsigned k = 0; k < ARC_KINDS; k++)
            if (i < instance || k != ARC_SEAL)
                auth_canon_field(AUTH_CANON_RELAXED, field_text(m, i, (enum arc_kind)k), true, &to);
    auth_canon_own(AUTH_CANON_RELAXED, field_text(m, instance, ARC_SEAL),
                   m->sets[instance - 1].seal.at.b_text, &to);
    return crypto_hash_done(hash);
}

static struct crypto_digest message_digest(const struct auth_arc *m, unsigned instance)
{
    CLEANUP(hash_free) struct crypto_hash *hash = crypto_hash_new();
    const struct auth_dkim_signature *s = &m->sets[instance - 1].message.at;
    struct auth_sink to = {feed_hash, hash};
    auth_head_select(&m->head, s->headers, m->sets[instance - 1].field[ARC_MESSAGE] - 1, s->header,
                     &to);
    auth_canon_own(s->header, field_text(m, instance, ARC_MESSAGE), s->b_text, &to);
    return crypto_hash_done(hash);
}

static const char *ask_key(struct auth_arc *m, struct arc_signature *s)
{
    CLEANUP(buf_free) struct buf b = BUF(512);
    struct dns_name name;
    buf_put(&b, dns_name_span(&s->at.selector));
    buf_put(&b, SPAN("._domainkey"));
    if (!dns_name_prepend(&name, buf_span(&b), &s->at.domain))
        return "the key's name is too long";
    for (s->question = 0; s->question < m->questions; s->question++)
        if (dns_name_eq(&m->asked[s->question].name, &name))
            return NULL;
    m->asked[m->questions++].name = name;
    return NULL;
}

static const char *message_read(struct auth_arc *m, struct arc_signature *s, struct span value)
{
    static const char *const own[] = {"ARC-Seal", "ARC-Message-Signature",
                                      "ARC-Authentication-Results"};
    const char *fault = auth_dkim_signature_read(&s->at, value, AUTH_ARC_SIGNATURE, &m->arena);
    if (!fault && !s->at.signature.at)
        fault = "the signatures are too large";
    for (size_t i = 0; i < ARC_KINDS && !fault; i++)
        if (auth_list_has(s->at.headers, ':', span_str(own[i])))
            fault = "it signs fields of the chain"; // §4.1.2
    return fault;
}

static void prepare_message(struct auth_arc *m, unsigned instance)
{
    struct arc_set *set = &m->sets[instance - 1];
    struct arc_signature *s = &set->message;
    s->fault = message_read(m, s, m->head.at[set->field[ARC_MESSAGE] - 1].value);
    m->shown[instance - 1].message_domain = s->at.domain;
    m->shown[instance - 1].message_selector = s->at.selector;
    if (!s->fault)
        s->fault = ask_key(m, s);
    if (s->fault)
        return;
    s->body_hash = auth_body_want(&m->body, s->at.body, AUTH_BODY_WHOLE);
    s->digest = message_digest(m, instance);
}

static void prepare(struct auth_arc *m)
{
    for (unsigned i = m->count; i > 0; i--) {
        prepare_message(m, i);
        if (i == m->count && m->sets[i - 1].message.fault) {
            broken(m, i, m->sets[i - 1].message.fault);
            m->questions = 0; // the answer is known
            return;
        }
    }
    for (unsigned i = m->count; i > 0; i--) {
        struct arc_signature *s = &m->sets[i - 1].seal;
        s->fault = ask_key(m, s);
        s->digest = seal_digest(m, i);
    }
}

// A header that is no list of fields: there may be a chain in it, and it fails.
static bool may_have_chain(struct span bytes)
{
    for (; bytes.at; (void)span_cut(&bytes, '\n'))
        for (unsigned k = 0; k < ARC_KINDS; k++)
            if (span_istarts(bytes, span_str(kinds[k].field)))
                return true;
    return false;
}

void arc_collect(struct auth_arc *m)
{
    const char *fault = m->split.too_large ? "the header is too large" : m->head.fault;
    if (fault) {
        if (m->split.too_large || may_have_chain(buf_span(&m->split.head)))
            broken(m, 0, fault);
        return;
    }
    if (!collect_fields(m) || m->broken)
        return;
    // Step 2 comes first: a chain sealed as broken is that, whatever else it is.
    for (unsigned i = m->count; i > 0 && !m->broken; i--)
        check_set(m, i);
    if (!m->broken)
        prepare(m);
}
