// DANE for SMTP by planner scenes: RFC 7672, 7671, the acceptance list of
// TRAPS by number, local policy, REQUIRETLS and TLS-Required: No.
#include "trust_zone.h"

#include <string.h>

#define MX_S             "example.org MX s 10 mx.example.net\n"
#define MX_I             "example.org MX i 10 mx.example.net\n"
#define A_S              "mx.example.net A s 192.0.2.1\n"
#define A_I              "mx.example.net A i 192.0.2.1\n"
#define EE               "_25._tcp.mx.example.net TLSA s 3 1 1 #32\n"
#define POLICY(mode, mx) "version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: 86400\n"
#define TXT              "_mta-sts.example.org TXT i v=STSv1; id=new;\n"
#define LISTED           POLICY("enforce", "mx.example.net")
#define OTHER            POLICY("enforce", "mx.elsewhere.example")

#define OWN_TA "_25._tcp.example.org TLSA s 2 0 1 #32\n"
// No MX, and the domain is an alias: signed itself, unsigned from there on.
#define IMPLICIT_OUT                                                                               \
    "example.org MX i =canonical.example.com NODATA\n"                                             \
    "example.org A i =canonical.example.com 192.0.2.1\n"                                           \
    "example.org CNAME s canonical.example.com\n"
#define UNUSABLE_EXPANDED                                                                          \
    MX_S "mx.example.net A s =host.example.com 192.0.2.1\n"                                        \
         "_25._tcp.host.example.com TLSA s 0 0 0 #9\n" EE

static const struct trust_host *only(const struct trust_plan *p)
{
    assert_int_equal(p->host_count, 1);
    return &p->hosts[0];
}

static void put_names(struct buf *b, const struct trust_host *h)
{
    for (size_t i = 0; i < h->name_count; i++)
        buf_printf(b, "%s%s", i ? " " : "", h->names[i].text);
}

static void has(const struct trust_plan *p, const char *base, const char *names, size_t usable,
                bool name_protected)
{
    CLEANUP(buf_free) struct buf b = BUF(2000);
    const struct trust_host *h = only(p);
    size_t n = 0;
    put_names(&b, h);
    for (size_t i = 0; i < h->tlsa_count; i++)
        n += h->tlsa[i].usable;
    assert_string_equal(h->tlsa_base.text, base);
    assert_string_equal(buf_str(&b), names);
    assert_int_equal(n, usable);
    assert_int_equal(h->name_protected, name_protected);
}

static void secure_mx(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net example.org", 1, true);
}

static void insecure_mx(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net", 1, false);
}

static void insecure_mx_listed(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net", 1, true);
}

static void no_records(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net", 0, true);
}

static void expanded_base(const struct trust_plan *p)
{
    has(p, "host.example.com", "host.example.com example.org", 1, true);
}

static void original_base(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net example.org", 1, true);
}

static void expanded_nexthop(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net example.org canonical.example.com", 1, true);
}

static void one_of_three(const struct trust_plan *p)
{
    assert_int_equal(only(p)->tlsa_count, 3);
    secure_mx(p);
}

static void not_asked(const struct trust_plan *p)
{
    assert_false(only(p)->tlsa_asked);
}

static void tlsa_bogus(const struct trust_plan *p)
{
    assert_true(only(p)->tlsa_asked);
    assert_int_equal(only(p)->tlsa_dnssec, DNS_BOGUS);
    assert_int_equal(only(p)->result, TRUST_DNSSEC_INVALID);
}

static void tlsa_timeout(const struct trust_plan *p)
{
    assert_int_equal(only(p)->tlsa_dnssec, DNS_INDETERMINATE);
    assert_false(only(p)->for_good);
}

static void tlsa_invalid(const struct trust_plan *p)
{
    assert_int_equal(only(p)->result, TRUST_TLSA_INVALID);
    assert_int_equal(only(p)->tlsa_dnssec, DNS_SECURE);
}

