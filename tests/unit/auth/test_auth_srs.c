// SRS: there and back, and everything that must not come back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "auth_srs.h"
#include "base_rc.h"

#define DAY (86400 * US_PER_S)

static const struct wall now = {20000 * DAY + 5};
static const struct span secret[] = {{"first secret", 12}, {"second secret", 13}};

static struct auth_srs ours(const char *domain, const struct span *secrets, size_t count)
{
    struct auth_srs s = {.secrets = secrets, .secret_count = count};
    assert_true(dns_name_parse(&s.domain, span_str(domain)));
    return s;
}

static struct mail_address address(const char *text, struct arena *a)
{
    struct mail_address m;
    assert_true(mail_address_parse(&m, span_str(text), true, a));
    return m;
}

static enum auth_srs_result forward(const char *domain, const char *text, char out[300],
                                    struct arena *a)
{
    struct auth_srs s = ours(domain, secret, 1);
    struct mail_address from = address(text, a), to = {.text = SPAN("")};
    enum auth_srs_result r = auth_srs_forward(&s, &from, now, &to, a);
    assert_true(span_copy(out, 300, to.text));
    return r;
}

static enum auth_srs_result back_at(const struct auth_srs *s, const char *text, struct wall when,
                                    char out[300], struct arena *a)
{
    struct mail_address from = address(text, a), to = {.text = SPAN("")};
    enum auth_srs_result r = auth_srs_back(s, &from, when, &to, a);
    assert_true(span_copy(out, 300, to.text));
    return r;
}

static enum auth_srs_result back(const char *domain, const char *text, char out[300],
                                 struct arena *a)
{
    struct auth_srs s = ours(domain, secret, 1);
    return back_at(&s, text, now, out, a);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "user@example.com",        "a=b=c@example.com",      "User.Name+tag@example.com",
        "\"a b\"@example.com",     "\"a@b\"@example.com",    "\"a\\\"b\"@example.com",
        "SRS@example.com",         "srs0@example.com",       "gr\303\274n@example.com",
        "x@xn--bcher-kva.example", "-=+@a-b.example",        "\"..\"@example.com",
        "SRS1=HHHH=x@example.com", "SRS1=h=-=x@example.com", "SRS1=x@example.com",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        char there[300], again[300];
        assert_int_equal(forward("fwd.example", rows[i], there, &a), AUTH_SRS_OK);
        assert_int_equal(back("fwd.example", there, again, &a), AUTH_SRS_OK);
        assert_string_equal(again, rows[i]);
    }
}

static void test_form(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char there[300];
    assert_int_equal(forward("fwd.example", "user@Example.COM", there, &a), AUTH_SRS_OK);
    assert_true(span_starts(span_str(there), SPAN("SRS0=")));
    // 20000 modulo 1024 is 544, which is 17 and 0: "ra".
    assert_string_equal(there + 10, "=ra=example.com=user@fwd.example");
}

static void test_second_forwarder(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char first[300], second[300], third[300], got[300];
    assert_int_equal(forward("one.example", "u@example.com", first, &a), AUTH_SRS_OK);
    assert_int_equal(forward("two.example", first, second, &a), AUTH_SRS_OK);
    assert_true(span_starts(span_str(second), SPAN("SRS1=")));
    assert_int_equal(forward("three.example", second, third, &a), AUTH_SRS_OK);
    assert_true(span_starts(span_str(third), SPAN("SRS1=")));
    // It does not grow with every forwarder, and leads to the first at once.
    assert_int_equal(span_str(third).len, span_str(second).len + 2);
    assert_int_equal(back("three.example", third, got, &a), AUTH_SRS_OK);
    assert_string_equal(got, first);
    assert_int_equal(back("two.example", second, got, &a), AUTH_SRS_OK);
    assert_string_equal(got, first);
    assert_int_equal(back("one.example", got, got, &a), AUTH_SRS_OK);
    assert_string_equal(got, "u@example.com");
}

static void test_other_separators(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char there[300], got[300];
    assert_int_equal(forward("two.example", "srs0+HHHH=TT=example.com=u@one.example", there, &a),
                     AUTH_SRS_OK);
    assert_int_equal(back("two.example", there, got, &a), AUTH_SRS_OK);
    assert_string_equal(got, "SRS0+HHHH=TT=example.com=u@one.example");
}

