#include "auth_dkim_sign.h"

#include "auth_body.h"
#include "auth_head.h"
#include "auth_tags.h"
#include "base_code.h"

#include <stdlib.h>

enum {
    COLUMNS = 78,
    LIST_MAX = 16 << 10, // h=, so that the field can be read by us
    FIELD_MAX = 24 << 10,
    SIGNER_ARENA = 128 << 10,
};

struct signing {
    struct auth_sign_key key;
    struct buf field; // without the signature, ends behind "b="
    size_t column;    // where it ends
    struct buf signature;
    struct crypto_digest digest;
    bool asked, answered;
};

struct auth_signer {
    struct auth_sign_options options;
    struct arena arena;
    struct auth_split split;
    struct auth_head head;
    struct buf list; // h=
    struct auth_body body;
    size_t body_hash;
    bool ended, unfit;
    struct signing at[AUTH_SIGN_KEYS_MAX];
};

struct auth_signer *auth_signer_new(const struct auth_sign_options *o)
{
    if (o->count > AUTH_SIGN_KEYS_MAX)
        panic("%zu keys to sign with", o->count);
    struct auth_signer *s = mem_new(sizeof *s);
    s->options = *o;
    s->options.headers = o->headers ? o->headers : AUTH_SIGN_HEADERS;
    s->options.oversigned = o->oversigned ? o->oversigned : AUTH_SIGN_OVERSIGNED;
    s->arena = ARENA(SIGNER_ARENA);
    s->split = AUTH_SPLIT;
    s->list = BUF(LIST_MAX);
    s->body_hash = auth_body_want(&s->body, o->body, AUTH_BODY_WHOLE);
    for (size_t i = 0; i < o->count; i++)
        s->at[i] = (struct signing){o->keys[i], .field = BUF(FIELD_MAX),
                                    .signature = BUF(CRYPTO_SIGNATURE_MAX)};
    s->options.keys = NULL;
    return s;
}

void auth_signer_free(struct auth_signer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->options.count; i++) {
        buf_free(&s->at[i].field);
        buf_free(&s->at[i].signature);
    }
    buf_free(&s->list);
    auth_body_free(&s->body);
    auth_split_free(&s->split);
    arena_free(&s->arena);
    free(s);
}

void auth_signer_feed(struct auth_signer *s, struct span chunk)
{
    struct span body = auth_split_feed(&s->split, chunk);
    if (body.len)
        auth_body_feed(&s->body, body);
}

static void list_add(struct auth_signer *s, struct span name, size_t times)
{
    for (; times; times--) {
        if (s->list.len)
            buf_putc(&s->list, ':');
        buf_put(&s->list, name);
    }
}

// A name of either list, once however often it stands there.
static void list_name(struct auth_signer *s, struct span name)
{
    struct span over = span_str(s->options.oversigned);
    bool more = auth_list_has(over, ':', name) || span_ieq(name, SPAN("From"));
    if (name.len && !(s->list.len && auth_list_has(buf_span(&s->list), ':', name)))
        list_add(s, name, auth_head_count(&s->head, name) + more);
}

static void make_list(struct auth_signer *s)
{
    list_name(s, SPAN("From"));
    for (struct span rest = span_str(s->options.headers); rest.at;)
        list_name(s, auth_list_next(&rest, ':'));
    for (struct span rest = span_str(s->options.oversigned); rest.at;)
        list_name(s, auth_list_next(&rest, ':'));
}

// One piece that stays together, behind a blank or, where it does not fit, in a
// new line; `glued` pieces need no blank.
static void piece(struct signing *g, struct span text, bool glued)
{
    bool fold = g->column + !glued + text.len > COLUMNS;
    if (fold)
        buf_put(&g->field, SPAN("\r\n\t"));
    else if (!glued)
        buf_putc(&g->field, ' ');
    g->column = (fold ? 1 : g->column + !glued) + text.len;
    buf_put(&g->field, text);
}

static void tag(struct signing *g, const char *name, struct span value)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    buf_printf(&b, "%s=%.*s;", name, SPAN_FMT(value));
    piece(g, buf_span(&b), false);
}

static void tag_time(struct signing *g, const char *name, int64_t us)
{
    CLEANUP(buf_free) struct buf b = BUF(40);
    buf_printf(&b, "%lld", (long long)(us / US_PER_S));
    tag(g, name, buf_span(&b));
}

static void tag_headers(struct signing *g, struct span list)
{
    CLEANUP(buf_free) struct buf b = BUF(LIST_MAX);
    for (bool first = true; list.at; first = false) {
        struct span name = span_cut(&list, ':');
        buf_clear(&b);
        buf_printf(&b, "%s%.*s%c", first ? "h=" : "", SPAN_FMT(name), list.at ? ':' : ';');
        piece(g, buf_span(&b), !first);
    }
}

static void tag_canon(struct signing *g, const struct auth_sign_options *o)
{
    CLEANUP(buf_free) struct buf b = BUF(40);
    buf_printf(&b, "%s/%s", auth_canon_text(o->header), auth_canon_text(o->body));
    tag(g, "c", buf_span(&b));
}

