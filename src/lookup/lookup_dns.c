#include "lookup_dns.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

enum {
    CLASS_IN = 1,
    WHY_MAX = 256,
    ANCHOR_LINE_MAX = 4096,
    NAME_TEXT_MAX = 2 * sizeof(((struct dns_name *)0)->text) + 2,
};

static const char default_anchor[] = "/usr/share/dns/root.key"; // Debian's dns-root-data
static const int64_t default_timeout_us = SECONDS(10);

// TRAPS DANE 13: outbound-msg-retry is left as it is, for 1 breaks unsigned
// zones when forwarding. The library's own sizes are those of a tool that asks
// one question; these are a mail server's.
static const char *const options[][2] = {
    {"module-config:", "validator iterator"},
    {"do-not-query-localhost:", "no"}, // a forwarder or a test's servers may be there
    // The first three tries of a server wait equally long, whatever came of them: with the
    // library's own 376 ms nobody further away is ever heard. A silent server is given up
    // in 6 s (30 s without the second line).
    {"infra-cache-min-rtt:", "800"},
    {"infra-cache-max-rtt:", "2000"},
    {"harden-dnssec-stripped:", "yes"},
    {"val-permissive-mode:", "no"},
    {"outgoing-range:", "256"},
    {"outgoing-num-tcp:", "32"},
    {"num-queries-per-thread:", "4096"},
    {"msg-cache-size:", "16m"},
    {"rrset-cache-size:", "32m"},
    {"key-cache-size:", "8m"},
    {"neg-cache-size:", "2m"},
};

// Zones the library answers by itself unless told not to. In a DNS of one's
// own they may be there.
static const char *const local_zones[] = {"test.", "127.in-addr.arpa."};

struct ask {
    struct ask *next, **at;
    struct lookup_dns *d;
    struct io_timer timer; // its deadline; or, refused, the moment to say so
    int id;                // the library's; meaningless if refused
    const char *refused;   // NULL: under way
    void (*done)(void *arg, const struct dns_verdict *v);
    void *arg;
};

struct lookup_dns {
    struct io_loop *loop;
    struct ub_ctx *ctx;
    struct io_watch *watch;
    struct ask *asks;
    int64_t timeout_us;
    unsigned under_way, outstanding;
};

// Unlinks and frees first: `done` may ask again.
static void ask_end(struct ask *a, const struct dns_verdict *v)
{
    struct ask ended = *a;
    io_timer_cancel(a->d->loop, &a->timer);
    *a->at = a->next;
    if (a->next)
        a->next->at = a->at;
    a->d->under_way -= !a->refused;
    free(a);
    ended.done(ended.arg, v);
}

static void ask_fail(struct ask *a, struct span why)
{
    ask_end(a, &(struct dns_verdict){.no_answer = true, .why = why});
}

static void answered(void *arg, int error, struct ub_result *r)
{
    if (error || !r) {
        ask_fail(arg, span_str(ub_strerror(error)));
        return;
    }
    struct dns_verdict v = {
        .secure = r->secure && !r->bogus,
        .bogus = r->bogus,
        .rcode = (unsigned)r->rcode,
        .ttl = r->ttl > 0 ? (uint32_t)r->ttl : 0,
        .why = span_str(r->why_bogus),
        .packet = {r->answer_packet, r->answer_len > 0 ? (size_t)r->answer_len : 0},
    };
    ask_end(arg, &v);
    ub_resolve_free(r);
}

static void overdue(void *arg)
{
    struct ask *a = arg;
    if (a->refused) {
        ask_fail(a, span_str(a->refused));
        return;
    }
    ub_cancel(a->d->ctx, a->id); // fails only for one that is answered, which then is not here
    ask_fail(a, SPAN("no answer in time"));
}

static void ready(void *arg, int what)
{
    (void)what;
    struct lookup_dns *d = arg;
    int error = ub_process(d->ctx);
    if (error) // the thread is gone or memory is: nothing to go on with
        panic("resolver library: %s", ub_strerror(error));
}

// The library reads a backslash as the beginning of an escape (RFC 1035 §5.1).
static void put_name(char *to, const struct dns_name *n)
{
    for (size_t i = 0; i < n->len; i++) {
        if (n->text[i] == '\\')
            *to++ = '\\';
        *to++ = n->text[i];
    }
    *to++ = '.';
    *to = '\0';
}

static void refuse(struct ask *a, const char *why)
{
    a->refused = why;
    io_timer_set(a->d->loop, &a->timer, io_now(a->d->loop));
}

void lookup_dns_ask(struct lookup_dns *d, const struct dns_question *q,
                    void (*done)(void *arg, const struct dns_verdict *v), void *arg)
{
    struct ask *a = mem_new(sizeof *a);
    char name[NAME_TEXT_MAX];
    *a = (struct ask){.next = d->asks, .at = &d->asks, .d = d, .done = done, .arg = arg};
    a->timer = (struct io_timer){.fire = overdue, .arg = a};
    if (a->next)
        a->next->at = &a->next;
    d->asks = a;
    if (d->under_way >= d->outstanding) {
        refuse(a, "too many questions under way");
        return;
    }
    put_name(name, &q->name);
    int error = ub_resolve_async(d->ctx, name, (int)q->type, CLASS_IN, a, answered, &a->id);
    if (error) {
        refuse(a, ub_strerror(error));
        return;
    }
    d->under_way++;
    io_timer_set(d->loop, &a->timer, (struct mono){io_now(d->loop).us + d->timeout_us});
}

