// What the DNS says about a client: what is asked, and what follows from which answers.
#include "abuse_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 12 };

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_parse(&n, span_str(text)));
    return n;
}

static struct dns_address address_of(const char *text)
{
    struct dns_address a;
    assert_true(dns_address_parse(&a, span_str(text)));
    return a;
}

// "PTR name=value value; A ..." by hand: what the world answers.
struct fact {
    const char *name;
    enum dns_type type;
    const char
        *values[MANY + 1]; // none: NXDOMAIN; "?": no answer; "!": records that no one can read
};

static void answer_make(struct dns_answer *a, struct dns_record *records, const struct fact *f)
{
    *a =
        (struct dns_answer){.standing = DNS_INSECURE, .presence = DNS_NXDOMAIN, .records = records};
    if (!f || !f->values[0])
        return;
    a->presence = DNS_DATA;
    if (strcmp(f->values[0], "?") == 0)
        *a = (struct dns_answer){.standing = DNS_INDETERMINATE, .presence = DNS_NO_ANSWER};
    else if (strcmp(f->values[0], "!") == 0)
        a->unread = true;
    else
        for (; a->count < MANY && f->values[a->count]; a->count++) {
            records[a->count] = (struct dns_record){0};
            if (f->type == DNS_PTR)
                records[a->count].name = name_of(f->values[a->count]);
            else
                records[a->count].address = address_of(f->values[a->count]);
        }
}

struct row {
    const char *what, *client;
    bool names;
    const char *lists; // "zone! zone": with "!" it refuses
    struct fact facts[MANY + 2];
    enum abuse_name is;
    const char *listed; // NULL: none
    const char *code;
    unsigned asked; // questions in all
};

#define V4      "192.0.2.7"
#define V4_PTR  "7.2.0.192.in-addr.arpa"
#define V6      "2001:db8::a1"
#define V6_BACK "1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."

