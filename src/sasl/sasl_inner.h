// The inside of an exchange, for its files.
#pragma once
#include "sasl.h"

enum sasl_state {
    SASL_AT_START, // no message yet
    SASL_AT_NAME,  // LOGIN: "Username:" was sent
    SASL_AT_PASSWORD,
    SASL_AT_CHECK,
    SASL_AT_FIND,
    SASL_AT_PROOF, // SCRAM: server-first-message was sent
    SASL_AT_LAST,  // SCRAM: server-final-message was sent
    SASL_AT_END,
};

struct sasl {
    enum sasl_mechanism mechanism;
    enum sasl_state state;
    bool told; // the step was handed out; an answer is awaited
    bool right, plus_offered;
    const char *why; // of a failure
    struct buf out, name, password;
    struct buf exporter, end_point;
    struct buf nonce; // ours; the client's stands before it once that is known
    // SCRAM: gs2-header and the binding it names; then
    // client-first-message-bare "," server-first-message
    struct buf bound, messages;
    struct crypto_scram verifier;
    bool known;
};

void sasl_fail(struct sasl *s, const char *why);
void sasl_challenge(struct sasl *s, enum sasl_state then);
// Prepared into `to`; false: it has failed.
bool sasl_take(struct sasl *s, struct buf *to, struct span text, const char *why);

void sasl_scram_first(struct sasl *s, struct span message);
void sasl_scram_found(struct sasl *s);
void sasl_scram_final(struct sasl *s, struct span message);
