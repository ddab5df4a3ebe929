// geleit keys dkim: generate, rotate, retire.
#include "admin_keys.h"

#include <string.h>

enum { WORD_DOMAIN = 2, WORD_SELECTOR = 3, BITS_LEAST = 2048, BITS_MOST = 4096, RETIRED_MAX = 64 };
#define BIT(algorithm) (1u << (algorithm))

// ---- what is wanted ----

struct wish {
    struct auth_key key; // domain, sender, services, bits
    unsigned algorithms; // BIT(CRYPTO_…)
    struct span selector;
};

// RFC 8301 §3.2: at least 2048 bits. More than 4096 few verifiers read.
static int read_bits(const char *text, unsigned algorithms, unsigned *out)
{
    uint64_t bits = BITS_LEAST;
    if (text && algorithms == BIT(CRYPTO_ED25519_SHA256))
        return admin_complain("--bits is for RSA keys; those of Ed25519 have 256 bits");
    if (text && (!span_number(span_str(text), BITS_MOST, &bits) || bits < BITS_LEAST))
        return admin_complain("--bits: '%s' is no number from %d to %d", text, BITS_LEAST,
                              BITS_MOST);
    *out = (unsigned)bits;
    return ADMIN_DONE;
}

static int read_algorithms(const char *text, unsigned *out)
{
    const unsigned both = BIT(CRYPTO_RSA_SHA256) | BIT(CRYPTO_ED25519_SHA256);
    *out = 0;
    for (unsigned a = 0; text && a < CRYPTO_ALGORITHMS; a++)
        if (strcmp(text, auth_key_algorithm_text((enum crypto_algorithm)a)) == 0)
            *out = BIT(a);
    if (!text || strcmp(text, "both") == 0)
        *out = both;
    if (*out)
        return ADMIN_DONE;
    return admin_complain("--algorithm: '%s' is none of rsa, ed25519 and both", text);
}

static int read_target(const char *word, struct auth_key *k)
{
    struct span domain = span_str(word);
    bool bound = span_index(domain, '@') < domain.len;
    struct span sender = bound ? span_cut(&domain, '@') : SPAN("");
    if (!dns_name_parse_host(&k->domain, domain))
        return admin_complain("'%s' is no domain", word);
    if (bound && (!auth_sender_fits(sender) || !span_copy(k->sender, sizeof k->sender, sender)))
        return admin_complain("'%s' has no user that a key can be bound to", word);
    return ADMIN_DONE;
}

static int read_selector(const char *text, struct wish *w)
{
    struct auth_key k;
    if (!text)
        return ADMIN_DONE;
    if (!auth_key_named(&k, span_str(text), dns_name_span(&w->key.domain)))
        return admin_complain("--selector: '%s' cannot be one: letters, digits and hyphens make it",
                              text);
    w->selector = span_str(text);
    return ADMIN_DONE;
}

static int read_wish(const struct admin_keys *k, struct wish *w)
{
    const char *const *flags = k->call->flags;
    *w = (struct wish){0};
    int status = read_target(k->call->words[WORD_DOMAIN], &w->key);
    if (status == ADMIN_DONE)
        status = read_algorithms(flags[KEYS_ALGORITHM], &w->algorithms);
    if (status == ADMIN_DONE)
        status = read_bits(flags[KEYS_BITS], w->algorithms, &w->key.bits);
    if (status == ADMIN_DONE)
        status = read_selector(flags[KEYS_SELECTOR], w);
    if (status == ADMIN_DONE && flags[KEYS_SERVICE] &&
        !auth_key_services(&w->key, span_str(flags[KEYS_SERVICE])))
        return admin_complain("--service: '%s' is none of email, tlsrpt, email:tlsrpt and *",
                              flags[KEYS_SERVICE]);
    return status;
}

// ---- making ----

