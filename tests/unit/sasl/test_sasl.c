// Exchanges message by message; SCRAM-SHA-256 by the example of RFC 7677 §3.
#include "base_code.h"
#include "crypto_hmac.h"
#include "sasl.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MESSAGES = 4 };

struct row {
    const char *name;
    enum sasl_mechanism mechanism;
    struct span initial, answers[MESSAGES]; // .at NULL: none
    bool right;
    const char *user, *why; // why NULL: success
};

#define P(text)                                                                                    \
    {                                                                                              \
        "" text, sizeof(text) - 1                                                                  \
    }
static const struct row rows[] = {
    {"PLAIN", SASL_PLAIN, P("\0tim\0tanstaaftanstaaf"), .right = true, .user = "tim"},
    {"PLAIN without initial response", SASL_PLAIN, .answers = {P("\0tim\0tanstaaf")}, .right = true,
     .user = "tim"},
    {"PLAIN as oneself", SASL_PLAIN, P("tim\0tim\0x"), .right = true, .user = "tim"},
    {"PLAIN as somebody else", SASL_PLAIN, P("eve\0tim\0x"), .right = true,
     .why = "wants to act for somebody else"},
    {"PLAIN, wrong", SASL_PLAIN, P("\0tim\0x"), .why = "wrong name or password"},
    {"PLAIN, empty", SASL_PLAIN, P(""), .why = "malformed PLAIN message"},
    {"PLAIN, one NUL", SASL_PLAIN, P("\0tim"), .why = "malformed PLAIN message"},
    {"PLAIN, three NULs", SASL_PLAIN, P("\0tim\0x\0"), .why = "malformed PLAIN message"},
    {"PLAIN, no password", SASL_PLAIN, P("\0tim\0"), .right = true,
     .why = "the password holds what no password may hold"},
    {"PLAIN, no name", SASL_PLAIN, P("\0\0x"), .right = true,
     .why = "the name holds what no name may hold"},
    {"PLAIN, control character", SASL_PLAIN, P("\0tim\0x\n"), .right = true,
     .why = "the password holds what no password may hold"},
    {"PLAIN, prepared", SASL_PLAIN,
     P("\0t\xc2\xad"
       "im\0x"),
     .right = true, .user = "tim"},
    {"LOGIN", SASL_LOGIN, .answers = {P("tim"), P("x")}, .right = true, .user = "tim"},
    {"LOGIN with initial response", SASL_LOGIN, P("tim"), {P("x")}, .right = true, .user = "tim"},
    {"LOGIN, wrong", SASL_LOGIN, P("tim"), {P("x")}, .why = "wrong name or password"},
    {"LOGIN, no name", SASL_LOGIN, .answers = {P("")}, .right = true,
     .why = "the name holds what no name may hold"},
    {"LOGIN, no password",
     SASL_LOGIN,
     P("tim"),
     {P("")},
     .right = true,
     .why = "the password holds what no password may hold"},
};

static void play(const struct row *r)
{
    const struct sasl_conf conf = {.mechanism = r->mechanism, .nonce = SPAN("n")};
    struct sasl *s = sasl_new(&conf, r->initial);
    struct sasl_step step = sasl_next(s);
    for (size_t i = 0; step.kind == SASL_CHALLENGE || step.kind == SASL_CHECK;
         step = sasl_next(s)) {
        if (step.kind == SASL_CHECK)
            sasl_checked(s, r->right);
        else
            sasl_feed(s, i < MESSAGES ? r->answers[i++] : SPAN("more"));
    }
    if (step.kind != (r->why ? SASL_FAILURE : SASL_SUCCESS))
        fail_msg("%s: %.*s", r->name, SPAN_FMT(step.bytes));
    if (r->why && !span_eq(step.bytes, span_str(r->why)))
        fail_msg("%s: failed because %.*s", r->name, SPAN_FMT(step.bytes));
    if (r->user)
        assert_true(span_eq(step.name, span_str(r->user)));
    sasl_free(s);
}

