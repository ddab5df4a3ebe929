// The words of the plan, as in SPEC.md and RFC 8460 §4.3.
#include "trust_walk.h"

const char *trust_requirement_text(enum trust_requirement r)
{
    static const char *const text[TRUST_REQUIREMENTS] = {
        [TRUST_REQ_UNUSABLE] = "unusable",
        [TRUST_REQ_OPPORTUNISTIC] = "opportunistic",
        [TRUST_REQ_ENCRYPT] = "encrypt",
        [TRUST_REQ_PKIX] = "pkix",
        [TRUST_REQ_STS] = "sts",
        [TRUST_REQ_DANE] = "dane",
        [TRUST_REQ_LOCAL_CLEAR] = "local-clear",
        [TRUST_REQ_LOCAL_OPPORTUNISTIC] = "local-opportunistic",
        [TRUST_REQ_LOCAL_ENCRYPT] = "local-encrypt",
        [TRUST_REQ_LOCAL_VERIFY] = "local-verify",
        [TRUST_REQ_LOCAL_DANE_ONLY] = "local-dane-only",
        [TRUST_REQ_LOCAL_PINNED] = "local-pinned",
    };
    return text[r];
}

const char *trust_result_type_text(enum trust_result_type t)
{
    static const char *const text[TRUST_RESULT_TYPES] = {
        [TRUST_RESULT_OK] = "ok",
        [TRUST_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
        [TRUST_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
        [TRUST_CERTIFICATE_EXPIRED] = "certificate-expired",
        [TRUST_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
        [TRUST_VALIDATION_FAILURE] = "validation-failure",
        [TRUST_TLSA_INVALID] = "tlsa-invalid",
        [TRUST_DNSSEC_INVALID] = "dnssec-invalid",
        [TRUST_DANE_REQUIRED] = "dane-required",
        [TRUST_STS_FETCH_ERROR] = "sts-policy-fetch-error",
        [TRUST_STS_POLICY_INVALID] = "sts-policy-invalid",
        [TRUST_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
    };
    return text[t];
}

const char *trust_decision_text(enum trust_decision d)
{
    static const char *const text[TRUST_DECISIONS] = {"deliver", "defer", "fail"};
    return text[d];
}

const char *trust_verified_text(enum trust_verified v)
{
    static const char *const text[TRUST_VERIFIEDS] = {"none", "pkix", "dane", "pinned"};
    return text[v];
}
