// One login: the machine of its mechanism, or Dovecot's in its place.
#include "proc_authenticator.h"

#include "base_code.h"
#include "base_log.h"
#include "dns_answer.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct exchange {
    struct queue_node node;
    struct authenticator *auth;
    struct proc_peer *peer;
    uint64_t id;
    struct proc_asker asker; // of the message under way
    bool more;               // it was a LOGIN_MORE
    bool asked;              // somebody waits for an answer
    bool relayed;            // Dovecot has the exchange itself
    enum sasl_mechanism mechanism;
    struct dns_address client;
    bool tls;
    struct sasl *sasl;
    struct buf first; // SCRAM: the client's first message, for Dovecot
    struct dovecot_question dovecot;
    struct io_timer delay; // of a failure
};

static struct mono now_of(const struct exchange *x)
{
    return io_now(x->auth->proc->loop);
}

static uint64_t hash_of(const struct proc_peer *peer, uint64_t id)
{
    return queue_hash_mix(id * 31 + peer->index);
}

static struct exchange *find(const struct authenticator *a, const struct proc_peer *peer,
                             uint64_t id)
{
    struct queue_node *n = NULL;
    while ((n = queue_table_next(&a->exchanges, hash_of(peer, id), n))) {
        struct exchange *x = CONTAINER(n, struct exchange, node);
        if (x->peer == peer && x->id == id)
            return x;
    }
    return NULL;
}

static void exchange_free(struct exchange *x)
{
    queue_table_remove(&x->auth->exchanges, &x->node);
    io_timer_cancel(x->auth->proc->loop, &x->delay);
    dovecot_forget(&x->dovecot);
    sasl_free(x->sasl);
    buf_free(&x->first);
    free(x);
}

// ---- answers ----

static void reply(struct exchange *x, const struct login_answer *answer)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    login_answer_pack(&b, answer);
    proc_reply(&x->asker, x->more ? MSG_LOGIN_MORE_IS : MSG_LOGIN_IS, buf_span(&b), -1);
    x->asked = false;
}

static void end(struct exchange *x, enum login_is is)
{
    struct login_answer *answer = mem_new(sizeof *answer);
    answer->is = is;
    reply(x, answer);
    free(answer);
    exchange_free(x);
}

static void log_login(const struct exchange *x, enum log_level level, const char *event,
                      struct span user, struct span why)
{
    CLEANUP(buf_free) struct buf client = BUF(64);
    dns_address_put(&client, &x->client);
    LOG(level, event, LOG_S("user", user), LOG_S("client", buf_span(&client)),
        LOG_T("mechanism", sasl_mechanism_name(x->mechanism)), LOG_S("why", why));
}

static void failure_told(void *arg)
{
    end(arg, LOGIN_FAILURE);
}

// Whoever guesses, guesses slowly.
static void fail(struct exchange *x, struct span name, struct span why)
{
    struct mono now = now_of(x);
    int64_t wait = limits_failed(&x->auth->limits, &x->client, name, now);
    log_login(x, LOG_WARN, "login-failed", name, why);
    x->delay = (struct io_timer){.fire = failure_told, .arg = x};
    io_timer_set(x->auth->proc->loop, &x->delay, (struct mono){now.us + wait});
}

static void later(struct exchange *x, struct span name, const char *why)
{
    log_login(x, LOG_WARN, "login-put-off", name, span_str(why));
    end(x, LOGIN_LATER);
}

static void succeed(struct exchange *x, struct span name)
{
    struct login_answer *answer = mem_new(sizeof *answer);
    const struct sasl_users *users = proc_users_now(x->auth->users, NULL);
    const struct sasl_user *known = users ? sasl_users_find(users, name) : NULL;
    char key[SASL_KEY_MAX];
    limits_succeeded(&x->auth->limits, &x->client, name, now_of(x));
    log_login(x, LOG_INFO, "login", name, x->relayed ? SPAN("by Dovecot") : SPAN(""));
    answer->is = LOGIN_SUCCESS;
    answer->user = sasl_key(key, name) ? span_str(key) : name;
    for (size_t i = 0; known && i < known->sender_count && i < LOGIN_SENDERS_MAX; i++)
        answer->senders[answer->sender_count++] = known->senders[i];
    reply(x, answer);
    free(answer);
    exchange_free(x);
}

static void challenge(struct exchange *x, struct span bytes)
{
    struct login_answer *answer = mem_new(sizeof *answer);
    answer->is = LOGIN_CHALLENGE;
    answer->bytes = bytes;
    reply(x, answer);
    free(answer);
}

// ---- Dovecot ----

static void dovecot_challenge(struct exchange *x, const struct sasl_dovecot *line)
{
    CLEANUP(buf_free) struct buf b = BUF(SASL_MESSAGE_MAX);
    if (x->relayed && code_get_base64(&b, line->text))
        challenge(x, buf_span(&b));
    else
        later(x, SPAN(""), "Dovecot asks what it should not");
}