static void dane_required(const struct trust_plan *p)
{
    assert_int_equal(only(p)->result, TRUST_DANE_REQUIRED);
}

static void mismatch(const struct trust_plan *p)
{
    assert_true(only(p)->sts_mismatch);
}

static void is_testing(const struct trust_plan *p)
{
    assert_true(only(p)->sts_testing && !only(p)->name_protected);
}

static void pin(struct trust_request *r)
{
    r->pin = SPAN("0123456789abcdef0123456789abcdef");
}

static void is_pinned(const struct trust_plan *p)
{
    assert_int_equal(only(p)->pin.len, 32);
    not_asked(p);
}

static void verify_names(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net example.org", 0, false);
}

static void host_name_alone(const struct trust_plan *p)
{
    has(p, "mx.example.net", "mx.example.net", 0, true);
}

static void domain_alone(const struct trust_plan *p)
{
    has(p, "example.org", "example.org", 1, true);
}

static void domain_and_expanded(const struct trust_plan *p)
{
    has(p, "example.org", "example.org canonical.example.com", 1, true);
}

static void unusable_base(const struct trust_plan *p)
{
    has(p, "host.example.com", "mx.example.net", 0, true);
}

static const struct scene scenes[] = {
    {"dane: usable records bind", MX_S A_S EE, "deliver mx.example.net=dane", .look = secure_mx},
    {"dane 1: SERVFAIL on TLSA skips the host", MX_S A_S "_25._tcp.mx.example.net TLSA x\n",
     "defer 4.7.5 mx.example.net=unusable", .look = tlsa_timeout},
    {"dane 1: bogus TLSA skips the host", MX_S A_S "_25._tcp.mx.example.net TLSA b\n",
     "defer 4.7.5 mx.example.net=unusable", .look = tlsa_bogus},
    {"dane 1: and the next host is tried",
     MX_S "example.org MX s 20 mx2.example.net\nmx2.example.net A s 192.0.2.2\n" A_S
          "_25._tcp.mx.example.net TLSA x\n",
     "deliver mx.example.net=unusable mx2.example.net=opportunistic"},
    {"dane 2: no TLSA question below insecure addresses",
     MX_S A_I "_25._tcp.mx.example.net TLSA x\n", "deliver mx.example.net=opportunistic",
     .look = not_asked},
    {"dane 2: a secure alias out of the signed zone has TLSA",
     MX_S
     "mx.example.net A i =lb.example.com 192.0.2.1\nmx.example.net CNAME s lb.example.com\n" EE,
     "deliver mx.example.net=dane", .look = original_base},
    {"dane 2: never at the end of such an alias",
     MX_S "mx.example.net A i =lb.example.com 192.0.2.1\nmx.example.net CNAME s "
          "lb.example.com\n_25._tcp.lb.example.com TLSA s 3 1 1 #32\n_25._tcp.mx.example.net TLSA "
          "s NXDOMAIN\n",
     "deliver mx.example.net=opportunistic"},
    {"dane 2: an insecure alias has none",
     MX_S "mx.example.net A i =lb.example.com 192.0.2.1\nmx.example.net CNAME i "
          "lb.example.com\n_25._tcp.mx.example.net TLSA x\n",
     "deliver mx.example.net=opportunistic", .look = not_asked},
    {"dane 2: a failing alias question skips the host",
     MX_S "mx.example.net A i =lb.example.com 192.0.2.1\nmx.example.net CNAME x\n" EE,
     "defer 4.7.5 mx.example.net=unusable", .look = tlsa_timeout},
    {"dane 2: a bogus alias question skips the host",
     MX_S "mx.example.net A i =lb.example.com 192.0.2.1\nmx.example.net CNAME b\n",
     "defer 4.7.5 mx.example.net=unusable", .look = tlsa_bogus},
    {"dane 3: none usable: TLS mandatory", MX_S A_S "_25._tcp.mx.example.net TLSA s 1 1 1 #32\n",
     "deliver mx.example.net=encrypt", .look = tlsa_invalid},
    {"dane 4: usages 0 and 1 are not usable",
     MX_S A_S
     "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n_25._tcp.mx.example.net TLSA s 1 0 2 #64\n",
     "deliver mx.example.net=encrypt", .look = tlsa_invalid},
    {"dane 4: usage 2 has three names",
     "example.org MX s =canonical.example.com 10 mx.example.net\n" A_S
     "_25._tcp.mx.example.net TLSA s 2 0 1 #32\n",
     "deliver mx.example.net=dane", .look = expanded_nexthop},
    {"dane 4: below an insecure MX one name", MX_I A_S "_25._tcp.mx.example.net TLSA s 2 0 1 #32\n",
     "deliver mx.example.net=dane", .look = insecure_mx},
    {"dane 5: EE and TA beside unusable ones",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 0 0 1 #32\n_25._tcp.mx.example.net TLSA s 3 1 1 "
              "#32\n_25._tcp.mx.example.net TLSA s 2 1 7 #32\n",
     "deliver mx.example.net=dane", .look = one_of_three},
    {"dane 6: secure alias: the expanded name first",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n_25._tcp.host.example.com TLSA s 3 1 1 "
          "#32\n" EE,
     "deliver mx.example.net=dane", .look = expanded_base},
    {"dane 6: then the original, after a denial",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n" EE, "deliver mx.example.net=dane",
     .look = original_base},
    {"dane 6: then the original, after insecure records",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n_25._tcp.host.example.com TLSA i 3 1 1 "
          "#32\n" EE,
     "deliver mx.example.net=dane", .look = original_base},
    {"dane 6: an error at the expanded name is no denial",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n_25._tcp.host.example.com TLSA x\n" EE,
     "defer 4.7.5 mx.example.net=unusable"},
    {"dane 6: unusable at the expanded name ends the search",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n_25._tcp.host.example.com TLSA s 0 0 0 "
          "#9\n" EE,
     "deliver mx.example.net=encrypt", .look = unusable_base},
    {"dane 6: unreadable records there are unusable ones",
     MX_S "mx.example.net A s =host.example.com 192.0.2.1\n_25._tcp.host.example.com TLSA s "
          "EMPTY\n" EE,
     "deliver mx.example.net=encrypt", .look = unusable_base},
    {"dane 6: the base of unusable records and local encrypt", UNUSABLE_EXPANDED,
     "deliver mx.example.net=local-encrypt", .look = unusable_base, .local = TRUST_LOCAL_ENCRYPT},
    {"dane 6: no base where TLSA does not count", UNUSABLE_EXPANDED,
     "deliver mx.example.net=local-encrypt", .look = host_name_alone, .local = TRUST_LOCAL_ENCRYPT,
     .tls_required_no = true},
    {"dane 6: a certificate for the host is asked for by its name", UNUSABLE_EXPANDED TXT,
     "deliver mx.example.net=sts", .look = host_name_alone, .fetch = LISTED, .saved = "new"},
    {"dane 6: a TLSA alias does not move the base",
     MX_S A_S "_25._tcp.mx.example.net TLSA s =shared.example.com 3 1 1 #32\n",
     "deliver mx.example.net=dane", .look = secure_mx},
    {"dane 6: an alias of the implicit MX",
     "example.org MX s NODATA\nexample.org A s =mx.example.net 192.0.2.1\n" EE,
     "deliver example.org=dane"},
    {"dane 6: the end of a secure alias of the implicit MX is a name",
     "example.org MX s =canonical.example.com NODATA\n"
     "example.org A s =canonical.example.com 192.0.2.1\n" OWN_TA,
     "deliver example.org=dane", .look = domain_and_expanded},
    {"dane 6: the end of an insecure one is not", IMPLICIT_OUT OWN_TA, "deliver example.org=dane",
     .look = domain_alone},
    {"dane 7: a bad AAAA leaves the secure A", MX_S A_S "mx.example.net AAAA b\n" EE,
     "deliver mx.example.net=dane", .look = secure_mx},
    {"dane 7: one insecure family is not secure", MX_S A_S "mx.example.net AAAA i 2001:db8::1\n" EE,
     "deliver mx.example.net=opportunistic", .look = not_asked},
    {"dane 8: short records are there and unusable",
     MX_S A_S "_25._tcp.mx.example.net TLSA s short\n", "deliver mx.example.net=encrypt",
     .look = tlsa_invalid},
    {"dane 8: records that cannot be read, too", MX_S A_S "_25._tcp.mx.example.net TLSA s EMPTY\n",
     "deliver mx.example.net=encrypt", .look = tlsa_invalid},
    {"dane 8: unreadable records are no denial for dane-only",
     MX_S A_S "_25._tcp.mx.example.net TLSA s EMPTY\n", "defer 4.7.5 mx.example.net=unusable",
     .local = TRUST_LOCAL_DANE_ONLY},
    {"dane 8: unreadable records below an insecure MX",
     MX_I A_S "_25._tcp.mx.example.net TLSA s EMPTY\n", "deliver mx.example.net=encrypt",
     .look = tlsa_invalid},
    {"dane 8: unreadable records and enforce: both",
     MX_S A_S "_25._tcp.mx.example.net TLSA s EMPTY\n" TXT, "deliver mx.example.net=sts",
     .fetch = LISTED, .saved = "new", .look = tlsa_invalid},
    {"dane 8: unreadable insecure records do not count",
     MX_S A_S "_25._tcp.mx.example.net TLSA i EMPTY\n", "deliver mx.example.net=opportunistic"},
    {"dane 8: digest of a wrong length", MX_S A_S "_25._tcp.mx.example.net TLSA s 3 1 1 #31\n",
     "deliver mx.example.net=encrypt"},
    {"dane 8: unknown matching type", MX_S A_S "_25._tcp.mx.example.net TLSA s 3 1 3 #32\n",
     "deliver mx.example.net=encrypt"},
    {"dane 8: unknown selector", MX_S A_S "_25._tcp.mx.example.net TLSA s 3 2 1 #32\n",
     "deliver mx.example.net=encrypt"},
    {"dane 8: a full value that is no DER", MX_S A_S "_25._tcp.mx.example.net TLSA s 3 0 0 #40\n",
     "deliver mx.example.net=encrypt"},
    {"dane 8: more bytes than anyone needs",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 3 1 1 #9000\n",
     "defer 4.7.5 mx.example.net=unusable"},
    {"dane: secure denial is no DANE", MX_S A_S, "deliver mx.example.net=opportunistic",
     .look = no_records},
    {"dane: insecure records do not count", MX_S A_S "_25._tcp.mx.example.net TLSA i 3 1 1 #32\n",
     "deliver mx.example.net=opportunistic", .look = no_records},
    {"dane: insecure MX, secure TLSA: used, name not protected", MX_I A_S EE,
     "deliver mx.example.net=dane", .look = insecure_mx},
    {"dane: implicit MX", "example.org A s 192.0.2.1\n_25._tcp.example.org TLSA s 3 1 1 #32\n",
     "deliver example.org=dane"},

    {"sts: enforce lists the host", MX_I A_I TXT, "deliver mx.example.net=sts", .fetch = LISTED,
     .saved = "new"},
    {"sts 3: enforce filters the MX list",
     MX_I "example.org MX i 20 mx2.example.net\nmx2.example.net A i 192.0.2.2\n" A_I TXT,
     "deliver mx.example.net=unusable mx2.example.net=sts",
     .fetch = POLICY("enforce", "mx2.example.net"), .saved = "new"},
    {"sts 3: enforce and none listed defers", MX_I A_I TXT, "defer 4.7.5 mx.example.net=unusable",
     .fetch = OTHER, .saved = "new", .look = mismatch},
    {"sts 3: testing delivers", MX_I A_I TXT, "deliver mx.example.net=opportunistic",
     .fetch = POLICY("testing", "mx.example.net"), .saved = "new", .look = is_testing},
    {"sts 3: testing never filters", MX_I A_I TXT, "deliver mx.example.net=opportunistic",
     .fetch = POLICY("testing", "*.other.example"), .saved = "new", .look = mismatch},
    {"sts 4: a star is one label",
     "example.org MX i 10 a.b.example.net\na.b.example.net A i 192.0.2.1\n" TXT,
     "defer 4.7.5 a.b.example.net=unusable", .fetch = POLICY("enforce", "*.example.net"),
     .saved = "new"},
    {"sts: mode none is no policy", MX_I A_I TXT, "deliver mx.example.net=opportunistic",
     .fetch = POLICY("none", "mx.elsewhere.example"), .saved = "new"},
    {"sts 8: secure MX and TLSA: DANE decides alone", MX_S A_S EE TXT,
     "deliver mx.example.net=dane", .fetch = OTHER, .saved = "new", .look = mismatch},
    {"sts 8: insecure MX: a DANE host outside the policy is not used", MX_I A_S EE TXT,
     "defer 4.7.5 mx.example.net=unusable", .fetch = OTHER, .saved = "new"},
    {"sts 8: insecure MX: a listed DANE host is DANE's", MX_I A_S EE TXT,
     "deliver mx.example.net=dane", .fetch = LISTED, .saved = "new", .look = insecure_mx_listed},
    {"sts 8: no MX, not proved: a DANE host outside the policy is not used",
     IMPLICIT_OUT OWN_TA TXT, "defer 4.7.5 example.org=unusable", .fetch = OTHER, .saved = "new",
     .look = mismatch},
    {"sts 8: the same under REQUIRETLS", IMPLICIT_OUT OWN_TA TXT,
     "defer 4.7.5 example.org=unusable", .fetch = OTHER, .saved = "new", .requiretls = true},
    {"sts 8: no MX, not proved: a listed DANE host is DANE's", IMPLICIT_OUT OWN_TA TXT,
     "deliver example.org=dane", .fetch = POLICY("enforce", "example.org"), .saved = "new",
     .look = domain_alone},
    {"sts 8: no MX, proved: DANE decides alone",
     "example.org MX s NODATA\nexample.org A s 192.0.2.1\n" OWN_TA TXT, "deliver example.org=dane",
     .fetch = OTHER, .saved = "new", .look = domain_alone},
    {"sts 8: none usable and enforce: both",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n" TXT, "deliver mx.example.net=sts",
     .fetch = LISTED, .saved = "new", .look = tlsa_invalid},
    {"sts 8: none usable, enforce, not listed",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n" TXT,
     "defer 4.7.5 mx.example.net=unusable", .fetch = OTHER, .saved = "new"},
    {"sts 8: a failing TLSA lookup is not rescued by STS",
     MX_S A_S "_25._tcp.mx.example.net TLSA x\n" TXT, "defer 4.7.5 mx.example.net=unusable",
     .fetch = LISTED, .saved = "new"},
    {"sts: TLSA none usable and testing: TLS mandatory, counted",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n" TXT, "deliver mx.example.net=encrypt",
     .fetch = POLICY("testing", "mx.example.net"), .saved = "new"},
    {"sts: smarthost is the policy domain, not a subdomain's parent",
     "sub.example.org MX i 10 mx.example.net\n" MX_I A_I
     "_mta-sts.sub.example.org TXT i v=STSv1; id=x;\n",
     "deliver mx.example.net=opportunistic", "absent"},

    {"requiretls: DANE by secure MX", MX_S A_S EE, "deliver mx.example.net=dane",
     .requiretls = true},
    {"requiretls: secure MX without TLSA: PKIX", MX_S A_S, "deliver mx.example.net=pkix",
     .requiretls = true},
    {"requiretls: secure MX, none usable: PKIX",
     MX_S A_S "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n", "deliver mx.example.net=pkix",
     .requiretls = true},
    {"requiretls: insecure MX fails", MX_I A_I, "fail 5.7.10 mx.example.net=unusable",
     .requiretls = true},
    {"requiretls: insecure MX with DANE fails", MX_I A_S EE, "fail 5.7.10 mx.example.net=unusable",
     .requiretls = true},
    {"requiretls: enforce protects the name", MX_I A_I TXT, "deliver mx.example.net=sts",
     .requiretls = true, .fetch = LISTED, .saved = "new"},
    {"requiretls: enforce and DANE", MX_I A_S EE TXT, "deliver mx.example.net=dane",
     .requiretls = true, .fetch = LISTED, .saved = "new"},
    {"requiretls: testing does not", MX_I A_I TXT, "fail 5.7.10 mx.example.net=unusable",
     .requiretls = true, .fetch = POLICY("testing", "mx.example.net"), .saved = "new"},
    {"requiretls: a policy that cannot be learnt now defers", MX_I A_I TXT,
     "defer 4.7.10 mx.example.net=unusable", .requiretls = true, .fetch = "!2"},
    {"requiretls: a TLSA failure defers", MX_S A_S "_25._tcp.mx.example.net TLSA x\n",
     "defer 4.7.5 mx.example.net=unusable", .requiretls = true},
    {"requiretls: one that may do later keeps the message",
     MX_I "example.org MX i 20 mx2.example.net\nmx2.example.net A x\n" A_I,
     "defer 4.4.3 mx.example.net=unusable mx2.example.net=unusable", .requiretls = true},
    {"requiretls: implicit MX is the domain itself",
     "* i\nexample.org MX i NODATA\nexample.org A i 192.0.2.1\n", "deliver example.org=pkix",
     .requiretls = true},
    {"requiretls: overrides TLS-Required: No", MX_S A_S EE, "deliver mx.example.net=dane",
     .requiretls = true, .tls_required_no = true},
    {"requiretls: local clear fails", MX_S A_S EE, "fail 5.7.10 mx.example.net=unusable",
     .requiretls = true, .local = TRUST_LOCAL_CLEAR},
    {"requiretls: local encrypt is too little", MX_S A_S, "deliver mx.example.net=pkix",
     .requiretls = true, .local = TRUST_LOCAL_ENCRYPT},
    {"requiretls: local opportunistic is too little", MX_I A_I,
     "fail 5.7.10 mx.example.net=unusable", .requiretls = true, .local = TRUST_LOCAL_OPPORTUNISTIC},
    {"requiretls: local verify needs a protected name", MX_I A_I,
     "fail 5.7.10 mx.example.net=unusable", .requiretls = true, .local = TRUST_LOCAL_VERIFY},
    {"requiretls: local verify accepts the host's name only", MX_S A_S,
     "deliver mx.example.net=local-verify", .requiretls = true, .local = TRUST_LOCAL_VERIFY,
     .look = host_name_alone},
    {"requiretls: a pinned key is known", MX_I A_I, "deliver mx.example.net=local-pinned",
     .requiretls = true, .local = TRUST_LOCAL_PINNED, .change = pin},

    {"tls-required-no: relaxes DANE", MX_S A_S EE, "deliver mx.example.net=opportunistic",
     .tls_required_no = true},
    {"tls-required-no: relaxes a failing TLSA lookup", MX_S A_S "_25._tcp.mx.example.net TLSA b\n",
     "deliver mx.example.net=opportunistic", .tls_required_no = true},
    {"tls-required-no: relaxes MTA-STS", MX_I A_I TXT, "deliver mx.example.net=opportunistic",
     .tls_required_no = true, .fetch = OTHER, .saved = "new"},
    {"tls-required-no: a bogus MX defers all the same", "example.org MX b\n", "defer 4.7.5",
     .tls_required_no = true},
    {"tls-required-no: the operator's policy stays", MX_S A_S EE,
     "deliver mx.example.net=local-dane-only", .tls_required_no = true,
     .local = TRUST_LOCAL_DANE_ONLY},

    {"local: clear", MX_S A_S EE, "deliver mx.example.net=local-clear", .local = TRUST_LOCAL_CLEAR,
     .look = not_asked},
    {"local: opportunistic asks for no TLSA", MX_S A_S "_25._tcp.mx.example.net TLSA x\n",
     "deliver mx.example.net=local-opportunistic", .local = TRUST_LOCAL_OPPORTUNISTIC,
     .look = not_asked},
    {"local: opportunistic replaces enforce", MX_I A_I TXT,
     "deliver mx.example.net=local-opportunistic", .local = TRUST_LOCAL_OPPORTUNISTIC,
     .fetch = OTHER, .saved = "new"},
    {"local: encrypt", MX_I A_I, "deliver mx.example.net=local-encrypt",
     .local = TRUST_LOCAL_ENCRYPT},
    {"local: encrypt, DANE still verifies", MX_S A_S EE, "deliver mx.example.net=dane",
     .local = TRUST_LOCAL_ENCRYPT},
    {"local: verify", MX_I A_I, "deliver mx.example.net=local-verify", .local = TRUST_LOCAL_VERIFY,
     .look = verify_names},
    {"local: verify, DANE verifies", MX_S A_S EE, "deliver mx.example.net=dane",
     .local = TRUST_LOCAL_VERIFY},
    {"local: verify, failing TLSA", MX_S A_S "_25._tcp.mx.example.net TLSA x\n",
     "defer 4.7.5 mx.example.net=unusable", .local = TRUST_LOCAL_VERIFY},
    {"local: dane-only", MX_S A_S EE, "deliver mx.example.net=local-dane-only",
     .local = TRUST_LOCAL_DANE_ONLY, .look = secure_mx},
    {"local: dane-only without TLSA defers", MX_S A_S, "defer 4.7.5 mx.example.net=unusable",
     .local = TRUST_LOCAL_DANE_ONLY, .look = dane_required},
    {"local: dane-only, none usable, defers", MX_S A_S "_25._tcp.mx.example.net TLSA s 0 1 1 #32\n",
     "defer 4.7.5 mx.example.net=unusable", .local = TRUST_LOCAL_DANE_ONLY, .look = dane_required},
    {"local: dane-only with insecure MX defers", MX_I A_S EE, "defer 4.7.5 mx.example.net=unusable",
     .local = TRUST_LOCAL_DANE_ONLY, .look = dane_required},
    {"local: pinned", MX_I A_I, "deliver mx.example.net=local-pinned", .local = TRUST_LOCAL_PINNED,
     .change = pin, .look = is_pinned},
};

