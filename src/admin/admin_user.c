// geleit user: who may log in to send. Changes the file of users; the server sees
// it by itself. A password is never an argument: others could read it there.
#include "admin_ask.h"
#include "admin_command.h"

#include "base_code.h"
#include "proc_users.h"
#include "sasl_prep.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

enum { SENDERS, NO_PASSWORD }; // as in admin_command.c
enum { TYPED_MAX = 1024 };

struct work {
    const struct admin_call *call;
    struct conf *conf;
    struct proc_users_edit edit;
};

static int status_of(struct rc rc)
{
    return rc_retry(rc) ? ADMIN_LATER : ADMIN_USAGE;
}

// ---- the password ----

// One line of standard input. False: nothing came, or too much.
static bool read_line(struct buf *b)
{
    char c = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
        buf_putc(b, c);
    if (b->len && b->at[b->len - 1] == '\r')
        b->len--;
    return n >= 0 && (n == 1 || b->len) && rc_ok(buf_state(b));
}

static bool prompt(const char *text, struct buf *b)
{
    struct termios was, silent;
    bool quiet = tcgetattr(STDIN_FILENO, &was) == 0;
    silent = was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fputs(text, stderr);
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    bool fine = read_line(b);
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
    fputc('\n', stderr);
    return fine;
}

static struct buf typed(void)
{
    struct buf b = BUF(TYPED_MAX);
    if (!rc_ok(buf_reserve(&b, TYPED_MAX)))
        panic("no room for a password");
    return b;
}

static int take_password(struct buf *out)
{
    CLEANUP(buf_wipe) struct buf once = typed(), again = typed();
    bool people = isatty(STDIN_FILENO);
    if (!(people ? prompt("Password: ", &once) : read_line(&once)))
        return admin_complain("no password came on standard input; its first line is taken");
    if (people && (!prompt("Again: ", &again) || !span_eq(buf_span(&once), buf_span(&again))))
        return admin_complain("the two passwords differ");
    if (!sasl_prep(out, buf_span(&once)))
        return admin_complain("the password holds control characters or is no UTF-8, or is longer "
                              "than %d bytes",
                              CRYPTO_PASSWORD_MAX);
    return ADMIN_DONE;
}

static bool get_random(void *to, size_t size)
{
    return getrandom(to, size, 0) == (ssize_t)size;
}

static int put_secrets(struct span password, struct buf *hash, struct buf *verifier)
{
    char salts[2][CRYPTO_SALT_BYTES];
    struct crypto_scram scram;
    if (!get_random(salts, sizeof salts) ||
        !rc_ok(crypto_password_hash(hash, password, SPAN_OF(salts[0])))) {
        admin_complain("the password cannot be hashed: libcrypt has no yescrypt here");
        return ADMIN_NEGATIVE;
    }
    crypto_scram_make(&scram, password, SPAN_OF(salts[1]), CRYPTO_SCRAM_ITERATIONS);
    crypto_scram_put(verifier, &scram);
    return ADMIN_DONE;
}

// ---- add ----

// Senders as given, or those that somebody who is there has already.
static int put_senders(const struct admin_call *call, const struct sasl_user *is, struct buf *out)
{
    char key[SASL_KEY_MAX];
    const char *given = call->flags[SENDERS];
    for (size_t i = 0; !given && is && i < is->sender_count; i++)
        buf_printf(out, "%s%.*s", i ? "," : "", SPAN_FMT(is->senders[i]));
    struct span list = given ? span_str(given) : (struct span){0};
    while (given && *given && list.at) {
        struct span one = span_trim(span_cut(&list, ','));
        if (!sasl_sender_key(key, one))
            return admin_complain("'%.*s' is no address that can be sent from; as in "
                                  "ann@example.org, *@example.org",
                                  SPAN_FMT(one));
        buf_printf(out, "%s%s", out->len ? "," : "", key);
    }
    return rc_ok(buf_state(out)) ? ADMIN_DONE : admin_complain("these are too many senders");
}

