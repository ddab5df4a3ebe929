// SASL exchanges: the first byte chooses the mechanism and who is known, then come
// the client's messages, each behind two bytes of length. Nobody gets in without the
// password, whatever is said.
#include "sasl.h"

#include "base_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span message(struct rd *r)
{
    struct span m = rd_bytes(r, rd_u16(r) % 4096);
    return r->bad ? (struct span){0} : m.at ? m : SPAN("");
}

static void check(bool ok)
{
    if (!ok)
        abort();
}

// The one password is in no input: only PLAIN and LOGIN can guess it.
static bool answer(struct sasl *s, const struct sasl_step *step,
                   const struct crypto_scram *verifier, bool known)
{
    bool right = span_eq(step->password, SPAN("right"));
    check(step->name.len > 0 && step->name.len <= SASL_NAME_MAX);
    if (step->kind == SASL_FIND) {
        sasl_found(s, verifier, known);
        return false;
    }
    check(step->password.len > 0 && step->password.len <= CRYPTO_PASSWORD_MAX);
    sasl_checked(s, right);
    return right;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = RD(((struct span){(const char *)data, size}));
    struct crypto_scram verifier;
    uint8_t how = rd_u8(&r);
    struct sasl_conf conf = {.mechanism = (enum sasl_mechanism)(how % SASL_MECHANISMS),
                             .nonce = SPAN("nonce"),
                             .exporter = how & 4 ? SPAN("exported") : SPAN(""),
                             .end_point = how & 8 ? SPAN("certified") : SPAN(""),
                             .plus_offered = how & 16};
    if (r.bad)
        return 0;
    sasl_decoy(&verifier, SPAN("secret"), SPAN("name"));
    struct sasl *s = sasl_new(&conf, how & 32 ? message(&r) : (struct span){0});
    bool right = false;
    for (;;) {
        struct sasl_step step = sasl_next(s);
        if (step.kind == SASL_SUCCESS)
            check(right);
        if (step.kind == SASL_SUCCESS || step.kind == SASL_FAILURE || r.bad)
            break;
        if (step.kind == SASL_CHALLENGE)
            sasl_feed(s, message(&r));
        else
            right = answer(s, &step, &verifier, how & 64);
    }
    sasl_free(s);
    return 0;
}
