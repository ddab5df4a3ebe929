#include "abuse_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_A_LIST = -1 };

struct question {
    struct dns_question ask;
    int list; // index, or NOT_A_LIST
    bool asked, answered;
};

struct abuse_client {
    const struct abuse_conf *conf;
    struct dns_address address;
    struct question *questions; // until the last one was answered
    unsigned count;
    bool confirmed, unknown; // unknown: a question about names was not answered
    struct dns_name name;
    bool listed[ABUSE_LISTS_MAX];
    struct dns_address codes[ABUSE_LISTS_MAX];
};

static void add(struct abuse_client *c, const struct dns_name *name, enum dns_type type, int list)
{
    c->questions = mem_resize(c->questions, (c->count + 1) * sizeof *c->questions);
    c->questions[c->count++] = (struct question){.ask = {*name, type}, .list = list};
}

// The address the other way round, in front of a zone (RFC 1035 §3.5, RFC 3596 §2.5).
static bool reversed(struct dns_name *out, const struct dns_address *a, const char *zone)
{
    char text[256];
    size_t at = 0;
    for (int i = a->v6 ? 15 : 3; i >= 0; i--)
        at += (size_t)snprintf(text + at, sizeof text - at, a->v6 ? "%x.%x." : "%u.",
                               a->v6 ? a->at[i] & 15u : a->at[i], a->at[i] >> 4u);
    int more = snprintf(text + at, sizeof text - at, "%s", zone);
    return more > 0 && at + (size_t)more < sizeof text && dns_name_parse(out, span_str(text));
}

struct abuse_client *abuse_client_new(const struct abuse_conf *conf,
                                      const struct dns_address *address)
{
    struct abuse_client *c = mem_new(sizeof *c);
    struct dns_name name;
    c->conf = conf;
    c->address = *address;
    if (conf->names && reversed(&name, address, address->v6 ? "ip6.arpa" : "in-addr.arpa"))
        add(c, &name, DNS_PTR, NOT_A_LIST);
    for (size_t i = 0; i < conf->list_count; i++)
        if (reversed(&name, address, conf->lists[i].zone.text))
            add(c, &name, DNS_A, (int)i);
    return c;
}

void abuse_client_free(struct abuse_client *c)
{
    if (c)
        free(c->questions);
    free(c);
}

bool abuse_client_asks(struct abuse_client *c, unsigned *ticket, struct dns_question *q)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (c->questions[i].asked)
            continue;
        c->questions[i].asked = true;
        *ticket = i;
        *q = c->questions[i].ask;
        return true;
    }
    return false;
}

// All that is there was read, or nothing is.
static bool is_whole(const struct dns_answer *a)
{
    return a->presence != DNS_NO_ANSWER && !a->unread && (a->presence != DNS_DATA || a->count > 0);
}

static void names_told(struct abuse_client *c, const struct dns_answer *a)
{
    enum dns_type type = c->address.v6 ? DNS_AAAA : DNS_A;
    c->unknown |= !is_whole(a) || a->count > ABUSE_NAMES_MAX;
    for (size_t i = 0; i < a->count && i < ABUSE_NAMES_MAX; i++)
        add(c, &a->records[i].name, type, NOT_A_LIST);
}

static void addresses_told(struct abuse_client *c, const struct question *q,
                           const struct dns_answer *a)
{
    c->unknown |= !is_whole(a);
    for (size_t i = 0; i < a->count && !c->confirmed; i++) {
        if (!dns_address_eq(&a->records[i].address, &c->address))
            continue;
        c->confirmed = true;
        c->name = q->ask.name;
    }
}

// Only 127.0.0.0/8 is an answer of a list (RFC 5782 §2.1). 127.0.0.1 lists nothing, and
// lists say by 127.255.255.x that they did not look: a question over a limit, or by way
// of a public resolver.
static bool is_listing(const struct dns_address *a)
{
    static const unsigned char nothing[] = {127, 0, 0, 1}, refused[] = {127, 255, 255};
    return !a->v6 && a->at[0] == 127 && memcmp(a->at, nothing, sizeof nothing) != 0 &&
           memcmp(a->at, refused, sizeof refused) != 0;
}

static void list_told(struct abuse_client *c, size_t list, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->count && !c->listed[list]; i++) {
        c->listed[list] = is_listing(&a->records[i].address);
        c->codes[list] = a->records[i].address;
    }
}

void abuse_client_answer(struct abuse_client *c, unsigned ticket, const struct dns_answer *a)
{
    if (ticket >= c->count || c->questions[ticket].answered)
        panic("an answer to no question (%u)", ticket);
    c->questions[ticket].answered = true;
    struct question q = c->questions[ticket];
    if (q.list != NOT_A_LIST)
        list_told(c, (size_t)q.list, a);
    else if (q.ask.type == DNS_PTR)
        names_told(c, a);
    else
        addresses_told(c, &q, a);
    if (!abuse_client_done(c))
        return;
    free(c->questions); // what was found may be kept for hours
    c->questions = NULL;
    c->count = 0;
}

bool abuse_client_done(const struct abuse_client *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (!c->questions[i].answered)
            return false;
    return true;
}

static bool names_open(const struct abuse_client *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].list == NOT_A_LIST && !c->questions[i].answered)
            return true;
    return false;
}

struct abuse_finding abuse_client_finding(const struct abuse_client *c)
{
    struct abuse_finding f = {.name = c->name};
    if (c->conf->names)
        f.name_is = c->confirmed                  ? ABUSE_NAME_CONFIRMED
                    : c->unknown || names_open(c) ? ABUSE_NAME_NOT_KNOWN
                                                  : ABUSE_NAME_NONE;
    for (size_t i = 0; i < c->conf->list_count; i++) {
        const struct abuse_list *l = &c->conf->lists[i];
        if (!c->listed[i] || (f.listed && (f.listed->refuse || !l->refuse)))
            continue;
        f.listed = l;
        f.code = c->codes[i];
    }
    return f;
}