static void put_scene(struct buf *b, const char *zone)
{
    struct scene s = {.zone = zone};
    struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
    struct trust_request req = scene_request(&s);
    r.p = trust_planner_new(&req, &r.arena);
    trust_plan_put_json(b, scene_drive(&r, 0));
    arena_free(&r.arena);
    arena_free(&r.answers);
}

// RFC 2181 §5: resolvers turn the records of an RRset round.
static void order_says_nothing(void **state)
{
    static const char one[] = MX_S "mx.example.net A s 192.0.2.1\nmx.example.net A s 192.0.2.2\n"
                                   "mx.example.net AAAA s 2001:db8::2\nmx.example.net AAAA s "
                                   "2001:db8::1\n_25._tcp.mx.example.net TLSA s 3 1 1 #32\n"
                                   "_25._tcp.mx.example.net TLSA s 2 1 1 #32\n"
                                   "_25._tcp.mx.example.net TLSA s 3 1 0 3003020102\n"
                                   "_25._tcp.mx.example.net TLSA s 3 1 0 3003020101\n"
                                   "_25._tcp.mx.example.net TLSA s short\n";
    static const char two[] = MX_S "mx.example.net A s 192.0.2.2\nmx.example.net A s 192.0.2.1\n"
                                   "mx.example.net AAAA s 2001:db8::1\nmx.example.net AAAA s "
                                   "2001:db8::2\n_25._tcp.mx.example.net TLSA s short\n"
                                   "_25._tcp.mx.example.net TLSA s 3 1 0 3003020101\n"
                                   "_25._tcp.mx.example.net TLSA s 3 1 0 3003020102\n"
                                   "_25._tcp.mx.example.net TLSA s 2 1 1 #32\n"
                                   "_25._tcp.mx.example.net TLSA s 3 1 1 #32\n";
    CLEANUP(buf_free) struct buf a = BUF(65536), b = BUF(65536);
    (void)state;
    put_scene(&a, one);
    put_scene(&b, two);
    assert_non_null(strstr(buf_str(&a), "\"2001:db8::1\",\"2001:db8::2\",\"192.0.2.1\""));
    assert_string_equal(buf_str(&a), buf_str(&b));
}

