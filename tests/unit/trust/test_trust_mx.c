// Which hosts a domain has: RFC 5321 §5.1, RFC 7505, TRAPS DANE 1, 7, 16.
#include "trust_zone.h"

#include <string.h>
#include <time.h>

#define ONE(name, address) name " A i " address "\n"

static struct dns_name own_name;
static struct dns_address own_address;

static void we_are_mx2(struct trust_request *r)
{
    own_name = name_of("mx2.example.org");
    r->self = &own_name;
    r->self_count = 1;
}

static void we_have_192_0_2_2(struct trust_request *r)
{
    assert_true(dns_address_parse(&own_address, SPAN("192.0.2.2")));
    r->self_addresses = &own_address;
    r->self_address_count = 1;
}

static void we_are_the_domain(struct trust_request *r)
{
    own_name = name_of("example.org");
    r->self = &own_name;
    r->self_count = 1;
}

static void no_ipv6(struct trust_request *r)
{
    r->no_ipv6 = true;
}

static void no_ip(struct trust_request *r)
{
    r->no_ipv6 = r->no_ipv4 = true;
}

static void route_host(struct trust_request *r)
{
    r->route =
        (struct trust_route){.given = true, .host = name_of("relay.example.net"), .port = 26};
}

static void route_mx(struct trust_request *r)
{
    r->route = (struct trust_route){.given = true, .host = name_of("example.net"), .mx = true};
}

static void route_literal(struct trust_request *r)
{
    r->route = (struct trust_route){.given = true, .literal = true, .port = 2525};
    assert_true(dns_address_parse(&r->route.address, SPAN("2001:db8::25")));
}

static void lmtp_socket(struct trust_request *r)
{
    r->route = (struct trust_route){
        .given = true, .literal = true, .lmtp = true, .path = SPAN("/run/dovecot/lmtp")};
}

static void lmtp_socket_whatever(struct trust_request *r)
{
    lmtp_socket(r);
    r->local = TRUST_LOCAL_DANE_ONLY;
}

static void lmtp_here(struct trust_request *r)
{
    r->route = (struct trust_route){.given = true, .literal = true, .lmtp = true, .port = 24};
    assert_true(dns_address_parse(&r->route.address, SPAN("127.0.0.1")));
}

static void lmtp_there(struct trust_request *r)
{
    lmtp_here(r);
    assert_true(dns_address_parse(&r->route.address, SPAN("192.0.2.24")));
}

static void lmtp_host(struct trust_request *r)
{
    r->route = (struct trust_route){
        .given = true, .lmtp = true, .host = name_of("relay.example.net"), .port = 24};
}

static void is_socket(const struct trust_plan *p)
{
    static const char want[] = "unix:/run/dovecot/lmtp: Local delivery by LMTP to a socket of this "
                               "machine (RFC 2033).";
    assert_true(span_eq(p->reason, span_str(want)));
    assert_true(p->hosts[0].lmtp && p->hosts[0].local && p->hosts[0].address_count == 1);
    assert_false(p->mx_asked || p->hosts[0].addresses_asked || p->hosts[0].tlsa_asked);
    assert_false(p->requiretls);
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    trust_plan_put_json(&b, p);
    assert_non_null(strstr(buf_str(&b), "\"addresses\":[],"));
    assert_non_null(strstr(buf_str(&b), "\"lmtp\":true"));
}

static void is_lmtp(const struct trust_plan *p)
{
    assert_true(p->hosts[0].lmtp && !p->hosts[0].local);
    assert_int_equal(p->hosts[0].port, 24);
    assert_false(p->mx_asked || p->hosts[0].tlsa_asked);
}

static void drops_the_equal(const struct trust_plan *p)
{
    assert_string_equal(p->hosts[0].name.text, "mx0.example.org");
    assert_int_equal(p->hosts[0].requirement, TRUST_REQ_OPPORTUNISTIC);
    assert_int_equal(p->hosts[1].requirement, TRUST_REQ_UNUSABLE);
    assert_int_equal(p->hosts[2].requirement, TRUST_REQ_UNUSABLE);
}

static void is_implicit(const struct trust_plan *p)
{
    assert_true(p->hosts[0].implicit_mx);
    assert_int_equal(p->hosts[0].preference, 0);
    assert_true(p->hosts[0].name_protected);
}

static void addresses_take_turns(const struct trust_plan *p)
{
    const struct trust_host *h = &p->hosts[0];
    assert_int_equal(h->address_count, 4);
    assert_true(h->addresses[0].v6 && !h->addresses[1].v6 && h->addresses[2].v6);
    assert_int_equal(h->addresses[3].at[3], 2);
}

