#include "proc_receiver_sign.h"

#include "auth_dkim_sign.h"
#include "auth_from.h"
#include "auth_head.h"
#include "base_log.h"
#include "crypto_sign.h"
#include "proc_signers.h"

#include <stdlib.h>

struct one_key {
    struct dns_name selector;
    char sender[AUTH_SENDER_MAX + 1];
    struct crypto_private *key;
};

struct receiver_keys {
    unsigned users;
    int64_t lifetime;
    bool below;
    struct buf oversign; // "From:Subject", a C string
    size_t count;
    struct auth_signing *rules; // of each
    struct one_key at[];
};

struct receiver_sign {
    struct receiver_keys *keys;
    struct wall now;
    struct dns_name domain; // root: the author's
    unsigned service;
    struct auth_split split;
    struct buf above;
    bool chosen;
    struct auth_signer *signer;      // NULL: nobody's message
    size_t with[AUTH_SIGN_KEYS_MAX]; // of keys->at
};

// ---- keys ----

static bool key_read(struct one_key *out, struct auth_signing *rule, struct rd *r)
{
    struct proc_signer s;
    if (!proc_signer_unpack(r, &s) || !span_copy(out->sender, sizeof out->sender, s.sender))
        return false;
    rule->sender = span_str(out->sender);
    rule->services = s.services;
    return dns_name_parse(&rule->domain, s.domain) && dns_name_parse(&out->selector, s.selector) &&
           rc_ok(crypto_private_read(&out->key, s.pem));
}

static void put_oversign(struct buf *b, const struct conf *c)
{
    for (size_t i = 0; i < conf_count(c, CONF_dkim_oversign); i++)
        buf_printf(b, "%s%.*s", i ? ":" : "", SPAN_FMT(conf_item(c, CONF_dkim_oversign, i)));
}

struct receiver_keys *receiver_keys_new(const struct proc *p)
{
    struct rd r = RD(p->signers);
    size_t count = p->signers.len ? rd_u16(&r) : 0;
    if (count == 0)
        return NULL;
    struct receiver_keys *k = mem_new(sizeof *k + count * sizeof k->at[0]);
    k->rules = mem_new(count * sizeof *k->rules);
    k->users = 1;
    k->below = conf_bool(p->conf, CONF_dkim_below);
    k->lifetime = conf_int(p->conf, CONF_dkim_lifetime);
    k->oversign = BUF(16 << 10);
    put_oversign(&k->oversign, p->conf);
    for (size_t i = 0; i < count && !r.bad; i++)
        if (key_read(&k->at[k->count], &k->rules[k->count], &r))
            k->count++;
        else // the master has tried it
            LOG(LOG_ERROR, "key-unusable", LOG_I("number", i));
    return k;
}

void receiver_keys_release(struct receiver_keys *k)
{
    if (!k || --k->users)
        return;
    for (size_t i = 0; i < k->count; i++)
        crypto_private_free(k->at[i].key);
    buf_free(&k->oversign);
    free(k->rules);
    free(k);
}

// ---- a message ----

struct receiver_sign *receiver_sign_new(struct receiver_keys *k, struct wall now,
                                        struct span domain, unsigned service)
{
    struct receiver_sign *s = mem_new(sizeof *s);
    s->keys = k;
    k->users++;
    s->now = now;
    s->service = service;
    s->split = AUTH_SPLIT;
    s->above = BUF(4096);
    if (domain.len && !dns_name_parse_host(&s->domain, domain))
        s->domain = (struct dns_name){0};
    return s;
}

void receiver_sign_free(struct receiver_sign *s)
{
    if (!s)
        return;
    auth_signer_free(s->signer);
    auth_split_free(&s->split);
    buf_free(&s->above);
    receiver_keys_release(s->keys);
    free(s);
}

static bool author_of(struct span bytes, struct auth_signing *out,
                      char sender[static AUTH_SENDER_MAX + 1])
{
    enum { FROM_MAX = 2 }; // two are as wrong as more
    CLEANUP(arena_free) struct arena a = ARENA(AUTH_HEAD_MAX);
    struct auth_head head;
    struct auth_from from;
    struct span values[FROM_MAX];
    size_t count = 0;
    auth_head_read(&head, bytes, &a);
    for (size_t i = 0; i < head.count && count < FROM_MAX; i++)
        if (span_ieq(head.at[i].name, SPAN("From")))
            values[count++] = head.at[i].value;
    auth_from_read(&from, values, count);
    out->domain = from.domain;
    if (span_copy(sender, AUTH_SENDER_MAX + 1, from.local))
        out->sender = span_str(sender);
    return !head.fault && from.problem == AUTH_FROM_OK;
}

static size_t keys_of(struct receiver_sign *s, const struct auth_signing *message,
                      struct auth_sign_key *out)
{
    const struct receiver_keys *all = s->keys;
    size_t n = auth_signing_choose(all->rules, all->count, message, all->below, s->with,
                                   AUTH_SIGN_KEYS_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct one_key *k = &all->at[s->with[i]];
        out[i] = (struct auth_sign_key){.algorithm = crypto_private_algorithm(k->key),
                                        .domain = all->rules[s->with[i]].domain,
                                        .selector = k->selector};
    }
    return n;
}

static void choose(struct receiver_sign *s)
{
    struct auth_sign_key keys[AUTH_SIGN_KEYS_MAX];
    struct auth_signing message = {.domain = s->domain, .services = s->service};
    char sender[AUTH_SENDER_MAX + 1] = "";
    s->chosen = true;
    if (dns_name_is_root(&s->domain) && !author_of(buf_span(&s->split.head), &message, sender))
        return;
    size_t count = keys_of(s, &message, keys);
    if (count == 0)
        return;
    s->signer =
        auth_signer_new(&(struct auth_sign_options){.now = s->now,
                                                    .lifetime = s->keys->lifetime,
                                                    .oversigned = buf_str(&s->keys->oversign),
                                                    .keys = keys,
                                                    .count = count});
    auth_signer_feed(s->signer, buf_span(&s->above));
    auth_signer_feed(s->signer, buf_span(&s->split.head));
}

void receiver_sign_above(struct receiver_sign *s, struct span fields)
{
    buf_put(&s->above, fields);
}

void receiver_sign_feed(struct receiver_sign *s, struct span piece)
{
    struct span body = auth_split_feed(&s->split, piece);
    if (s->split.done && !s->chosen)
        choose(s);
    if (s->signer && body.len)
        auth_signer_feed(s->signer, body);
}

static struct rc sign_one(void *context, unsigned key, const struct crypto_digest *d,
                          struct buf *signature)
{
    const struct receiver_sign *s = context;
    return crypto_sign(s->keys->at[s->with[key]].key, d, signature);
}

void receiver_sign_end(struct receiver_sign *s, struct buf *head)
{
    if (!s->chosen)
        choose(s);
    if (!s->signer)
        return;
    auth_signer_end(s->signer);
    auth_signer_run(s->signer, sign_one, s);
    struct rc rc = auth_signer_put(s->signer, head);
    if (!rc_ok(rc)) // it goes out as it is: nobody is harmed but its reputation
        LOG(LOG_WARN, "not-signed",
            LOG_S("domain", dns_name_span(&s->keys->rules[s->with[0]].domain)),
            LOG_T("why", rc_text(rc)));
}