static bool in_configuration(const struct conf *c, const struct auth_key *k)
{
    for (size_t i = 0; i < conf_count(c, CONF_dkim_sign); i++) {
        struct auth_key other;
        struct span rest = conf_item(c, CONF_dkim_sign, i), domain = span_cut(&rest, ' ');
        rest = span_trim(rest);
        size_t at = span_index(domain, '@');
        if (auth_key_named(&other, span_cut(&rest, ' '),
                           at < domain.len ? span_skip(domain, at + 1) : domain) &&
            dns_name_eq(&other.domain, &k->domain) && dns_name_eq(&other.selector, &k->selector))
            return true;
    }
    return false;
}

// One name for two keys gets the algorithm behind it.
static int name_key(const struct admin_keys *k, struct auth_key *key, struct span selector,
                    bool several)
{
    CLEANUP(buf_free) struct buf name = BUF(1024);
    if (selector.len == 0)
        return ADMIN_DONE;
    buf_printf(&name, "%.*s%s%s", SPAN_FMT(selector), several ? "-" : "",
               several ? auth_key_algorithm_text(key->algorithm) : "");
    if (!auth_key_named(key, buf_span(&name), dns_name_span(&key->domain)))
        return admin_complain("--selector: '%s' is too long", buf_str(&name));
    if (!proc_keys_taken(&k->folder, key) && !in_configuration(k->conf, key))
        return ADMIN_DONE;
    admin_complain("%s has a key with selector %s already; choose another name", key->domain.text,
                   key->selector.text);
    return ADMIN_NEGATIVE;
}

static int make_all(struct admin_keys *k, const struct auth_key *wishes, size_t count,
                    struct span selector)
{
    struct auth_key named[CRYPTO_ALGORITHMS];
    size_t made[CRYPTO_ALGORITHMS], done = 0, at;
    int status = ADMIN_DONE;
    for (size_t i = 0; i < count && status == ADMIN_DONE; i++) {
        named[i] = wishes[i];
        status = name_key(k, &named[i], selector, count > 1);
    }
    while (done < count && status == ADMIN_DONE) {
        status = admin_keys_make(k, &named[done], &at);
        if (status != ADMIN_DONE)
            break;
        for (size_t i = 0; i < done; i++)
            made[i] += made[i] >= at;
        made[done++] = at;
    }
    if (done == 0)
        return status;
    int printed = admin_keys_print_new(k, made, done);
    return status == ADMIN_DONE ? printed : status;
}

// The newest key of the same use that is in this phase; folder.keys.count: none.
static size_t newest(const struct admin_keys *k, const struct auth_key *like,
                     enum auth_key_phase phase, bool any_service)
{
    const struct auth_keys *all = &k->folder.keys;
    size_t found = all->count;
    for (size_t i = 0; i < all->count; i++) {
        struct auth_key use = *like;
        use.services = any_service ? all->at[i].services : use.services;
        if (auth_key_same_use(&all->at[i], &use) &&
            auth_key_phase(&all->at[i], k->now, k->rules.keep) == phase)
            found = i;
    }
    return found;
}

// ---- generate ----

static bool has_key(const struct admin_keys *k, const struct auth_key *like, bool say)
{
    const struct auth_keys *all = &k->folder.keys;
    size_t i = newest(k, like, AUTH_KEY_ACTIVE, false);
    if (i == all->count)
        i = newest(k, like, AUTH_KEY_WAITING, false);
    if (i == all->count)
        return false;
    bool active = all->at[i].active.us;
    if (say)
        admin_complain("%s has the %s key %s already, which %s", like->domain.text,
                       auth_key_algorithm_text(like->algorithm), all->at[i].selector.text,
                       active
                           ? "signs: 'geleit keys dkim rotate' makes its successor"
                           : "waits for its record: 'geleit keys dkim list --records' prints it");
    return true;
}

