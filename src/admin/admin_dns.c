#include "admin_dns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE SECONDS(150)
enum {
    QUESTIONS_ROOM = 65536,
    ROUND = CONTROL_QUESTIONS_MAX,
    ROUND_ROOM = ROUND * DNS_ANSWER_ARENA
};

// ---- files and clocks ----

static void close_fd(const int *fd)
{
    if (*fd > STDIN_FILENO)
        close(*fd);
}

int admin_file(const char *path, struct buf *out)
{
    bool input = strcmp(path, "-") == 0;
    CLEANUP(close_fd) int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return admin_complain("%s cannot be opened: %s", path, strerror(errno));
    for (;;) {
        if (!rc_ok(buf_reserve(out, 65536)))
            return admin_complain("%s is larger than %zu MB", path, out->max >> 20);
        ssize_t n = read(fd, out->at + out->len, out->cap - out->len);
        if (n == 0)
            return ADMIN_DONE;
        if (n < 0 && errno != EINTR)
            return admin_complain("%s cannot be read: %s", input ? "standard input" : path,
                                  strerror(errno));
        out->len += n > 0 ? (size_t)n : 0;
    }
}

int admin_now(const char *text, struct wall *out)
{
    uint64_t seconds;
    struct timespec ts;
    if (!text) {
        clock_gettime(CLOCK_REALTIME, &ts);
        *out = (struct wall){ts.tv_sec * US_PER_S + ts.tv_nsec / 1000};
        return ADMIN_DONE;
    }
    if (span_number(span_str(text), INT64_C(253402300799), &seconds))
        *out = (struct wall){(int64_t)seconds * US_PER_S};
    else if (!time_parse_iso(out, span_str(text)))
        return admin_complain("--now: '%s' is neither a time as 2026-11-22T01:58:26Z nor a number "
                              "of seconds since 1970",
                              text);
    return ADMIN_DONE;
}

// ---- opening ----

static int read_zone(struct admin_dns *d, const char *path)
{
    CLEANUP(buf_free) struct buf text = BUF(DNS_ZONE_TEXT_MAX + 65536);
    struct dns_zone_fault fault;
    int status = admin_file(path, &text);
    if (status != ADMIN_DONE)
        return status;
    d->zone = dns_zone_new(buf_span(&text), &fault);
    if (!d->zone)
        return admin_complain("%s:%u: %s", path, fault.line, fault.text);
    return ADMIN_DONE;
}

int admin_dns_open(struct admin_dns *d, const struct admin_call *call, const char *zone)
{
    *d = (struct admin_dns){.call = call, .section = BUF(4 << 20)};
    int status = admin_server_conf(&d->server, call);
    if (status == ADMIN_DONE && zone)
        status = read_zone(d, zone);
    if (status == ADMIN_DONE && call->override_count)
        conf_pack(&d->section, d->server.conf, CONF_CONTROL);
    if (status != ADMIN_DONE)
        admin_dns_close(d);
    return status;
}

void admin_dns_close(struct admin_dns *d)
{
    dns_zone_free(d->zone);
    d->zone = NULL;
    buf_free(&d->section);
    if (d->server.conf)
        admin_server_close(&d->server);
}

// ---- asking ----

static void unknown(struct dns_answer *out, const struct dns_question *q, struct span why)
{
    *out = (struct dns_answer){.standing = DNS_INDETERMINATE, .expanded = q->name, .why = why};
}

static bool own_resolver(struct admin_dns *d, const char *why)
{
    admin_complain("%s; asking with a resolver of its own", why);
    d->section.len = 0;
    if (rc_ok(proc_client_private(&d->server.client, &d->server.mc, &why)))
        return true;
    admin_complain("%s", why);
    return false;
}

static bool connected(struct admin_dns *d)
{
    const char *why = "";
    if (d->server.client || d->lost)
        return !d->lost;
    if (!rc_ok(proc_client_open(&d->server.client, d->server.conf, &why)))
        d->lost = !own_resolver(d, why);
    return !d->lost;
}

static bool tell(struct admin_dns *d, const struct control_request *request,
                 struct control_answer *answer)
{
    if (admin_server_ask(&d->server, request, answer, PATIENCE) == ADMIN_DONE)
        return true;
    if (answer->result != CONTROL_OTHER)
        return false;
    proc_client_close(d->server.client);
    d->server.client = NULL;
    struct control_request again = *request;
    again.section = SPAN("");
    return own_resolver(d, "the running server has other options than were given here") &&
           admin_server_ask(&d->server, &again, answer, PATIENCE) == ADMIN_DONE;
}

static void ask_network(struct admin_dns *d, const struct dns_question *q, size_t count,
                        struct dns_answer *out, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(QUESTIONS_ROOM);
    struct control_answer answer = {0};
    for (size_t i = 0; i < count; i++)
        dns_question_pack(&b, &q[i]);
    bool told = connected(d); // which forgets the section where the resolver is our own
    struct control_request request = {
        .verb = CONTROL_DNS, .section = buf_span(&d->section), .questions = buf_span(&b)};
    told = told && tell(d, &request, &answer);
    struct rd r = RD(told ? answer.json : SPAN(""));
    d->lost = d->lost || !told;
    for (size_t i = 0; i < count; i++)
        if (!told || !dns_answer_unpack(&r, &out[i], a))
            unknown(&out[i], &q[i], SPAN("there is nobody to ask"));
}

void admin_dns_ask(struct admin_dns *d, const struct dns_question *q, size_t count,
                   struct dns_answer *out, struct arena *a)
{
    if (!d->zone) {
        ask_network(d, q, count, out, a);
        return;
    }
    for (size_t i = 0; i < count; i++)
        dns_zone_answer(d->zone, &q[i], &out[i], a);
}

struct round {
    size_t count;
    unsigned tickets[ROUND];
    struct dns_question questions[ROUND];
};

// Whether the machine still wants something.
static bool collect(const struct admin_machine *m, struct round *r)
{
    r->count = 0;
    while (r->count < ROUND) {
        struct auth_step step = m->next(m->machine);
        if (step.kind != AUTH_ASK_DNS)
            return r->count > 0;
        r->tickets[r->count] = step.ticket;
        r->questions[r->count++] = step.question;
    }
    return true;
}

void admin_dns_run(struct admin_dns *d, const struct admin_machine *m)
{
    struct round *r = mem_new(sizeof *r);
    while (collect(m, r)) {
        CLEANUP(arena_free) struct arena a = ARENA(ROUND_ROOM);
        struct dns_answer answers[ROUND];
        admin_dns_ask(d, r->questions, r->count, answers, &a);
        for (size_t i = 0; i < r->count; i++)
            m->answer(m->machine, r->tickets[i], &answers[i]);
    }
    free(r);
}