static void only_v4(const struct trust_plan *p)
{
    assert_int_equal(p->hosts[0].address_count, 1);
    assert_false(p->hosts[0].addresses[0].v6);
}

static void is_literal(const struct trust_plan *p)
{
    assert_false(p->mx_asked || p->hosts[0].addresses_asked || p->hosts[0].tlsa_asked);
    assert_int_equal(p->hosts[0].port, 2525);
    assert_int_equal(p->hosts[0].tlsa_base.len, 0);
    assert_string_equal(p->hosts[0].names[0].text, "example.org");
}

static void has_route_port(const struct trust_plan *p)
{
    assert_int_equal(p->hosts[0].port, 26);
    assert_true(p->hosts[0].name_protected);
    assert_string_equal(p->hosts[0].tlsa_base.text, "relay.example.net");
    assert_string_equal(p->domain.text, "example.org");
}

static void says_why(const struct trust_plan *p)
{
    static const char want[] = "The MX answer fails DNSSEC validation (RFC 7672 section 2.1.2): "
                               "signature expired.";
    assert_true(span_eq(p->reason, span_str(want)));
}

static const struct scene scenes[] = {
    {"mx: by preference",
     "example.org MX i 20 b.example.org\nexample.org MX i 10 a.example.org\n" ONE(
         "a.example.org", "192.0.2.1") ONE("b.example.org", "192.0.2.2"),
     "deliver a.example.org=opportunistic b.example.org=opportunistic"},
    {"mx: bogus defers", "example.org MX b signature expired\n", "defer 4.7.5", .look = says_why},
    {"mx: timeout defers", "example.org MX x\nexample.org A s 192.0.2.1\n", "defer 4.4.3"},
    {"mx: NODATA, secure: implicit", "example.org MX s NODATA\nexample.org A s 192.0.2.1\n",
     "deliver example.org=opportunistic", .look = is_implicit},
    {"mx: NODATA, insecure: implicit", "* i\nexample.org MX i NODATA\nexample.org A i 192.0.2.1\n",
     "deliver example.org=opportunistic", .look = is_implicit},
    {"mx: NXDOMAIN but addresses: implicit",
     "example.org MX i NXDOMAIN\nexample.org A i 192.0.2.1\n", "deliver example.org=opportunistic",
     .look = is_implicit},
    {"mx: NXDOMAIN and no address fails 5.1.2", "* s\n", "fail 5.1.2 example.org=unusable"},
    {"mx: NXDOMAIN, insecure, fails alike", "* i\n", "fail 5.1.2 example.org=unusable"},
    {"mx: NODATA and no address fails 5.4.4", "example.org TXT i hello\n",
     "fail 5.4.4 example.org=unusable"},
    {"mx: NXDOMAIN and a failing A defers", "example.org A x\nexample.org MX s NXDOMAIN\n",
     "defer 4.4.3 example.org=unusable"},
    {"mx: implicit with a bogus A defers", "example.org A b\n", "defer 4.7.5 example.org=unusable"},
    {"mx: null MX fails 5.1.10", "example.org MX s 0 .\nexample.org A s 192.0.2.1\n",
     "fail 5.1.10"},
    {"mx: null MX, insecure, fails alike", "example.org MX i 0 .\n", "fail 5.1.10"},
    {"mx: null MX among others is ignored",
     "example.org MX i 0 .\nexample.org MX i 10 a.example.org\n" ONE("a.example.org", "192.0.2.1"),
     "deliver a.example.org=opportunistic"},
    {"mx: null MX beside one that cannot be read is none: defers",
     "example.org MX s 0 .\nexample.org MX s EMPTY\nexample.org A s 192.0.2.1\n", "defer 4.4.4"},
    {"mx: nor the other way round", "example.org MX i EMPTY\nexample.org MX i 0 .\n",
     "defer 4.4.4"},
    {"mx: one that cannot be read beside a host",
     "example.org MX i EMPTY\nexample.org MX i 10 a.example.org\n" ONE("a.example.org",
                                                                       "192.0.2.1"),
     "deliver a.example.org=opportunistic"},
    {"mx: records that cannot be read defer", "example.org MX s EMPTY\nexample.org A s 192.0.2.1\n",
     "defer 4.4.4"},
    {"mx: nor is there an implicit MX then, secure or not, with TLSA or without",
     "* i\nexample.org MX i EMPTY\nexample.org A s 192.0.2.1\n"
     "_25._tcp.example.org TLSA s 3 1 1 #32\n",
     "defer 4.4.4"},
    {"mx: nor under REQUIRETLS", "example.org MX s EMPTY\nexample.org A s 192.0.2.1\n",
     "defer 4.4.4", .requiretls = true},
    {"mx: nor under \"TLS-Required: No\"", "example.org MX s EMPTY\nexample.org A s 192.0.2.1\n",
     "defer 4.4.4", .tls_required_no = true},
    {"mx: nor for dane-only", "example.org MX s EMPTY\nexample.org A s 192.0.2.1\n", "defer 4.4.4",
     .local = TRUST_LOCAL_DANE_ONLY},
    {"mx: unreadable MX at the end of an alias",
     "example.org MX i =other.example.net EMPTY\nexample.org A i 192.0.2.1\n", "defer 4.4.4"},
    {"mx: a name twice counts once",
     "example.org MX i 10 a.example.org\nexample.org MX i 20 a.example.org\n" ONE("a.example.org",
                                                                                  "192.0.2.1"),
     "deliver a.example.org=opportunistic"},
    {"mx: no host has an address fails 5.4.4", "example.org MX s 10 a.example.org\n",
     "fail 5.4.4 a.example.org=unusable"},
    {"mx: an address as MX is no host", "example.org MX s 10 192.0.2.1\n",
     "fail 5.4.4 192.0.2.1=unusable"},
    {"mx: one failing host does not block the next (TRAPS DANE 7)",
     "example.org MX s 10 a.example.org\nexample.org MX s 20 b.example.org\na.example.org A "
     "x\na.example.org AAAA x\n" ONE("b.example.org", "192.0.2.2"),
     "deliver a.example.org=unusable b.example.org=opportunistic"},
    {"mx: a bad AAAA does not block the A (TRAPS DANE 7)",
     "example.org MX i 10 a.example.org\na.example.org AAAA b\n" ONE("a.example.org", "192.0.2.1"),
     "deliver a.example.org=opportunistic", .look = only_v4},
    {"mx: a bad A does not block the AAAA",
     "example.org MX i 10 a.example.org\na.example.org A x\na.example.org AAAA i 2001:db8::1\n",
     "deliver a.example.org=opportunistic"},
    {"mx: a bad AAAA and no A defers",
     "example.org MX i 10 a.example.org\na.example.org AAAA x\na.example.org A i NODATA\n",
     "defer 4.4.3 a.example.org=unusable"},
    {"mx: unreadable addresses defer",
     "example.org MX i 10 a.example.org\na.example.org A i EMPTY\n",
     "defer 4.4.3 a.example.org=unusable"},
    {"mx: families take turns",
     "example.org MX i 10 a.example.org\n" ONE("a.example.org", "192.0.2.1")
         ONE("a.example.org",
             "192.0.2.2") "a.example.org AAAA i 2001:db8::1\na.example.org AAAA i 2001:db8::2\n",
     "deliver a.example.org=opportunistic", .look = addresses_take_turns},
    {"mx: no_ipv6 asks for no AAAA",
     "example.org MX i 10 a.example.org\na.example.org AAAA i 2001:db8::1\n" ONE("a.example.org",
                                                                                 "192.0.2.1"),
     "deliver a.example.org=opportunistic", .change = no_ipv6, .look = only_v4},
    {"mx: no family at all",
     "example.org MX i 10 a.example.org\n" ONE("a.example.org", "192.0.2.1"),
     "fail 5.4.4 a.example.org=unusable", .change = no_ip},
    {"mx: alias of the domain is followed",
     "example.org MX i =other.example.net 10 a.example.net\n" ONE("a.example.net", "192.0.2.1"),
     "deliver a.example.net=opportunistic"},

    {"self: drops itself and the less preferred (TRAPS DANE 16)",
     "example.org MX i 10 mx1.example.org\nexample.org MX i 20 mx2.example.org\nexample.org MX i "
     "30 mx3.example.org\n" ONE("mx1.example.org", "192.0.2.1") ONE("mx3.example.org", "192.0.2.3"),
     "deliver mx1.example.org=opportunistic mx2.example.org=unusable mx3.example.org=unusable",
     .change = we_are_mx2},
    {"self: drops the equally preferred",
     "example.org MX i 20 mx1.example.org\nexample.org MX i 20 mx2.example.org\nexample.org MX i "
     "10 mx0.example.org\n" ONE("mx1.example.org", "192.0.2.1") ONE("mx0.example.org", "192.0.2.9"),
     NULL, .change = we_are_mx2, .look = drops_the_equal},
    {"self: nothing left is a loop",
     "example.org MX i 20 mx2.example.org\nexample.org MX i 30 mx3.example.org\n" ONE(
         "mx3.example.org", "192.0.2.3"),
     "fail 5.4.6 mx2.example.org=unusable mx3.example.org=unusable", .change = we_are_mx2},
    {"self: by address",
     "example.org MX i 10 mx1.example.org\nexample.org MX i 20 alias.example.org\nexample.org MX i "
     "30 mx3.example.org\n" ONE("mx1.example.org", "192.0.2.1")
         ONE("alias.example.org", "192.0.2.2") ONE("mx3.example.org", "192.0.2.3"),
     "deliver mx1.example.org=opportunistic alias.example.org=unusable mx3.example.org=unusable",
     .change = we_have_192_0_2_2},
    {"self: by address, best placed, is a loop",
     "example.org MX i 10 alias.example.org\nexample.org MX i 20 mx3.example.org\n" ONE(
         "alias.example.org", "192.0.2.2") ONE("mx3.example.org", "192.0.2.3"),
     "fail 5.4.6 alias.example.org=unusable mx3.example.org=unusable", .change = we_have_192_0_2_2},
    {"self: the better placed fails for now",
     "example.org MX i 10 mx1.example.org\nexample.org MX i 20 mx2.example.org\nmx1.example.org A "
     "x\n",
     "defer 4.4.3 mx1.example.org=unusable mx2.example.org=unusable", .change = we_are_mx2},
    {"self: implicit MX is a loop", "example.org A i 192.0.2.2\n",
     "fail 5.4.6 example.org=unusable", .change = we_are_the_domain},

    {"route: a host, no MX", "example.org MX b\nrelay.example.net A s 192.0.2.7\n",
     "deliver relay.example.net=opportunistic", .change = route_host, .look = has_route_port},
    {"route: its TLSA is asked at its port",
     "relay.example.net A s 192.0.2.7\n_26._tcp.relay.example.net TLSA s 3 1 1 "
     "#32\n_25._tcp.relay.example.net TLSA b\n",
     "deliver relay.example.net=dane", .change = route_host, .look = has_route_port},
    {"route: failing host defers", "relay.example.net A x\n",
     "defer 4.4.3 relay.example.net=unusable", .change = route_host},
    {"route: to another domain's MX",
     "example.org MX b\nexample.net MX i 10 mx.example.net\n" ONE("mx.example.net", "192.0.2.7"),
     "deliver mx.example.net=opportunistic", .change = route_mx},
    {"route: a literal asks nothing", "example.org MX b\n", "deliver 2001:db8::25=opportunistic",
     "absent", .change = route_literal, .look = is_literal},
    {"route: a literal with REQUIRETLS is known by the domain", "", "deliver 2001:db8::25=pkix",
     .change = route_literal, .look = is_literal, .requiretls = true},

    {"lmtp: a socket asks nothing", "example.org MX b\n",
     "deliver unix:/run/dovecot/lmtp=local-clear", "absent", .change = lmtp_socket,
     .look = is_socket},
    {"lmtp: no policy of the operator's for TLS holds for a socket", "",
     "deliver unix:/run/dovecot/lmtp=local-clear", .change = lmtp_socket_whatever},
    {"lmtp: nor does REQUIRETLS, nothing leaves the machine", "",
     "deliver unix:/run/dovecot/lmtp=local-clear", .change = lmtp_socket, .look = is_socket,
     .requiretls = true},
    {"lmtp: a port of this machine", "example.org MX b\n", "deliver 127.0.0.1=local-clear",
     "absent", .change = lmtp_here, .look = is_lmtp, .requiretls = true},
    {"lmtp: another machine", "", "deliver 192.0.2.24=local-opportunistic", .change = lmtp_there,
     .look = is_lmtp},
    {"lmtp: another machine and REQUIRETLS", "", "deliver 192.0.2.24=local-verify",
     .change = lmtp_there, .look = is_lmtp, .requiretls = true},
    {"lmtp: a host's addresses are all that is asked for",
     "example.org MX b\nrelay.example.net A s 192.0.2.7\n_24._tcp.relay.example.net TLSA b\n"
     "_mta-sts.example.org TXT b\n",
     "deliver relay.example.net=local-opportunistic", "absent", .change = lmtp_host,
     .look = is_lmtp},
    {"lmtp: a host that cannot be found defers", "relay.example.net A x\n",
     "defer 4.4.3 relay.example.net=unusable", .change = lmtp_host},
};

