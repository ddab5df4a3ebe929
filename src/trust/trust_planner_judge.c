// What is required of a host: published policy, the operator's, the message's.
#include "trust_planner.h"

enum cause {
    SELF,
    ADDRESS_BOGUS,
    ADDRESS_FAILED,
    ADDRESS_NONE,
    TLSA_LOOKUP_BOGUS,
    TLSA_LOOKUP_FAILED,
    TLSA_OVERSIZE,
    STS_NOT_LISTED,
    DANE_ONLY_INSECURE_MX,
    DANE_ONLY_NO_TLSA,
    REQUIRETLS_NO_NAME,
    REQUIRETLS_STS_UNKNOWN,
    REQUIRETLS_CLEAR,
    DANE,
    DANE_INSECURE_MX,
    DANE_LISTED,
    DANE_LOCAL,
    STS,
    STS_AND_TLSA,
    PKIX,
    ENCRYPT,
    TESTING,
    TESTING_NOT_LISTED,
    RELAXED,
    OPPORTUNISTIC,
    LMTP_SOCKET,
    LMTP_HERE,
    LMTP_HOST,
    LMTP_VERIFY,
    LOCAL_CLEAR,
    LOCAL_OPPORTUNISTIC,
    LOCAL_ENCRYPT,
    LOCAL_VERIFY,
    LOCAL_DANE_ONLY,
    LOCAL_PINNED,
    CAUSES
};

