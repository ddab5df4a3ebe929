#include "proc_sender_meters.h"

#include "base_meter.h"

void sender_count_session(bool usable)
{
    meter_count(METER_SESSIONS_OUT, 1);
    if (!usable)
        meter_count(METER_SESSIONS_OUT_FAILED, 1);
}

static enum meter version_of(struct span version)
{
    return span_eq(version, SPAN("TLSv1.3"))   ? METER_TLS_OUT_13
           : span_eq(version, SPAN("TLSv1.2")) ? METER_TLS_OUT_12
                                               : METER_TLS_OUT_OLD;
}

static enum meter group_of(struct span group)
{
    static const struct {
        const char *name;
        enum meter meter;
    } groups[] = {
        {"X25519", METER_GROUP_OUT_X25519},
        {"prime256v1", METER_GROUP_OUT_P256},
        {"secp384r1", METER_GROUP_OUT_P384},
        {"secp521r1", METER_GROUP_OUT_P521},
    };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (span_eq(group, span_str(groups[i].name)))
            return groups[i].meter;
    return METER_GROUP_OUT_OTHER;
}

void sender_count_tls(const struct trust_session *s, bool ok)
{
    static const enum meter proved[TRUST_VERIFIEDS] = {
        [TRUST_VERIFIED_NONE] = METER_VERIFIED_NONE,
        [TRUST_VERIFIED_PKIX] = METER_VERIFIED_PKIX,
        [TRUST_VERIFIED_DANE] = METER_VERIFIED_DANE,
        [TRUST_VERIFIED_PINNED] = METER_VERIFIED_PINNED,
    };
    meter_count(ok ? proved[s->verified] : METER_VERIFIED_FAILED, 1);
    if (!s->tls_version.len) // the handshake failed before
        return;
    meter_count(version_of(s->tls_version), 1);
    meter_count(group_of(s->group), 1);
}

void sender_count_delivered(const struct trust_session *s, bool lmtp)
{
    static const enum meter proved[TRUST_VERIFIEDS] = {
        [TRUST_VERIFIED_NONE] = METER_SENT_AS_ENCRYPTED,
        [TRUST_VERIFIED_PKIX] = METER_SENT_AS_PKIX,
        [TRUST_VERIFIED_DANE] = METER_SENT_AS_DANE,
        [TRUST_VERIFIED_PINNED] = METER_SENT_AS_PINNED,
    };
    meter_count(lmtp                 ? METER_SENT_AS_LOCAL
                : s->tls_version.len ? proved[s->verified]
                                     : METER_SENT_AS_CLEAR,
                1);
}

// "4.7.1" is of subject 7.
static unsigned subject_of(struct span status)
{
    return status.len >= 3 && status.at[1] == '.' && status.at[2] >= '0' && status.at[2] <= '7'
               ? (unsigned)(status.at[2] - '0')
               : 0;
}

void sender_count_outcome(const struct store_outcome *o)
{
    static const enum meter results[STORE_RESULTS] = {
        [STORE_DELIVERED] = METER_RECIPIENT_DELIVERED,
        [STORE_DEFERRED] = METER_RECIPIENT_DEFERRED,
        [STORE_FAILED] = METER_RECIPIENT_FAILED,
        [STORE_DROPPED] = METER_RECIPIENT_FAILED,
    };
    unsigned subject = subject_of(o->status);
    meter_count(results[o->result], 1);
    if (o->result == STORE_DEFERRED)
        meter_count((enum meter)(METER_DEFERRED_OTHER + subject), 1);
    else if (o->result != STORE_DELIVERED)
        meter_count((enum meter)(METER_FAILED_OTHER + subject), 1);
}

void sender_count_attempt(enum store_result worst, int64_t took_us)
{
    meter_count(worst == STORE_DELIVERED  ? METER_ATTEMPT_DELIVERED
                : worst == STORE_DEFERRED ? METER_ATTEMPT_DEFERRED
                                          : METER_ATTEMPT_FAILED,
                1);
    meter_time(METER_OF_DELIVERY, took_us);
}
