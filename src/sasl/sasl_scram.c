// SCRAM (RFC 5802) from the server's side.
#include "sasl_inner.h"

#include "base_code.h"
#include "crypto_hmac.h"

// "n=" and "r=" and the like: the value of the attribute at the front; .at NULL: another.
static struct span attribute(struct span *rest, char name)
{
    if (!rest->at)
        return (struct span){0};
    struct span one = span_cut(rest, ',');
    bool is = one.len >= 2 && one.at[0] == name && one.at[1] == '=';
    return is ? span_skip(one, 2) : (struct span){0};
}

static bool printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < 0x21 || s.at[i] > 0x7e || s.at[i] == ',')
            return false;
    return s.len > 0;
}

// saslname (§5.1): "=2C" for a comma, "=3D" for "=", no other "=".
static bool unescape(struct buf *out, struct span name)
{
    for (; name.len; name = span_skip(name, 1)) {
        if (name.at[0] != '=') {
            buf_putc(out, name.at[0]);
        } else {
            bool comma = span_starts(name, SPAN("=2C"));
            if (!comma && !span_starts(name, SPAN("=3D")))
                return false;
            buf_putc(out, comma ? ',' : '=');
            name = span_skip(name, 2);
        }
    }
    return rc_ok(buf_state(out));
}

static const char *bind_to(struct sasl *s, struct span type)
{
    static const struct span exporter = {"tls-exporter", 12},
                             end_point = {"tls-server-end-point", 20};
    const struct buf *data = span_eq(type, exporter)    ? &s->exporter
                             : span_eq(type, end_point) ? &s->end_point
                                                        : NULL;
    if (!data || data->len == 0)
        return "a channel binding of another kind";
    buf_put(&s->bound, buf_span(data));
    return NULL;
}

// gs2-cbind-flag (§5.1, §6): "n": the client cannot; "y": it can, and thinks we
// cannot; "p=TYPE": it does.
static const char *take_flag(struct sasl *s, struct span flag)
{
    bool plus = s->mechanism == SASL_SCRAM_PLUS;
    if (span_starts(flag, SPAN("p=")))
        return plus ? bind_to(s, span_skip(flag, 2)) : "a channel binding without -PLUS";
    if (plus)
        return "-PLUS without a channel binding";
    if (span_eq(flag, SPAN("y")) && s->plus_offered)
        return "our list of mechanisms was changed on its way";
    bool fine = span_eq(flag, SPAN("n")) || span_eq(flag, SPAN("y"));
    return fine ? NULL : "malformed channel binding flag";
}

static const char *take_bare(struct sasl *s, struct span bare, struct span act_as)
{
    CLEANUP(buf_free) struct buf name = BUF(SASL_NAME_MAX), other = BUF(SASL_NAME_MAX);
    CLEANUP(buf_free) struct buf both = BUF(2 * SASL_MESSAGE_MAX);
    struct span rest = bare;
    struct span escaped = attribute(&rest, 'n'); // "m=" would come first: unknown, refused (§5.1)
    struct span nonce = attribute(&rest, 'r');
    if (!escaped.at || !nonce.at || !printable(nonce) || !unescape(&name, escaped))
        return "malformed first message";
    if (act_as.at && (!unescape(&other, act_as) || !span_eq(buf_span(&other), buf_span(&name))))
        return "wants to act for somebody else";
    buf_put(&both, nonce);
    buf_put(&both, buf_span(&s->nonce));
    buf_clear(&s->nonce);
    buf_put(&s->nonce, buf_span(&both));
    buf_put(&s->messages, bare);
    if (!rc_ok(buf_state(&s->messages)))
        return "the message is too long";
    sasl_take(s, &s->name, buf_span(&name), "the name holds what no name may hold");
    return NULL;
}

// client-first-message = gs2-cbind-flag "," [ "a=" saslname ] "," client-first-message-bare
void sasl_scram_first(struct sasl *s, struct span message)
{
    struct span rest = message, flag = span_cut(&rest, ',');
    struct span act_as = rest.at ? span_cut(&rest, ',') : (struct span){0};
    if (!rest.at || (act_as.len && !span_starts(act_as, SPAN("a=")))) {
        sasl_fail(s, "malformed first message");
        return;
    }
    buf_put(&s->bound, span_first(message, message.len - rest.len));
    const char *why = take_flag(s, flag);
    if (!why)
        why = take_bare(s, rest, act_as.len ? span_skip(act_as, 2) : (struct span){0});
    if (why)
        sasl_fail(s, why);
    else if (s->state != SASL_AT_END)
        sasl_challenge(s, SASL_AT_FIND);
}

// server-first-message = "r=" nonce ",s=" salt ",i=" iterations
void sasl_scram_found(struct sasl *s)
{
    buf_printf(&s->out, "r=%.*s,s=", SPAN_FMT(buf_span(&s->nonce)));
    code_put_base64(&s->out, (struct span){(char *)s->verifier.salt, s->verifier.salt_len});
    buf_printf(&s->out, ",i=%u", s->verifier.iterations);
    buf_putc(&s->messages, ',');
    buf_put(&s->messages, buf_span(&s->out));
    if (rc_ok(buf_state(&s->out)) && rc_ok(buf_state(&s->messages)))
        sasl_challenge(s, SASL_AT_PROOF);
    else
        sasl_fail(s, "the message is too long");
}

static bool binding_matches(const struct sasl *s, struct span base64)
{
    CLEANUP(buf_free) struct buf got = BUF(SASL_MESSAGE_MAX);
    return code_get_base64(&got, base64) && crypto_same(buf_span(&got), buf_span(&s->bound));
}

static bool proves(struct sasl *s, struct span without, struct span proof64)
{
    CLEANUP(buf_free) struct buf proof = BUF(64);
    buf_printf(&s->messages, ",%.*s", SPAN_FMT(without)); // AuthMessage (§3)
    return rc_ok(buf_state(&s->messages)) && code_get_base64(&proof, proof64) &&
           crypto_scram_proves(&s->verifier, buf_span(&s->messages), buf_span(&proof)) && s->known;
}

// The last ",p=" of the message: extensions may stand before it.
static size_t proof_at(struct span message)
{
    size_t i = message.len;
    while (i && !span_starts(span_skip(message, i), SPAN(",p=")))
        i--;
    return i;
}

// client-final-message = "c=" base64 ",r=" nonce [ "," extensions ] ",p=" base64
void sasl_scram_final(struct sasl *s, struct span message)
{
    size_t at = proof_at(message);
    struct span without = span_first(message, at), rest = without;
    struct span binding = attribute(&rest, 'c'), nonce = attribute(&rest, 'r');
    if (!at || !binding.at || !nonce.at)
        sasl_fail(s, "malformed final message");
    else if (!binding_matches(s, binding))
        sasl_fail(s, "bound to another channel than this one");
    else if (!crypto_same(nonce, buf_span(&s->nonce)))
        sasl_fail(s, "another nonce");
    else if (!proves(s, without, span_skip(message, at + 3)))
        sasl_fail(s, "wrong name or password");
    else {
        struct crypto_digest d = crypto_scram_signature(&s->verifier, buf_span(&s->messages));
        buf_put(&s->out, SPAN("v="));
        code_put_base64(&s->out, SPAN_OF(d.at));
        s->right = true;
        sasl_challenge(s, SASL_AT_LAST);
    }
}