static const struct {
    enum trust_requirement requirement;
    enum trust_result_type result;
    bool for_good;
    const char *status;
    const char *phrase;
} causes[CAUSES] = {
    [SELF] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, true, "5.4.6",
              "the host is this server itself, or is placed no better than it"
              " (RFC 5321 section 5.1)"},
    [ADDRESS_BOGUS] = {TRUST_REQ_UNUSABLE, TRUST_DNSSEC_INVALID, false, "4.7.5",
                       "the host's addresses fail DNSSEC validation (RFC 7672 section 2.1.2)"},
    [ADDRESS_FAILED] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, false, "4.4.3",
                        "the lookup of the host's addresses failed (RFC 7672 section 2.1.2)"},
    [ADDRESS_NONE] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, true, "5.4.4",
                      "the host has no address (RFC 5321 section 5.1)"},
    [TLSA_LOOKUP_BOGUS] = {TRUST_REQ_UNUSABLE, TRUST_DNSSEC_INVALID, false, "4.7.5",
                           "the host's TLSA answer fails DNSSEC validation, which is not the same"
                           " as having none (RFC 7672 section 2.2)"},
    [TLSA_LOOKUP_FAILED] = {TRUST_REQ_UNUSABLE, TRUST_DNSSEC_INVALID, false, "4.7.5",
                            "the lookup of the host's TLSA records failed, which is not the same"
                            " as having none (RFC 7672 section 2.2)"},
    [TLSA_OVERSIZE] = {TRUST_REQ_UNUSABLE, TRUST_TLSA_INVALID, false, "4.7.5",
                       "the host's TLSA records are more or larger than any server needs"
                       " (RFC 7672 section 2.2)"},
    [STS_NOT_LISTED] = {TRUST_REQ_UNUSABLE, TRUST_VALIDATION_FAILURE, false, "4.7.5",
                        "the MTA-STS policy is enforced and does not list the host"
                        " (RFC 8461 section 4.1)"},
    [DANE_ONLY_INSECURE_MX] = {TRUST_REQ_UNUSABLE, TRUST_DANE_REQUIRED, false, "4.7.5",
                               "local policy requires DANE, and the MX answer is not secure"
                               " (RFC 7672 section 2.2.1)"},
    [DANE_ONLY_NO_TLSA] = {TRUST_REQ_UNUSABLE, TRUST_DANE_REQUIRED, false, "4.7.5",
                           "local policy requires DANE, and the host has no usable TLSA record"
                           " (RFC 7672 section 6)"},
    [REQUIRETLS_NO_NAME] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, true, "5.7.10",
                            "REQUIRETLS needs a host name protected by DNSSEC or by an enforced"
                            " MTA-STS policy (RFC 8689 section 4.2.1)"},
    [REQUIRETLS_STS_UNKNOWN] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, false, "4.7.10",
                                "REQUIRETLS needs a protected host name, and the MTA-STS policy"
                                " could not be learnt now (RFC 8689 section 4.2.1)"},
    [REQUIRETLS_CLEAR] = {TRUST_REQ_UNUSABLE, TRUST_RESULT_OK, true, "5.7.10",
                          "REQUIRETLS needs TLS, and local policy sends in the clear"
                          " (RFC 8689 section 4.2.1)"},
    [DANE] = {TRUST_REQ_DANE, TRUST_RESULT_OK, false, NULL,
              "the host has secure TLSA records, so its certificate must match one of them"
              " (RFC 7672 section 2.2)"},
    [DANE_INSECURE_MX] = {TRUST_REQ_DANE, TRUST_RESULT_OK, false, NULL,
                          "the host's certificate must match its secure TLSA records, but the MX"
                          " answer that named the host is not secure (RFC 7672 section 2.2.1)"},
    [DANE_LISTED] = {TRUST_REQ_DANE, TRUST_RESULT_OK, false, NULL,
                     "the enforced MTA-STS policy lists the host, and its certificate must match"
                     " its secure TLSA records (RFC 8461 section 2, RFC 7672 section 2.2)"},
    [DANE_LOCAL] = {TRUST_REQ_DANE, TRUST_RESULT_OK, false, NULL,
                    "local policy requires TLS, and the host's certificate must match its secure"
                    " TLSA records (RFC 7672 section 2.2)"},
    [STS] = {TRUST_REQ_STS, TRUST_RESULT_OK, false, NULL,
             "the enforced MTA-STS policy lists the host, so its certificate must be valid for"
             " its name (RFC 8461 section 4)"},
    [STS_AND_TLSA] = {TRUST_REQ_STS, TRUST_TLSA_INVALID, false, NULL,
                      "none of the host's TLSA records is usable, so the enforced MTA-STS policy"
                      " decides: its certificate must be valid for its name (RFC 7672 section 2.2,"
                      " RFC 8461 section 4)"},
    [PKIX] = {TRUST_REQ_PKIX, TRUST_RESULT_OK, false, NULL,
              "REQUIRETLS: the host name is protected, so its certificate must be valid for it"
              " (RFC 8689 section 4.2.1)"},
    [ENCRYPT] = {TRUST_REQ_ENCRYPT, TRUST_TLSA_INVALID, false, NULL,
                 "none of the host's secure TLSA records is usable, so TLS is mandatory but the"
                 " certificate is not checked (RFC 7672 section 2.2)"},
    [TESTING] = {TRUST_REQ_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                 "the MTA-STS policy is only being tested: failures are counted, not enforced"
                 " (RFC 8461 section 5)"},
    [TESTING_NOT_LISTED] = {TRUST_REQ_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                            "the MTA-STS policy does not list the host, but is only being tested"
                            " (RFC 8461 section 5)"},
    [RELAXED] = {TRUST_REQ_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                 "the message says \"TLS-Required: No\", so what the domain publishes does not hold"
                 " it up (RFC 8689 section 4.2.2)"},
    [OPPORTUNISTIC] = {TRUST_REQ_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                       "no policy protects the host, so TLS is used if it is offered"
                       " (RFC 7435 section 3)"},
    [LMTP_SOCKET] = {TRUST_REQ_LOCAL_CLEAR, TRUST_RESULT_OK, false, NULL,
                     "local delivery by LMTP to a socket of this machine (RFC 2033)"},
    [LMTP_HERE] = {TRUST_REQ_LOCAL_CLEAR, TRUST_RESULT_OK, false, NULL,
                   "local delivery by LMTP to a mailbox server on this machine (RFC 2033)"},
    [LMTP_HOST] = {TRUST_REQ_LOCAL_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                   "local delivery by LMTP to the mailbox server the operator named, with TLS if"
                   " it is offered (RFC 2033)"},
    [LMTP_VERIFY] = {TRUST_REQ_LOCAL_VERIFY, TRUST_RESULT_OK, false, NULL,
                     "local delivery by LMTP to a mailbox server on another machine, which"
                     " REQUIRETLS holds for as well (RFC 8689 section 3)"},
    [LOCAL_CLEAR] = {TRUST_REQ_LOCAL_CLEAR, TRUST_RESULT_OK, false, NULL,
                     "local policy sends in the clear, without STARTTLS (RFC 3207)"},
    [LOCAL_OPPORTUNISTIC] = {TRUST_REQ_LOCAL_OPPORTUNISTIC, TRUST_RESULT_OK, false, NULL,
                             "local policy uses TLS if it is offered, whatever is published"
                             " (RFC 7435 section 3)"},
    [LOCAL_ENCRYPT] = {TRUST_REQ_LOCAL_ENCRYPT, TRUST_RESULT_OK, false, NULL,
                       "local policy requires TLS, without a check of the certificate (RFC 3207)"},
    [LOCAL_VERIFY] = {TRUST_REQ_LOCAL_VERIFY, TRUST_RESULT_OK, false, NULL,
                      "local policy requires a certificate that is valid for the host"
                      " (RFC 6125 section 6)"},
    [LOCAL_DANE_ONLY] = {TRUST_REQ_LOCAL_DANE_ONLY, TRUST_RESULT_OK, false, NULL,
                         "local policy requires DANE, so the certificate must match a secure TLSA"
                         " record (RFC 7672 section 6)"},
    [LOCAL_PINNED] = {TRUST_REQ_LOCAL_PINNED, TRUST_RESULT_OK, false, NULL,
                      "local policy requires the one public key it names, as a TLSA record 3 1 1"
                      " would (RFC 7671 section 5.1)"},
};

