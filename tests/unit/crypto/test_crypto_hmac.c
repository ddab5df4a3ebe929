// HMAC-SHA-256 against RFC 4231.
#include "base_buf.h"
#include "base_code.h"
#include "crypto_hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void known_answers(void **state)
{
    (void)state;
    static char long_key[131];
    for (size_t i = 0; i < sizeof long_key; i++)
        long_key[i] = (char)0xaa;
    const struct {
        struct span key, bytes;
        const char *hex;
    } rows[] = {
        {SPAN("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
         SPAN("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {SPAN("Jefe"), SPAN("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {SPAN_OF(long_key), SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {{0}, {0}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(buf_free) struct buf b = BUF(100);
        struct crypto_digest d = crypto_hmac_sha256(rows[i].key, rows[i].bytes);
        code_put_hex(&b, SPAN_OF(d.at));
        assert_string_equal(buf_str(&b), rows[i].hex);
    }
}

static void same(void **state)
{
    (void)state;
    assert_true(crypto_same(SPAN("abc"), SPAN("abc")));
    assert_true(crypto_same((struct span){0}, SPAN("")));
    assert_false(crypto_same(SPAN("abc"), SPAN("abd")));
    assert_false(crypto_same(SPAN("abc"), SPAN("abcd")));
    assert_false(crypto_same(SPAN("abc"), (struct span){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