static bool is_anchor(struct span line)
{
    struct span words = span_cut(&line, ';');
    while (words.at) {
        struct span rest = span_trim(words);
        size_t blank = span_index(rest, ' '), tab = span_index(rest, '\t');
        struct span word = span_first(rest, blank < tab ? blank : tab);
        if (span_ieq(word, SPAN("DS")) || span_ieq(word, SPAN("DNSKEY")))
            return true;
        if (word.len == rest.len)
            return false;
        words = span_skip(rest, word.len);
    }
    return false;
}

static void close_file(FILE **f)
{
    if (*f)
        fclose(*f);
}

// To the library a file without a key is no error: it would go on and find
// every zone insecure, without a word.
static bool has_anchor(const char *path)
{
    CLEANUP(close_file) FILE *f = fopen(path, "re");
    char line[ANCHOR_LINE_MAX];
    while (f && fgets(line, sizeof line, f)) {
        struct span text = span_str(line);
        if (is_anchor(span_cut(&text, '\n')))
            return true;
    }
    return false;
}

// NULL: it is; else a sentence, good until the next one.
static const char *unreadable(const char *what, const char *path)
{
    static char why[4500];
    CLEANUP(close_file) FILE *f = fopen(path, "re");
    if (f)
        return NULL;
    snprintf(why, sizeof why, "%s %s cannot be read: %s", what, path, strerror(errno));
    return why;
}

struct path {
    char text[4096];
};

static const char *set_anchor(struct ub_ctx *ctx, struct span file)
{
    struct path path;
    if (!span_copy(path.text, sizeof path.text, file.len ? file : span_str(default_anchor)))
        return "the trust anchor's file name is too long";
    const char *why = unreadable("the trust anchor's file", path.text);
    if (why)
        return why;
    if (!has_anchor(path.text))
        return "the trust anchor's file holds no DS or DNSKEY record";
    return ub_ctx_add_ta_file(ctx, path.text) ? "the trust anchor cannot be used" : NULL;
}

static const char *set_hints(struct ub_ctx *ctx, struct span file)
{
    struct path path;
    if (!span_copy(path.text, sizeof path.text, file))
        return "the root hints' file name is too long";
    if (path.text[0] == '\0')
        return NULL;
    const char *why = unreadable("the root hints' file", path.text);
    if (why)
        return why;
    return ub_ctx_set_option(ctx, "root-hints:", path.text) ? "the root hints cannot be used"
                                                            : NULL;
}

static const char *set_forward(struct ub_ctx *ctx, const struct lookup_dns_conf *conf)
{
    char address[128];
    for (size_t i = 0; i < conf->forward_count; i++) {
        if (!span_copy(address, sizeof address, conf->forward[i]) || ub_ctx_set_fwd(ctx, address))
            return "a forwarder is not of the form address@port";
    }
    return NULL;
}

static const char *set_options(struct ub_ctx *ctx, bool private)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (ub_ctx_set_option(ctx, options[i][0], options[i][1]))
            return "the resolver library does not know an option that is needed";
    }
    if (private && ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes"))
        return "the resolver library does not know an option that is needed";
    // Its thread starts with the first question, and inherits what holds us then.
    return ub_ctx_async(ctx, 1) ? "the resolver library cannot work in the background" : NULL;
}

// Any change of local zones makes the library read its files now: a fault in
// them is found here and not with the first question.
static const char *finish(struct ub_ctx *ctx, bool private)
{
    int error = ub_ctx_zone_remove(ctx, "none.invalid.");
    for (size_t i = 0; private && !error && i < sizeof local_zones / sizeof local_zones[0]; i++)
        error = ub_ctx_zone_remove(ctx, local_zones[i]);
    return error ? "the trust anchor or the root hints cannot be used" : NULL;
}

static const char *set_up(struct ub_ctx *ctx, const struct lookup_dns_conf *conf)
{
    bool private = conf->forward_count > 0 || conf->root_hints.len > 0;
    ub_ctx_debugout(ctx, NULL); // what it has to say comes with its answers
    const char *why = set_options(ctx, private);
    if (!why && conf->raw && ub_ctx_set_option(ctx, "module-config:", "iterator"))
        why = "the resolver library does not know an option that is needed";
    if (!why && !conf->raw)
        why = set_anchor(ctx, conf->trust_anchor);
    if (!why)
        why = set_hints(ctx, conf->root_hints);
    if (!why)
        why = set_forward(ctx, conf);
    return why ? why : finish(ctx, private);
}

struct rc lookup_dns_new(struct lookup_dns **out, struct io_loop *l,
                         const struct lookup_dns_conf *conf, const char **why)
{
    struct ub_ctx *ctx = ub_ctx_create();
    *out = NULL;
    *why = ctx ? set_up(ctx, conf) : "the resolver library does not start";
    if (*why) {
        ub_ctx_delete(ctx);
        return RC(CONFIG);
    }
    struct lookup_dns *d = mem_new(sizeof *d);
    *d = (struct lookup_dns){.loop = l, .ctx = ctx, .outstanding = conf->outstanding};
    d->timeout_us = conf->timeout_us > 0 ? conf->timeout_us : default_timeout_us;
    d->watch = io_watch_new(l, ub_fd(ctx), IO_READ, ready, d);
    *out = d;
    return RC(OK);
}

void lookup_dns_free(struct lookup_dns *d)
{
    if (!d)
        return;
    io_watch_free(d->watch);
    ub_ctx_delete(d->ctx);
    while (d->asks) {
        struct ask *a = d->asks;
        d->asks = a->next;
        io_timer_cancel(d->loop, &a->timer);
        free(a);
    }
    free(d);
}