// The facts the judgement rests on.
struct facts {
    enum planner_tlsa tlsa;
    enum dns_standing tlsa_dnssec;
    bool known;  // nobody on the path can have chosen the host name
    bool proved; // nor have suppressed the MX records that name others
    bool enforced, testing, listed;
    bool requiretls, relaxed;
    bool sts_unknown;
};

static enum cause no_tlsa(const struct facts *f)
{
    if (f->tlsa == TLSA_TOO_LARGE)
        return TLSA_OVERSIZE;
    return f->tlsa_dnssec == DNS_BOGUS ? TLSA_LOOKUP_BOGUS : TLSA_LOOKUP_FAILED;
}

static bool tlsa_failed(const struct facts *f)
{
    return f->tlsa == TLSA_BAD || f->tlsa == TLSA_TOO_LARGE;
}

static enum cause name_unknown(const struct facts *f)
{
    return f->sts_unknown ? REQUIRETLS_STS_UNKNOWN : REQUIRETLS_NO_NAME;
}

// DANE before MTA-STS, but only where nobody can have diverted the mail to
// another DANE host: below an insecure MX answer, or the insecure denial of one,
// an enforced policy still filters by name, and DANE replaces the certificate
// check alone (RFC 8461 §2, §4.1).
static enum cause follow(const struct facts *f)
{
    if (f->relaxed)
        return RELAXED;
    if (tlsa_failed(f))
        return no_tlsa(f);
    if (f->tlsa == TLSA_USABLE && f->proved)
        return DANE;
    if (f->enforced && !f->listed)
        return STS_NOT_LISTED;
    if (f->tlsa == TLSA_USABLE && f->enforced)
        return DANE_LISTED;
    if (f->tlsa == TLSA_USABLE)
        return f->known ? DANE : f->requiretls ? name_unknown(f) : DANE_INSECURE_MX;
    if (f->enforced)
        return f->tlsa == TLSA_NONE_USABLE ? STS_AND_TLSA : STS;
    if (f->requiretls) // a policy in testing does not protect (TRAPS)
        return f->known ? PKIX : name_unknown(f);
    if (f->tlsa == TLSA_NONE_USABLE)
        return ENCRYPT;
    if (f->testing)
        return f->listed ? TESTING : TESTING_NOT_LISTED;
    return OPPORTUNISTIC;
}

static enum cause clear(const struct facts *f)
{
    return f->requiretls ? REQUIRETLS_CLEAR : LOCAL_CLEAR;
}

static enum cause opportunistic(const struct facts *f)
{
    (void)f; // with REQUIRETLS follow() judges: trust_planner_new()
    return LOCAL_OPPORTUNISTIC;
}

static enum cause encrypt(const struct facts *f)
{
    if (f->relaxed)
        return LOCAL_ENCRYPT;
    if (tlsa_failed(f))
        return no_tlsa(f);
    return f->tlsa == TLSA_USABLE ? DANE_LOCAL : LOCAL_ENCRYPT;
}

static enum cause verify(const struct facts *f)
{
    bool is_protected = f->known || (f->enforced && f->listed);
    if (tlsa_failed(f))
        return no_tlsa(f);
    if (f->requiretls && !is_protected)
        return name_unknown(f);
    return f->tlsa == TLSA_USABLE ? DANE_LOCAL : LOCAL_VERIFY;
}

static enum cause dane_only(const struct facts *f)
{
    if (tlsa_failed(f))
        return no_tlsa(f);
    if (!f->known)
        return DANE_ONLY_INSECURE_MX;
    return f->tlsa == TLSA_USABLE ? LOCAL_DANE_ONLY : DANE_ONLY_NO_TLSA;
}

static enum cause pinned(const struct facts *f)
{
    (void)f;
    return LOCAL_PINNED;
}

