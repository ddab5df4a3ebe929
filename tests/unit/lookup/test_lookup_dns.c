// Against a real name server with a small signed tree of its own, on loopback:
// nsd with zones signed by ldns. Skipped where these are not installed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lab.h"
#include "lab_relay.h"
#include "lookup_dns.h"

#define SOA                                                                                        \
    "$TTL 300\n@ IN SOA ns.example. hostmaster.example. 1 3600 600 864000 60\n"                    \
    "@ IN NS ns.example.\n"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const files[][2] = {
    {"dane.example.zone",
     SOA "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.1.10\nmx1 AAAA ::1\nmx2 A 127.0.1.11\n"
         "_25._tcp.mx1 TLSA 3 1 1 " DIGEST "\n_25._tcp.mx2 CNAME tlsa._dane\n"
         "tlsa._dane TLSA 2 1 1 " DIGEST "\nwww CNAME mx1\ntoplain CNAME host.plain.example.\n"
         "tobogus CNAME host.bogus.example.\nloop1 CNAME loop2\nloop2 CNAME loop1\n"
         "sub DNAME plain.example.\nnullmx MX 0 .\n*.wild A 127.0.1.13\n"
         "@ TXT \"v=\" \"one\"\n"},
    {"nsec3.example.zone", SOA "host A 127.0.1.42\n@ MX 10 host\n"},
    {"plain.example.zone",
     SOA "host A 127.0.1.30\n@ MX 10 host\n_25._tcp.host TLSA 3 1 1 " DIGEST "\n"
         "_25._tcp.three TYPE52 \\# 3 030101\n"},
    {"bogus.example.zone", SOA "host A 127.0.1.40\n@ MX 10 host\n"},
    {"expired.example.zone", SOA "host A 127.0.1.41\n@ MX 10 host\n"},
    {"example.zone", SOA "ns A 127.0.0.1\ndane NS ns\nplain NS ns\nbogus NS ns\nexpired NS ns\n"
                         "nsec3 NS ns\nbroken NS ns\n"},
    {"test.zone", SOA "private A 127.0.1.50\n"},
    {"root.zone", SOA "example. NS ns.example.\nns.example. A 127.0.0.1\ntest. NS ns.example.\n"},
    {"sign.sh",
     "set -e\n"
     "sign() { z=$1; f=$2; ds=$3; shift 3\n"
     " k=$(ldns-keygen -a ECDSAP256SHA256 -k -r /dev/urandom $z)\n"
     " ldns-signzone \"$@\" -o $z -f $f.signed $f.zone $k; cat $k.ds >> $ds; }\n"
     "sign dane.example. dane.example example.zone\n"
     "sign nsec3.example. nsec3.example example.zone -n\n"
     "sign bogus.example. bogus.example example.zone\n"
     "sed -i 's/127.0.1.40/127.0.1.99/' bogus.example.signed\n"
     "sign expired.example. expired.example example.zone -i 20200101000000 -e 20200201000000\n"
     "sign example. example root.zone\n"
     "sign . root anchor\n"
     "cp plain.example.zone plain.example.signed; cp test.zone test.signed\n"},
    {"empty", "; no key here, though the comment says DNSKEY\n"},
    {"nonsense", ". IN DS what is this\n"},
};

static const char *const zones[] = {
    "dane.example",    "nsec3.example", "plain.example",  "bogus.example",
    "expired.example", "example",       "broken.example", "test"};

static struct lab lab;
static pid_t nsd, relay;
static unsigned port, relay_port;
static struct lookup_dns *resolver;

static void put_nsd_conf(void)
{
    CLEANUP(buf_free) struct buf b = BUF(8192);
    buf_printf(&b,
               "server:\n ip-address: 127.0.0.1\n port: %u\n username: \"\"\n zonesdir: \"%s\"\n"
               " database: \"\"\n zonelistfile: \"%s/zone.list\"\n xfrdfile: \"\"\n"
               " pidfile: \"%s/nsd.pid\"\n xfrdir: \"%s\"\n server-count: 1\n"
               "remote-control:\n control-enable: no\nzone:\n name: \".\"\n"
               " zonefile: root.signed\n",
               port, lab.folder, lab.folder, lab.folder, lab.folder);
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        buf_printf(&b, "zone:\n name: \"%s\"\n zonefile: %s.signed\n", zones[i], zones[i]);
    lab_put(&lab, "nsd.conf", buf_str(&b));
}

