// Reports of others by HTTPS POST (RFC 8460 §5.4). What is posted is not looked at here: its
// bytes go to the reporter, whose answer is the client's.
#include "abuse_bucket.h"
#include "base_log.h"
#include "base_meter.h"
#include "dns_answer.h"
#include "http_tls.h"
#include "proc_reports.h"
#include "proc_tls.h"
#include "proc_web.h"

#include <stdlib.h>
#include <sys/resource.h>

enum {
    CONNECTIONS = 256,
    DESCRIPTORS = 4, // of a connection: it, a pair, a body
    PATIENCE_S = 20,
    BODY_S = 180,
    BODY_RATE = 512,
    BODY_MAX = 10 << 20, // packed reports of a million sessions have less
    BODIES_MAX = 64 << 20,
    CLIENT_MAX = 16 << 20,
    ASKED_MAX = 16,      // at the reporter at once: mail brings reports too
    ASKED_OF_CLIENT = 4, // who posts what takes long to read does not hold up the others
    LATER_S = 600,
    KEYS = 4096, // clients that a rate is kept for
};
#define TURN_PATIENCE   SECONDS(60) // for the reporter's attention
#define ANSWER_PATIENCE SECONDS(120)
#define DRAIN_PATIENCE  SECONDS(5)
#define LAST_WORDS      (200 * US_PER_MS) // until what is said has left

struct post {
    struct post *next, **at;
    struct web_reports *web;
    struct http_request *request;
    uint32_t ticket; // of the question to the reporter; 0: it waits for its turn
    struct io_timer limit;
};

struct web_reports {
    struct proc *proc;
    struct http_tls *https;
    struct abuse_buckets *clients; // one token: one post
    struct abuse_rate rate;
    struct post *posts; // the newest first
    unsigned asked;
    void (*drained)(struct proc *p); // NULL: it is not to end
    struct io_timer end;
};

static void ask_next(struct web_reports *w);

// ---- what is said to the client

static void say(struct http_request *r, unsigned status, struct span text)
{
    http_answer(r, status, "text/plain; charset=utf-8", text);
}

static void say_later(struct http_request *r)
{
    meter_count(METER_POSTS_LATER, 1);
    http_retry_after(r, LATER_S);
    say(r, 503, SPAN("It cannot be taken now. Please try again later.\n"));
}

static void post_free(struct post *p)
{
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    if (p->ticket) {
        proc_forget(p->web->proc, p->ticket);
        p->web->asked--;
    }
    io_timer_cancel(p->web->proc->loop, &p->limit);
    free(p);
}

static void put_off(void *arg)
{
    struct post *p = arg;
    struct http_request *r = p->request;
    post_free(p);
    say_later(r);
}

// ---- what the reporter says

struct intaken {
    struct rc rc;
    unsigned taken, aside;
    struct span why;
};

static bool unpack(struct intaken *out, struct span payload)
{
    struct rd rd = RD(payload);
    out->rc = (struct rc){(enum rc_code)rd_enum(&rd, RC_COUNT)};
    out->taken = rd_u32(&rd);
    out->aside = rd_u32(&rd);
    out->why = rd_span(&rd);
    return rd_end(&rd);
}

static void tell(struct http_request *r, const struct intaken *is)
{
    CLEANUP(buf_free) struct buf b = BUF(4096);
    if (!rc_ok(is->rc)) {
        say_later(r);
        return;
    }
    meter_count(is->taken ? METER_POSTS_TAKEN : METER_POSTS_ASIDE, 1);
    if (is->taken && is->aside)
        buf_printf(&b, "Thank you; %u of it could not be read. %.*s\n", is->aside,
                   SPAN_FMT(is->why));
    else if (is->taken)
        buf_printf(&b, "Thank you.\n");
    else
        buf_printf(&b, "It could not be read, and is kept for somebody to look at. %.*s\n",
                   SPAN_FMT(is->why));
    say(r, is->taken ? 201 : 422, buf_span(&b));
}

static void end_in(struct web_reports *w, int64_t us)
{
    io_timer_set(w->proc->loop, &w->end, (struct mono){io_now(w->proc->loop).us + us});
}

