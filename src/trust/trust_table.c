// need × offered × verified: what every outcome of a connection means. The
// first row that fits rules; the last rows fit everything, so there is always
// one. The unit test sweeps it against invariants stated on their own.
#include "base_rc.h"
#include "trust_walk.h"

enum class { NEVER = 1, CLEAR = 2, MAY = 4, TLS = 8, VERIFIED = 16, ANY_CLASS = 31 };

static const struct {
    enum class class;
    unsigned proofs; // bits of enum trust_verified that are enough
} needs[TRUST_REQUIREMENTS] = {
    [TRUST_REQ_UNUSABLE] = {NEVER, 0},
    [TRUST_REQ_OPPORTUNISTIC] = {MAY, 15},
    [TRUST_REQ_ENCRYPT] = {TLS, 15},
    [TRUST_REQ_PKIX] = {VERIFIED, 1 << TRUST_VERIFIED_PKIX},
    [TRUST_REQ_STS] = {VERIFIED, 1 << TRUST_VERIFIED_PKIX},
    [TRUST_REQ_DANE] = {VERIFIED, 1 << TRUST_VERIFIED_DANE},
    [TRUST_REQ_LOCAL_CLEAR] = {CLEAR, 0},
    [TRUST_REQ_LOCAL_OPPORTUNISTIC] = {MAY, 15},
    [TRUST_REQ_LOCAL_ENCRYPT] = {TLS, 15},
    [TRUST_REQ_LOCAL_VERIFY] = {VERIFIED, 1 << TRUST_VERIFIED_PKIX | 1 << TRUST_VERIFIED_DANE},
    [TRUST_REQ_LOCAL_DANE_ONLY] = {VERIFIED, 1 << TRUST_VERIFIED_DANE},
    [TRUST_REQ_LOCAL_PINNED] = {VERIFIED, 1 << TRUST_VERIFIED_PINNED},
};

enum event {
    LOST = 1,
    REFUSED = 2,
    NOT_OFFERED = 4,
    OFFERED = 8,
    NO_TLS = 16,
    BROKEN = 32,
    HANDSHAKE = 64,
    SECURED = 128,
    REJECTED = 256, // refused with 5xx
    SHUT = 512,     // with 521
    ANY_EVENT = 1023
};
enum proof { ENOUGH = 1, TESTED = 2, LACKING = 4, ANY_PROOF = 7 }; // TESTED: but testing failed
enum when {
    ALWAYS = 0,
    IN_RETRY = 1,
    WITH_REQUIRETLS = 2,
    WITHOUT_EXTENSION = 4
}; // all of them hold

// The result type is the one seen, or, if none was, a validation failure.
#define SEEN TRUST_RESULT_TYPES