static const struct row rows[] = {
    {"nothing is asked", V4, false, "", {{0}}, ABUSE_NAME_NOT_ASKED, NULL, NULL, 0},
    {"a name that leads back",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"mail.example"}}, {"mail.example", DNS_A, {"192.0.2.1", V4}}},
     ABUSE_NAME_CONFIRMED,
     NULL,
     NULL,
     2},
    {"of two names the second leads back",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"a.example", "b.example"}}, {"b.example", DNS_A, {V4}}},
     ABUSE_NAME_CONFIRMED,
     NULL,
     NULL,
     3},
    {"IPv6",
     V6,
     true,
     "",
     {{V6_BACK "ip6.arpa", DNS_PTR, {"m.example"}}, {"m.example", DNS_AAAA, {V6}}},
     ABUSE_NAME_CONFIRMED,
     NULL,
     NULL,
     2},
    {"an IPv4 address is no IPv6 one with the same bytes",
     "c000:207::",
     true,
     "",
     {{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.2.0.0.0.0.c.ip6.arpa",
       DNS_PTR,
       {"m.example"}},
      {"m.example", DNS_AAAA, {V4}}},
     ABUSE_NAME_NONE,
     NULL,
     NULL,
     2},
    {"no name", V4, true, "", {{0}}, ABUSE_NAME_NONE, NULL, NULL, 1},
    {"a name that leads elsewhere",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"m.example"}}, {"m.example", DNS_A, {"192.0.2.8"}}},
     ABUSE_NAME_NONE,
     NULL,
     NULL,
     2},
    {"a name without addresses",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"m.example"}}},
     ABUSE_NAME_NONE,
     NULL,
     NULL,
     2},
    {"no answer about names is no missing name",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"?"}}},
     ABUSE_NAME_NOT_KNOWN,
     NULL,
     NULL,
     1},
    {"names that nobody can read are there",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"!"}}},
     ABUSE_NAME_NOT_KNOWN,
     NULL,
     NULL,
     1},
    {"no answer about one of the addresses",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"a.example", "b.example"}}, {"b.example", DNS_A, {"?"}}},
     ABUSE_NAME_NOT_KNOWN,
     NULL,
     NULL,
     3},
    {"no answer beside a name that leads back",
     V4,
     true,
     "",
     {{V4_PTR, DNS_PTR, {"a.example", "b.example"}},
      {"a.example", DNS_A, {"?"}},
      {"b.example", DNS_A, {V4}}},
     ABUSE_NAME_CONFIRMED,
     NULL,
     NULL,
     3},
    {"ten of twelve names are asked",
     V4,
     true,
     "",
     {{V4_PTR,
       DNS_PTR,
       {"a.x", "b.x", "c.x", "d.x", "e.x", "f.x", "g.x", "h.x", "i.x", "j.x", "k.x", "l.x"}},
      {"k.x", DNS_A, {V4}}},
     ABUSE_NAME_NOT_KNOWN,
     NULL,
     NULL,
     11},
    {"listed",
     V4,
     false,
     "bl.example!",
     {{"7.2.0.192.bl.example", DNS_A, {"127.0.0.2"}}},
     ABUSE_NAME_NOT_ASKED,
     "bl.example",
     "127.0.0.2",
     1},
    {"listed by IPv6",
     V6,
     false,
     "bl.example!",
     {{V6_BACK "bl.example", DNS_A, {"127.0.0.4"}}},
     ABUSE_NAME_NOT_ASKED,
     "bl.example",
     "127.0.0.4",
     1},
    {"not listed", V4, false, "bl.example!", {{0}}, ABUSE_NAME_NOT_ASKED, NULL, NULL, 1},
    {"no answer lists nobody",
     V4,
     false,
     "bl.example!",
     {{"7.2.0.192.bl.example", DNS_A, {"?"}}},
     ABUSE_NAME_NOT_ASKED,
     NULL,
     NULL,
     1},
    {"a list that answers with its parking site",
     V4,
     false,
     "bl.example!",
     {{"7.2.0.192.bl.example", DNS_A, {"203.0.113.80"}}},
     ABUSE_NAME_NOT_ASKED,
     NULL,
     NULL,
     1},
    {"a list that refuses to answer",
     V4,
     false,
     "bl.example!",
     {{"7.2.0.192.bl.example", DNS_A, {"127.255.255.254", "127.255.255.252", "127.0.0.1"}}},
     ABUSE_NAME_NOT_ASKED,
     NULL,
     NULL,
     1},
    {"127.255.0.255 is a listing as any",
     V4,
     false,
     "bl.example!",
     {{"7.2.0.192.bl.example", DNS_A, {"127.0.0.1", "127.255.0.255"}}},
     ABUSE_NAME_NOT_ASKED,
     "bl.example",
     "127.255.0.255",
     1},
    {"the first that refuses counts",
     V4,
     false,
     "note.example first.example! second.example!",
     {{"7.2.0.192.note.example", DNS_A, {"127.0.0.2"}},
      {"7.2.0.192.second.example", DNS_A, {"127.0.0.3"}},
      {"7.2.0.192.first.example", DNS_A, {"127.0.0.4"}}},
     ABUSE_NAME_NOT_ASKED,
     "first.example",
     "127.0.0.4",
     3},
    {"where none refuses the first counts",
     V4,
     true,
     "a.example b.example",
     {{"7.2.0.192.b.example", DNS_A, {"127.0.0.3"}}, {"7.2.0.192.a.example", DNS_A, {"127.0.0.9"}}},
     ABUSE_NAME_NONE,
     "a.example",
     "127.0.0.9",
     3},
};

static const struct fact *fact_of(const struct row *row, const struct dns_question *q)
{
    for (const struct fact *f = row->facts; f->name; f++)
        if (f->type == q->type && strcmp(f->name, q->name.text) == 0)
            return f;
    return NULL;
}

static void conf_make(struct abuse_conf *conf, const struct row *row)
{
    struct span rest = span_str(row->lists);
    *conf = (struct abuse_conf){.names = row->names};
    while (rest.len) {
        struct span zone = span_cut(&rest, ' ');
        struct abuse_list *l = &conf->lists[conf->list_count++];
        l->refuse = span_ends(zone, SPAN("!"));
        assert_true(dns_name_parse(&l->zone, span_first(zone, zone.len - l->refuse)));
    }
}