// Equal preferences: every order comes up, and the same seed gives the same.
static void order_by_seed(void **state)
{
    static const struct scene s = {
        "", "example.org MX i 10 a.example.org\nexample.org MX i 10 b.example.org\nexample.org MX "
            "i 10 c.example.org\n" ONE("a.example.org", "192.0.2.1")
                ONE("b.example.org", "192.0.2.2") ONE("c.example.org", "192.0.2.3")};
    unsigned first[3] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        char chosen[2] = "";
        for (int twice = 0; twice < 2; twice++) {
            struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
            struct trust_request req = scene_request(&s);
            req.seed = seed;
            r.p = trust_planner_new(&req, &r.arena);
            const struct trust_plan *p = scene_drive(&r, (unsigned)twice);
            assert_int_equal(p->host_count, 3);
            chosen[twice] = p->hosts[0].name.text[0];
            arena_free(&r.arena);
            arena_free(&r.answers);
        }
        assert_int_equal(chosen[0], chosen[1]);
        first[chosen[0] - 'a']++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(first[i], 150, 250);
}

// 256 MX records: the best 64 are kept, and the questions are bounded.
static void flood_of_mx(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf zone = BUF(1 << 20);
    for (unsigned i = 0; i < 256; i++)
        buf_printf(&zone, "example.org MX s %u h%u.example.org\nh%u.example.org A s 192.0.2.%u\n",
                   1000 - i, i, i, i % 200 + 1);
    struct scene s = {.zone = buf_str(&zone)};
    struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(200 << 20)};
    struct trust_request req = scene_request(&s);
    r.p = trust_planner_new(&req, &r.arena);
    const struct trust_plan *p = scene_drive(&r, 3);
    assert_int_equal(p->decision, TRUST_DELIVER);
    assert_int_equal(p->host_count, TRUST_HOSTS_MAX);
    assert_string_equal(p->hosts[0].name.text, "h255.example.org");
    assert_true(r.questions <= 6 + 5 * TRUST_HOSTS_MAX);
    arena_free(&r.arena);
    arena_free(&r.answers);
}