// RFC 7671 §9: the example of the RFC; SHA-256 beside SHA-512 does not count.
static void digest_agility(void **state)
{
    (void)state;
    static const struct scene s = {
        .zone = MX_S A_S
        "_25._tcp.mx.example.net TLSA s 3 1 1 #32\n_25._tcp.mx.example.net TLSA s 3 1 2 "
        "#64\n_25._tcp.mx.example.net TLSA s 3 1 0 3003020101\n_25._tcp.mx.example.net TLSA s 2 1 "
        "1 #32\n_25._tcp.mx.example.net TLSA s 3 0 1 #32\n_25._tcp.mx.example.net TLSA s 3 0 2 "
        "#63\n"};
    // sorted: 2 1 1, 3 0 1, 3 0 2 (too short), 3 1 0, 3 1 1, 3 1 2
    static const bool usable[] = {true, true, false, true, false, true};
    struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
    struct trust_request req = scene_request(&s);
    r.p = trust_planner_new(&req, &r.arena);
    const struct trust_host *h = only(scene_drive(&r, 0));
    assert_int_equal(h->tlsa_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(h->tlsa[i].usable, usable[i]);
    arena_free(&r.arena);
    arena_free(&r.answers);
}

static void der_lengths(void **state)
{
    static const struct {
        const char *hex;
        bool usable;
    } cases[] = {{"3003020101", true},    {"30820003020101", true}, {"308103020101", true},
                 {"3003020101ff", false}, {"30030201", false},      {"3000", false},
                 {"30", false},           {"3080020101", false},    {"3084000000030201", false},
                 {"3103020101", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(buf_free) struct buf zone = BUF(4000);
        buf_printf(&zone, MX_S A_S "_25._tcp.mx.example.net TLSA s 3 0 0 %s\n", cases[i].hex);
        struct scene s = {.zone = buf_str(&zone)};
        struct scene_run r = {.s = &s, .arena = ARENA(1 << 20), .answers = ARENA(8 << 20)};
        struct trust_request req = scene_request(&s);
        r.p = trust_planner_new(&req, &r.arena);
        const struct trust_host *h = only(scene_drive(&r, 0));
        assert_int_equal(h->requirement, cases[i].usable ? TRUST_REQ_DANE : TRUST_REQ_ENCRYPT);
        arena_free(&r.arena);
        arena_free(&r.answers);
    }
}

int main(void)
{
    static const struct CMUnitTest more[] = {cmocka_unit_test(digest_agility),
                                             cmocka_unit_test(order_says_nothing),
                                             cmocka_unit_test(der_lengths)};
    return scenes_run(scenes, sizeof scenes / sizeof *scenes, more, sizeof more / sizeof *more,
                      "trust_dane");
}