static const struct row {
    unsigned classes, events, proofs;
    unsigned when;
    enum trust_verdict verdict;
    enum trust_result_type result;
    bool permanent;
    const char *status, *rule;
} table[] = {
    {ANY_CLASS, LOST, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.4.1",
     "The server could not be reached or did not answer (RFC 5321 section 5.1)."},
    {ANY_CLASS, REFUSED, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.3.2",
     "The server refused the session for now (RFC 5321 section 3.1)."},
    // What is said before TLS anybody on the path can say: it ends nothing that calls for TLS.
    {ANY_CLASS, SHUT, ANY_PROOF, WITH_REQUIRETLS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.3.2",
     "The server says that it takes no mail, without proving who it is (RFC 7504 section 3)."},
    {CLEAR | MAY, SHUT, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, true, "5.3.2",
     "The host takes no mail under any circumstances (RFC 7504 section 3)."},
    {ANY_CLASS, SHUT, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.3.2",
     "The server says that it takes no mail, without proving who it is (RFC 7504 section 3)."},
    {ANY_CLASS, REJECTED, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.3.2",
     "The server rejected the session, which says nothing of the message (RFC 5321 section 3.1)."},
    {NEVER, ANY_EVENT, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, TRUST_RESULT_OK, false, "4.7.5",
     "This host must not be used now (RFC 7672 section 2.2, RFC 8461 section 5)."},

    // REQUIRETLS, RFC 8689 §4.2.1: what cannot be met bounces.
    {CLEAR, ANY_EVENT, ANY_PROOF, WITH_REQUIRETLS, TRUST_GO_NEXT, TRUST_RESULT_OK, true, "5.7.10",
     "REQUIRETLS needs TLS, and local policy sends in the clear (RFC 8689 section 4.2.1)."},
    {MAY, OFFERED, ANY_PROOF, WITH_REQUIRETLS | IN_RETRY, TRUST_GO_NEXT, SEEN, true, "5.7.10",
     "REQUIRETLS does not allow delivery in the clear (RFC 8689 section 4.2.1)."},
    {ANY_CLASS, NOT_OFFERED | NO_TLS, ANY_PROOF, WITH_REQUIRETLS, TRUST_GO_NEXT,
     TRUST_STARTTLS_NOT_SUPPORTED, true, "5.7.10",
     "REQUIRETLS needs TLS, which the server does not offer (RFC 8689 section 4.2.1)."},
    {ANY_CLASS, BROKEN, ANY_PROOF, WITH_REQUIRETLS, TRUST_GO_NEXT, SEEN, true, "5.7.10",
     "REQUIRETLS needs TLS, and the handshake failed (RFC 8689 section 4.2.1)."},
    {ANY_CLASS, HANDSHAKE | SECURED, LACKING, WITH_REQUIRETLS, TRUST_GO_NEXT, SEEN, true, "5.7.10",
     "REQUIRETLS needs a server that proves who it is (RFC 8689 section 4.2.1)."},
    {ANY_CLASS, SECURED, ANY_PROOF, WITH_REQUIRETLS | WITHOUT_EXTENSION, TRUST_GO_NEXT,
     TRUST_RESULT_OK, true, "5.7.30",
     "The server does not offer REQUIRETLS (RFC 8689 section 4.2.1)."},

    {CLEAR, OFFERED | NOT_OFFERED, ANY_PROOF, ALWAYS, TRUST_GO_TALK, TRUST_RESULT_OK, false, NULL,
     "Local policy delivers in the clear (RFC 3207)."},

    // Opportunistic: better than nothing, and never worse than not trying.
    {MAY, OFFERED | NOT_OFFERED, ANY_PROOF, IN_RETRY, TRUST_GO_TALK, TRUST_RESULT_OK, false, NULL,
     "TLS failed and nothing requires it: delivery in the clear (RFC 7435 section 3)."},
    {MAY, OFFERED, ANY_PROOF, ALWAYS, TRUST_GO_STARTTLS, TRUST_RESULT_OK, false, NULL,
     "TLS is offered and used (RFC 7435 section 3)."},
    {MAY, NOT_OFFERED | NO_TLS, ANY_PROOF, ALWAYS, TRUST_GO_TALK, TRUST_STARTTLS_NOT_SUPPORTED,
     false, NULL,
     "The server does no TLS and nothing requires it: delivery in the clear (RFC 7435 section 3)."},
    {MAY, BROKEN, ANY_PROOF, ALWAYS, TRUST_GO_CLEAR, SEEN, false, NULL,
     "The handshake failed and nothing requires TLS: once more in the clear (RFC 7672"
     " section 2.2)."},
    {MAY | TLS, HANDSHAKE, TESTED, ALWAYS, TRUST_GO_EHLO, SEEN, false, NULL,
     "The MTA-STS policy in testing would have failed, which is counted only (RFC 8461"
     " section 5)."},
    {MAY | TLS, SECURED, TESTED, ALWAYS, TRUST_GO_TALK, SEEN, false, NULL,
     "The MTA-STS policy in testing would have failed, which is counted only (RFC 8461"
     " section 5)."},
    {MAY | TLS, HANDSHAKE, ENOUGH, ALWAYS, TRUST_GO_EHLO, TRUST_RESULT_OK, false, NULL,
     "The session is encrypted; no certificate is asked for (RFC 7672 section 2.2)."},
    {MAY | TLS, SECURED, ENOUGH, ALWAYS, TRUST_GO_TALK, TRUST_RESULT_OK, false, NULL,
     "The session is encrypted; no certificate is asked for (RFC 7672 section 2.2)."},

    // Mandatory: a failure is one of this host for now, and the next is tried.
    {TLS | VERIFIED, OFFERED, ANY_PROOF, IN_RETRY, TRUST_GO_NEXT, SEEN, false, "4.7.5",
     "TLS is mandatory: no delivery in the clear (RFC 7672 section 2.2, RFC 8461 section 5)."},
    {TLS | VERIFIED, OFFERED, ANY_PROOF, ALWAYS, TRUST_GO_STARTTLS, TRUST_RESULT_OK, false, NULL,
     "TLS is mandatory and offered (RFC 7672 section 2.2, RFC 8461 section 4)."},
    {TLS | VERIFIED, NOT_OFFERED | NO_TLS, ANY_PROOF, ALWAYS, TRUST_GO_NEXT,
     TRUST_STARTTLS_NOT_SUPPORTED, false, "4.7.4",
     "TLS is mandatory and the server does not offer it (RFC 7672 section 2.2, RFC 8461"
     " section 4)."},
    {TLS | VERIFIED, BROKEN, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, SEEN, false, "4.7.5",
     "TLS is mandatory and the handshake failed (RFC 7672 section 2.2, RFC 8461 section 4)."},
    {VERIFIED, HANDSHAKE, ENOUGH, ALWAYS, TRUST_GO_EHLO, TRUST_RESULT_OK, false, NULL,
     "The server proved who it is (RFC 7672 section 3.2, RFC 8461 section 4.2)."},
    {VERIFIED, SECURED, ENOUGH, ALWAYS, TRUST_GO_TALK, TRUST_RESULT_OK, false, NULL,
     "The server proved who it is (RFC 7672 section 3.2, RFC 8461 section 4.2)."},

    // Whatever is left: not proved, or a stage that cannot be reached this way.
    {ANY_CLASS, ANY_EVENT, ANY_PROOF, ALWAYS, TRUST_GO_NEXT, SEEN, false, "4.7.5",
     "The server did not prove who it is (RFC 7672 section 3.2, RFC 8461 section 4.2)."},
};