static void dovecot_user_is(struct exchange *x, const struct sasl_dovecot *line)
{
    CLEANUP(buf_free) struct buf name = BUF(SASL_NAME_MAX);
    x->relayed = true;
    if (line->user.len && sasl_dovecot_unescape(&name, line->user))
        succeed(x, buf_span(&name));
    else
        later(x, SPAN(""), "Dovecot names no user");
}

static void dovecot_failed(struct exchange *x, const struct sasl_dovecot *line)
{
    CLEANUP(buf_free) struct buf name = BUF(SASL_NAME_MAX), why = BUF(1024);
    if (!sasl_dovecot_unescape(&name, line->user))
        buf_clear(&name);
    buf_put(&why, SPAN("Dovecot refuses"));
    if (line->reason.len) {
        buf_put(&why, SPAN(": "));
        if (!sasl_dovecot_unescape(&why, line->reason))
            buf_clear(&why);
    }
    if (line->temporary)
        later(x, buf_span(&name), "Dovecot cannot find out");
    else
        fail(x, buf_span(&name), buf_span(&why));
}

static void dovecot_says(void *arg, const struct sasl_dovecot *line)
{
    struct exchange *x = arg;
    if (!line)
        later(x, SPAN(""), "Dovecot gives no answer");
    else if (line->kind == SASL_DOVECOT_CONT)
        dovecot_challenge(x, line);
    else if (line->kind == SASL_DOVECOT_OK)
        dovecot_user_is(x, line);
    else if (line->kind == SASL_DOVECOT_FAIL)
        dovecot_failed(x, line);
    else
        later(x, SPAN(""), "Dovecot answers something else");
}

static void ask_dovecot(struct exchange *x, enum sasl_mechanism mechanism, struct span response)
{
    CLEANUP(buf_free) struct buf client = BUF(64);
    dns_address_put(&client, &x->client);
    struct sasl_dovecot_request r = {.mechanism = span_str(sasl_mechanism_name(mechanism)),
                                     .response = response,
                                     .remote = buf_span(&client),
                                     .secured = x->tls};
    x->dovecot.told = dovecot_says;
    x->dovecot.arg = x;
    dovecot_auth(x->auth->logins, &x->dovecot, &r);
}

static void ask_dovecot_password(struct exchange *x, const struct sasl_step *step)
{
    struct buf b = BUF(SASL_NAME_MAX + CRYPTO_PASSWORD_MAX + 2);
    struct rc rc = buf_reserve(&b, b.max); // no copies are left behind
    buf_putc(&b, '\0');
    buf_put(&b, step->name);
    buf_putc(&b, '\0');
    buf_put(&b, step->password);
    if (rc_ok(rc))
        ask_dovecot(x, SASL_PLAIN, buf_span(&b));
    OPENSSL_cleanse(b.at, b.cap);
    buf_free(&b);
}

// ---- the machine's questions ----

static bool password_fits(const struct sasl_user *u, struct span password)
{
    if (!u || u->hash.len || !u->has_scram)
        return crypto_password_check(u ? u->hash : SPAN(""), password); // nobody costs as much
    return crypto_scram_password(&u->scram, password);
}

static bool has_secret(const struct sasl_user *u)
{
    return u && (u->hash.len || u->has_scram);
}

// False: the exchange is over, or waits for somebody else than the client.
static bool check(struct exchange *x, const struct sasl_step *step, const struct sasl_user *u)
{
    if (!has_secret(u) && x->auth->logins) {
        ask_dovecot_password(x, step);
        return false;
    }
    sasl_checked(x->sasl, password_fits(u, step->password) && has_secret(u));
    return true;
}

static struct span secret_of(const struct authenticator *a, const struct sasl_users *users)
{
    struct span own = sasl_users_decoys(users);
    return own.len ? own : SPAN_OF(a->secret);
}

static bool find_verifier(struct exchange *x, const struct sasl_step *step,
                          const struct sasl_users *users, const struct sasl_user *u)
{
    struct crypto_scram decoy;
    bool known = u && u->has_scram;
    if (!has_secret(u) && x->auth->logins && x->mechanism == SASL_SCRAM) {
        x->relayed = true;
        ask_dovecot(x, SASL_SCRAM, buf_span(&x->first));
        return false;
    }
    if (!known)
        sasl_decoy(&decoy, secret_of(x->auth, users), step->name);
    sasl_found(x->sasl, known ? &u->scram : &decoy, known);
    return true;
}

static bool about_user(struct exchange *x, const struct sasl_step *step)
{
    const struct sasl_users *users = proc_users_now(x->auth->users, NULL);
    if (!users) {
        later(x, step->name, "the file of users cannot be read");
        return false;
    }
    if (!limits_try(&x->auth->limits, &x->client, step->name, now_of(x))) {
        log_login(x, LOG_WARN, "login-put-off", step->name, SPAN("this user failed too often"));
        end(x, LOGIN_TOO_MANY);
        return false;
    }
    const struct sasl_user *u = sasl_users_find(users, step->name);
    return step->kind == SASL_CHECK ? check(x, step, u) : find_verifier(x, step, users, u);
}

