// How many delivery decisions a second the planner comes to, in one thread and
// with every answer at hand: from the request to the plan, and from the plan to
// the JSON of the decision record. Prints one line a kind of domain.
//
//   plan_bench [rounds]
#include "trust_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    if (!dns_name_parse(&n, span_str(text)))
        panic("%s is no name", text);
    return n;
}

enum { HOSTS_MOST = 4, ADDRESSES = 2 };

// What a domain publishes; `policy`: an enforced MTA-STS policy in the store.
static const struct domain {
    const char *what;
    size_t hosts;
    enum dns_standing standing;
    bool tlsa, policy;
} domains[] = {
    {"1 host, nothing published", 1, DNS_INSECURE, false, false},
    {"1 host, DANE", 1, DNS_SECURE, true, false},
    {"1 host, MTA-STS stored", 1, DNS_INSECURE, false, true},
    {"4 hosts, DANE", 4, DNS_SECURE, true, false},
    {"4 hosts, DANE and MTA-STS", 4, DNS_SECURE, true, true},
};

static struct {
    struct dns_record mx[HOSTS_MOST], address[2][ADDRESSES], tlsa[2], txt;
    struct trust_sts_stored stored;
    struct trust_request request;
} world;

static void world_build(void)
{
    static const char *const hosts[HOSTS_MOST] = {"mx1.example.net", "mx2.example.net",
                                                  "mx3.example.net", "mx4.example.net"};
    for (unsigned i = 0; i < HOSTS_MOST; i++)
        world.mx[i] =
            (struct dns_record){.preference = (uint16_t)(10 * i), .name = name_of(hosts[i])};
    for (unsigned i = 0; i < ADDRESSES; i++) {
        world.address[0][i].address =
            (struct dns_address){.at = {192, 0, 2, (unsigned char)(i + 1)}};
        world.address[1][i].address =
            (struct dns_address){true, {0x20, 1, 0xd, 0xb8, [15] = (unsigned char)(i + 1)}};
        world.tlsa[i] = (struct dns_record){.usage = (uint8_t)(3 - i),
                                            .selector = 1,
                                            .matching = 1,
                                            .data = SPAN("0123456789abcdef0123456789abcdef")};
    }
    world.txt.data = SPAN("v=STSv1; id=1;");
    world.request = (struct trust_request){.domain = name_of("example.org"), .port = 25, .seed = 1};
    world.request.now = (struct wall){SECONDS(1795000000)};
    world.stored = (struct trust_sts_stored){
        .id = "1",
        .file = SPAN("version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 604800\n"),
        .fetched = world.request.now,
        .expires = {SECONDS(1795600000)}};
}

static struct dns_answer answer_to(const struct domain *d, const struct dns_question *q)
{
    struct dns_answer a = {.standing = d->standing, .presence = DNS_NODATA, .ttl = 300};
    a.expanded = q->name;
    if (q->type == DNS_MX) {
        a.records = world.mx;
        a.count = d->hosts;
    } else if (q->type == DNS_A || q->type == DNS_AAAA) {
        a.records = world.address[q->type == DNS_AAAA];
        a.count = ADDRESSES;
    } else if (q->type == DNS_TLSA && d->tlsa) {
        a.records = world.tlsa;
        a.count = 2;
    } else if (q->type == DNS_TXT && d->policy &&
               span_starts(dns_name_span(&q->name), SPAN("_m"))) {
        a.records = &world.txt;
        a.count = 1;
    }
    if (a.count)
        a.presence = DNS_DATA;
    return a;
}

static const struct trust_plan *plan_make(const struct domain *d, struct arena *arena,
                                          unsigned *questions)
{
    struct trust_planner *p = trust_planner_new(&world.request, arena);
    if (!p)
        panic("no room for a plan");
    for (struct trust_planner_step s; (s = trust_planner_next(p)).kind != TRUST_ASK_DONE;) {
        if (s.kind == TRUST_ASK_STORED)
            trust_planner_stored(p, s.ticket, d->policy ? &world.stored : NULL);
        if (s.kind != TRUST_ASK_DNS)
            continue;
        struct dns_answer a = answer_to(d, &s.question);
        trust_planner_dns(p, s.ticket, &a);
        (*questions)++;
    }
    return trust_planner_plan(p);
}

static void measure(const struct domain *d, unsigned rounds, bool json)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 20);
    unsigned questions = 0, usable = 0;
    size_t room = 0;
    double start = now();
    for (unsigned i = 0; i < rounds; i++) {
        struct arena arena = ARENA(1 << 20);
        const struct trust_plan *plan = plan_make(d, &arena, &questions);
        usable += plan->decision == TRUST_DELIVER;
        room = arena.used;
        buf_clear(&out);
        if (json)
            trust_plan_put_json(&out, plan);
        arena_free(&arena);
    }
    double spent = now() - start;
    if (usable != rounds)
        panic("%s: %u of %u plans deliver", d->what, usable, rounds);
    printf("%-26s %-9s %9.0f plans/s  %6.2f us  %2u questions  %6zu bytes of arena", d->what,
           json ? "and JSON" : "plan", rounds / spent, spent * 1e6 / rounds, questions / rounds,
           room);
    if (json)
        printf("  %5zu of JSON", out.len);
    printf("\n");
}

int main(int argc, char **argv)
{
    uint64_t rounds = 100000;
    if (argc > 2 || (argc == 2 && (!span_number(span_str(argv[1]), 100000000, &rounds) || !rounds)))
        return 2;
    world_build();
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        for (int json = 0; json < 2; json++)
            measure(&domains[i], (unsigned)rounds, json);
    return 0;
}
