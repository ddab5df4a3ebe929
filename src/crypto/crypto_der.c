#include "crypto_der.h"

#include "base_wire.h"

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30, ED25519_BYTES = 32 };

// X.690 §10.1: the shortest form of a length; more than two bytes no key needs.
static size_t read_length(struct rd *r)
{
    uint8_t first = rd_u8(r);
    size_t n = first & 0x7f, len = first;
    if (first < 0x80)
        return len;
    len = n == 1 ? rd_u8(r) : rd_u16(r);
    r->bad = r->bad || n == 0 || n > 2 || len < (n == 1 ? 0x80u : 0x100u);
    return len;
}

static struct span read_element(struct rd *r, uint8_t tag)
{
    bool fits = rd_u8(r) == tag;
    size_t len = read_length(r);
    r->bad = r->bad || !fits;
    return r->bad ? SPAN("") : rd_bytes(r, len);
}

// A positive number in its shortest form (X.690 §8.3.2).
static struct span read_number(struct rd *r)
{
    struct span s = read_element(r, DER_INTEGER);
    unsigned char first = s.len ? (unsigned char)s.at[0] : 0x80;
    if (first)
        r->bad = r->bad || first >= 0x80;
    else
        r->bad = r->bad || s.len < 2 || (unsigned char)s.at[1] < 0x80;
    return first ? s : span_skip(s, 1);
}

static bool read_pkcs1(struct span der, struct span *modulus, struct span *exponent)
{
    struct rd outer = RD(der), r = RD(read_element(&outer, DER_SEQUENCE));
    *modulus = read_number(&r);
    *exponent = read_number(&r);
    return rd_end(&r) && rd_end(&outer);
}

// What the SubjectPublicKeyInfo holds, if its algorithm is one of the two.
static bool read_spki(struct span der, struct span algorithm, struct span also, struct span *key)
{
    struct rd outer = RD(der), r = RD(read_element(&outer, DER_SEQUENCE));
    struct span named = read_element(&r, DER_SEQUENCE);
    struct rd bits = RD(read_element(&r, DER_BITS));
    bool whole = rd_u8(&bits) == 0; // no unused bits
    *key = bits.rest;
    return rd_end(&r) && rd_end(&outer) && !bits.bad && whole &&
           (span_eq(named, algorithm) || span_eq(named, also));
}

bool crypto_der_rsa(struct span der, struct span *modulus, struct span *exponent)
{
    static const char oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"; // and NULL
    struct span with_null = {oid, 13}, key;
    if (read_spki(der, with_null, span_first(with_null, 11), &key))
        der = key;
    return read_pkcs1(der, modulus, exponent);
}

bool crypto_der_ed25519(struct span der, struct span *key)
{
    struct span oid = SPAN("\x06\x03\x2b\x65\x70");
    *key = der;
    return der.len == ED25519_BYTES || (read_spki(der, oid, oid, key) && key->len == ED25519_BYTES);
}
