#include "arc_help.h"

#include "auth_head.h"
#include "base_code.h"
#include "crypto_sign.h"
#include "dkim_help.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 51 };

struct chain {
    struct buf body;
    unsigned count;
    struct buf fields[STEPS_MAX][3]; // results, message signature, seal
};

static void chain_free(struct chain *c)
{
    buf_free(&c->body);
    for (unsigned i = 0; i < STEPS_MAX; i++)
        for (unsigned k = 0; k < 3; k++)
            buf_free(&c->fields[i][k]);
}

static void feed_hash(void *context, struct span s)
{
    crypto_hash_feed(context, s);
}

static struct crypto_digest body_hash(const struct chain *c)
{
    struct crypto_hash *h = crypto_hash_new();
    struct auth_canon_body body = {.how = AUTH_CANON_RELAXED, .to = {feed_hash, h}};
    auth_canon_body_feed(&body, buf_span(&c->body));
    auth_canon_body_end(&body);
    struct crypto_digest d = crypto_hash_done(h);
    crypto_hash_free(h);
    return d;
}

// Reading a key checks it, which takes its time: once.
static const struct crypto_private *key_of(const char *pem)
{
    static struct crypto_private *keys[2];
    bool ed = pem == help_ed25519;
    if (!keys[ed] && !rc_ok(crypto_private_read(&keys[ed], span_str(pem))))
        panic("no key");
    return keys[ed];
}

// Signs what was fed, and the field itself, into the field's b=.
static void sign(struct crypto_hash *h, struct buf *field, const char *pem)
{
    CLEANUP(buf_free) struct buf signature = BUF(1024);
    struct auth_sink to = {feed_hash, h};
    auth_canon_field(AUTH_CANON_RELAXED, buf_span(field), false, &to);
    struct crypto_digest d = crypto_hash_done(h);
    crypto_hash_free(h);
    if (!rc_ok(crypto_sign(key_of(pem), &d, &signature)))
        panic("cannot sign");
    code_put_base64(field, buf_span(&signature));
}

static void add_signature(struct chain *c, unsigned i, const char *algorithm, const char *pem)
{
    struct buf *f = &c->fields[i - 1][1];
    struct crypto_hash *h = crypto_hash_new();
    struct auth_sink to = {feed_hash, h};
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct auth_head head;
    struct crypto_digest bh = body_hash(c);
    auth_head_read(&head, SPAN(ARC_HELP_HEAD), &a);
    buf_printf(f, "ARC-Message-Signature: i=%u; a=%s; c=relaxed/relaxed; d=s%u.example; s=k; ", i,
               algorithm, i);
    buf_printf(f, "h=from:subject; bh=");
    code_put_base64(f, SPAN_OF(bh.at));
    buf_printf(f, "; b=");
    auth_head_select(&head, SPAN("from:subject"), SIZE_MAX, AUTH_CANON_RELAXED, &to);
    sign(h, f, pem);
}

static void add_seal(struct chain *c, unsigned i, const char *algorithm, const char *cv,
                     const char *pem)
{
    struct buf *f = &c->fields[i - 1][2];
    struct crypto_hash *h = crypto_hash_new();
    struct auth_sink to = {feed_hash, h};
    buf_printf(f, "ARC-Seal: i=%u; a=%s; cv=%s; d=s%u.example; s=k; t=1; b=", i, algorithm, cv, i);
    for (unsigned n = 1; n <= i; n++)
        for (unsigned k = 0; k < 3; k++)
            if (n < i || k < 2)
                auth_canon_field(AUTH_CANON_RELAXED, buf_span(&c->fields[n - 1][k]), true, &to);
    sign(h, f, pem);
}

static void add_step(struct chain *c, struct span step)
{
    char cv[16];
    unsigned i = ++c->count;
    struct span flags = step, word = span_cut(&flags, '+');
    bool ed = false, failed = false, other = false;
    if (!span_copy(cv, sizeof cv, word))
        panic("a long word");
    for (size_t n = 0; n < flags.len; n++) {
        ed = ed || flags.at[n] == 'e';
        failed = failed || flags.at[n] == 'f';
        other = other || flags.at[n] == 'q';
        if (flags.at[n] == 'b')
            buf_printf(&c->body, "list footer %u\r\n", i);
    }
    for (unsigned k = 0; k < 3; k++)
        c->fields[i - 1][k] = BUF(8192);
    buf_printf(&c->fields[i - 1][0],
               "ARC-Authentication-Results: i=%u; s%u.example;\r\n dmarc=%s header.from=%s", i, i,
               failed ? "fail" : "pass", other ? "other.example" : "author.example");
    const char *algorithm = ed ? "ed25519-sha256" : "rsa-sha256",
               *pem = ed ? help_ed25519 : help_rsa_1024;
    add_signature(c, i, algorithm, pem);
    add_seal(c, i, algorithm, cv, pem);
}

static void put_message(struct buf *out, const struct chain *c)
{
    for (unsigned i = c->count; i > 0; i--)
        for (unsigned k = 3; k > 0; k--) {
            buf_put(out, buf_span(&c->fields[i - 1][k - 1]));
            buf_printf(out, "\r\n");
        }
    buf_printf(out, "%s", ARC_HELP_HEAD);
    buf_put(out, buf_span(&c->body));
}

// "v=DKIM1; …", made once for each key.
static struct span record_of(const char *pem)
{
    static char texts[2][1024];
    bool ed = pem == help_ed25519;
    if (!texts[ed][0]) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 16);
        if (!span_copy(texts[ed], sizeof texts[ed], help_record(pem, &a)))
            panic("a long key");
    }
    return span_str(texts[ed]);
}

static void add_key(struct zone *z, const char *name, const char *pem)
{
    if (!zone_add(z, span_str(name), SPAN("TXT"), record_of(pem)))
        panic("zone: %s", name);
}

struct zone *arc_help_keys(const char *extra)
{
    struct zone *z = zone_new(extra);
    for (unsigned i = 1; i <= STEPS_MAX; i++) {
        char name[64];
        CLEANUP(buf_free) struct buf b = BUF(64);
        buf_printf(&b, "k._domainkey.s%u.example", i);
        if (!span_copy(name, sizeof name, buf_span(&b)))
            panic("name");
        if (extra && strstr(extra, name))
            continue;
        add_key(z, name, help_rsa_1024); // several keys at a name: one fits
        add_key(z, name, help_ed25519);
    }
    return z;
}

void arc_help_message(struct buf *out, const char *steps)
{
    CLEANUP(chain_free) struct chain c = {.body = BUF(1 << 16)};
    struct span rest = span_str(steps);
    buf_printf(&c.body, "Hi.\r\n");
    while (rest.at && rest.len)
        add_step(&c, span_cut(&rest, ' '));
    put_message(out, &c);
}
