// Keys and signatures.
#include "base_code.h"
#include "crypto_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char rsa[] = "-----BEGIN RSA PRIVATE KEY-----\n"
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
static const char rsa_too_short[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIB5QIBADANBgkqhkiG9w0BAQEFAASCAc8wggHLAgEAAmEA0PxmjFgFsxfw674X\n"
    "TYb0E6Mo2Or413egu1aqNSwP3n4YRILvdnSx4dT6lLnI+KlfMBYisTPhaPhZd7mG\n"
    "5cQy7MNc0pHxiY63egAupgUVEsCxQBM91R0s7a9luIdk3amnAgMBAAECYQC0aF8i\n"
    "Yk4xR8aby5KUQ57qYNw/PcCpSMUBVBRFKI9ec54BbsLHkH+Kw2+5+hPKzXIlqWJC\n"
    "nyOqKIYg6hMXWwlXWiK9uhtzARwXre/yOxY5xMyXmvq3m5YecZlu0t3BtPECMQD1\n"
    "O81vnK7tcPrRqpCMEnJMj2U3pW2uNZvMzRpzHdxnTjwjNt+/RocsT9v/60AE9p8C\n"
    "MQDaKTVE6ibxSSHMqPcKbg9wncUB8vLiq+V+3R2CraAiPIXTfYueDVsGgJyML94u\n"
    "l/kCMHbX1GcSd3N6HRMepY48IkgX9eVRtiWGtUo622aOQhGOSHaIUUZQ15ER4nvT\n"
    "deLx4QIxAIdHrFealyFiBwqA8AfQrdRYkPSfcYurqjjb5lPFVJpGS3oUzMHqaDqF\n"
    "AA5SFIVyCQIwPwnsElOHnypwHQA7RdqSQABACL0UY3XBqVivaVy4/NeWXdMgkbd0\n"
    "Zuxy89vcTHMY\n"
    "-----END PRIVATE KEY-----\n";
static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEINEuW6RfGceP+A4aPgCp2kV7ZTOervrL+rxsBBTAZ5u2\n"
                              "-----END PRIVATE KEY-----\n";
static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhXgExQDPnncAICCAAw\n"
                                "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEK+oc7mjqXMpAUsxHtLhy9AEQK0O\n"
                                "GDTpq5Jg7JU0HdugIwuwzFKW/Bi9f/NyWV+wn5padbdOoYMvGj7gnoBjhlqXHugq\n"
                                "hgDu50DblUctGhqMYQA=\n"
                                "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char elliptic[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MHcCAQEEIJQEAtrKJIRThwLhFM95ozeOVavJcQ9QHVnCWpBvc3seoAoGCCqGSM49\n"
                               "AwEHoUQDQgAEuAyJvMj8FHOzFYe1ikoLpLe+XN6ZaS6BGvmlU0Ns58R7xx1ZeOIZ\n"
                               "I6AAPWjNseaAaDM2YcJoDDiUacv1lAVOyg==\n"
                               "-----END EC PRIVATE KEY-----\n";

static void private_free(struct crypto_private **k)
{
    crypto_private_free(*k);
}

static void public_free(struct crypto_public **k)
{
    crypto_public_free(*k);
}

static void round_trip(const char *pem, enum crypto_algorithm algorithm, unsigned bits, size_t len)
{
    CLEANUP(buf_free) struct buf public_bytes = BUF(4096), signature = BUF(4096);
    CLEANUP(private_free) struct crypto_private *k = NULL;
    struct crypto_digest d = crypto_sha256(SPAN("message"));
    assert_true(rc_ok(crypto_private_read(&k, span_str(pem))));
    assert_int_equal(crypto_private_algorithm(k), algorithm);
    assert_int_equal(crypto_private_bits(k), bits);
    assert_true(rc_ok(crypto_sign(k, &d, &signature)));
    assert_int_equal(signature.len, len);
    crypto_private_put_public(k, &public_bytes);
    CLEANUP(public_free)
    struct crypto_public *p = crypto_public_read(algorithm, buf_span(&public_bytes));
    assert_non_null(p);
    assert_int_equal(crypto_public_bits(p), bits);
    assert_int_equal(crypto_public_algorithm(p), algorithm);
    assert_true(crypto_verify(p, &d, buf_span(&signature)));
    for (size_t i = 0; i < signature.len; i++) { // no byte of it can be changed or left out
        signature.at[i] = (char)(signature.at[i] ^ 0x10);
        assert_false(crypto_verify(p, &d, buf_span(&signature)));
        signature.at[i] = (char)(signature.at[i] ^ 0x10);
        assert_false(crypto_verify(p, &d, span_first(buf_span(&signature), i)));
    }
    buf_putc(&signature, 0);
    assert_false(crypto_verify(p, &d, buf_span(&signature)));
    d.at[0] ^= 1;
    signature.len--;
    assert_false(crypto_verify(p, &d, buf_span(&signature)));
    assert_false(crypto_verify(p, &d, span_str(NULL)));
}

static void rsa_signs_and_verifies(void **state)
{
    (void)state;
    round_trip(rsa, CRYPTO_RSA_SHA256, 1024, 128);
}

static void ed25519_signs_and_verifies(void **state)
{
    (void)state;
    round_trip(ed25519, CRYPTO_ED25519_SHA256, 256, 64);
}

static void what_is_no_private_key(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "x",
        rsa_too_short,
        encrypted,
        elliptic,
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct crypto_private *k = (struct crypto_private *)1;
        assert_int_equal(crypto_private_read(&k, span_str(texts[i])).code, RC_CONFIG);
        assert_null(k);
    }
}

