// DKIM keys of our own: their note on disk, their record, what DNS shows of them,
// and what follows from it; which of them sign a message.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth_keys.h"
#include "base_rc.h"

#include <string.h>

#define PUBLIC_A "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define PUBLIC_B "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
#define DAY      (86400 * US_PER_S)

static const struct wall t0 = {20000 * 86400 * US_PER_S};
static const struct auth_key_rules rules = {.keep = 12 * DAY, .settle = 0};
static const struct auth_key_rules slow = {.keep = 12 * DAY, .settle = SECONDS(900)};

static struct wall at(int64_t us)
{
    return (struct wall){t0.us + us};
}

static struct auth_key key(const char *selector, const char *domain, enum crypto_algorithm a)
{
    struct auth_key k = {.algorithm = a, .bits = 256, .created = t0};
    assert_true(auth_key_named(&k, span_str(selector), span_str(domain)));
    assert_true(span_copy(k.public_key, sizeof k.public_key, SPAN(PUBLIC_A)));
    return k;
}

static size_t add(struct auth_keys *keys, const char *selector, const char *domain,
                  enum crypto_algorithm a)
{
    struct auth_key k = key(selector, domain, a);
    assert_true(auth_keys_add(keys, &k));
    return auth_keys_find(keys, &k.domain, &k.selector);
}

static const struct auth_key *get(const struct auth_keys *keys, const char *selector)
{
    struct auth_key k = key(selector, "example.org", CRYPTO_ED25519_SHA256);
    size_t i = auth_keys_find(keys, &k.domain, &k.selector);
    assert_true(i < keys->count);
    return &keys->at[i];
}

// ---- the note ----

static void test_note_there_and_back(void **state)
{
    (void)state;
    struct auth_key k = key("s1.march", "example.org", CRYPTO_ED25519_SHA256), back;
    k.services = AUTH_SERVICE_EMAIL | AUTH_SERVICE_TLSRPT;
    assert_true(span_copy(k.sender, sizeof k.sender, SPAN("news")));
    k.seen = at(1000 * US_PER_MS);
    k.active = at(2000 * US_PER_MS);
    k.retired = at(3000 * US_PER_MS);
    k.gone = at(4000 * US_PER_MS);
    CLEANUP(buf_free) struct buf b = BUF(AUTH_KEY_STATE_MAX), again = BUF(AUTH_KEY_STATE_MAX);
    auth_key_put(&b, &k);
    assert_true(auth_key_read(&back, buf_span(&b)));
    assert_true(dns_name_eq(&back.domain, &k.domain) && dns_name_eq(&back.selector, &k.selector));
    assert_int_equal(back.services, k.services);
    assert_string_equal(back.sender, "news");
    assert_int_equal(back.gone.us, k.gone.us);
    auth_key_put(&again, &back);
    assert_true(span_eq(buf_span(&b), buf_span(&again)));
}

static void test_notes_that_are_none(void **state)
{
    (void)state;
#define GOOD                                                                                       \
    "domain example.org\nselector s1\nalgorithm ed25519-sha256\nbits 256\npublic " PUBLIC_A        \
    "\ncreated 2026-11-22T10:00:00.000Z\n"
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {GOOD, true},
        {"# a remark\n\n" GOOD "  sender news  \n", true},
        {GOOD "services tlsrpt\n", true},
        {"", false},
        {"domain example.org\n", false},
        {GOOD "nonsense 1\n", false},
        {GOOD "services fax\n", false},
        {GOOD "services \n", false},
        {GOOD "services email:\n", false},
        {GOOD "sender a b\n", false},
        {GOOD "sender \"a\"\n", false},
        {GOOD "bits 0\n", false},
        {GOOD "bits 99999\n", false},
        {GOOD "algorithm rsa-sha1\n", false},
        {GOOD "public !!!!\n", false},
        {GOOD "domain under_score.example\n", false},
        {GOOD "selector ../../etc\n", false},
        {GOOD "active yesterday\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct auth_key k;
        if (auth_key_read(&k, span_str(rows[i].text)) != rows[i].good)
            fail_msg("row %zu", i);
    }
}

// ---- the record ----

