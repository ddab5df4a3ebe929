#include "sasl_inner.h"

#include "crypto_hmac.h"
#include "sasl_prep.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[SASL_MECHANISMS] = {[SASL_PLAIN] = "PLAIN",
                                                   [SASL_LOGIN] = "LOGIN",
                                                   [SASL_SCRAM] = "SCRAM-SHA-256",
                                                   [SASL_SCRAM_PLUS] = "SCRAM-SHA-256-PLUS"};

const char *sasl_mechanism_name(enum sasl_mechanism m)
{
    return names[m];
}

bool sasl_mechanism_find(enum sasl_mechanism *out, struct span name)
{
    for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
        if (!span_ieq(name, span_str(names[i])))
            continue;
        *out = (enum sasl_mechanism)i;
        return true;
    }
    return false;
}

void sasl_fail(struct sasl *s, const char *why)
{
    s->state = SASL_AT_END;
    s->right = false;
    s->why = why;
    s->told = false;
}

void sasl_challenge(struct sasl *s, enum sasl_state then)
{
    s->state = then;
    s->told = false;
}

bool sasl_take(struct sasl *s, struct buf *to, struct span text, const char *why)
{
    buf_clear(to);
    if (sasl_prep(to, text))
        return true;
    sasl_fail(s, why);
    return false;
}

static void ask_check(struct sasl *s, struct span name, struct span password)
{
    if (sasl_take(s, &s->name, name, "the name holds what no name may hold") &&
        sasl_take(s, &s->password, password, "the password holds what no password may hold"))
        sasl_challenge(s, SASL_AT_CHECK);
}

// RFC 4616 §2: [authzid] NUL authcid NUL passwd. Nobody acts for somebody else.
static void plain(struct sasl *s, struct span message)
{
    struct span password = message, act_as = span_cut(&password, '\0');
    struct span name = password.at ? span_cut(&password, '\0') : (struct span){0};
    if (!password.at || span_index(password, '\0') != password.len)
        sasl_fail(s, "malformed PLAIN message");
    else if (act_as.len && !span_eq(act_as, name))
        sasl_fail(s, "wants to act for somebody else");
    else
        ask_check(s, name, password);
}

static void login(struct sasl *s, struct span name)
{
    if (sasl_take(s, &s->name, name, "the name holds what no name may hold")) {
        buf_put(&s->out, SPAN("Password:"));
        sasl_challenge(s, SASL_AT_PASSWORD);
    }
}

static void login_password(struct sasl *s, struct span password)
{
    if (sasl_take(s, &s->password, password, "the password holds what no password may hold"))
        sasl_challenge(s, SASL_AT_CHECK);
}

static void first(struct sasl *s, struct span message)
{
    static void (*const starts[SASL_MECHANISMS])(struct sasl * s, struct span message) = {
        [SASL_PLAIN] = plain,
        [SASL_LOGIN] = login,
        [SASL_SCRAM] = sasl_scram_first,
        [SASL_SCRAM_PLUS] = sasl_scram_first,
    };
    starts[s->mechanism](s, message);
}

// What the server says when the client did not begin.
static void invite(struct sasl *s)
{
    if (s->mechanism == SASL_LOGIN)
        buf_put(&s->out, SPAN("Username:"));
    sasl_challenge(s, SASL_AT_START);
}