static enum event event_of(const struct trust_seen *s)
{
    switch (s->stage) {
    case TRUST_AT_REFUSAL:
        return s->reply == 521 ? SHUT : s->reply >= 500 ? REJECTED : REFUSED;
    case TRUST_AT_CAPABLE:
        return s->starttls ? OFFERED : NOT_OFFERED;
    case TRUST_AT_NO_TLS:
        return NO_TLS;
    case TRUST_AT_HANDSHAKE:
        return s->ok ? HANDSHAKE : BROKEN;
    case TRUST_AT_SECURED:
        return SECURED;
    case TRUST_AT_CONNECT:
    case TRUST_STAGES:
        break;
    }
    return LOST;
}

static enum proof proof_of(const struct trust_host *h, const struct trust_need *need,
                           const struct trust_seen *s)
{
    bool enough = needs[h->requirement].proofs >> s->verified & 1;
    // RFC 8689 §2: authenticated, and by a name nobody else can have chosen.
    if (need->requiretls)
        enough = enough && (s->verified == TRUST_VERIFIED_PINNED ||
                            (s->verified != TRUST_VERIFIED_NONE && h->name_protected));
    if (enough && h->sts_testing && (h->sts_mismatch || s->verified != TRUST_VERIFIED_PKIX))
        return TESTED;
    return enough ? ENOUGH : LACKING;
}

static enum trust_result_type result_of(const struct row *row, const struct trust_seen *s)
{
    if (row->result != SEEN)
        return row->result;
    return s->failure != TRUST_RESULT_OK ? s->failure : TRUST_VALIDATION_FAILURE;
}

struct trust_ruling trust_rule(const struct trust_host *host, const struct trust_need *need,
                               bool retry_in_clear, const struct trust_seen *seen)
{
    enum class class = needs[host->requirement].class;
    enum event event = event_of(seen);
    enum proof proof = proof_of(host, need, seen);
    unsigned now = (retry_in_clear ? IN_RETRY : 0u) | (need->requiretls ? WITH_REQUIRETLS : 0u) |
                   (seen->requiretls ? 0u : WITHOUT_EXTENSION);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *row = &table[i];
        if (row->classes & class && row->events & event && row->proofs & proof &&
            !(row->when & ~now))
            return (struct trust_ruling){row->verdict, result_of(row, seen), row->permanent,
                                         row->status, row->rule};
    }
    panic("table: no row for requirement %d at stage %d", host->requirement, seen->stage);
}