static void test_record(void **state)
{
    (void)state;
    struct auth_key k = key("s1", "example.org", CRYPTO_ED25519_SHA256);
    CLEANUP(buf_free) struct buf b = BUF(8192);
    auth_key_put_record(&b, &k);
    assert_string_equal(buf_str(&b), "s1._domainkey.example.org. IN TXT \"v=DKIM1; k=ed25519; "
                                     "p=" PUBLIC_A "\"\n");
    buf_clear(&b);
    k.services = AUTH_SERVICE_TLSRPT; // RFC 8460 §3
    auth_key_put_text(&b, &k);
    assert_string_equal(buf_str(&b), "v=DKIM1; k=ed25519; s=tlsrpt; p=" PUBLIC_A);
    memset(k.public_key, 'A', 1000);
    buf_clear(&b);
    auth_key_put_record(&b, &k);
    struct span rest = buf_span(&b);
    unsigned strings = 0;
    while (span_index(rest, '"') < rest.len) {
        rest = span_skip(rest, span_index(rest, '"') + 1);
        assert_true(span_index(rest, '"') <= 255);
        rest = span_skip(rest, span_index(rest, '"') + 1);
        strings++;
    }
    assert_int_equal(strings, 5);
}

struct sight_row {
    enum dns_standing standing;
    enum dns_presence presence;
    const char *text[2]; // NULL: no record
    enum auth_key_sight want;
};

static void test_sights(void **state)
{
    (void)state;
    static const struct sight_row rows[] = {
        {DNS_INSECURE, DNS_DATA, {"v=DKIM1; k=ed25519; p=" PUBLIC_A}, AUTH_KEY_SHOWN},
        {DNS_SECURE,
         DNS_DATA,
         {" k=ed25519 ;p= 11qYAYKxCrfVS/7Ty WQHOg7hcvPapiMlrwIaaPcHURo= "},
         AUTH_KEY_SHOWN},
        {DNS_SECURE, DNS_DATA, {"v=DKIM1; k=ed25519; s=email; t=y; p=" PUBLIC_A}, AUTH_KEY_SHOWN},
        {DNS_SECURE, DNS_DATA, {"v=DKIM1; k=ed25519; s=tlsrpt; p=" PUBLIC_A}, AUTH_KEY_OTHER},
        {DNS_SECURE, DNS_DATA, {"v=DKIM1; k=ed25519; p=" PUBLIC_B}, AUTH_KEY_OTHER},
        {DNS_SECURE, DNS_DATA, {"v=DKIM1; p=" PUBLIC_A}, AUTH_KEY_OTHER},
        {DNS_SECURE, DNS_DATA, {"v=DKIM1; k=ed25519; p="}, AUTH_KEY_OTHER}, // revoked
        {DNS_SECURE, DNS_DATA, {"v=spf1 -all"}, AUTH_KEY_OTHER},
        {DNS_SECURE,
         DNS_DATA,
         {"v=DKIM1; k=ed25519; p=" PUBLIC_A, "v=DKIM1; k=ed25519; p=" PUBLIC_A},
         AUTH_KEY_OTHER},                               // RFC 6376 §3.6.2.2
        {DNS_SECURE, DNS_DATA, {NULL}, AUTH_KEY_OTHER}, // records that cannot be read
        {DNS_INSECURE, DNS_NXDOMAIN, {NULL}, AUTH_KEY_ABSENT},
        {DNS_SECURE, DNS_NODATA, {NULL}, AUTH_KEY_ABSENT},
        {DNS_BOGUS, DNS_NO_ANSWER, {NULL}, AUTH_KEY_UNKNOWN},
        {DNS_INDETERMINATE, DNS_NO_ANSWER, {NULL}, AUTH_KEY_UNKNOWN},
    };
    struct auth_key k = key("s1", "example.org", CRYPTO_ED25519_SHA256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dns_record records[2] = {{.data = span_str(rows[i].text[0])},
                                        {.data = span_str(rows[i].text[1])}};
        struct dns_answer a = {.standing = rows[i].standing,
                               .presence = rows[i].presence,
                               .count = rows[i].text[1]   ? 2
                                        : rows[i].text[0] ? 1
                                                          : 0,
                               .records = records};
        if (auth_key_look(&k, &a) != rows[i].want)
            fail_msg("row %zu: %s", i, auth_key_sight_text(auth_key_look(&k, &a)));
    }
}