// The whole field but for the signature. That b= comes last and has nothing
// around its value spares verifiers every doubt about what to leave out.
static void write_field(const struct auth_signer *s, struct signing *g)
{
    CLEANUP(buf_free) struct buf hash = BUF(64);
    bool rsa = g->key.algorithm == CRYPTO_RSA_SHA256;
    buf_put(&g->field, SPAN("DKIM-Signature: v=1;"));
    g->column = g->field.len;
    tag(g, "a", rsa ? SPAN("rsa-sha256") : SPAN("ed25519-sha256"));
    tag_canon(g, &s->options);
    tag(g, "d", dns_name_span(&g->key.domain));
    tag(g, "s", dns_name_span(&g->key.selector));
    if (g->key.identity)
        tag(g, "i", span_str(g->key.identity));
    tag_time(g, "t", s->options.now.us);
    if (s->options.lifetime)
        tag_time(g, "x", s->options.now.us + s->options.lifetime);
    tag_headers(g, buf_span(&s->list));
    code_put_base64(&hash, SPAN_OF(s->body.hashes[s->body_hash].digest.at));
    tag(g, "bh", buf_span(&hash));
    buf_put(&g->field, SPAN("\r\n\tb="));
    g->column = 3;
}

static void feed_hash(void *context, struct span s)
{
    crypto_hash_feed(context, s);
}

static void make_digest(const struct auth_signer *s, struct signing *g)
{
    struct crypto_hash *hash = crypto_hash_new();
    struct auth_sink to = {feed_hash, hash};
    auth_head_select(&s->head, buf_span(&s->list), SIZE_MAX, s->options.header, &to);
    auth_canon_field(s->options.header, buf_span(&g->field), false, &to);
    g->digest = crypto_hash_done(hash);
    crypto_hash_free(hash);
}

void auth_signer_end(struct auth_signer *s)
{
    if (s->ended)
        return;
    s->ended = true;
    auth_body_end(&s->body);
    auth_head_read(&s->head, buf_span(&s->split.head), &s->arena);
    make_list(s);
    s->unfit = s->split.too_large || s->head.fault || !rc_ok(buf_state(&s->list)) ||
               auth_head_count(&s->head, SPAN("From")) == 0;
    for (size_t i = 0; i < s->options.count && !s->unfit; i++) {
        write_field(s, &s->at[i]);
        make_digest(s, &s->at[i]);
        s->unfit = !rc_ok(buf_state(&s->at[i].field));
    }
}

struct auth_sign_step auth_signer_next(struct auth_signer *s)
{
    bool wait = !s->ended;
    for (unsigned i = 0; i < s->options.count && s->ended && !s->unfit; i++) {
        struct signing *g = &s->at[i];
        if (!g->asked) {
            g->asked = true;
            return (struct auth_sign_step){AUTH_SIGN_ASK, i, g->digest};
        }
        wait = wait || !g->answered;
    }
    return (struct auth_sign_step){.kind = wait ? AUTH_SIGN_WAIT : AUTH_SIGN_DONE};
}

void auth_signer_answer(struct auth_signer *s, unsigned ticket, struct span signature)
{
    struct signing *g = ticket < s->options.count ? &s->at[ticket] : NULL;
    if (!g || !g->asked || g->answered)
        return;
    g->answered = true;
    if (signature.len)
        buf_put(&g->signature, signature);
    if (!rc_ok(buf_state(&g->signature)))
        buf_clear(&g->signature); // larger than any
}

static void put_field(const struct signing *g, struct buf *b)
{
    CLEANUP(buf_free) struct buf text = BUF(2 * CRYPTO_SIGNATURE_MAX);
    code_put_base64(&text, buf_span(&g->signature));
    struct span rest = buf_span(&text);
    buf_put(b, buf_span(&g->field));
    for (size_t room = COLUMNS - g->column; rest.len; room = COLUMNS - 1) {
        buf_put(b, span_first(rest, room));
        rest = span_skip(rest, room);
        if (rest.len)
            buf_put(b, SPAN("\r\n\t"));
    }
    buf_put(b, SPAN("\r\n"));
}

struct rc auth_signer_put(const struct auth_signer *s, struct buf *b)
{
    bool all = true;
    if (s->unfit)
        return RC(MALFORMED);
    for (size_t i = 0; i < s->options.count; i++) {
        if (s->at[i].signature.len)
            put_field(&s->at[i], b);
        all = all && s->at[i].signature.len;
    }
    TRY(buf_state(b));
    return all ? RC(OK) : RC(UNAVAILABLE);
}

void auth_signer_run(struct auth_signer *s, auth_sign_fn *sign, void *context)
{
    struct auth_sign_step step = auth_signer_next(s);
    for (; step.kind == AUTH_SIGN_ASK; step = auth_signer_next(s)) {
        CLEANUP(buf_free) struct buf signature = BUF(CRYPTO_SIGNATURE_MAX);
        struct rc rc = sign(context, step.ticket, &step.digest, &signature);
        auth_signer_answer(s, step.ticket, rc_ok(rc) ? buf_span(&signature) : SPAN(""));
    }
}
