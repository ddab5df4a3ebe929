#include "auth_dkim_record.h"

static const char *read_kind(struct auth_dkim_key *out, struct span k)
{
    if (!k.at || span_ieq(k, SPAN("rsa")))
        out->algorithm = CRYPTO_RSA_SHA256;
    else if (span_ieq(k, SPAN("ed25519")))
        out->algorithm = CRYPTO_ED25519_SHA256;
    else
        return "unknown key type";
    return NULL;
}

static const char *read_key(struct auth_dkim_key *out, struct span p)
{
    CLEANUP(buf_free) struct buf b = BUF(AUTH_DKIM_FIELD_MAX);
    if (!p.at)
        return "the key record has no p=";
    if (p.len == 0)
        return "the key is revoked"; // RFC 6376 §3.6.1
    if (!auth_base64_read(&b, p))
        return "p= is no base64";
    out->key = crypto_public_read(out->algorithm, buf_span(&b));
    if (!out->key)
        return "p= is no key of its type";
    out->bits = crypto_public_bits(out->key);
    return NULL;
}

// RFC 6376 §3.6.1: "*" where there is no s=.
static bool permits(struct span services, struct span service)
{
    return !services.at || auth_list_has(services, ':', SPAN("*")) ||
           auth_list_has(services, ':', service);
}

const char *auth_dkim_key_read(struct auth_dkim_key *out, struct span record, struct span service)
{
    struct auth_tags tags;
    *out = (struct auth_dkim_key){0};
    if (record.len > AUTH_DKIM_FIELD_MAX || !auth_tags_read(&tags, record))
        return "the key record is no list of tags";
    struct span v = auth_tags_get(&tags, SPAN("v"));
    if (v.at && (!span_eq(v, SPAN("DKIM1")) || !span_eq(tags.at[0].name, SPAN("v"))))
        return "the record is no DKIM key";
    struct span flags = auth_tags_get(&tags, SPAN("t"));
    out->testing = auth_list_has(flags, ':', SPAN("y"));
    out->strict = auth_list_has(flags, ':', SPAN("s"));
    const char *fault = read_kind(out, auth_tags_get(&tags, SPAN("k")));
    if (fault)
        return fault;
    struct span hashes = auth_tags_get(&tags, SPAN("h"));
    if (hashes.at && !auth_list_has(hashes, ':', SPAN("sha256")))
        return "the key is not for SHA-256";
    struct span services = auth_tags_get(&tags, SPAN("s"));
    out->tlsrpt = permits(services, SPAN("tlsrpt"));
    if (!permits(services, service))
        return "the key is not for this service";
    return read_key(out, auth_tags_get(&tags, SPAN("p")));
}
