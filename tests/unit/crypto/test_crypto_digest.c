// SHA-256.
#include "base_buf.h"
#include "base_code.h"
#include "crypto_digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void digest_is(struct crypto_digest d, const char *hex)
{
    CLEANUP(buf_free) struct buf b = BUF(100);
    code_put_hex(&b, SPAN_OF(d.at));
    assert_string_equal(buf_str(&b), hex);
}

// FIPS 180-2, appendix B, and the digest of nothing.
static const char *const of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char *const of_abc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void whole(void **state)
{
    (void)state;
    digest_is(crypto_sha256(SPAN("")), of_nothing);
    digest_is(crypto_sha256(span_str(NULL)), of_nothing);
    digest_is(crypto_sha256(SPAN("abc")), of_abc);
    digest_is(crypto_sha256(SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void in_pieces(void **state)
{
    (void)state;
    struct crypto_hash *h = crypto_hash_new();
    crypto_hash_feed(h, SPAN("a"));
    crypto_hash_feed(h, span_str(NULL));
    crypto_hash_feed(h, SPAN("bc"));
    digest_is(crypto_hash_done(h), of_abc);
    digest_is(crypto_hash_done(h), of_nothing); // it began anew
    crypto_hash_feed(h, SPAN("abc"));
    digest_is(crypto_hash_done(h), of_abc);
    crypto_hash_free(h);
    crypto_hash_free(NULL);
}

static void pieces_of_every_size_agree_with_the_whole(void **state)
{
    (void)state;
    char text[300];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7);
    struct crypto_digest whole = crypto_sha256(SPAN_OF(text));
    struct crypto_hash *h = crypto_hash_new();
    for (size_t size = 1; size <= sizeof text; size++) {
        for (struct span rest = SPAN_OF(text); rest.len; rest = span_skip(rest, size))
            crypto_hash_feed(h, span_first(rest, size));
        struct crypto_digest d = crypto_hash_done(h);
        assert_memory_equal(d.at, whole.at, sizeof d.at);
    }
    crypto_hash_free(h);
}

static void a_million_letters(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'a', sizeof text);
    struct crypto_hash *h = crypto_hash_new();
    for (int i = 0; i < 1000; i++)
        crypto_hash_feed(h, SPAN_OF(text));
    digest_is(crypto_hash_done(h),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    crypto_hash_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(in_pieces),
        cmocka_unit_test(pieces_of_every_size_agree_with_the_whole),
        cmocka_unit_test(a_million_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