// Asked for once, so that those who are not there stay the same ones (sasl_decoy).
static void put_head(struct buf *text, const struct sasl_users *users)
{
    CLEANUP(buf_free) struct buf secret = BUF(256);
    char bytes[SASL_SECRET_BYTES];
    if (text->len == 0)
        buf_put(text, SPAN("# Users of Geleit: NAME HASH VERIFIER SENDERS, as 'geleit user' writes "
                           "them.\n"));
    if (sasl_users_decoys(users).len || !get_random(bytes, sizeof bytes))
        return;
    code_put_base64(&secret, SPAN_OF(bytes));
    buf_printf(text, "@decoys %s\n", buf_str(&secret));
    explicit_bzero(bytes, sizeof bytes);
}

static int save(struct work *w, struct span name, struct span line, bool *there)
{
    CLEANUP(buf_wipe) struct buf text = BUF(PROC_USERS_MAX);
    struct conf_fault fault;
    struct sasl_users_fault wrong;
    if (w->edit.text.len == 0 && line.len)
        put_head(&text, w->edit.users);
    *there = sasl_users_change(&text, buf_span(&w->edit.text), name, line);
    struct sasl_users *check = sasl_users_read(buf_span(&text), &wrong);
    if (!rc_ok(buf_state(&text)) || !check)
        return admin_complain("%s", check ? "the file of users would grow too large" : wrong.text);
    sasl_users_free(check);
    struct rc rc = proc_users_save(&w->edit, w->conf, buf_span(&text), &fault);
    if (rc_ok(rc))
        return ADMIN_DONE;
    admin_complain("%s", fault.text);
    return status_of(rc);
}

static int add_with(struct work *w, const char *name, struct span password)
{
    CLEANUP(buf_wipe) struct buf hash = BUF(500), verifier = BUF(500), line = BUF(1 << 20);
    CLEANUP(buf_free) struct buf senders = BUF(1 << 20);
    char key[SASL_KEY_MAX];
    bool there;
    if (!sasl_key(key, span_str(name)))
        panic("checked before");
    int status = put_senders(w->call, sasl_users_find(w->edit.users, span_str(name)), &senders);
    if (status == ADMIN_DONE && password.len)
        status = put_secrets(password, &hash, &verifier);
    if (status != ADMIN_DONE)
        return status;
    sasl_user_put(&line, &(struct sasl_user_line){.name = span_str(key),
                                                  .hash = buf_span(&hash),
                                                  .verifier = buf_span(&verifier),
                                                  .senders = buf_span(&senders)});
    status = save(w, span_str(name), buf_span(&line), &there);
    if (status == ADMIN_DONE)
        printf("%s is %s\n", key, there ? "changed" : "added");
    return status;
}

static int add(struct work *w)
{
    CLEANUP(buf_wipe) struct buf password = BUF(CRYPTO_PASSWORD_MAX);
    char key[SASL_KEY_MAX];
    const char *name = w->call->words[1];
    if (!sasl_key(key, span_str(name)) || strpbrk(name, " \t,*\"#") || name[0] == '@')
        return admin_complain("'%s' is neither an address nor a name", name);
    int status = w->call->flags[NO_PASSWORD] ? ADMIN_DONE : take_password(&password);
    return status == ADMIN_DONE ? add_with(w, name, buf_span(&password)) : status;
}

// ---- remove ----

static int remove_users(struct work *w)
{
    int status = ADMIN_DONE;
    for (unsigned i = 1; i < w->call->word_count && status == ADMIN_DONE; i++) {
        const char *name = w->call->words[i];
        struct conf_fault fault;
        bool there;
        if (!sasl_users_find(w->edit.users, span_str(name))) {
            admin_complain("there is no user '%s' in %s", name, buf_str(&w->edit.path));
            return ADMIN_NEGATIVE;
        }
        status = save(w, span_str(name), SPAN(""), &there);
        if (status == ADMIN_DONE)
            printf("%s is removed\n", name);
        proc_users_edit_end(&w->edit); // as it is now, for the next
        struct rc rc = proc_users_edit(&w->edit, w->conf, true, &fault);
        if (!rc_ok(rc)) {
            admin_complain("%s", fault.text);
            return status_of(rc);
        }
    }
    return status;
}

// ---- list ----