static bool answered(void *arg, struct io_message *m)
{
    struct post *p = arg;
    struct web_reports *w = p->web;
    struct http_request *r = p->request;
    struct intaken is = {.rc = RC(UNAVAILABLE)};
    bool fine = !m || unpack(&is, m->payload);
    p->ticket = 0;
    w->asked--;
    post_free(p);
    if (!fine)
        is = (struct intaken){.rc = RC(UNAVAILABLE)};
    tell(r, &is);
    if (w->drained && !w->posts)
        end_in(w, LAST_WORDS);
    else
        ask_next(w);
    return fine;
}

// ---- what is asked

// An IPv4 address, an IPv6 /64.
static struct span client_of(const struct http_request *r)
{
    const struct io_endpoint *peer = http_peer(r);
    return (struct span){(const char *)peer->address, peer->v6 ? 8 : 4};
}

static void put_client(struct buf *b, const struct io_endpoint *peer)
{
    struct dns_address a = {.v6 = peer->v6};
    span_bytes(a.at, a.v6 ? 16 : 4, (struct span){(const char *)peer->address, a.v6 ? 16 : 4});
    dns_address_put(b, &a);
}

static void ask(struct post *p)
{
    CLEANUP(buf_free) struct buf b = BUF(4096), who = BUF(64);
    uint64_t size = 0;
    int fd = http_body(p->request, &size);
    put_client(&who, http_peer(p->request));
    wr_u8(&b, REPORT_WAY_POST);
    wr_span(&b, buf_span(&who));
    wr_span(&b, SPAN(""));
    wr_u64(&b, 0);
    wr_u64(&b, size);
    io_timer_cancel(p->web->proc->loop, &p->limit);
    p->web->asked++;
    p->ticket = proc_ask_with(p->web->proc, PROC_REPORTER, 0, MSG_REPORT_INTAKE, buf_span(&b), fd,
                              ANSWER_PATIENCE, answered, p);
}

static unsigned asked_of(const struct web_reports *w, struct span client)
{
    unsigned n = 0;
    for (const struct post *p = w->posts; p; p = p->next)
        n += p->ticket && span_eq(client_of(p->request), client);
    return n;
}

// The oldest that waits, of a client that has its turn.
static void ask_next(struct web_reports *w)
{
    struct post *next = NULL;
    if (w->asked >= ASKED_MAX)
        return;
    for (struct post *p = w->posts; p; p = p->next)
        if (!p->ticket && asked_of(w, client_of(p->request)) < ASKED_OF_CLIENT)
            next = p;
    if (next)
        ask(next);
}

static void got_post(struct web_reports *w, struct http_request *r)
{
    uint64_t size = 0;
    (void)http_body(r, &size);
    if (!size) {
        meter_count(METER_POSTS_REFUSED, 1);
        say(r, 422, SPAN("There is nothing in it.\n"));
        return;
    }
    if (w->drained) {
        say_later(r);
        return;
    }
    struct post *p = mem_new(sizeof *p);
    *p = (struct post){.next = w->posts, .at = &w->posts, .web = w, .request = r};
    p->limit = (struct io_timer){.fire = put_off, .arg = p};
    if (p->next)
        p->next->at = &p->next;
    w->posts = p;
    io_timer_set(w->proc->loop, &p->limit, (struct mono){io_now(w->proc->loop).us + TURN_PATIENCE});
    ask_next(w);
}

// ---- HTTP

static unsigned methods(void *arg, struct span path)
{
    (void)arg;
    if (path.len > 1 && span_ends(path, SPAN("/")))
        path = span_first(path, path.len - 1);
    return span_eq(path, SPAN("/v1/tlsrpt")) || span_eq(path, SPAN("/tlsrpt")) ? HTTP_POST
           : span_eq(path, SPAN("/"))                                          ? HTTP_GET
                                                                               : 0;
}

static bool too_many(struct web_reports *w, struct http_request *r)
{
    int64_t wait = abuse_bucket_take(w->clients, client_of(r), &w->rate, 1, io_now(w->proc->loop));
    if (!wait)
        return false;
    meter_count(METER_POSTS_LIMITED, 1);
    http_retry_after(r, (unsigned)(wait / US_PER_S) + 1);
    say(r, 429, SPAN("You post more than is taken of one client. Please wait.\n"));
    return true;
}

// What a report is, its first bytes say; a label that says "gzip" changes nothing about them.
static bool known_encoding(struct span is)
{
    return !is.len || span_ieq(is, SPAN("gzip")) || span_ieq(is, SPAN("x-gzip")) ||
           span_ieq(is, SPAN("identity"));
}

