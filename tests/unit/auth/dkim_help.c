#include "dkim_help.h"

#include "base_code.h"

const char help_rsa_2048[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDpJZu8Z784+YzM\n"
                             "K6Uthf3pcjIZU+HQWG/VPhh5ZstIxVqOg0hJNfiqq+TvHv1O9kZT6aDlYxZ2WXM7\n"
                             "YFsH12dQzlVjzFlL4Bx53xC1xJj/NmbhnYjxP8mEZtxwWM4ebM6OjKEq29h4jU8i\n"
                             "zcVWsA3+dLnOgtXsP768ndr3lmMmG+nmbtV6B0MfuaDCTsItuyuq57oXr93Z3Zic\n"
                             "KiQPjjf5gFNYMvhugF74T6GwZouRVXN4p0AQnDStPCUXHZME75j6WixP1qI5Yjvj\n"
                             "zXUCn7dkjAIYZNl1sfCACCrgSA61quDTVdvW+axIJSBBUB3N4p/mox5rQOp4sx/S\n"
                             "LnCRGoJDAgMBAAECggEADExYj7KlSpsXSznOJ72WrDbC38Ul9ziDBauV3OmINZl7\n"
                             "cmMIcBwxtscEd3yZ/g1NnmWHgDIe4DVNt8cYZix9nayUooQH/dGfjuouVng9XdD/\n"
                             "0kzeCWPE/H/0htSYYtB4gNp4MeuQ2qMRlpNmInF8+3wqxPLv19tw80Acacz8A+mB\n"
                             "P/xpdMLOa16Z8uwcQgzATgkcgRtHvGZLgKoWYVXyvKgHEgyL9inMpuqn0CoGXXzk\n"
                             "nx2aBFT6/E65Q9tGsDObE2nuviYnU8AJBFPhaoKvD2qSPQ8oqEPcukAOT7TEE8J+\n"
                             "s0ynDzF1xY7B1TfiZ7Q72fxqa3uWalp/8x9PXJq8yQKBgQD6OtzHaDLoZhYYPZgA\n"
                             "lQsATFF63bxtyDp73pMW22CTPTJs+MYXnoEm8evNh8KhN7/Y5KfaqJnHzvvrIuAq\n"
                             "HNnFUix61Q6Oif6lVqcMD70kaqzTFmBJQ3LMykXJijn02A3OKw63YxYoO7fDF8s+\n"
                             "1f0zkDqHLU7UgTy5khVUvGKlXQKBgQDuhecb1KSAxnLIdgwNMTxmG+igqdxFXT4c\n"
                             "mHIriLjbamtkoHjMxASjbB2SorDo1Lb+U44o6QJm2TyhI/a5JO9Mgmk4Us0Azw6E\n"
                             "028AIqRA6xass9zkXNzMUc3kDoO2craWQ509MpwhtI/E/F4rWNubazKTi/8gaZV6\n"
                             "pJF7g2asHwKBgQD1ov7DySfgNwaNeTlTqPuJqWF66VxlsF6o5k8h6uyc3UA49OUQ\n"
                             "nopN/sHpmtGWjTGI6r1TyppbKHbn1e6TqIqmRwpe8fM+PXx6Ndv53SFhNE6/UIHo\n"
                             "qYtyOUXUmBpYnha/QklKALzpdeXoX90mq83I5lZuCC4QMWW5DQxfiCaWCQKBgQCX\n"
                             "41Lg6Q78JeLP/kP8Xp8MkrcXIDNxREgaI4WIbV7x8hmDEaD7G9OsUVufldQ738DL\n"
                             "wV9kc8Sgw7MVFfa1vWxY9y6TvD5pRnEDajRkDKs1374nqb1++hdsUKdgk1GSbAgT\n"
                             "Nek6IDFGUVm/4ckBp2ro1GF3jY2gETwrxgISegF2lwKBgCoQb6tYvm5frXjRu/9i\n"
                             "wubysRpuhPn9O8n8mNQnF+TVOQALL46bOh9BX839aGsxPy/mnL+b+yfKJuLMo9bd\n"
                             "VnW/l4r7ZL5B2hjQ5cBMp4WVC3EXHP703dOkpwgP1OVo9xyoCVBEx2sMGK0KvzUM\n"
                             "bNf5nGR2ICqrcCNkt5CnP3dW\n"
                             "-----END PRIVATE KEY-----\n";
const char help_rsa_1024[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                             "MIICXQIBAAKBgQDGzF6EDfBtKlWQhPxdTJMPEa012lmE+H6QNhb6pfM4AuwfcBXC\n"
                             "1jTXPOzxmtLLv8tzVKIEIdN2cOvkxn4osVv496iVwoukyAhiZF49Nq7riJ9mbk3i\n"
                             "5GSKfwmbwMCm139DqEyAxaDx+gntY6R0bvXeziE0RtDmLa/cKSijUJ9AVQIDAQAB\n"
                             "AoGBAIFC323z9lG1Bh/LKKCtqq1QrBRpHm4EeZ7hXL2ra+MOm2OxqKSgTYlqVxKd\n"
                             "vdS3p90cuaAAMpQ/xlJh8iQZdpfdUWNNp1yQGC50FUWvDpVZEjESO5x7dmWMMeu4\n"
                             "NZgfEH4xArYKbMO4Y7EuuVCVFTjbIYnEt9O1VixNOiVG8vpBAkEA51/vz0jw7wjz\n"
                             "n/Id4dJwUvkRAlRsWR53RYBqBITuIAnN/m4l4zrcdfsuSHqRJLssptSElyhicRGg\n"
                             "18LW4/pvxQJBANv02eKjwNhi9OJm1k7DER/MCUeKYQla5Cbo4IxjIQ7UO7lBJ6zW\n"
                             "KP9XmkuZfQbl09kH3s1IsQbaq36hwcW9h1ECQE3VCfiy0sm2Oy4M5lx2y+49dqlP\n"
                             "+PqpsvmgTwmiJfCFG9SA/SHJRSwzCMi84mJ2zHh6ePfYT/U1NuQd2Ofr8PkCQQCp\n"
                             "1a5jRAOEUSw6oCL7n7zaK2ZC2gNBAPBHZurzGxuMYq1WxotG9fmj51VY6EPUjqL7\n"
                             "4grTwTwHSdK/LVD8SPJxAkAhXVAOPJJitMPXCa2jTUlZU6PTP2VXhlhXNxty7LkA\n"
                             "6+fQALj6lKjEcqI4qRxnmW4By1SbDaLTzBHi1mOStInf\n"
                             "-----END RSA PRIVATE KEY-----\n";
const char help_ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MC4CAQAwBQYDK2VwBCIEINEuW6RfGceP+A4aPgCp2kV7ZTOervrL+rxsBBTAZ5u2\n"
                            "-----END PRIVATE KEY-----\n";

static void private_free(struct crypto_private **k)
{
    crypto_private_free(*k);
}

static struct crypto_private *read_key(const char *pem)
{
    struct crypto_private *k = NULL;
    if (!rc_ok(crypto_private_read(&k, span_str(pem))))
        panic("a test key cannot be read");
    return k;
}

struct span help_record(const char *pem, struct arena *a)
{
    CLEANUP(buf_free) struct buf der = BUF(4096), b = BUF(8192);
    CLEANUP(private_free) struct crypto_private *k = read_key(pem);
    bool rsa = crypto_private_algorithm(k) == CRYPTO_RSA_SHA256;
    crypto_private_put_public(k, &der);
    buf_printf(&b, "v=DKIM1; k=%s; p=", rsa ? "rsa" : "ed25519");
    code_put_base64(&b, buf_span(&der));
    return arena_dup(a, buf_span(&b));
}

static struct rc sign(void *context, unsigned key, const struct crypto_digest *d,
                      struct buf *signature)
{
    const char *const *pems = context;
    CLEANUP(private_free) struct crypto_private *k = read_key(pems[key]);
    return crypto_sign(k, d, signature);
}

static void default_keys(struct auth_sign_key *keys, size_t count, const char *const *pems)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(private_free) struct crypto_private *k = read_key(pems[i]);
        char selector[] = {'s', (char)('0' + i), 0};
        keys[i] = (struct auth_sign_key){.algorithm = crypto_private_algorithm(k)};
        if (!dns_name_parse(&keys[i].domain, SPAN("example.org")) ||
            !dns_name_parse(&keys[i].selector, span_str(selector)))
            panic("test names");
    }
}