static struct lookup_dns_conf conf_for(const char *anchor, struct span *forward, char *room)
{
    static char at[40];
    snprintf(at, sizeof at, "127.0.0.1@%u", port);
    lab_path(room, 200, &lab, anchor);
    *forward = span_str(at);
    return (struct lookup_dns_conf){.trust_anchor = span_str(room),
                                    .forward = forward,
                                    .forward_count = 1,
                                    .timeout_us = SECONDS(10),
                                    .outstanding = 1000};
}

static struct lookup_dns *resolver_new(const char *anchor, unsigned outstanding, int64_t timeout_us)
{
    char room[200];
    struct span forward;
    struct lookup_dns_conf conf = conf_for(anchor, &forward, room);
    struct lookup_dns *d;
    const char *why = NULL;
    conf.outstanding = outstanding;
    conf.timeout_us = timeout_us;
    if (!rc_ok(lookup_dns_new(&d, lab.loop, &conf, &why)))
        fail_msg("%s", why);
    return d;
}

struct result {
    struct dns_question q;
    struct dns_answer answer;
    struct arena arena;
    unsigned calls;
    unsigned *waiting;
};

static void got(void *arg, const struct dns_verdict *v)
{
    struct result *r = arg;
    r->calls++;
    dns_answer_read(&r->answer, &r->q, v, &r->arena);
    if (--*r->waiting == 0)
        io_loop_stop(lab.loop);
}

static void result_free(struct result *r)
{
    arena_free(&r->arena);
}

static void question(struct result *r, const char *name, enum dns_type type, unsigned *waiting)
{
    *r = (struct result){.arena = ARENA(DNS_ANSWER_ARENA), .waiting = waiting};
    assert_true(dns_name_parse(&r->q.name, span_str(name)));
    r->q.type = type;
    ++*waiting;
}

static void ask_one(struct lookup_dns *d, struct result *r, const char *name, enum dns_type type)
{
    unsigned waiting = 0;
    question(r, name, type, &waiting);
    lookup_dns_ask(d, &r->q, got, r);
    assert_int_equal(r->calls, 0);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(r->calls, 1);
}

static bool nsd_answers(void)
{
    for (int i = 0; i < 40; i++) {
        struct lookup_dns *d = resolver_new("anchor", 10, SECONDS(2));
        CLEANUP(result_free) struct result r;
        ask_one(d, &r, "dane.example", DNS_MX);
        lookup_dns_free(d);
        if (r.answer.standing == DNS_SECURE)
            return true;
        lab_sleep_ms(50);
    }
    return false;
}