// Tickets that were never given out, of another kind, or used, change nothing.
static void stray_answers(void **state)
{
    (void)state;
    static const struct scene s = {
        .zone = "example.org MX i 10 a.example.org\n" ONE("a.example.org", "192.0.2.1")};
    struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
    struct trust_request req = scene_request(&s);
    struct dns_answer stray = {.standing = DNS_SECURE, .presence = DNS_NXDOMAIN};
    struct trust_fetched fetched = {.result = TRUST_FETCH_OK};
    r.p = trust_planner_new(&req, &r.arena);
    trust_planner_dns(r.p, 1, &stray);
    struct trust_planner_step mx = trust_planner_next(r.p);
    assert_int_equal(mx.question.type, DNS_MX);
    trust_planner_fetched(r.p, mx.ticket, &fetched);
    trust_planner_stored(r.p, mx.ticket, NULL);
    trust_planner_dns(r.p, 0, &stray);
    trust_planner_dns(r.p, 4000000000u, &stray);
    scene_answer(&r, &mx);
    trust_planner_dns(r.p, mx.ticket, &stray);
    const struct trust_plan *p = scene_drive(&r, 0);
    assert_int_equal(p->decision, TRUST_DELIVER);
    arena_free(&r.arena);
    arena_free(&r.answers);
}