// ---- the life ----

static enum auth_key_phase phase(const struct auth_keys *keys, const char *selector, int64_t when)
{
    return auth_key_phase(get(keys, selector), at(when), rules.keep);
}

static void test_first_key(void **state)
{
    (void)state;
    CLEANUP(auth_keys_free) struct auth_keys keys = {0};
    size_t i = add(&keys, "a", "example.org", CRYPTO_ED25519_SHA256);
    static const enum auth_key_sight no[] = {AUTH_KEY_UNKNOWN, AUTH_KEY_ABSENT, AUTH_KEY_OTHER};
    for (size_t n = 0; n < 3; n++) {
        assert_false(auth_keys_saw(&keys, i, no[n], at(SECONDS(5)), &slow));
        assert_int_equal(phase(&keys, "a", SECONDS(5)), AUTH_KEY_WAITING);
    }
    // There is none to be replaced: at once.
    assert_true(auth_keys_saw(&keys, i, AUTH_KEY_SHOWN, at(SECONDS(9)), &slow));
    assert_int_equal(phase(&keys, "a", SECONDS(9)), AUTH_KEY_ACTIVE);
    assert_true(keys.changed[i]);
    // What signs goes on, whatever is seen: nothing gets better by not signing.
    for (unsigned s = 0; s < AUTH_KEY_SIGHTS; s++)
        assert_false(auth_keys_saw(&keys, i, (enum auth_key_sight)s, at(DAY), &slow));
    assert_int_equal(phase(&keys, "a", DAY), AUTH_KEY_ACTIVE);
}

static void test_rotation(void **state)
{
    (void)state;
    CLEANUP(auth_keys_free) struct auth_keys keys = {0};
    size_t a = add(&keys, "a", "example.org", CRYPTO_ED25519_SHA256);
    assert_true(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(0), &rules));
    size_t rsa = add(&keys, "r", "example.org", CRYPTO_RSA_SHA256);
    assert_true(auth_keys_saw(&keys, rsa, AUTH_KEY_SHOWN, at(0), &rules));
    add(&keys, "b", "example.org", CRYPTO_ED25519_SHA256);
    size_t b = (size_t)(get(&keys, "b") - keys.at);
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(DAY), &rules));
    assert_int_equal(phase(&keys, "b", DAY), AUTH_KEY_ACTIVE);
    assert_int_equal(phase(&keys, "a", DAY), AUTH_KEY_RETIRED);
    assert_int_equal(phase(&keys, "r", DAY), AUTH_KEY_ACTIVE); // of another algorithm
    assert_int_equal(auth_key_removable(get(&keys, "a"), rules.keep).us, at(13 * DAY).us);
    assert_int_equal(phase(&keys, "a", 13 * DAY - 1), AUTH_KEY_RETIRED);
    assert_int_equal(phase(&keys, "a", 13 * DAY), AUTH_KEY_REMOVABLE);

    a = (size_t)(get(&keys, "a") - keys.at);
    assert_false(auth_keys_saw(&keys, a, AUTH_KEY_ABSENT, at(13 * DAY - 1), &rules)); // too early
    assert_false(auth_keys_saw(&keys, a, AUTH_KEY_UNKNOWN, at(14 * DAY), &rules));
    assert_false(auth_keys_saw(&keys, a, AUTH_KEY_OTHER, at(14 * DAY), &rules));
    assert_false(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(14 * DAY), &rules));
    assert_true(auth_keys_saw(&keys, a, AUTH_KEY_ABSENT, at(14 * DAY), &rules));
    assert_int_equal(phase(&keys, "a", 14 * DAY), AUTH_KEY_GONE);
    // The record comes back: it does not sign again.
    assert_false(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(15 * DAY), &rules));
}