static void plain_and_login(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        play(&rows[i]);
}

static void login_words(void **state)
{
    (void)state;
    const struct sasl_conf conf = {.mechanism = SASL_LOGIN};
    struct sasl *s = sasl_new(&conf, (struct span){0});
    assert_true(span_eq(sasl_next(s).bytes, SPAN("Username:")));
    sasl_feed(s, SPAN("tim"));
    assert_true(span_eq(sasl_next(s).bytes, SPAN("Password:")));
    sasl_free(s);
    sasl_free(NULL);
}

// ---- SCRAM ----

#define FIRST  "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define NONCE  "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define R      "r=rOprNGfwEbeRWgbNEkqO" NONCE
#define SERVER R ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void pencil(struct crypto_scram *v)
{
    CLEANUP(buf_free) struct buf salt = BUF(100);
    assert_true(code_get_base64(&salt, SPAN("W22ZaJ0SNY7soEsUEjb6gQ==")));
    crypto_scram_make(v, SPAN("pencil"), buf_span(&salt), 4096);
}

// Up to the server's first message; the step there.
static struct sasl_step begin(struct sasl **out, const struct sasl_conf *conf, struct span first,
                              bool known)
{
    struct crypto_scram v;
    pencil(&v);
    struct sasl *s = *out = sasl_new(conf, first);
    struct sasl_step step = sasl_next(s);
    if (step.kind != SASL_FIND)
        return step;
    sasl_found(s, &v, known);
    return sasl_next(s);
}