static int set_up(void **state)
{
    (void)state;
    lab_begin(&lab);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        lab_put(&lab, files[i][0], files[i][1]);
    pid_t signing = lab_start(&lab, (const char *[]){"sh", "sign.sh", NULL});
    if (lab_wait(signing, 60) != 0)
        panic("the zones could not be signed, see %s/log.txt", lab.folder);
    int udp = lab_socket(SOCK_DGRAM, &port);
    int tcp = lab_socket(SOCK_STREAM, &port);
    close(udp);
    close(tcp);
    put_nsd_conf();
    nsd = lab_start(&lab, (const char *[]){"nsd", "-d", "-c", "nsd.conf", NULL});
    if (!nsd_answers())
        panic("nsd does not answer, see %s/log.txt", lab.folder);
    resolver = resolver_new("anchor", 1000, SECONDS(10));
    relay = relay_start(port, &relay_port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lookup_dns_free(resolver);
    lab_stop(nsd);
    lab_stop(relay);
    lab_end(&lab);
    return 0;
}

struct test_case {
    const char *what, *name;
    enum dns_type type;
    enum dns_standing standing;
    enum dns_presence presence;
    size_t count;
    bool aliased;
    const char *expanded; // NULL: not looked at
};

static const struct test_case cases[] = {
    {"secure MX", "dane.example", DNS_MX, DNS_SECURE, DNS_DATA, 2, false, "dane.example"},
    {"case of the question", "DANE.Example", DNS_MX, DNS_SECURE, DNS_DATA, 2, false, NULL},
    {"secure A", "mx1.dane.example", DNS_A, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"secure AAAA", "mx1.dane.example", DNS_AAAA, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"secure TLSA", "_25._tcp.mx1.dane.example", DNS_TLSA, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"TLSA by an alias", "_25._tcp.mx2.dane.example", DNS_TLSA, DNS_SECURE, DNS_DATA, 1, true,
     "tlsa._dane.dane.example"},
    {"secure TXT", "dane.example", DNS_TXT, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"wildcard", "x.wild.dane.example", DNS_A, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"null MX", "nullmx.dane.example", DNS_MX, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"secure NODATA", "mx2.dane.example", DNS_AAAA, DNS_SECURE, DNS_NODATA, 0, false, NULL},
    {"secure NXDOMAIN", "no.dane.example", DNS_A, DNS_SECURE, DNS_NXDOMAIN, 0, false, NULL},
    {"NODATA by NSEC3", "host.nsec3.example", DNS_AAAA, DNS_SECURE, DNS_NODATA, 0, false, NULL},
    {"NXDOMAIN by NSEC3", "no.nsec3.example", DNS_A, DNS_SECURE, DNS_NXDOMAIN, 0, false, NULL},
    {"no such top domain", "nowhere", DNS_MX, DNS_SECURE, DNS_NXDOMAIN, 0, false, NULL},
    {"insecure MX", "plain.example", DNS_MX, DNS_INSECURE, DNS_DATA, 1, false, NULL},
    {"insecure TLSA", "_25._tcp.host.plain.example", DNS_TLSA, DNS_INSECURE, DNS_DATA, 1, false,
     NULL},
    {"insecure NXDOMAIN", "no.plain.example", DNS_A, DNS_INSECURE, DNS_NXDOMAIN, 0, false, NULL},
    {"alias, secure to its end", "www.dane.example", DNS_A, DNS_SECURE, DNS_DATA, 1, true,
     "mx1.dane.example"},
    {"alias out of the signed", "toplain.dane.example", DNS_A, DNS_INSECURE, DNS_DATA, 1, true,
     "host.plain.example"},
    {"that alias itself", "toplain.dane.example", DNS_CNAME, DNS_SECURE, DNS_DATA, 1, false, NULL},
    {"DNAME out of the signed", "host.sub.dane.example", DNS_A, DNS_INSECURE, DNS_DATA, 1, true,
     "host.plain.example"},
    {"alias into the bogus", "tobogus.dane.example", DNS_A, DNS_BOGUS, DNS_NO_ANSWER, 0, false,
     NULL},
    {"alias loop", "loop1.dane.example", DNS_A, DNS_INDETERMINATE, DNS_NO_ANSWER, 0, false, NULL},
    {"forged record", "host.bogus.example", DNS_A, DNS_BOGUS, DNS_NO_ANSWER, 0, false, NULL},
    {"signatures expired", "expired.example", DNS_MX, DNS_BOGUS, DNS_NO_ANSWER, 0, false, NULL},
    {"SERVFAIL", "broken.example", DNS_MX, DNS_INDETERMINATE, DNS_NO_ANSWER, 0, false, NULL},
    {"TLSA of three bytes", "_25._tcp.three.plain.example", DNS_TLSA, DNS_INSECURE, DNS_DATA, 1,
     false, NULL},
    {"a private test domain", "private.test", DNS_A, DNS_INSECURE, DNS_DATA, 1, false, NULL},
    {"backslash in a name", "a\\b.dane.example", DNS_A, DNS_SECURE, DNS_NXDOMAIN, 0, false, NULL},
    {"the root's servers", ".", DNS_NS, DNS_SECURE, DNS_DATA, 1, false, NULL},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void check(const struct test_case *c, const struct dns_answer *a)
{
    if (a->standing != c->standing || a->presence != c->presence)
        fail_msg("%s %s, presence %d, rcode %u: %.*s", c->name, dns_standing_text(a->standing),
                 a->presence, a->rcode, SPAN_FMT(a->why));
    assert_int_equal(a->count, c->count);
    assert_int_equal(a->aliased, c->aliased);
    if (c->expanded)
        assert_string_equal(a->expanded.text, c->expanded);
    assert_int_equal(a->why.len > 0, a->presence == DNS_NO_ANSWER);
    if (a->presence != DNS_NO_ANSWER)
        assert_in_range(a->ttl, 1, 300);
}

static void one_question(void **state)
{
    const struct test_case *c = *state;
    CLEANUP(result_free) struct result r;
    ask_one(resolver, &r, c->name, c->type);
    check(c, &r.answer);
}

static void all_at_once(void **state)
{
    (void)state;
    struct result r[CASES];
    unsigned waiting = 0;
    struct lookup_dns *fresh = resolver_new("anchor", 1000, SECONDS(10));
    for (size_t i = 0; i < CASES; i++)
        question(&r[i], cases[i].name, cases[i].type, &waiting);
    for (size_t i = 0; i < CASES; i++)
        lookup_dns_ask(fresh, &r[i].q, got, &r[i]);
    assert_true(lab_run(&lab, 30));
    for (size_t i = 0; i < CASES; i++) {
        assert_int_equal(r[i].calls, 1);
        check(&cases[i], &r[i].answer);
        arena_free(&r[i].arena);
    }
    lookup_dns_free(fresh);
}

static void many_cached(void **state)
{
    (void)state;
    enum { MANY = 800 };
    static struct result r[MANY];
    unsigned waiting = 0;
    for (size_t i = 0; i < MANY; i++)
        question(&r[i], "dane.example", DNS_MX, &waiting);
    for (size_t i = 0; i < MANY; i++)
        lookup_dns_ask(resolver, &r[i].q, got, &r[i]);
    assert_true(lab_run(&lab, 30));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(r[i].calls, 1);
        assert_int_equal(r[i].answer.standing, DNS_SECURE);
        arena_free(&r[i].arena);
    }
}

static void ask_relay(struct result *r, const char *name, enum dns_type type)
{
    unsigned keep = port;
    port = relay_port;
    struct lookup_dns *d = resolver_new("anchor", 10, SECONDS(3));
    ask_one(d, r, name, type);
    lookup_dns_free(d);
    port = keep;
}

static void through_the_relay(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "dane.example", DNS_MX);
    assert_int_equal(r.answer.standing, DNS_SECURE);
}