static const char *password_word(const struct sasl_user *u)
{
    return u->hash.len && u->has_scram ? "hash and SCRAM"
           : u->hash.len               ? "hash"
           : u->has_scram              ? "SCRAM"
                                       : "none";
}

static json_t *text_of(struct span s)
{
    return json_stringn(s.at, s.len);
}

static void put_json(struct buf *b, const struct sasl_users *users)
{
    json_t *all = json_array();
    for (size_t i = 0; i < sasl_users_count(users); i++) {
        const struct sasl_user *u = sasl_users_at(users, i);
        json_t *one = json_object(), *senders = json_array();
        for (size_t k = 0; k < u->sender_count; k++)
            json_array_append_new(senders, text_of(u->senders[k]));
        json_object_set_new(one, "name", text_of(u->name));
        json_object_set_new(one, "hash", json_boolean(u->hash.len > 0));
        json_object_set_new(one, "scram_sha_256", json_boolean(u->has_scram));
        json_object_set_new(one, "senders", senders);
        json_array_append_new(all, one);
    }
    char *text = json_dumps(all, JSON_INDENT(2));
    buf_put(b, span_str(text));
    buf_putc(b, '\n');
    free(text);
    json_decref(all);
}

static void show(struct admin_page *p, const struct sasl_users *users)
{
    int widest = 4;
    for (size_t i = 0; i < sasl_users_count(users); i++)
        if ((int)sasl_users_at(users, i)->name.len > widest)
            widest = (int)sasl_users_at(users, i)->name.len;
    admin_putf(p, INK_DIM, "%-*s  %-14s  %s", widest, "NAME", "PASSWORD", "MAY ALSO SEND AS");
    buf_putc(&p->out, '\n');
    for (size_t i = 0; i < sasl_users_count(users); i++) {
        const struct sasl_user *u = sasl_users_at(users, i);
        admin_putf(p, INK_BOLD, "%-*.*s", widest, SPAN_FMT(u->name));
        admin_putf(p, INK_NONE, "  %-14s  ", password_word(u));
        for (size_t k = 0; k < u->sender_count; k++) {
            admin_put(p, INK_NONE, k ? SPAN(", ") : SPAN(""));
            admin_put(p, INK_NONE, u->senders[k]);
        }
        buf_putc(&p->out, '\n');
    }
}

static int list(struct work *w)
{
    struct admin_page page = ADMIN_PAGE(admin_colour());
    const struct sasl_users *users = w->edit.users;
    if (w->call->json)
        put_json(&page.out, users);
    else if (sasl_users_count(users))
        show(&page, users);
    else
        buf_printf(&page.out, "There are no users in %s.\n", buf_str(&w->edit.path));
    int status = admin_print(&page.out);
    buf_free(&page.out);
    return status;
}

// ---- the command ----

static int run(struct work *w)
{
    static const struct {
        const char *word;
        bool change;
        unsigned least, most; // words
        const char *takes;
        int (*run)(struct work *w);
    } verbs[] = {
        {"add", true, 2, 2, "one NAME; the password is asked for", add},
        {"list", false, 1, 1, "no argument", list},
        {"remove", true, 2, UINT_MAX, "a NAME, or several", remove_users},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        struct conf_fault fault;
        if (strcmp(w->call->words[0], verbs[i].word) != 0)
            continue;
        if (w->call->word_count < verbs[i].least || w->call->word_count > verbs[i].most)
            return admin_complain("'user %s' takes %s", verbs[i].word, verbs[i].takes);
        struct rc rc = proc_users_edit(&w->edit, w->conf, verbs[i].change, &fault);
        int status = status_of(rc);
        if (rc_ok(rc))
            status = verbs[i].run(w);
        else
            admin_complain("%s", fault.text);
        proc_users_edit_end(&w->edit);
        return status;
    }
    return admin_complain("'user %s' is not known; there are add, list and remove",
                          w->call->words[0]);
}

int admin_user(const struct admin_call *call)
{
    struct proc_master_conf mc;
    struct conf_fault fault;
    struct work w = {.call = call};
    admin_conf_source(call, &mc);
    if (!rc_ok(proc_conf_load(&mc, &w.conf, &fault)))
        return admin_complain("%s", fault.text);
    int status = run(&w);
    conf_free(w.conf);
    return status;
}