static void rfc_7677(void **state)
{
    (void)state;
    const struct sasl_conf conf = {.mechanism = SASL_SCRAM, .nonce = SPAN(NONCE)};
    struct sasl *s;
    struct sasl_step step = begin(&s, &conf, SPAN(FIRST), true);
    assert_int_equal(step.kind, SASL_CHALLENGE);
    assert_true(span_eq(step.name, SPAN("user")));
    assert_true(span_eq(step.bytes, SPAN(SERVER)));
    sasl_feed(s, SPAN("c=biws," R ",p=" PROOF));
    step = sasl_next(s);
    assert_int_equal(step.kind, SASL_CHALLENGE);
    assert_true(span_eq(step.bytes, SPAN("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    sasl_feed(s, SPAN(""));
    step = sasl_next(s);
    assert_int_equal(step.kind, SASL_SUCCESS);
    assert_true(span_eq(step.name, SPAN("user")));
    sasl_free(s);
}

static void scram_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *first, *final;
        bool unknown, plus_offered;
        const char *why;
    } bad[] = {
        {"wrong proof", FIRST, "c=biws," R ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVE=",
         .why = "wrong name or password"},
        {"short proof", FIRST, "c=biws," R ",p=dHzbZapW", .why = "wrong name or password"},
        {"proof that is no base64", FIRST, "c=biws," R ",p=!", .why = "wrong name or password"},
        {"nobody, with the right proof", FIRST, "c=biws," R ",p=" PROOF, .unknown = true,
         .why = "wrong name or password"},
        {"another header than at first", FIRST, "c=eSws," R ",p=" PROOF,
         .why = "bound to another channel than this one"},
        {"the client's nonce only", FIRST, "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" PROOF,
         .why = "another nonce"},
        {"another nonce", FIRST, "c=biws," R "x,p=" PROOF, .why = "another nonce"},
        {"no proof", FIRST, "c=biws," R, .why = "malformed final message"},
        {"no nonce", FIRST, "c=biws,p=" PROOF, .why = "malformed final message"},
        {"nothing", FIRST, "", .why = "malformed final message"},
        {"only a proof", FIRST, ",p=", .why = "malformed final message"},
        {"the list was changed", "y,,n=user,r=x", NULL, .plus_offered = true,
         .why = "our list of mechanisms was changed on its way"},
        {"binding without -PLUS", "p=tls-exporter,,n=user,r=x", NULL,
         .why = "a channel binding without -PLUS"},
        {"no flag", ",,n=user,r=x", NULL, .why = "malformed channel binding flag"},
        {"no header", "n=user,r=x", NULL, .why = "malformed first message"},
        {"for somebody else", "n,a=eve,n=user,r=x", NULL, .why = "wants to act for somebody else"},
        {"mandatory extension", "n,,m=x,n=user,r=x", NULL, .why = "malformed first message"},
        {"no nonce at first", "n,,n=user", NULL, .why = "malformed first message"},
        {"empty nonce", "n,,n=user,r=", NULL, .why = "malformed first message"},
        {"nonce with a blank", "n,,n=user,r=a b", NULL, .why = "malformed first message"},
        {"wrong escape", "n,,n=us=20er,r=x", NULL, .why = "malformed first message"},
        {"escape cut", "n,,n=user=2,r=x", NULL, .why = "malformed first message"},
        {"no name", "n,,n=,r=x", NULL, .why = "the name holds what no name may hold"},
        {"empty", "", NULL, .why = "malformed first message"},
        {"only commas", ",,,,", NULL, .why = "malformed channel binding flag"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct sasl_conf conf = {
            .mechanism = SASL_SCRAM, .nonce = SPAN(NONCE), .plus_offered = bad[i].plus_offered};
        struct sasl *s;
        struct sasl_step step = begin(&s, &conf, span_str(bad[i].first), !bad[i].unknown);
        if (bad[i].final) {
            assert_int_equal(step.kind, SASL_CHALLENGE);
            sasl_feed(s, span_str(bad[i].final));
            step = sasl_next(s);
        }
        if (step.kind != SASL_FAILURE || !span_eq(step.bytes, span_str(bad[i].why)))
            fail_msg("%s: %.*s", bad[i].name, SPAN_FMT(step.bytes));
        sasl_feed(s, SPAN("more"));
        assert_int_equal(sasl_next(s).kind, SASL_FAILURE);
        sasl_free(s);
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *first, *name;
    } good[] = {
        {"n,,n=a=2Cb=3Dc,r=x", "a,b=c"}, {"y,,n=user,r=x", "user"},
        {"n,a=user,n=user,r=x", "user"}, {"n,,n=user,r=x,e=extension", "user"},
        {"n,,n=I\xc2\xadX,r=x", "IX"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct sasl_conf conf = {.mechanism = SASL_SCRAM, .nonce = SPAN(NONCE)};
        struct sasl *s = sasl_new(&conf, span_str(good[i].first));
        struct sasl_step step = sasl_next(s);
        assert_int_equal(step.kind, SASL_FIND);
        assert_true(span_eq(step.name, span_str(good[i].name)));
        sasl_free(s);
    }
}

// A client's side of -PLUS, as RFC 5802 §3 has it.
static void put_final(struct buf *out, const char *bare, struct span server, struct span bound)
{
    CLEANUP(buf_free) struct buf without = BUF(1000), message = BUF(2000), salt = BUF(100);
    assert_true(code_get_base64(&salt, SPAN("W22ZaJ0SNY7soEsUEjb6gQ==")));
    struct crypto_digest salted = crypto_pbkdf2(SPAN("pencil"), buf_span(&salt), 4096);
    struct crypto_digest key = crypto_hmac_sha256(SPAN_OF(salted.at), SPAN("Client Key"));
    struct crypto_digest stored = crypto_sha256(SPAN_OF(key.at));
    struct span rest = server, nonce = span_cut(&rest, ',');
    buf_put(&without, SPAN("c="));
    code_put_base64(&without, bound);
    buf_printf(&without, ",%.*s", SPAN_FMT(nonce));
    buf_printf(&message, "%s,%.*s,%s", bare, SPAN_FMT(server), buf_str(&without));
    struct crypto_digest mask = crypto_hmac_sha256(SPAN_OF(stored.at), buf_span(&message));
    for (size_t i = 0; i < sizeof key.at; i++)
        key.at[i] ^= mask.at[i];
    buf_printf(out, "%s,p=", buf_str(&without));
    code_put_base64(out, SPAN_OF(key.at));
}

static void plus(void **state)
{
    (void)state;
    static const struct {
        const char *name, *header, *bound;
        const char *why;
    } all[] = {
        {"exporter", "p=tls-exporter,,", "p=tls-exporter,,EXPORTED", NULL},
        {"end point", "p=tls-server-end-point,,", "p=tls-server-end-point,,CERTIFIED", NULL},
        {"another channel", "p=tls-exporter,,", "p=tls-exporter,,EXPORTER",
         "bound to another channel than this one"},
        {"another kind in the end", "p=tls-exporter,,", "p=tls-server-end-point,,CERTIFIED",
         "bound to another channel than this one"},
        {"unknown kind", "p=tls-unique,,", NULL, "a channel binding of another kind"},
        {"no kind", "p=,,", NULL, "a channel binding of another kind"},
        {"not bound", "n,,", NULL, "-PLUS without a channel binding"},
        {"says that we cannot", "y,,", NULL, "-PLUS without a channel binding"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct sasl_conf conf = {.mechanism = SASL_SCRAM_PLUS,
                                       .nonce = SPAN(NONCE),
                                       .exporter = SPAN("EXPORTED"),
                                       .end_point = SPAN("CERTIFIED"),
                                       .plus_offered = true};
        CLEANUP(buf_free) struct buf first = BUF(1000), final = BUF(1000);
        struct sasl *s;
        buf_printf(&first, "%sn=user,r=abc", all[i].header);
        struct sasl_step step = begin(&s, &conf, buf_span(&first), true);
        if (step.kind == SASL_CHALLENGE) {
            put_final(&final, "n=user,r=abc", step.bytes, span_str(all[i].bound));
            sasl_feed(s, buf_span(&final));
            step = sasl_next(s);
        }
        if (step.kind == SASL_CHALLENGE) {
            sasl_feed(s, SPAN(""));
            step = sasl_next(s);
        }
        if (all[i].why ? !span_eq(step.bytes, span_str(all[i].why)) : step.kind != SASL_SUCCESS)
            fail_msg("%s: %.*s", all[i].name, SPAN_FMT(step.bytes));
        sasl_free(s);
    }
}

static void decoys(void **state)
{
    (void)state;
    struct crypto_scram a, b, c, d;
    sasl_decoy(&a, SPAN("secret"), SPAN("tim"));
    sasl_decoy(&b, SPAN("secret"), SPAN("tim"));
    sasl_decoy(&c, SPAN("secret"), SPAN("tom"));
    sasl_decoy(&d, SPAN("other"), SPAN("tim"));
    assert_int_equal(a.iterations, CRYPTO_SCRAM_ITERATIONS);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.salt, c.salt, a.salt_len);
    assert_memory_not_equal(a.salt, d.salt, a.salt_len);
}

static void mechanisms(void **state)
{
    (void)state;
    enum sasl_mechanism m;
    for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
        assert_true(sasl_mechanism_find(&m, span_str(sasl_mechanism_name((enum sasl_mechanism)i))));
        assert_int_equal(m, i);
    }
    assert_true(sasl_mechanism_find(&m, SPAN("plain")));
    assert_false(sasl_mechanism_find(&m, SPAN("CRAM-MD5")));
    assert_false(sasl_mechanism_find(&m, SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_login), cmocka_unit_test(login_words),
        cmocka_unit_test(rfc_7677),        cmocka_unit_test(scram_refused),
        cmocka_unit_test(names),           cmocka_unit_test(plus),
        cmocka_unit_test(decoys),          cmocka_unit_test(mechanisms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