// The library may answer SERVFAIL or hand it on (TRAPS DANE 8): not "no record".
static void tlsa_of_no_byte(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "odd0.plain.example", DNS_TLSA);
    if (r.answer.presence == DNS_DATA)
        assert_true(r.answer.count == 1 && r.answer.records[0].short_rdata);
    else
        assert_int_equal(r.answer.presence, DNS_NO_ANSWER);
}

static void tlsa_of_three_bytes(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "odd3.plain.example", DNS_TLSA);
    assert_int_equal(r.answer.standing, DNS_INSECURE);
    assert_true(r.answer.count == 1 && r.answer.records[0].short_rdata);
}

static void mx_of_one_byte(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "odd1.plain.example", DNS_MX);
    assert_true(r.answer.presence == DNS_DATA || r.answer.presence == DNS_NO_ANSWER);
    assert_int_equal(r.answer.count, 0);
}

static void silence_for_one_name(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "silent.plain.example", DNS_MX);
    assert_int_equal(r.answer.standing, DNS_INDETERMINATE);
}

// An unsigned record where the zone is signed.
static void forged_on_the_way(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    ask_relay(&r, "odd3.dane.example", DNS_TLSA);
    assert_int_equal(r.answer.standing, DNS_BOGUS);
    assert_true(r.answer.why.len > 0);
}

static void over_the_ceiling(void **state)
{
    (void)state;
    struct lookup_dns *d = resolver_new("anchor", 2, SECONDS(10));
    struct result r[3];
    unsigned waiting = 0;
    for (size_t i = 0; i < 3; i++)
        question(&r[i], "dane.example", DNS_MX, &waiting);
    for (size_t i = 0; i < 3; i++)
        lookup_dns_ask(d, &r[i].q, got, &r[i]);
    assert_int_equal(r[2].calls, 0);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(r[0].answer.standing, DNS_SECURE);
    assert_int_equal(r[1].answer.standing, DNS_SECURE);
    assert_int_equal(r[2].answer.standing, DNS_INDETERMINATE);
    for (size_t i = 0; i < 3; i++)
        arena_free(&r[i].arena);
    lookup_dns_free(d);
}

static void silent_server(void **state)
{
    (void)state;
    unsigned keep = port;
    port = 0;
    int silent = lab_socket(SOCK_DGRAM, &port);
    struct lookup_dns *d = resolver_new("anchor", 10, 300 * US_PER_MS);
    CLEANUP(result_free) struct result r;
    struct mono before = io_now(lab.loop);
    ask_one(d, &r, "dane.example", DNS_MX);
    int64_t took = io_now(lab.loop).us - before.us;
    assert_int_equal(r.answer.standing, DNS_INDETERMINATE);
    assert_true(r.answer.why.len > 0);
    assert_true(took >= 290 * US_PER_MS && took < SECONDS(5));
    lookup_dns_free(d);
    close(silent);
    port = keep;
}