// Nothing is decided while a question is open.
static void unanswered_waits(void **state)
{
    (void)state;
    static const struct scene s = {.zone = ""};
    struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
    struct trust_request req = scene_request(&s);
    struct trust_planner_step step, mx = {0};
    r.p = trust_planner_new(&req, &r.arena);
    for (unsigned i = 0; i < 40; i++) {
        step = trust_planner_next(r.p);
        if (step.kind == TRUST_ASK_DNS && step.question.type == DNS_MX)
            mx = step;
        else if (step.kind != TRUST_ASK_WAIT)
            scene_answer(&r, &step);
        assert_null(trust_planner_plan(r.p));
    }
    assert_int_equal(step.kind, TRUST_ASK_WAIT);
    // The driver's deadline: overdue is INDETERMINATE, which is not "no record".
    trust_planner_dns(r.p, mx.ticket, &(struct dns_answer){.standing = DNS_INDETERMINATE});
    assert_int_equal(scene_drive(&r, 0)->decision, TRUST_DEFER);
    arena_free(&r.arena);
    arena_free(&r.answers);
}

// A plan that finds no room defers, and never forgets a policy for want of it.
static void small_arena(const struct scene *s, enum trust_requirement want)
{
    unsigned delivered = 0;
    for (size_t room = 0; room < 40000; room += 64) {
        struct scene_run r = {.s = s, .arena = ARENA(room), .answers = ARENA(8 << 20)};
        struct trust_request req = scene_request(s);
        r.p = trust_planner_new(&req, &r.arena);
        const struct trust_plan *p = r.p ? scene_drive(&r, 0) : NULL;
        if (p && p->decision == TRUST_DELIVER) {
            assert_int_equal(p->hosts[0].requirement, want);
            delivered++;
        } else if (p)
            assert_int_equal(p->decision, TRUST_DEFER);
        arena_free(&r.arena);
        arena_free(&r.answers);
    }
    assert_true(delivered > 100);
}

