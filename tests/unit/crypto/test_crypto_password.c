// Password hashes by libcrypt, SCRAM-SHA-256 against the example of RFC 7677 §3.
#include "base_code.h"
#include "crypto_password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct span salt = {"0123456789abcdef", 16};

static void hash_and_check(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(500);
    char text[CRYPTO_PASSWORD_MAX + 2];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'x';
    assert_true(rc_ok(crypto_password_hash(&b, SPAN("p\xc3\xa4ss word"), salt)));
    assert_true(span_starts(buf_span(&b), SPAN("$y$j9T$")));
    assert_true(crypto_password_readable(buf_span(&b)));
    assert_true(crypto_password_check(buf_span(&b), SPAN("p\xc3\xa4ss word")));
    assert_false(crypto_password_check(buf_span(&b), SPAN("p\xc3\xa4ss wore")));
    assert_false(crypto_password_check(buf_span(&b), SPAN("")));
    assert_false(crypto_password_check(buf_span(&b), SPAN("p\0ss")));
    struct rc rc = crypto_password_hash(&b, (struct span){text, sizeof text - 1}, salt);
    assert_int_equal(rc.code, RC_FULL);
    rc = crypto_password_hash(&b, SPAN("x"), SPAN("short"));
    assert_int_equal(rc.code, RC_UNAVAILABLE);
}

static void others_hashes(void **state)
{
    (void)state;
    const struct {
        struct span hash;
        bool readable, fits;
    } rows[] = {
        {SPAN("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
              "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"),
         true, true},
        {SPAN("$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
              "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz."),
         true, false},
        {SPAN("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"), false, false}, // MD5
        {SPAN("rl.3StKT.4T8M"), false, false},                      // DES
        {SPAN("secret"), false, false},
        {SPAN(""), false, false},
        {SPAN("-"), false, false},
        {SPAN("*"), false, false},
        {SPAN("$y$j9T$x\0x"), false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (crypto_password_readable(rows[i].hash) != rows[i].readable ||
            crypto_password_check(rows[i].hash, SPAN("Hello world!")) != rows[i].fits)
            fail_msg("%.*s", SPAN_FMT(rows[i].hash));
    }
}

static const char auth_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

static void get(struct buf *b, const char *base64)
{
    assert_true(code_get_base64(b, span_str(base64)));
}

static void rfc_7677(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf s = BUF(100), proof = BUF(100), server = BUF(100);
    struct crypto_scram v;
    struct span message = span_str(auth_message);
    get(&s, "W22ZaJ0SNY7soEsUEjb6gQ==");
    get(&proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    get(&server, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    crypto_scram_make(&v, SPAN("pencil"), buf_span(&s), 4096);
    assert_true(crypto_scram_proves(&v, message, buf_span(&proof)));
    struct crypto_digest is = crypto_scram_signature(&v, message);
    assert_memory_equal(is.at, server.at, 32);
    assert_false(crypto_scram_proves(&v, span_skip(message, 1), buf_span(&proof)));
    assert_false(crypto_scram_proves(&v, message, span_first(buf_span(&proof), 31)));
    assert_false(crypto_scram_proves(&v, message, SPAN("")));
    assert_true(crypto_scram_password(&v, SPAN("pencil")));
    assert_false(crypto_scram_password(&v, SPAN("pencils")));
}

static void verifier_text(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(500), again = BUF(500);
    struct crypto_scram v, w;
    crypto_scram_make(&v, SPAN("pencil"), salt, 4096);
    crypto_scram_put(&b, &v);
    assert_true(crypto_scram_parse(&w, buf_span(&b)));
    crypto_scram_put(&again, &w);
    assert_string_equal(buf_str(&b), buf_str(&again));
    for (size_t i = 0; i < b.len; i++) // cut anywhere
        assert_false(crypto_scram_parse(&w, span_first(buf_span(&b), i)));
    buf_putc(&b, 'x');
    assert_false(crypto_scram_parse(&w, buf_span(&b)));
    static const char *const bad[] = {
        "SCRAM-SHA-1$4096:MDEyMzQ1Njc=$",
        "SCRAM-SHA-256$1000:MDEyMzQ1Njc=$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:MDEy$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:$:",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(crypto_scram_parse(&w, span_str(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_and_check),
        cmocka_unit_test(others_hashes),
        cmocka_unit_test(rfc_7677),
        cmocka_unit_test(verifier_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