static void test_a_successor_settles(void **state)
{
    (void)state;
    CLEANUP(auth_keys_free) struct auth_keys keys = {0};
    size_t a = add(&keys, "a", "example.org", CRYPTO_ED25519_SHA256);
    assert_true(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(0), &slow));
    size_t b = add(&keys, "b", "example.org", CRYPTO_ED25519_SHA256);
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(100)), &slow)); // seen
    assert_int_equal(phase(&keys, "b", SECONDS(100)), AUTH_KEY_WAITING);
    assert_int_equal(auth_key_settled(&keys, b, &slow).us, at(SECONDS(1000)).us);
    assert_false(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(900)), &slow));
    assert_false(
        auth_keys_saw(&keys, b, AUTH_KEY_UNKNOWN, at(SECONDS(950)), &slow));        // says nothing
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_ABSENT, at(SECONDS(960)), &slow)); // begins anew
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(1000)), &slow));
    assert_int_equal(phase(&keys, "b", SECONDS(1000)), AUTH_KEY_WAITING);
    // So it does when the clock is set back.
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(500)), &slow));
    assert_false(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(1399)), &slow));
    assert_true(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(SECONDS(1400)), &slow));
    assert_int_equal(phase(&keys, "b", SECONDS(1400)), AUTH_KEY_ACTIVE);
    assert_int_equal(phase(&keys, "a", SECONDS(1400)), AUTH_KEY_RETIRED);
}

static void test_uses_are_apart(void **state)
{
    (void)state;
    CLEANUP(auth_keys_free) struct auth_keys keys = {0};
    struct auth_key others[3];
    for (size_t i = 0; i < 3; i++)
        others[i] = key((const char *[]){"b", "c", "d"}[i], "example.org", CRYPTO_ED25519_SHA256);
    assert_true(span_copy(others[0].sender, sizeof others[0].sender, SPAN("news")));
    others[1].services = AUTH_SERVICE_TLSRPT;
    assert_true(auth_key_named(&others[2], SPAN("d"), SPAN("sub.example.org")));
    size_t a = add(&keys, "a", "example.org", CRYPTO_ED25519_SHA256);
    assert_true(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(0), &slow));
    for (size_t i = 0; i < 3; i++) {
        assert_true(auth_keys_add(&keys, &others[i]));
        assert_false(auth_keys_add(&keys, &others[i]));
        size_t n = auth_keys_find(&keys, &others[i].domain, &others[i].selector);
        assert_true(auth_keys_saw(&keys, n, AUTH_KEY_SHOWN, at(1), &slow));
    }
    assert_int_equal(keys.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(auth_key_phase(&keys.at[i], at(1), rules.keep), AUTH_KEY_ACTIVE);
}

static void test_the_operators_will(void **state)
{
    (void)state;
    CLEANUP(auth_keys_free) struct auth_keys keys = {0};
    size_t a = add(&keys, "a", "example.org", CRYPTO_ED25519_SHA256);
    size_t b = add(&keys, "b", "example.org", CRYPTO_RSA_SHA256);
    b = b == a ? a + 1 : b;
    a = (size_t)(get(&keys, "a") - keys.at);
    assert_true(auth_keys_saw(&keys, a, AUTH_KEY_SHOWN, at(SECONDS(60)), &rules));
    auth_keys_retire(&keys, a, at(0)); // by a clock that was set back
    assert_int_equal(get(&keys, "a")->retired.us, at(SECONDS(60)).us);
    auth_keys_retire(&keys, a, at(DAY)); // again: it stays as it was
    assert_int_equal(get(&keys, "a")->retired.us, at(SECONDS(60)).us);
    b = (size_t)(get(&keys, "b") - keys.at);
    auth_keys_retire(&keys, b, at(DAY)); // never signed
    assert_int_equal(phase(&keys, "b", DAY), AUTH_KEY_REMOVABLE);
    assert_false(auth_keys_saw(&keys, b, AUTH_KEY_SHOWN, at(DAY), &rules));
    assert_true(auth_key_awaits(get(&keys, "b"), at(DAY), rules.keep));
}

// ---- which key signs ----