static void head(void *arg, struct http_request *r)
{
    struct web_reports *w = arg;
    if (w->drained) {
        say_later(r);
        return;
    }
    if (too_many(w, r) || known_encoding(http_header(r, "Content-Encoding")))
        return;
    meter_count(METER_POSTS_REFUSED, 1);
    http_field(r, "Accept-Encoding", "gzip, identity"); // RFC 9110 §15.5.16
    say(r, 415, SPAN("Of the content encodings gzip alone is known here.\n"));
}

static void say_what_this_is(struct web_reports *w, struct http_request *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1024);
    buf_printf(&b,
               "TLS reports (RFC 8460) for the mail server %.*s are posted here, to /v1/tlsrpt.\n",
               SPAN_FMT(conf_span(w->proc->conf, CONF_hostname)));
    say(r, 200, buf_span(&b));
}

static void got(void *arg, struct http_request *r)
{
    struct web_reports *w = arg;
    if (http_is_post(r))
        got_post(w, r);
    else
        say_what_this_is(w, r);
}

// ---- life

static unsigned connections(void)
{
    struct rlimit r;
    rlim_t most = getrlimit(RLIMIT_NOFILE, &r) ? 256 : r.rlim_cur;
    rlim_t fit = (most - most / 4) / DESCRIPTORS;
    return fit < CONNECTIONS ? (unsigned)fit + 1 : CONNECTIONS;
}

struct web_reports *web_reports_new(struct proc *p)
{
    struct web_reports *w = mem_new(sizeof *w);
    w->proc = p;
    return w;
}

static bool begin(struct web_reports *w)
{
    struct http_conf c = {.methods = methods,
                          .nothing = "TLS reports are posted to /v1/tlsrpt.\n",
                          .head = head,
                          .got = got,
                          .arg = w,
                          .connections = connections(),
                          .patience_s = PATIENCE_S,
                          .body_s = BODY_S,
                          .body_rate = BODY_RATE,
                          .body_max = BODY_MAX,
                          .bodies_max = BODIES_MAX,
                          .client_max = CLIENT_MAX};
    const char *why = "";
    if (w->https || rc_ok(http_tls_new(&w->https, w->proc->loop, &c, &why)))
        return true;
    LOG(LOG_ERROR, "reports-not-listening", LOG_T("why", why)); // mail goes on
    return false;
}

static void listen_all(struct web_reports *w)
{
    const struct proc *p = w->proc;
    int *fds = mem_new((p->listener_count + 1) * sizeof *fds);
    size_t count = 0;
    for (size_t i = 0; i < p->listener_count; i++)
        if (p->listeners[i].kind == PROC_WEB_REPORTS)
            fds[count++] = p->listeners[i].fd;
    if (count == 0 ? w->https != NULL : begin(w))
        http_tls_listen(w->https, fds, count);
    free(fds);
}

static void limit(struct web_reports *w)
{
    int64_t a_minute = conf_int(w->proc->conf, CONF_report_posts);
    if (w->rate.burst == a_minute)
        return;
    abuse_buckets_free(w->clients);
    w->clients = abuse_buckets_new(KEYS, io_random());
    w->rate = (struct abuse_rate){(unsigned)a_minute, SECONDS(60) / a_minute};
}

void web_reports_configure(struct web_reports *w, bool listeners)
{
    limit(w);
    if (listeners)
        listen_all(w);
    if (!w->https)
        return;
    http_tls_use(
        w->https,
        proc_tls_server(w->proc, &(struct proc_tls_use){.protocol = SPAN("http/1.1")}, NULL));
}

void web_reports_measure(const struct web_reports *w)
{
    meter_set(METER_POSTERS, w->https ? (int64_t)http_tls_connections(w->https) : 0);
}

static void stop(void *arg)
{
    struct web_reports *w = arg;
    while (w->posts)
        post_free(w->posts);
    http_tls_free(w->https);
    w->https = NULL;
    w->drained(w->proc);
}

void web_reports_drain(struct web_reports *w, void (*drained)(struct proc *p))
{
    w->drained = drained;
    w->end = (struct io_timer){.fire = stop, .arg = w};
    if (!w->https) {
        stop(w);
        return;
    }
    http_tls_listen(w->https, NULL, 0);
    for (struct post *p = w->posts, *next; p; p = next) {
        next = p->next;
        if (!p->ticket)
            put_off(p);
    }
    end_in(w, w->posts ? DRAIN_PATIENCE : LAST_WORDS);
}