static enum cause (*const judges[TRUST_LOCALS])(const struct facts *f) = {
    [TRUST_FOLLOW] = follow,
    [TRUST_LOCAL_CLEAR] = clear,
    [TRUST_LOCAL_OPPORTUNISTIC] = opportunistic,
    [TRUST_LOCAL_ENCRYPT] = encrypt,
    [TRUST_LOCAL_VERIFY] = verify,
    [TRUST_LOCAL_DANE_ONLY] = dane_only,
    [TRUST_LOCAL_PINNED] = pinned,
};

static enum cause weigh(const struct trust_planner *p, const struct planner_host *h,
                        const struct facts *f)
{
    if (h->self)
        return SELF;
    if (h->reach == REACH_BAD)
        return h->host->address_dnssec == DNS_BOGUS ? ADDRESS_BOGUS : ADDRESS_FAILED;
    if (h->reach != REACH_OK)
        return ADDRESS_NONE;
    if (p->r.route.lmtp && p->r.route.path.len)
        return LMTP_SOCKET;
    if (p->r.route.lmtp && p->r.local == TRUST_FOLLOW)
        return planner_is_inside(&p->r.route) ? LMTP_HERE : f->requiretls ? LMTP_VERIFY : LMTP_HOST;
    return judges[p->local](f);
}

static void add_name(struct trust_host *h, const struct dns_name *name)
{
    for (size_t i = 0; i < h->name_count; i++)
        if (dns_name_eq(&h->names[i], name))
            return;
    h->names[h->name_count++] = *name;
}

// The records that made TLS mandatory have made their name the base, usable or
// not (RFC 7672 §2.2.3). A certificate for the host is asked for by its own name.
static bool keeps_base(const struct trust_planner *p, const struct trust_host *h)
{
    return h->requirement == TRUST_REQ_ENCRYPT ||
           (h->requirement == TRUST_REQ_LOCAL_ENCRYPT && !p->relaxed);
}

// RFC 7672 §3.2.2 for DANE; RFC 8461 §4.2 and RFC 8689 §4.2.1 know the host's
// own name only. What "verify" of the operator accepts besides is his to choose
// (RFC 6125 §6.2.1), unless the message says REQUIRETLS.
static void set_names(const struct trust_planner *p, struct trust_host *h)
{
    bool dane = h->requirement == TRUST_REQ_DANE || h->requirement == TRUST_REQ_LOCAL_DANE_ONLY;
    if (p->r.route.given && p->r.route.literal) {
        add_name(h, &p->r.domain); // an address has no name of its own
        return;
    }
    add_name(h, dane ? &h->tlsa_base : &h->name);
    if (dane ? p->names_known : h->requirement == TRUST_REQ_LOCAL_VERIFY && !p->r.need.requiretls)
        add_name(h, &p->nexthop);
    if (dane && p->names_known)
        add_name(h, &p->nexthop_expanded);
    if (!dane && !keeps_base(p, h))
        h->tlsa_base = h->name;
}

void planner_judge(struct trust_planner *p, struct planner_host *h)
{
    const struct trust_sts_held *sts = &p->plan.sts;
    struct trust_host *t = h->host;
    bool holds = sts->state == TRUST_STS_ENFORCE || sts->state == TRUST_STS_TESTING;
    struct facts f = {.tlsa = h->tlsa,
                      .tlsa_dnssec = t->tlsa_dnssec,
                      .known = p->names_known,
                      .proved = p->hosts_proved,
                      .enforced = sts->state == TRUST_STS_ENFORCE,
                      .testing = sts->state == TRUST_STS_TESTING,
                      .listed = holds && trust_sts_match(&sts->policy, &t->name),
                      .requiretls = p->r.need.requiretls,
                      .relaxed = p->relaxed,
                      .sts_unknown = sts->state == TRUST_STS_ERROR};
    enum cause c = weigh(p, h, &f);
    t->requirement = causes[c].requirement;
    t->result = causes[c].result;
    t->for_good = causes[c].for_good;
    t->status = causes[c].status;
    t->name_protected = f.known || (f.enforced && f.listed);
    t->sts_mismatch = holds && !f.listed;
    t->sts_testing = c == TESTING || c == TESTING_NOT_LISTED || (c == ENCRYPT && f.testing);
    if (c == LOCAL_PINNED)
        t->pin = planner_keep(p, p->r.pin);
    set_names(p, t);
    bool bad = h->reach == REACH_BAD || c == TLSA_LOOKUP_BOGUS || c == TLSA_LOOKUP_FAILED;
    t->reason = planner_sentence(p, "", causes[c].phrase, bad ? h->why : SPAN(""));
}