// SEQUENCE { modulus, exponent } with a 1024-bit modulus and that exponent.
static void pkcs1(struct buf *b, struct span exponent)
{
    CLEANUP(buf_free) struct buf hex = BUF(1000);
    size_t inner = 3 + 129 + 2 + exponent.len / 2;
    buf_printf(&hex, "3081%02zx02818100", inner);
    for (int i = 0; i < 128; i++)
        buf_put(&hex, i == 0 ? SPAN("c1") : SPAN("a5"));
    buf_printf(&hex, "02%02zx%.*s", exponent.len / 2, SPAN_FMT(exponent));
    assert_true(code_get_hex(b, buf_span(&hex)));
}

static void exponents_out_of_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool fits;
    } exponents[] = {
        {"03", true},
        {"010001", true},
        {"01", false},
        {"00", false},
        {"02", false},
        {"0100000000000000000001", false},
        {"7fffffffffffffff", true},
    };
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        CLEANUP(buf_free) struct buf b = BUF(1000);
        pkcs1(&b, span_str(exponents[i].hex));
        CLEANUP(public_free)
        struct crypto_public *p = crypto_public_read(CRYPTO_RSA_SHA256, buf_span(&b));
        if ((p != NULL) != exponents[i].fits)
            fail_msg("exponent %s", exponents[i].hex);
        buf_putc(&b, 0); // nothing may follow
        assert_null(crypto_public_read(CRYPTO_RSA_SHA256, buf_span(&b)));
    }
}

static void every_truncation_of_a_key(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(4096);
    CLEANUP(private_free) struct crypto_private *k = NULL;
    assert_true(rc_ok(crypto_private_read(&k, span_str(rsa))));
    crypto_private_put_public(k, &b);
    for (size_t n = 0; n < b.len; n++)
        assert_null(crypto_public_read(CRYPTO_RSA_SHA256, span_first(buf_span(&b), n)));
    assert_null(crypto_public_read(CRYPTO_ED25519_SHA256, buf_span(&b)));
    assert_null(crypto_public_read(CRYPTO_ED25519_SHA256, span_first(buf_span(&b), 31)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_signs_and_verifies),    cmocka_unit_test(ed25519_signs_and_verifies),
        cmocka_unit_test(what_is_no_private_key),    cmocka_unit_test(exponents_out_of_bounds),
        cmocka_unit_test(every_truncation_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