static void test_which_keys_sign(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *sender;
        unsigned services;
    } have[] = {
        {"example.org", "", 0},                        // 0
        {"example.org", "", AUTH_SERVICE_EMAIL},       // 1
        {"example.org", "news", 0},                    // 2
        {"sub.example.org", "shop", 0},                // 3
        {"example.org", "", AUTH_SERVICE_TLSRPT},      // 4
        {"own.example.org", "", 0},                    // 5
        {"only.example.net", "", AUTH_SERVICE_TLSRPT}, // 6
    };
    static const struct {
        const char *domain, *sender;
        unsigned service;
        bool below;
        const char *want; // indices
    } rows[] = {
        {"example.org", "ann", AUTH_SERVICE_EMAIL, true, "01"},
        {"example.org", "", AUTH_SERVICE_EMAIL, true, "01"},
        {"example.org", "news", AUTH_SERVICE_EMAIL, true, "2"},
        {"example.org", "NEWS", AUTH_SERVICE_EMAIL, true, "2"},
        {"example.org", "newsy", AUTH_SERVICE_EMAIL, true, "01"},
        {"example.org", "ann", AUTH_SERVICE_TLSRPT, true, "04"},
        {"example.org", "ann", AUTH_SERVICE_EMAIL | AUTH_SERVICE_TLSRPT, true, "014"},
        {"only.example.net", "ann", AUTH_SERVICE_EMAIL | AUTH_SERVICE_TLSRPT, true, "6"},
        {"sub.example.org", "ann", AUTH_SERVICE_EMAIL, true, "01"},
        {"sub.example.org", "ann", AUTH_SERVICE_EMAIL, false, ""},
        {"sub.example.org", "shop", AUTH_SERVICE_EMAIL, false, "3"},
        {"sub.example.org", "news", AUTH_SERVICE_EMAIL, true, "01"}, // news of another domain
        {"a.b.example.org", "ann", AUTH_SERVICE_EMAIL, true, "01"},
        {"own.example.org", "ann", AUTH_SERVICE_EMAIL, true, "5"},
        {"a.own.example.org", "ann", AUTH_SERVICE_EMAIL, true, "5"},
        {"only.example.net", "ann", AUTH_SERVICE_EMAIL, true, ""},
        {"only.example.net", "ann", AUTH_SERVICE_TLSRPT, true, "6"},
        {"example.net", "ann", AUTH_SERVICE_TLSRPT, true, ""},
        {"notexample.org", "ann", AUTH_SERVICE_EMAIL, true, ""},
        {"org", "ann", AUTH_SERVICE_EMAIL, true, ""},
    };
    struct auth_signing keys[sizeof have / sizeof *have];
    enum { COUNT = sizeof have / sizeof *have };
    for (size_t i = 0; i < COUNT; i++) {
        keys[i] =
            (struct auth_signing){.sender = span_str(have[i].sender), .services = have[i].services};
        assert_true(dns_name_parse(&keys[i].domain, span_str(have[i].domain)));
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct auth_signing m = {.sender = span_str(rows[i].sender), .services = rows[i].service};
        size_t got[COUNT];
        char text[COUNT + 1] = "";
        assert_true(dns_name_parse(&m.domain, span_str(rows[i].domain)));
        size_t n = auth_signing_choose(keys, COUNT, &m, rows[i].below, got, COUNT);
        for (size_t k = 0; k < n; k++)
            text[k] = (char)('0' + got[k]);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("row %zu: %s", i, text);
        assert_true(auth_signing_choose(keys, COUNT, &m, rows[i].below, got, 1) <= 1);
    }
}

static void test_senders(void **state)
{
    (void)state;
    static const char *const good[] = {"ann", "Ann.B+tag", "j\xc3\xb6rg", "a", "!#$%&'*/=?^_`{|}~"};
    static const char *const bad[] = {"",    "a b", "a@b",  "\"a\"", "a\n",
                                      "a\\", "a,b", "\xff", "a<b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(auth_sender_fits(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(auth_sender_fits(span_str(bad[i])));
    char lengthy[AUTH_SENDER_MAX + 2];
    memset(lengthy, 'a', sizeof lengthy);
    assert_true(auth_sender_fits((struct span){lengthy, AUTH_SENDER_MAX}));
    assert_false(auth_sender_fits((struct span){lengthy, AUTH_SENDER_MAX + 1}));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note_there_and_back),
        cmocka_unit_test(test_notes_that_are_none),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_sights),
        cmocka_unit_test(test_first_key),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_a_successor_settles),
        cmocka_unit_test(test_uses_are_apart),
        cmocka_unit_test(test_the_operators_will),
        cmocka_unit_test(test_which_keys_sign),
        cmocka_unit_test(test_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