struct sasl *sasl_new(const struct sasl_conf *conf, struct span initial)
{
    struct sasl *s = mem_new(sizeof *s);
    *s = (struct sasl){.mechanism = conf->mechanism,
                       .plus_offered = conf->plus_offered,
                       .out = BUF(2 * SASL_MESSAGE_MAX),
                       .name = BUF(SASL_NAME_MAX),
                       .password = BUF(CRYPTO_PASSWORD_MAX),
                       .nonce = BUF(2 * SASL_MESSAGE_MAX),
                       .exporter = BUF(256),
                       .end_point = BUF(256),
                       .bound = BUF(SASL_MESSAGE_MAX),
                       .messages = BUF(3 * SASL_MESSAGE_MAX)};
    // Growing leaves copies behind that nobody wipes.
    if (!rc_ok(buf_reserve(&s->password, CRYPTO_PASSWORD_MAX)))
        panic("no room for a password");
    buf_put(&s->nonce, conf->nonce);
    buf_put(&s->exporter, conf->exporter);
    buf_put(&s->end_point, conf->end_point);
    if (!rc_ok(buf_state(&s->nonce)))
        panic("a nonce of %zu bytes", conf->nonce.len);
    if (initial.at)
        first(s, initial);
    else
        invite(s);
    return s;
}

void sasl_free(struct sasl *s)
{
    if (!s)
        return;
    struct buf *all[] = {&s->out,      &s->name,      &s->password, &s->nonce,
                         &s->exporter, &s->end_point, &s->bound,    &s->messages};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->at)
            explicit_bzero(all[i]->at, all[i]->cap);
        buf_free(all[i]);
    }
    explicit_bzero(s, sizeof *s);
    free(s);
}

struct sasl_step sasl_next(struct sasl *s)
{
    struct sasl_step step = {.kind = SASL_CHALLENGE,
                             .bytes = buf_span(&s->out),
                             .name = buf_span(&s->name),
                             .password = buf_span(&s->password)};
    s->told = true;
    if (s->state == SASL_AT_CHECK)
        step.kind = SASL_CHECK;
    else if (s->state == SASL_AT_FIND)
        step.kind = SASL_FIND;
    else if (s->state == SASL_AT_END)
        step.kind = s->right ? SASL_SUCCESS : SASL_FAILURE;
    if (step.kind == SASL_FAILURE)
        step.bytes = span_str(s->why);
    return step;
}

void sasl_feed(struct sasl *s, struct span message)
{
    buf_clear(&s->out);
    if (!message.at)
        message = SPAN("");
    if (message.len > SASL_MESSAGE_MAX)
        sasl_fail(s, "the message is too long");
    else if (s->state == SASL_AT_START)
        first(s, message);
    else if (s->state == SASL_AT_PASSWORD)
        login_password(s, message);
    else if (s->state == SASL_AT_PROOF)
        sasl_scram_final(s, message);
    else if (s->state == SASL_AT_LAST && message.len == 0)
        s->state = SASL_AT_END; // `right` is set
    else if (s->state != SASL_AT_END)
        sasl_fail(s, "a message that nobody asked for");
}

void sasl_checked(struct sasl *s, bool right)
{
    if (s->state != SASL_AT_CHECK)
        panic("an answer that nobody asked for");
    if (!right) {
        sasl_fail(s, "wrong name or password");
        return;
    }
    s->right = true;
    s->state = SASL_AT_END;
}

void sasl_found(struct sasl *s, const struct crypto_scram *verifier, bool known)
{
    if (s->state != SASL_AT_FIND)
        panic("an answer that nobody asked for");
    s->verifier = *verifier;
    s->known = known;
    sasl_scram_found(s);
}

static struct crypto_digest derive(struct span secret, const char *what, struct span name)
{
    CLEANUP(buf_free) struct buf b = BUF(SASL_NAME_MAX + 64);
    buf_put(&b, span_str(what));
    buf_put(&b, span_first(name, SASL_NAME_MAX));
    return crypto_hmac_sha256(secret, buf_span(&b));
}

void sasl_decoy(struct crypto_scram *out, struct span secret, struct span name)
{
    struct crypto_digest salt = derive(secret, "salt ", name);
    *out = (struct crypto_scram){.iterations = CRYPTO_SCRAM_ITERATIONS,
                                 .salt_len = CRYPTO_SALT_BYTES,
                                 .stored = derive(secret, "stored ", name),
                                 .server = derive(secret, "server ", name)};
    span_bytes(out->salt, out->salt_len, span_first(SPAN_OF(salt.at), out->salt_len));
}