static void test_case_changed_on_the_way(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char there[300], got[300];
    assert_int_equal(forward("fwd.example", "User@example.com", there, &a), AUTH_SRS_OK);
    for (char *c = there; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    assert_int_equal(back("fwd.example", there, got, &a), AUTH_SRS_OK);
    assert_string_equal(got, "USER@example.com");
}

static void test_as_it_is(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct auth_srs s = ours("fwd.example", secret, 1);
    struct mail_address null = {.kind = MAIL_NULL}, out = {0};
    char got[300];
    assert_int_equal(auth_srs_forward(&s, &null, now, &out, &a), AUTH_SRS_AS_IT_IS);
    assert_int_equal(forward("fwd.example", "u@FWD.example", got, &a), AUTH_SRS_AS_IT_IS);
    assert_int_equal(forward("fwd.example", "u@[192.0.2.1]", got, &a), AUTH_SRS_NO_FORM);
    assert_int_equal(forward("fwd.example", "\"\"@example.com", got, &a), AUTH_SRS_NO_FORM);
    assert_int_equal(back("fwd.example", "user@fwd.example", got, &a), AUTH_SRS_AS_IT_IS);
    assert_int_equal(back("fwd.example", "srs@fwd.example", got, &a), AUTH_SRS_AS_IT_IS);
    assert_int_equal(back("fwd.example", "SRS0=a=b=c=d@else.example", got, &a), AUTH_SRS_AS_IT_IS);
}

static void test_too_long(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char got[300];
    // 15 octets beside domain and local-part: 64 in all is the most.
    assert_int_equal(
        forward("f.example", "abcdefghijklmnopqrstuvwxyzabcdefghijkl@example.com", got, &a),
        AUTH_SRS_OK);
    assert_int_equal(
        forward("f.example", "abcdefghijklmnopqrstuvwxyzabcdefghijklm@example.com", got, &a),
        AUTH_SRS_TOO_LONG);
    assert_string_equal(got, "");
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum auth_srs_result want;
    } rows[] = {
        {"no hash", "SRS0==ra=example.com=u@fwd.example", AUTH_SRS_FORGED},
        {"a guess", "SRS0=aaaaa=ra=example.com=u@fwd.example", AUTH_SRS_FORGED},
        {"short hash", "SRS0=aaaa=ra=example.com=u@fwd.example", AUTH_SRS_FORGED},
        {"nothing but the tag", "SRS0=@fwd.example", AUTH_SRS_AS_IT_IS},
        {"one field", "SRS0=x@fwd.example", AUTH_SRS_NO_FORM},
        {"no local-part", "SRS0=aaaaa=ra=example.com=@fwd.example", AUTH_SRS_NO_FORM},
        {"no domain", "SRS0=aaaaa=ra==u@fwd.example", AUTH_SRS_NO_FORM},
        {"bad domain", "SRS0=aaaaa=ra=-x-=u@fwd.example", AUTH_SRS_NO_FORM},
        {"SRS1, no rest", "SRS1=aaaaa=example.com=@fwd.example", AUTH_SRS_NO_FORM},
        {"SRS1, a guess", "SRS1=aaaaa=example.com==a=b=c=d@fwd.example", AUTH_SRS_FORGED},
        {"percent hack", "\"SRS0=aaaaa=ra=example.com=u%other@x\"@fwd.example", AUTH_SRS_FORGED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        char got[300];
        enum auth_srs_result r = back("fwd.example", rows[i].text, got, &a);
        if (r != rows[i].want)
            print_message("%s\n", rows[i].name);
        assert_int_equal(r, rows[i].want);
        assert_string_equal(got, "");
    }
}

// Every change of one byte of what is signed is seen.
static void test_tampering(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    char there[300], got[300];
    assert_int_equal(forward("fwd.example", "user@example.com", there, &a), AUTH_SRS_OK);
    size_t at = span_index(span_str(there), '@');
    for (size_t i = 5; i < at; i++) {
        char was = there[i];
        there[i] = was == 'q' ? 'z' : 'q';
        struct auth_srs s = ours("fwd.example", secret, 1);
        assert_true(back_at(&s, there, now, got, &a) != AUTH_SRS_OK);
        there[i] = was;
    }
    there[3] = '1'; // an SRS0 address is none of SRS1, whatever its hash
    assert_int_equal(back("fwd.example", there, got, &a), AUTH_SRS_NO_FORM);
}

static void test_age(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    char there[300], got[300];
    assert_int_equal(forward("fwd.example", "user@example.com", there, &a), AUTH_SRS_OK);
    static const struct {
        int days;
        enum auth_srs_result want;
    } rows[] = {
        {0, AUTH_SRS_OK},    {AUTH_SRS_DAYS, AUTH_SRS_OK}, {AUTH_SRS_DAYS + 1, AUTH_SRS_EXPIRED},
        {-1, AUTH_SRS_OK},   {-2, AUTH_SRS_EXPIRED},       {500, AUTH_SRS_EXPIRED},
        {1024, AUTH_SRS_OK}, // the round of days: by then the secret is another
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct auth_srs s = ours("fwd.example", secret, 1);
        struct wall when = {now.us + rows[i].days * DAY};
        assert_int_equal(back_at(&s, there, when, got, &a), rows[i].want);
    }
}

static void test_secrets_rotate(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    static const struct span turned[] = {{"second secret", 13}, {"first secret", 12}};
    char there[300], got[300];
    assert_int_equal(forward("fwd.example", "user@example.com", there, &a), AUTH_SRS_OK);
    struct auth_srs both = ours("fwd.example", turned, 2), only = ours("fwd.example", turned, 1);
    assert_int_equal(back_at(&both, there, now, got, &a), AUTH_SRS_OK);
    assert_int_equal(back_at(&only, there, now, got, &a), AUTH_SRS_FORGED);
    struct mail_address from = address("user@example.com", &a), to;
    assert_int_equal(auth_srs_forward(&both, &from, now, &to, &a), AUTH_SRS_OK);
    assert_false(span_eq(to.text, span_str(there))); // the new one makes
}

static void test_no_room(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20), none = ARENA(16);
    struct auth_srs s = ours("fwd.example", secret, 1);
    struct mail_address from = address("user@example.com", &a), to;
    assert_int_equal(auth_srs_forward(&s, &from, now, &to, &none), AUTH_SRS_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_second_forwarder),
        cmocka_unit_test(test_other_separators),
        cmocka_unit_test(test_case_changed_on_the_way),
        cmocka_unit_test(test_as_it_is),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_secrets_rotate),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