struct span help_sign(const struct auth_sign_options *o, struct span message, struct arena *a,
                      size_t count, const char *const *pems)
{
    CLEANUP(buf_free) struct buf b = BUF(8 << 20);
    struct auth_sign_key keys[AUTH_SIGN_KEYS_MAX];
    struct auth_sign_options with = *o;
    default_keys(keys, count, pems);
    if (!with.keys) {
        with.keys = keys;
        with.count = count;
    }
    struct auth_signer *s = auth_signer_new(&with);
    auth_signer_feed(s, message);
    auth_signer_end(s);
    auth_signer_run(s, sign, (void *)pems);
    if (!rc_ok(auth_signer_put(s, &b)))
        panic("a test message was not signed");
    auth_signer_free(s);
    buf_put(&b, message);
    return arena_dup(a, buf_span(&b));
}

static void answer(struct auth_dkim *d, struct zone *z, unsigned seed)
{
    struct zone_pending pending = {.seed = seed};
    struct auth_step step = auth_dkim_next(d);
    for (; step.kind == AUTH_ASK_DNS; step = auth_dkim_next(d))
        zone_pending_add(&pending, &step);
    while (zone_pending_take(&pending, &step)) {
        CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
        struct dns_answer got = zone_answer(z, &step.question, &a);
        auth_dkim_answer(d, step.ticket, &got);
    }
}

struct auth_dkim *help_verify(struct zone *z, const struct auth_dkim_options *o,
                              struct span message, size_t chunk, unsigned seed)
{
    struct auth_dkim *d = auth_dkim_new(o);
    size_t step = chunk ? chunk : message.len + 1;
    for (; message.len; message = span_skip(message, step))
        auth_dkim_feed(d, span_first(message, step));
    auth_dkim_end(d);
    answer(d, z, seed);
    if (auth_dkim_next(d).kind != AUTH_DONE)
        panic("all is answered and it is not done");
    return d;
}

void help_dkim_free(struct auth_dkim **d)
{
    auth_dkim_free(*d);
}

struct zone *help_zone(size_t count, const char *const *pems)
{
    CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
    struct zone *z = zone_new(NULL);
    for (size_t i = 0; i < count; i++) {
        char name[] = "s0._domainkey.example.org";
        name[1] = (char)('0' + i);
        if (!zone_add(z, span_str(name), SPAN("TXT"), help_record(pems[i], &a)))
            panic("test zone");
    }
    return z;
}