static void move(struct exchange *x)
{
    for (;;) {
        struct sasl_step step = sasl_next(x->sasl);
        if (step.kind == SASL_CHALLENGE)
            challenge(x, step.bytes);
        else if (step.kind == SASL_SUCCESS)
            succeed(x, step.name);
        else if (step.kind == SASL_FAILURE)
            fail(x, step.name, step.bytes);
        else if (about_user(x, &step))
            continue;
        return;
    }
}

// ---- from the receiver ----

static void put_nonce(struct buf *b)
{
    CLEANUP(buf_free) struct buf bytes = BUF(64);
    for (int i = 0; i < 3; i++)
        wr_u64(&bytes, io_random());
    code_put_base64(b, buf_span(&bytes));
}

// Not what has a password in it: that is the machine's to forget.
static void keep_first(struct exchange *x, struct span message)
{
    if (x->mechanism == SASL_SCRAM && x->first.len == 0)
        buf_put(&x->first, message);
}

static void begin(struct exchange *x, const struct login_request *q)
{
    CLEANUP(buf_free) struct buf nonce = BUF(64);
    put_nonce(&nonce);
    x->sasl = sasl_new(&(struct sasl_conf){.mechanism = x->mechanism,
                                           .nonce = buf_span(&nonce),
                                           .exporter = q->exporter,
                                           .end_point = q->end_point,
                                           .plus_offered = q->offered & 1 << SASL_SCRAM_PLUS},
                       q->initial);
    if (q->initial.at)
        keep_first(x, q->initial);
    if (limits_hear(&x->auth->limits, &x->client, now_of(x))) {
        move(x);
        return;
    }
    log_login(x, LOG_WARN, "login-put-off", SPAN(""), SPAN("this address failed too often"));
    end(x, LOGIN_TOO_MANY);
}

static void turn_away(const struct proc_asker *asker, enum proc_message kind)
{
    CLEANUP(buf_free) struct buf b = BUF(64);
    struct login_answer *answer = mem_new(sizeof *answer);
    answer->is = LOGIN_LATER;
    login_answer_pack(&b, answer);
    free(answer);
    proc_reply(asker, kind, buf_span(&b), -1);
}

bool exchange_start(struct authenticator *a, struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct login_request q;
    enum sasl_mechanism mechanism;
    struct proc_asker asker = proc_asker_of(peer, m);
    if (!login_request_unpack(&r, &q) || !sasl_mechanism_find(&mechanism, q.mechanism) ||
        find(a, peer, q.exchange))
        return false;
    if (a->exchanges.len >= EXCHANGES_MAX) {
        turn_away(&asker, MSG_LOGIN_IS);
        return true;
    }
    struct exchange *x = mem_new(sizeof *x);
    *x = (struct exchange){.auth = a,
                           .peer = peer,
                           .id = q.exchange,
                           .asker = asker,
                           .asked = true,
                           .mechanism = mechanism,
                           .client = q.client,
                           .tls = q.tls,
                           .first = BUF(SASL_MESSAGE_MAX)};
    queue_table_put(&a->exchanges, &x->node, hash_of(peer, q.exchange));
    begin(x, &q);
    return true;
}

bool exchange_more(struct authenticator *a, struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    uint64_t id = rd_u64(&r);
    struct span message = rd_span(&r);
    struct exchange *x = find(a, peer, id);
    struct proc_asker asker = proc_asker_of(peer, m);
    if (!rd_end(&r) || (x && x->asked))
        return false;
    if (!x) { // Dovecot went away meanwhile, or we were reloaded
        turn_away(&asker, MSG_LOGIN_MORE_IS);
        return true;
    }
    x->asker = asker;
    x->more = x->asked = true;
    if (x->relayed) {
        dovecot_more(&x->dovecot, message);
        return true;
    }
    keep_first(x, message);
    sasl_feed(x->sasl, message);
    move(x);
    return true;
}

bool exchange_gone(struct authenticator *a, struct proc_peer *peer, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct exchange *x = find(a, peer, rd_u64(&r));
    if (!rd_end(&r))
        return false;
    if (x)
        exchange_free(x);
    return true;
}

void exchanges_drop(struct authenticator *a, const struct proc_peer *peer)
{
    struct queue_node *n = queue_table_each(&a->exchanges, NULL);
    while (n) {
        struct exchange *x = CONTAINER(n, struct exchange, node);
        bool drop = !peer || x->peer == peer;
        struct queue_node *next = queue_table_each(&a->exchanges, n);
        if (drop && !peer && x->asked)
            end(x, LOGIN_LATER);
        else if (drop)
            exchange_free(x);
        n = next;
    }
}