static unsigned collect(struct abuse_client *c, unsigned *tickets, struct dns_question *q,
                        unsigned have)
{
    while (abuse_client_asks(c, &tickets[have], &q[have]))
        have++;
    return have;
}

// Answers come first in, first out, or the other way round.
static void play(const struct row *row, bool backwards)
{
    struct abuse_conf conf;
    struct dns_address client = address_of(row->client);
    unsigned tickets[64], open, asked;
    struct dns_question q[64];
    conf_make(&conf, row);
    struct abuse_client *c = abuse_client_new(&conf, &client);
    asked = open = collect(c, tickets, q, 0);
    while (open) {
        struct dns_answer a;
        struct dns_record records[MANY];
        unsigned i = backwards ? open - 1 : 0, ticket = tickets[i];
        assert_false(abuse_client_done(c));
        answer_make(&a, records, fact_of(row, &q[i]));
        tickets[i] = tickets[open - 1];
        q[i] = q[open - 1];
        open--;
        abuse_client_answer(c, ticket, &a);
        unsigned now = collect(c, tickets, q, open);
        asked += now - open;
        open = now;
    }
    assert_true(abuse_client_done(c));
    assert_int_equal(asked, row->asked);
    struct abuse_finding f = abuse_client_finding(c);
    assert_int_equal(f.name_is, row->is);
    assert_int_equal(f.listed != NULL, row->listed != NULL);
    if (row->listed) {
        struct dns_address code = address_of(row->code);
        assert_string_equal(f.listed->zone.text, row->listed);
        assert_true(dns_address_eq(&f.code, &code));
    }
    abuse_client_free(c);
}

static void each(void **state)
{
    play(*state, false);
    play(*state, true);
}

// What is known before all is: a listing counts, a name that is still open is not missing.
static void so_far(void **state)
{
    (void)state;
    struct abuse_conf conf = {.names = true, .list_count = 1};
    struct dns_address client = address_of(V4);
    struct dns_record one = {.address = address_of("127.0.0.2")};
    struct dns_answer listed = {.presence = DNS_DATA, .records = &one, .count = 1};
    unsigned tickets[4];
    struct dns_question q[4];
    conf.lists[0] = (struct abuse_list){name_of("bl.example"), true};
    struct abuse_client *c = abuse_client_new(&conf, &client);
    assert_int_equal(collect(c, tickets, q, 0), 2);
    assert_int_equal(abuse_client_finding(c).name_is, ABUSE_NAME_NOT_KNOWN);
    assert_null(abuse_client_finding(c).listed);
    abuse_client_answer(c, tickets[q[0].type == DNS_PTR], &listed);
    assert_non_null(abuse_client_finding(c).listed);
    assert_false(abuse_client_done(c));
    assert_int_equal(abuse_client_finding(c).name_is, ABUSE_NAME_NOT_KNOWN);
    abuse_client_free(c);
    abuse_client_free(NULL);
}

// A zone so long that the address does not fit in front of it is not asked.
static void too_long(void **state)
{
    (void)state;
    static const char label[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.";
    char zone[256];
    struct abuse_conf conf = {.list_count = 1};
    struct dns_address client = address_of(V6);
    unsigned ticket;
    struct dns_question q;
    snprintf(zone, sizeof zone, "%s%s%s%sexample", label, label, label, label);
    conf.lists[0].zone = name_of(zone);
    struct abuse_client *c = abuse_client_new(&conf, &client);
    assert_false(abuse_client_asks(c, &ticket, &q));
    assert_true(abuse_client_done(c));
    abuse_client_free(c);
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[N + 2] = {cmocka_unit_test(so_far), cmocka_unit_test(too_long)};
    for (size_t i = 0; i < N; i++)
        tests[i + 2] =
            (struct CMUnitTest){rows[i].what, each, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("client", tests, N + 2, NULL, NULL);
}