int admin_keys_generate(struct admin_keys *k)
{
    struct wish w;
    struct auth_key wishes[CRYPTO_ALGORITHMS];
    size_t count = 0;
    int status = read_wish(k, &w);
    if (status != ADMIN_DONE)
        return status;
    for (unsigned a = 0; a < CRYPTO_ALGORITHMS; a++) {
        w.key.algorithm = (enum crypto_algorithm)a;
        if (w.algorithms & BIT(a) && !has_key(k, &w.key, false))
            wishes[count++] = w.key;
    }
    for (unsigned a = 0; a < CRYPTO_ALGORITHMS && count == 0; a++) {
        w.key.algorithm = (enum crypto_algorithm)a;
        if (w.algorithms & BIT(a))
            (void)has_key(k, &w.key, true);
    }
    return count ? make_all(k, wishes, count, w.selector) : ADMIN_NEGATIVE;
}

// ---- rotate ----

static int successor(const struct admin_keys *k, const struct wish *w, enum crypto_algorithm a,
                     struct auth_key *out)
{
    const struct auth_keys *all = &k->folder.keys;
    struct auth_key like = w->key;
    like.algorithm = a;
    size_t old = newest(k, &like, AUTH_KEY_ACTIVE, true);
    if (old == all->count)
        return ADMIN_NEGATIVE;
    like.services = all->at[old].services;
    like.bits = k->call->flags[KEYS_BITS] ? w->key.bits : all->at[old].bits;
    *out = like;
    size_t next = newest(k, &like, AUTH_KEY_WAITING, false);
    if (next == all->count)
        return ADMIN_DONE;
    admin_complain("%s has the %s key %s already, which waits for its record to take the place of "
                   "%s: 'geleit keys dkim list --records' prints it",
                   like.domain.text, auth_key_algorithm_text(a), all->at[next].selector.text,
                   all->at[old].selector.text);
    return ADMIN_USAGE; // of this function: it has been said
}

int admin_keys_rotate(struct admin_keys *k)
{
    struct wish w;
    struct auth_key wishes[CRYPTO_ALGORITHMS];
    size_t count = 0;
    bool said = false;
    int status = read_wish(k, &w);
    if (status != ADMIN_DONE)
        return status;
    for (unsigned a = 0; a < CRYPTO_ALGORITHMS; a++) {
        if (!(w.algorithms & BIT(a)))
            continue;
        status = successor(k, &w, (enum crypto_algorithm)a, &wishes[count]);
        count += status == ADMIN_DONE;
        said = said || status == ADMIN_USAGE;
    }
    if (count == 0 && !said)
        admin_complain("%s has no key that signs and could have a successor; 'geleit keys dkim "
                       "list' shows what there is",
                       k->call->words[WORD_DOMAIN]);
    status = count ? make_all(k, wishes, count, w.selector) : ADMIN_NEGATIVE;
    return status == ADMIN_DONE && said ? ADMIN_NEGATIVE : status;
}

// ---- retire ----

enum what { REMOVE, STOP, REFUSE };

static enum what judge(const struct admin_keys *k, const struct auth_key *key)
{
    CLEANUP(buf_free) struct buf until = BUF(64);
    bool force = k->call->flags[KEYS_FORCE];
    enum auth_key_phase phase = auth_key_phase(key, k->now, k->rules.keep);
    if (phase == AUTH_KEY_ACTIVE && force)
        return STOP;
    if (phase == AUTH_KEY_ACTIVE)
        admin_complain("%s of %s signs mail: 'geleit keys dkim rotate %s' makes a successor; "
                       "--force ends signing with it now",
                       key->selector.text, key->domain.text, key->domain.text);
    if (phase == AUTH_KEY_ACTIVE || phase != AUTH_KEY_RETIRED || force)
        return phase == AUTH_KEY_ACTIVE ? REFUSE : REMOVE;
    time_put_iso(&until, auth_key_removable(key, k->rules.keep));
    admin_complain("mail signed with %s of %s may be on its way until %s: keep its record until "
                   "then, or say --force",
                   key->selector.text, key->domain.text, buf_str(&until));
    return REFUSE;
}

