// The DKIM signer: what it hands out, what it writes.
#include "dkim_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char mail[] = "Received: x\r\nFrom: a@example.org\r\nTo: b@example.net\r\n"
                           "subject: Hi\r\nTo: c@example.net\r\n\r\nHello\r\n";
static const struct auth_sign_options now = {.now = {SECONDS(1000000)}};
static const char *const two[] = {help_rsa_2048, help_ed25519};
static const char *const one[] = {help_ed25519};

static struct span tag_value(struct span message, const char *name, struct arena *a)
{
    struct auth_tags tags;
    const char *end = memmem(message.at, message.len, "\r\nReceived", 10);
    struct span field = span_first(message, (size_t)(end - message.at));
    (void)span_cut(&field, ':');
    assert_true(auth_tags_read(&tags, arena_dup(a, field)));
    return auth_tags_get(&tags, span_str(name));
}

static void headers_are(const char *headers, const char *oversigned, const char *expected)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct auth_sign_options o = now;
    o.headers = headers;
    o.oversigned = oversigned;
    struct span h = tag_value(help_sign(&o, span_str(mail), &a, 1, one), "h", &a);
    for (size_t i = 0; i < h.len; i++)
        if (!auth_fws(h.at[i]))
            buf_putc(&b, h.at[i]);
    assert_string_equal(buf_str(&b), expected);
}

static void which_fields_are_signed(void **state)
{
    (void)state;
    headers_are("From", "", "From:From");
    headers_are("", "", "From:From");
    headers_are("To:Subject:Date", "", "From:From:To:To:Subject");
    headers_are("to:To:TO", "Date : to", "From:From:to:to:to:Date");
    headers_are("Nothing", "Reply-To", "From:From:Reply-To");
    headers_are(NULL, NULL,
                "From:From:Reply-To:Subject:Subject:Date:To:To:To:Cc:MIME-Version:Content-Type");
}

static void the_field_is_folded(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct auth_sign_options o = now;
    o.lifetime = SECONDS(86400);
    struct span s = help_sign(&o, span_str(mail), &a, 2, two);
    struct span fields = span_first(s, s.len - strlen(mail));
    assert_true(span_starts(fields, SPAN("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; "
                                         "d=example.org; s=s0;\r\n\tt=1000000; x=1086400; h=")));
    while (fields.len) {
        struct span line = span_cut(&fields, '\n');
        assert_true(span_ends(line, SPAN("\r")));
        assert_true(line.len - 1 <= 78);
        assert_true(line.at[0] == '\t' || span_starts(line, SPAN("DKIM-Signature: v=1;")));
    }
}

static void long_names_are_never_cut(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(buf_free) struct buf name = BUF(300), key_name = BUF(400);
    struct auth_sign_key key = {CRYPTO_ED25519_SHA256};
    struct auth_sign_options o = {.now = now.now, .keys = &key, .count = 1};
    for (int i = 0; i < 3; i++)
        buf_put(&name, SPAN("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz1234567890."));
    buf_put(&name, SPAN("example.org"));
    assert_true(dns_name_parse(&key.domain, buf_span(&name)));
    assert_true(dns_name_parse(&key.selector, SPAN("s")));
    struct span s = help_sign(&o, span_str(mail), &a, 1, one);
    assert_true(span_eq(tag_value(s, "d", &a), buf_span(&name)));
    CLEANUP(zone_free) struct zone *z = zone_new(NULL);
    buf_printf(&key_name, "s._domainkey.%s", buf_str(&name));
    assert_true(zone_add(z, buf_span(&key_name), SPAN("TXT"), help_record(help_ed25519, &a)));
    struct auth_dkim_options at = {.now = now.now};
    CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &at, s, 0, 0);
    assert_int_equal(auth_dkim_overall(d), AUTH_PASS);
}

static struct auth_signer *begun(const struct auth_sign_key *keys, size_t count,
                                 const char *message)
{
    struct auth_sign_options o = now;
    o.keys = keys;
    o.count = count;
    struct auth_signer *s = auth_signer_new(&o);
    auth_signer_feed(s, span_str(message));
    return s;
}

static const struct auth_sign_key keys[] = {
    {CRYPTO_RSA_SHA256, {11, "example.org"}, {1, "r"}, NULL},
    {CRYPTO_ED25519_SHA256, {11, "example.org"}, {1, "e"}, "@example.org"},
};

