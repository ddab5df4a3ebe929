// The watch over DKIM keys: what DNS shows of those that wait for it is asked every
// dkim.look, and what follows is written into their folder, where the master finds
// it. Once an hour those are asked for, too, whose record must be there.
#include "proc_control.h"

#include "base_log.h"
#include "dns_answer.h"
#include "proc_keys.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16, FAULT_ROOM = 256 };
#define FIRST  SECONDS(1)
#define EVERY  SECONDS(3600)
#define MARGIN SECONDS(5) // over the resolver's own time-out

struct look {
    struct control_keys *watch;
    struct auth_key key;
    enum auth_key_sight sight;
};
struct control_keys {
    struct control *control;
    struct io_timer again;
    struct mono all; // when the others are due
    struct look *looks;
    size_t count, next, open;
    char fault[FAULT_ROOM]; // that was logged last
};

static struct proc *proc_of(const struct control_keys *w)
{
    return w->control->proc;
}

// Said once, not every minute.
static void complain(struct control_keys *w, const char *text)
{
    if (strncmp(w->fault, text, sizeof w->fault - 1) == 0)
        return;
    (void)span_copy(w->fault, sizeof w->fault, span_first(span_str(text), sizeof w->fault - 1));
    LOG(LOG_ERROR, "keys-not-watched", LOG_T("why", text));
}

static void rest(struct control_keys *w)
{
    free(w->looks);
    w->looks = NULL;
    w->count = w->next = 0;
    io_timer_set(
        proc_of(w)->loop, &w->again,
        (struct mono){io_now(proc_of(w)->loop).us + conf_int(proc_of(w)->conf, CONF_dkim_look)});
}

// ---- what follows ----

static void log_key(enum log_level level, const char *event, const struct auth_key *k,
                    const char *what)
{
    LOG(level, event, LOG_S("domain", dns_name_span(&k->domain)),
        LOG_S("selector", dns_name_span(&k->selector)), LOG_T("what", what));
}

static void log_changes(const struct auth_keys *keys, struct wall now, int64_t keep)
{
    static const char *const texts[AUTH_KEY_PHASES] = {
        [AUTH_KEY_WAITING] = "what DNS shows of it has changed; it signs nothing yet",
        [AUTH_KEY_ACTIVE] = "DNS shows its record: it signs from now on",
        [AUTH_KEY_RETIRED] = "it signs no more; its record is still needed",
        [AUTH_KEY_REMOVABLE] = "its record may be deleted",
        [AUTH_KEY_GONE] = "its record is gone from DNS",
    };
    for (size_t i = 0; i < keys->count; i++)
        if (keys->changed[i])
            log_key(LOG_INFO, "key", &keys->at[i], texts[auth_key_phase(&keys->at[i], now, keep)]);
}

static void warn(const struct look *l, struct wall now, int64_t keep)
{
    enum auth_key_phase phase = auth_key_phase(&l->key, now, keep);
    bool needed = phase == AUTH_KEY_ACTIVE || phase == AUTH_KEY_RETIRED;
    if (needed && (l->sight == AUTH_KEY_ABSENT || l->sight == AUTH_KEY_OTHER))
        log_key(LOG_WARN, "key-record-missing", &l->key,
                phase == AUTH_KEY_ACTIVE
                    ? "mail is signed with it and DNS does not show its record: publish it"
                    : "mail signed with it may be on its way and DNS does not show its record");
}

// A command may have been there since the question was asked: what is true is in the
// folder, and a sight is of one key, not of one name.
static void apply(struct control_keys *w, struct proc_keys *k)
{
    struct wall now = io_wall(proc_of(w)->loop);
    struct auth_key_rules rules = proc_keys_rules(proc_of(w)->conf);
    for (size_t n = 0; n < w->count; n++) {
        const struct look *l = &w->looks[n];
        size_t i = auth_keys_find(&k->keys, &l->key.domain, &l->key.selector);
        if (i == k->keys.count || strcmp(k->keys.at[i].public_key, l->key.public_key) != 0)
            continue;
        warn(l, now, rules.keep);
        (void)auth_keys_saw(&k->keys, i, l->sight, now, &rules); // `changed` has it
    }
    log_changes(&k->keys, now, rules.keep);
}