#define ENFORCE "version: STSv1\nmode: enforce\nmx: a.example.org\nmax_age: 1000\n"
#define HOST_A  "example.org MX s 10 a.example.org\na.example.org A s 192.0.2.1\n"

static void small_arena_dane(void **state)
{
    static const struct scene s = {.zone = HOST_A "_25._tcp.a.example.org TLSA s 3 1 1 #32\n"};
    (void)state;
    small_arena(&s, TRUST_REQ_DANE);
}

static void small_arena_fetched(void **state)
{
    static const struct scene s = {.zone = HOST_A "_mta-sts.example.org TXT s v=STSv1; id=a;\n",
                                   .fetch = ENFORCE};
    (void)state;
    small_arena(&s, TRUST_REQ_STS);
}

static void small_arena_stored(void **state)
{
    static const struct scene s = {.zone = HOST_A, .stored = ENFORCE};
    (void)state;
    small_arena(&s, TRUST_REQ_STS);
}

// What a plan costs; GELEIT_BENCH=1 prints it.
static void bench(void **state)
{
    static const struct scene s = {.zone = HOST_A "_25._tcp.a.example.org TLSA s 3 1 1 #32\n"};
    (void)state;
    bool print = getenv("GELEIT_BENCH");
    unsigned rounds = print ? 200000 : 10;
    struct dns_record records[DNS_TLSA + 1] = {{0}};
    records[DNS_MX].name = name_of("a.example.org");
    records[DNS_TLSA] = (struct dns_record){
        .usage = 3, .selector = 1, .matching = 1, .data = SPAN("0123456789abcdef0123456789abcdef")};
    struct trust_request req = scene_request(&s);
    clock_t start = clock();
    for (unsigned i = 0; i < rounds; i++) {
        struct arena arena = ARENA(1 << 20);
        struct trust_planner *p = trust_planner_new(&req, &arena);
        for (struct trust_planner_step t; (t = trust_planner_next(p)).kind != TRUST_ASK_DONE;) {
            enum dns_type q = t.question.type;
            struct dns_answer a = {.standing = DNS_SECURE, .presence = DNS_NODATA, .ttl = 60};
            if (q == DNS_MX || q == DNS_A || q == DNS_TLSA)
                a = (struct dns_answer){.standing = DNS_SECURE,
                                        .presence = DNS_DATA,
                                        .ttl = 60,
                                        .count = 1,
                                        .records = &records[q]};
            if (t.kind == TRUST_ASK_STORED)
                trust_planner_stored(p, t.ticket, NULL);
            if (t.kind == TRUST_ASK_DNS)
                trust_planner_dns(p, t.ticket, &a);
        }
        assert_int_equal(trust_planner_plan(p)->hosts[0].requirement, TRUST_REQ_DANE);
        arena_free(&arena);
    }
    double us = (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / rounds;
    if (print)
        print_message("# one plan of a DANE domain: %.2f us\n", us);
}

int main(void)
{
    static const struct CMUnitTest more[] = {
        cmocka_unit_test(order_by_seed),      cmocka_unit_test(flood_of_mx),
        cmocka_unit_test(stray_answers),      cmocka_unit_test(unanswered_waits),
        cmocka_unit_test(small_arena_dane),   cmocka_unit_test(small_arena_fetched),
        cmocka_unit_test(small_arena_stored), cmocka_unit_test(bench),
    };
    return scenes_run(scenes, sizeof scenes / sizeof *scenes, more, sizeof more / sizeof *more,
                      "trust_mx");
}