static void digests_are_handed_out_and_answered_later(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(8192);
    struct auth_signer *s = begun(keys, 2, mail);
    assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_WAIT);
    auth_signer_end(s);
    auth_signer_end(s);
    struct auth_sign_step first = auth_signer_next(s), second = auth_signer_next(s);
    assert_int_equal(first.kind, AUTH_SIGN_ASK);
    assert_int_equal(second.kind, AUTH_SIGN_ASK);
    assert_int_equal(second.ticket, 1);
    assert_memory_not_equal(first.digest.at, second.digest.at, 32);
    assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_WAIT);
    auth_signer_answer(s, 1, SPAN("second"));
    auth_signer_answer(s, 1, SPAN("again"));
    auth_signer_answer(s, 9, SPAN("nobody"));
    assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_WAIT);
    auth_signer_answer(s, 0, SPAN("first"));
    assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_DONE);
    assert_true(rc_ok(auth_signer_put(s, &b)));
    const char *text = buf_str(&b);
    assert_non_null(strstr(text, "b=Zmlyc3Q=\r\nDKIM-Signature: v=1; a=ed25519-sha256;"));
    assert_non_null(strstr(text, "i=@example.org;"));
    assert_non_null(strstr(text, "b=c2Vjb25k\r\n"));
    auth_signer_free(s);
}

static void a_key_that_does_not_sign(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(8192);
    struct auth_signer *s = begun(keys, 2, mail);
    auth_signer_end(s);
    (void)auth_signer_next(s);
    (void)auth_signer_next(s);
    auth_signer_answer(s, 0, SPAN(""));
    auth_signer_answer(s, 1, SPAN("second"));
    assert_int_equal(auth_signer_put(s, &b).code, RC_UNAVAILABLE);
    assert_true(span_starts(buf_span(&b), SPAN("DKIM-Signature: v=1; a=ed25519-sha256;")));
    auth_signer_free(s);
}

static void a_signature_larger_than_any(void **state)
{
    (void)state;
    static const char large[CRYPTO_SIGNATURE_MAX + 1] = {1};
    CLEANUP(buf_free) struct buf b = BUF(8192);
    struct auth_signer *s = begun(keys, 1, mail);
    auth_signer_end(s);
    (void)auth_signer_next(s);
    auth_signer_answer(s, 0, SPAN_OF(large));
    assert_int_equal(auth_signer_put(s, &b).code, RC_UNAVAILABLE);
    assert_int_equal(b.len, 0);
    auth_signer_free(s);
}

static void what_cannot_be_signed(void **state)
{
    (void)state;
    static const char *const messages[] = {"", "\r\nbody", "To: x\r\n\r\n",
                                           "From: x\r\nwhat\r\n\r\n", " From: x\r\n\r\n"};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        CLEANUP(buf_free) struct buf b = BUF(8192);
        struct auth_signer *s = begun(keys, 2, messages[i]);
        auth_signer_end(s);
        assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_DONE);
        assert_int_equal(auth_signer_put(s, &b).code, RC_MALFORMED);
        assert_int_equal(b.len, 0);
        auth_signer_free(s);
    }
}

static void more_fields_to_sign_than_a_list_holds(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20), out = BUF(1 << 20);
    buf_put(&b, SPAN("From: x\r\n"));
    for (int i = 0; i < 1000; i++)
        buf_put(&b, SPAN("List-Unsubscribe-Post: x\r\n"));
    struct auth_signer *s = begun(keys, 1, buf_str(&b));
    auth_signer_end(s);
    assert_int_equal(auth_signer_next(s).kind, AUTH_SIGN_DONE);
    assert_int_equal(auth_signer_put(s, &out).code, RC_MALFORMED);
    auth_signer_free(s);
}

// What a list adds: the fields that were signed once too often show it.
static void oversigned_fields_cannot_be_added(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, one);
    CLEANUP(buf_free) struct buf b = BUF(8192);
    struct auth_dkim_options at = {.now = now.now};
    struct span s = help_sign(&now, span_str(mail), &a, 1, one);
    buf_put(&b, SPAN("Reply-To: evil@example.com\r\n"));
    buf_put(&b, s);
    CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &at, buf_span(&b), 0, 0);
    assert_int_equal(auth_dkim_overall(d), AUTH_FAIL);
}

// Not even twice: the signature has one From more than the message had.
static void no_other_from_gets_by(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, one);
    CLEANUP(buf_free) struct buf b = BUF(8192);
    struct auth_dkim_options at = {.now = now.now};
    struct span s = help_sign(&now, span_str(mail), &a, 1, one);
    buf_put(&b, SPAN("From: evil@example.com\r\nFrom: evil@example.com\r\n"));
    buf_put(&b, s);
    CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &at, buf_span(&b), 0, 0);
    assert_int_equal(auth_dkim_overall(d), AUTH_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_fields_are_signed),
        cmocka_unit_test(the_field_is_folded),
        cmocka_unit_test(long_names_are_never_cut),
        cmocka_unit_test(digests_are_handed_out_and_answered_later),
        cmocka_unit_test(a_key_that_does_not_sign),
        cmocka_unit_test(a_signature_larger_than_any),
        cmocka_unit_test(what_cannot_be_signed),
        cmocka_unit_test(more_fields_to_sign_than_a_list_holds),
        cmocka_unit_test(oversigned_fields_cannot_be_added),
        cmocka_unit_test(no_other_from_gets_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