static void conclude(struct control_keys *w)
{
    CLEANUP(proc_keys_close) struct proc_keys k;
    struct conf_fault fault;
    struct rc rc = proc_keys_open(&k, proc_of(w)->conf, PROC_KEYS_TRY, &fault);
    if (rc_ok(rc)) {
        apply(w, &k);
        rc = proc_keys_save(&k, &fault);
    }
    if (rc_ok(rc))
        *w->fault = '\0';
    else if (rc.code != RC_UNAVAILABLE) // else a command changes it: the next look is soon
        complain(w, fault.text);
    rest(w);
}

// ---- asking ----

static void go_on(struct control_keys *w);

static bool answered(void *arg, struct io_message *m)
{
    struct look *l = arg;
    struct control_keys *w = l->watch;
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer answer;
    struct rd r = RD(m ? m->payload : SPAN(""));
    bool well = m && dns_answer_unpack(&r, &answer, &a) && rd_end(&r);
    l->sight = well ? auth_key_look(&l->key, &answer) : AUTH_KEY_UNKNOWN;
    w->open--;
    go_on(w);
    return !m || well;
}

static void ask(struct look *l)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    struct proc *p = proc_of(l->watch);
    struct dns_question q = auth_key_question(&l->key);
    dns_question_pack(&b, &q);
    l->watch->open++;
    proc_ask(p, PROC_RESOLVER, 0, MSG_DNS, buf_span(&b),
             conf_int(p->conf, CONF_dns_timeout) + MARGIN, answered, l);
}

static void go_on(struct control_keys *w)
{
    while (w->next < w->count && w->open < AT_ONCE)
        ask(&w->looks[w->next++]);
    if (w->open == 0)
        conclude(w);
}

static void collect(struct control_keys *w, const struct auth_keys *keys, bool all)
{
    struct wall now = io_wall(proc_of(w)->loop);
    int64_t keep = proc_keys_rules(proc_of(w)->conf).keep;
    w->looks = mem_new((keys->count + 1) * sizeof *w->looks);
    for (size_t i = 0; i < keys->count; i++) {
        enum auth_key_phase phase = auth_key_phase(&keys->at[i], now, keep);
        bool needed = phase == AUTH_KEY_ACTIVE || phase == AUTH_KEY_RETIRED;
        if (auth_key_awaits(&keys->at[i], now, keep) || (all && needed))
            w->looks[w->count++] = (struct look){.watch = w, .key = keys->at[i]};
    }
}

static void look(void *arg)
{
    struct control_keys *w = arg;
    CLEANUP(proc_keys_close) struct proc_keys k;
    struct conf_fault fault;
    struct mono now = io_now(proc_of(w)->loop);
    struct rc rc = proc_keys_open(&k, proc_of(w)->conf, PROC_KEYS_READ, &fault);
    if (!rc_ok(rc))
        complain(w, fault.text);
    if (rc_ok(rc) && proc_peer(proc_of(w), PROC_STORE, 0)) { // else a command's own control
        bool all = now.us >= w->all.us;
        w->all = all ? (struct mono){now.us + EVERY} : w->all;
        collect(w, &k.keys, all);
    }
    if (w->count)
        go_on(w);
    else
        rest(w);
}

void control_keys_soon(struct control_keys *w)
{
    if (!w->looks)
        io_timer_set(proc_of(w)->loop, &w->again,
                     (struct mono){io_now(proc_of(w)->loop).us + FIRST});
}

struct control_keys *control_keys_new(struct control *c)
{
    struct control_keys *w = mem_new(sizeof *w);
    *w = (struct control_keys){.control = c, .again = {.fire = look, .arg = w}};
    control_keys_soon(w);
    return w;
}
