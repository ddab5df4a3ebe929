#include "crypto_password.h"

#include "base_code.h"
#include "crypto_hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

struct crypto_digest crypto_pbkdf2(struct span password, struct span salt, uint32_t iterations)
{
    struct crypto_digest d;
    if (password.len > INT32_MAX || salt.len > INT32_MAX || iterations > INT32_MAX ||
        PKCS5_PBKDF2_HMAC(password.len ? password.at : "", (int)password.len,
                          (const unsigned char *)(salt.len ? salt.at : ""), (int)salt.len,
                          (int)iterations, EVP_sha256(), sizeof d.at, d.at) != 1)
        panic("libcrypto has no PBKDF2");
    return d;
}

static struct crypto_digest hmac(const struct crypto_digest *key, struct span bytes)
{
    return crypto_hmac_sha256(SPAN_OF(key->at), bytes);
}

static struct span salt_of(const struct crypto_scram *s)
{
    return (struct span){(const char *)s->salt, s->salt_len};
}

// RFC 5802 §3: SaltedPassword, ClientKey, StoredKey, ServerKey.
void crypto_scram_make(struct crypto_scram *out, struct span password, struct span salt,
                       uint32_t iterations)
{
    struct crypto_digest salted = crypto_pbkdf2(password, salt, iterations);
    struct crypto_digest client = hmac(&salted, SPAN("Client Key"));
    if (salt.len > sizeof out->salt)
        panic("a salt of %zu bytes", salt.len);
    *out = (struct crypto_scram){.iterations = iterations,
                                 .salt_len = salt.len,
                                 .stored = crypto_sha256(SPAN_OF(client.at)),
                                 .server = hmac(&salted, SPAN("Server Key"))};
    span_bytes(out->salt, salt.len, salt);
    OPENSSL_cleanse(&salted, sizeof salted);
    OPENSSL_cleanse(&client, sizeof client);
}

static const struct span prefix = {"SCRAM-SHA-256$", 14};

void crypto_scram_put(struct buf *b, const struct crypto_scram *s)
{
    buf_put(b, prefix);
    buf_printf(b, "%u:", s->iterations);
    code_put_base64(b, salt_of(s));
    buf_putc(b, '$');
    code_put_base64(b, SPAN_OF(s->stored.at));
    buf_putc(b, ':');
    code_put_base64(b, SPAN_OF(s->server.at));
}

// Base64 of `least` to `most` bytes; how many, or 0.
static size_t get_bytes(unsigned char *to, size_t least, size_t most, struct span text)
{
    CLEANUP(buf_free) struct buf b = BUF(256);
    if (!code_get_base64(&b, text) || b.len < least || b.len > most)
        return 0;
    span_bytes(to, b.len, buf_span(&b));
    return b.len;
}

bool crypto_scram_parse(struct crypto_scram *out, struct span text)
{
    uint64_t iterations;
    if (!span_starts(text, prefix))
        return false;
    struct span keys = span_skip(text, prefix.len);
    struct span first = span_cut(&keys, '$');
    struct span salt = first, count = span_cut(&salt, ':');
    struct span server = keys, stored = span_cut(&server, ':');
    *out = (struct crypto_scram){0};
    if (!keys.at || !salt.at || !server.at ||
        !span_number(count, CRYPTO_SCRAM_ITERATIONS_MOST, &iterations) ||
        iterations < CRYPTO_SCRAM_ITERATIONS_LEAST)
        return false;
    out->iterations = (uint32_t)iterations;
    out->salt_len = get_bytes(out->salt, 8, sizeof out->salt, salt);
    return out->salt_len && get_bytes(out->stored.at, 32, 32, stored) &&
           get_bytes(out->server.at, 32, 32, server);
}

// ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage); its hash is StoredKey.
bool crypto_scram_proves(const struct crypto_scram *s, struct span auth_message, struct span proof)
{
    struct crypto_digest client = hmac(&s->stored, auth_message);
    if (proof.len != sizeof client.at)
        return false;
    for (size_t i = 0; i < sizeof client.at; i++)
        client.at[i] ^= (unsigned char)proof.at[i];
    struct crypto_digest is = crypto_sha256(SPAN_OF(client.at));
    OPENSSL_cleanse(&client, sizeof client);
    return crypto_same(SPAN_OF(is.at), SPAN_OF(s->stored.at));
}

struct crypto_digest crypto_scram_signature(const struct crypto_scram *s, struct span auth_message)
{
    return hmac(&s->server, auth_message);
}

bool crypto_scram_password(const struct crypto_scram *s, struct span password)
{
    struct crypto_scram is;
    crypto_scram_make(&is, password, salt_of(s), s->iterations);
    return crypto_same(SPAN_OF(is.stored.at), SPAN_OF(s->stored.at));
}
