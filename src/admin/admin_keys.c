// geleit keys dkim: which command is meant, and the folder for it.
#include "admin_keys.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORD_SUBJECT, WORD_VERB, WORD_DOMAIN, WORD_SELECTOR };

static int generate(struct admin_keys *k, struct admin_dns *dns)
{
    (void)dns;
    return admin_keys_generate(k);
}

static int rotate(struct admin_keys *k, struct admin_dns *dns)
{
    (void)dns;
    return admin_keys_rotate(k);
}

static int retire(struct admin_keys *k, struct admin_dns *dns)
{
    (void)dns;
    return admin_keys_retire(k);
}

#define BIT(flag) (1u << (flag))
static const struct verb {
    const char *name;
    unsigned least, most; // words behind it
    unsigned flags;
    enum proc_keys_how how;
    int (*run)(struct admin_keys *k, struct admin_dns *dns);
} verbs[] = {
    {"generate", 1, 1,
     BIT(KEYS_ALGORITHM) | BIT(KEYS_BITS) | BIT(KEYS_SELECTOR) | BIT(KEYS_SERVICE), PROC_KEYS_MAKE,
     generate},
    {"list", 0, 1, BIT(KEYS_RECORDS) | BIT(KEYS_ZONE), PROC_KEYS_READ, admin_keys_list},
    {"rotate", 1, 1, BIT(KEYS_ALGORITHM) | BIT(KEYS_BITS) | BIT(KEYS_SELECTOR), PROC_KEYS_CHANGE,
     rotate},
    {"retire", 1, 2, BIT(KEYS_FORCE), PROC_KEYS_CHANGE, retire},
};

int admin_keys_fault(struct rc rc, const struct conf_fault *fault)
{
    admin_complain("%s", fault->text);
    return rc.code == RC_UNAVAILABLE || rc.code == RC_DISK_FULL ? ADMIN_LATER : ADMIN_USAGE;
}

static int check_flags(const struct admin_call *call, const struct verb *v)
{
    for (unsigned i = 0; i < call->command->flag_count; i++)
        if (call->flags[i] && !(v->flags & BIT(i)))
            return admin_complain("'keys dkim %s' has no option %s", v->name,
                                  call->command->flags[i].name);
    return ADMIN_DONE;
}

static const struct verb *verb_of(const struct admin_call *call)
{
    unsigned words = call->word_count - WORD_DOMAIN;
    if (strcmp(call->words[WORD_SUBJECT], "dkim") != 0) {
        admin_complain("'keys' knows dkim, and not '%s'", call->words[WORD_SUBJECT]);
        return NULL;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct verb *v = &verbs[i];
        if (strcmp(call->words[WORD_VERB], v->name) != 0)
            continue;
        if (words >= v->least && words <= v->most)
            return check_flags(call, v) == ADMIN_DONE ? v : NULL;
        admin_complain(words < v->least ? "'keys dkim %s' needs a domain"
                                        : "'keys dkim %s' takes fewer words than that",
                       v->name);
        return NULL;
    }
    admin_complain("'keys dkim' knows generate, list, rotate and retire, and not '%s'",
                   call->words[WORD_VERB]);
    return NULL;
}

// What DNS shows is noted by the server, as the user it runs as.
static void check_owner(const struct admin_keys *k)
{
    char user[256];
    struct stat st;
    const struct passwd *pw = NULL;
    if (geteuid() == 0 && span_copy(user, sizeof user, conf_span(k->conf, CONF_user)) && *user)
        pw = getpwnam(user);
    if (pw && k->folder.folder >= 0 && fstat(k->folder.folder, &st) == 0 && st.st_uid != pw->pw_uid)
        admin_complain("warning: %.*s does not belong to %s, so the server cannot note in it what "
                       "DNS shows; chown it",
                       SPAN_FMT(buf_span(&k->folder.path)), user);
}

static int run(struct admin_keys *k, const struct verb *v, struct admin_dns *dns)
{
    struct conf_fault fault;
    struct rc rc = proc_keys_open(&k->folder, k->conf, v->how, &fault);
    int status = ADMIN_DONE;
    if (rc_ok(rc))
        check_owner(k);
    else
        status = admin_keys_fault(rc, &fault);
    if (status == ADMIN_DONE)
        status = v->run(k, dns);
    proc_keys_close(&k->folder);
    return status;
}

int admin_keys(const struct admin_call *call)
{
    struct admin_keys k = {.call = call};
    struct admin_dns dns;
    const struct verb *v = verb_of(call);
    if (!v || admin_now(NULL, &k.now) != ADMIN_DONE)
        return ADMIN_USAGE;
    int status = admin_dns_open(&dns, call, call->flags[KEYS_ZONE]);
    if (status != ADMIN_DONE)
        return status;
    k.conf = dns.server.conf;
    k.rules = proc_keys_rules(k.conf);
    status = run(&k, v, &dns);
    admin_dns_close(&dns);
    return status;
}