static void say_record(struct buf *b, const struct auth_key *key, const char *what)
{
    struct dns_name owner = auth_key_owner(key);
    buf_printf(b, "%s of %s %s: %s. TXT\n", key->selector.text, key->domain.text, what, owner.text);
}

static int retire_one(struct admin_keys *k, size_t i, enum what what, struct buf *b)
{
    CLEANUP(buf_free) struct buf text = BUF(256), until = BUF(64);
    struct conf_fault fault;
    struct rc rc;
    const struct auth_key *key = &k->folder.keys.at[i];
    if (what == STOP) {
        auth_keys_retire(&k->folder.keys, i, k->now);
        rc = proc_keys_save(&k->folder, &fault);
        time_put_iso(&until, auth_key_removable(key, k->rules.keep));
        buf_printf(&text, "signs no more. Keep its record until %s", buf_str(&until));
    } else {
        rc = proc_keys_remove(&k->folder, i, &fault);
        buf_put(&text, key->gone.us ? SPAN("is removed. Its record was gone from DNS already")
                                    : SPAN("is removed. Its record may be deleted from DNS"));
    }
    if (!rc_ok(rc))
        return admin_keys_fault(rc, &fault);
    say_record(b, key, buf_str(&text));
    return ADMIN_DONE;
}

static json_t *told(const struct auth_key *key, enum what what, int status)
{
    static const char *const did[] = {
        [REMOVE] = "removed", [STOP] = "stopped", [REFUSE] = "refused"};
    bool failed = what != REFUSE && status != ADMIN_DONE;
    return admin_key_json_retired(key, failed ? "failed" : did[what], what == REMOVE && !failed);
}

// Without a selector: all that have been replaced.
static bool is_meant(const struct auth_key *key, const struct auth_key *asked)
{
    if (!dns_name_eq(&key->domain, &asked->domain))
        return false;
    return asked->selector.len ? dns_name_eq(&key->selector, &asked->selector) : key->retired.us;
}

static int none_meant(const struct auth_key *asked)
{
    if (asked->selector.len)
        admin_complain("there is no key with selector %s of %s", asked->selector.text,
                       asked->domain.text);
    else
        admin_complain("no key of %s is out of use; 'geleit keys dkim list' shows what there is",
                       asked->domain.text);
    return ADMIN_NEGATIVE;
}

static int retire_all(struct admin_keys *k, const struct auth_key *asked, struct buf *text,
                      json_t *all)
{
    size_t meant = 0;
    int status = ADMIN_DONE;
    for (size_t i = 0; i < k->folder.keys.count; i++) {
        const struct auth_key *key = &k->folder.keys.at[i];
        if (!is_meant(key, asked))
            continue;
        enum what what = judge(k, key);
        int one = what == REFUSE ? ADMIN_NEGATIVE : retire_one(k, i, what, text);
        (void)json_array_append_new(all, told(key, what, one));
        status = one != ADMIN_DONE ? one : status;
        meant++;
    }
    return meant ? status : none_meant(asked);
}

int admin_keys_retire(struct admin_keys *k)
{
    CLEANUP(buf_free) struct buf text = BUF(16 << 20);
    struct auth_key asked = {0};
    const char *domain = k->call->words[WORD_DOMAIN];
    bool named = k->call->word_count > WORD_SELECTOR;
    if (!dns_name_parse_host(&asked.domain, span_str(domain)))
        return admin_complain("'%s' is no domain", domain);
    if (named && !auth_key_named(&asked, span_str(k->call->words[WORD_SELECTOR]), span_str(domain)))
        return admin_complain("'%s' is no selector", k->call->words[WORD_SELECTOR]);
    json_t *all = json_array();
    int status = retire_all(k, &asked, &text, all);
    int printed = k->call->json ? admin_keys_print_json(json_incref(all)) : admin_print(&text);
    json_decref(all);
    return status != ADMIN_DONE ? status : printed;
}