static void freed_under_way(void **state)
{
    (void)state;
    unsigned keep = port, waiting = 0;
    port = 0;
    int silent = lab_socket(SOCK_DGRAM, &port);
    struct lookup_dns *d = resolver_new("anchor", 10, SECONDS(20));
    CLEANUP(result_free) struct result r;
    question(&r, "dane.example", DNS_MX, &waiting);
    lookup_dns_ask(d, &r.q, got, &r);
    lookup_dns_ask(d, &r.q, got, &r);
    lab_sleep_ms(20);
    lookup_dns_free(d);
    assert_int_equal(r.calls, 0);
    close(silent);
    port = keep;
}

static void wrong_anchor(void **state)
{
    (void)state;
    lab_put(&lab, "other", ". IN DS 1 13 2 " DIGEST "\n");
    struct lookup_dns *d = resolver_new("other", 10, SECONDS(10));
    CLEANUP(result_free) struct result r;
    ask_one(d, &r, "dane.example", DNS_MX);
    assert_int_equal(r.answer.standing, DNS_BOGUS);
    assert_true(r.answer.why.len > 0);
    lookup_dns_free(d);
}

static struct lookup_dns *chained;
static void ask_again(void *arg, const struct dns_verdict *v)
{
    struct result *first = arg;
    assert_true(v->secure);
    lookup_dns_ask(chained, &first->q, got, first);
}

static void asking_from_an_answer(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    unsigned waiting = 0;
    chained = resolver;
    question(&r, "dane.example", DNS_MX, &waiting);
    lookup_dns_ask(resolver, &r.q, ask_again, &r);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(r.calls, 1);
}

static void refuse_conf(const struct lookup_dns_conf *conf, const char *what)
{
    struct lookup_dns *d;
    const char *why = NULL;
    struct rc rc = lookup_dns_new(&d, lab.loop, conf, &why);
    if (rc_ok(rc))
        fail_msg("%s is taken", what);
    assert_int_equal(rc.code, RC_CONFIG);
    assert_null(d);
    assert_non_null(why);
}

static void configuration_faults(void **state)
{
    (void)state;
    static const char *const anchors[] = {"none", "empty", "nonsense"};
    char room[200];
    struct span forward;
    struct lookup_dns_conf conf;
    for (size_t i = 0; i < sizeof anchors / sizeof anchors[0]; i++) {
        conf = conf_for(anchors[i], &forward, room);
        refuse_conf(&conf, anchors[i]);
    }
    conf = conf_for("anchor", &forward, room);
    conf.root_hints = SPAN("/nonexistent/hints");
    refuse_conf(&conf, "hints that are not there");
    conf = conf_for("anchor", &forward, room);
    forward = SPAN("not an address");
    refuse_conf(&conf, "a forwarder without an address");
}

static void default_anchor(void **state)
{
    (void)state;
    if (access("/usr/share/dns/root.key", R_OK))
        skip();
    struct lookup_dns *d;
    const char *why = NULL;
    struct lookup_dns_conf conf = {.outstanding = 1};
    assert_true(rc_ok(lookup_dns_new(&d, lab.loop, &conf, &why)));
    lookup_dns_free(d);
}

static const struct CMUnitTest others[] = {
    cmocka_unit_test(all_at_once),           cmocka_unit_test(many_cached),
    cmocka_unit_test(through_the_relay),     cmocka_unit_test(tlsa_of_no_byte),
    cmocka_unit_test(tlsa_of_three_bytes),   cmocka_unit_test(silence_for_one_name),
    cmocka_unit_test(forged_on_the_way),     cmocka_unit_test(mx_of_one_byte),
    cmocka_unit_test(over_the_ceiling),      cmocka_unit_test(silent_server),
    cmocka_unit_test(freed_under_way),       cmocka_unit_test(wrong_anchor),
    cmocka_unit_test(asking_from_an_answer), cmocka_unit_test(configuration_faults),
    cmocka_unit_test(default_anchor),
};
enum { OTHERS = sizeof others / sizeof others[0] };

int main(void)
{
    static struct CMUnitTest tests[CASES + OTHERS];
    if (!lab_has("nsd") || !lab_has("ldns-keygen") || !lab_has("ldns-signzone")) {
        puts("1..0 # SKIP nsd or ldnsutils is not installed");
        return 0;
    }
    for (size_t i = 0; i < CASES; i++)
        tests[i] = (struct CMUnitTest){cases[i].what, one_question, NULL, NULL,
                                       (void *)(uintptr_t)&cases[i]};
    for (size_t i = 0; i < OTHERS; i++)
        tests[CASES + i] = others[i];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
