// The DKIM verifier: what each fault of signature, key and message leads to.
#include "base_code.h"
#include "dkim_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char mail[] = "From: a@example.org\r\nTo: b@example.net\r\nSubject: Hi\r\n"
                           "Date: Sun, 22 Nov 2026 01:58:26 +0000\r\n\r\nHello,\r\n\r\nthere.\r\n";
static const struct auth_sign_options sign_now = {.now = {SECONDS(1000000)}};
static const struct auth_dkim_options now = {.now = {SECONDS(1000100)}};

// One signature: its verdict in words.
static void verdict_is(const char *name, struct zone *z, const struct auth_dkim_options *o,
                       struct span message, enum auth_result result, const char *reason)
{
    CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, o, message, 0, 0);
    assert_int_equal(auth_dkim_count(d), 1);
    const struct auth_dkim_result *r = auth_dkim_result(d, 0);
    if (r->result != result || strcmp(r->reason ? r->reason : "", reason ? reason : "") != 0)
        fail_msg("%s: %s, %s", name, auth_result_text(r->result), r->reason ? r->reason : "-");
    assert_int_equal(auth_dkim_overall(d), result);
}

// Records for the RSA key: "$" stands for its p=.
static const struct {
    const char *record;
    enum auth_result result;
    const char *reason;
} records[] = {
    {"v=DKIM1; p=$", AUTH_PASS, NULL},
    {"p=$", AUTH_PASS, NULL},
    {"p=$;", AUTH_PASS, NULL},
    {"v=DKIM1;k=RSA;h=sha1:sha256:x;s=*;n=notes;x=y;p=$;", AUTH_PASS, NULL},
    {"v=DKIM1; s=tlsrpt : email; t=y:s; p=$", AUTH_PASS, NULL},
    {"v=DKIM1; g=; p=$", AUTH_PASS, NULL},
    {"v=DKIM1; h=sha1; p=$", AUTH_PERMERROR, "the key is not for SHA-256"},
    {"v=DKIM1; s=other; p=$", AUTH_PERMERROR, "the key is not for this service"},
    {"v=DKIM1; s=email; p=$", AUTH_PASS, NULL},
    {"v=DKIM1; s=tlsrpt; p=$", AUTH_POLICY, AUTH_DKIM_TLSRPT_ONLY},
    {"v=DKIM1; s=tlsrpt; p=", AUTH_PERMERROR, "the key is revoked"},
    {"v=DKIM1; s=tlsrpt; k=ed25519; p=$", AUTH_PERMERROR, "p= is no key of its type"},
    {"v=DKIM1; k=ed25519; p=$", AUTH_PERMERROR, "p= is no key of its type"},
    {"v=DKIM1; k=dsa; p=$", AUTH_PERMERROR, "unknown key type"},
    {"v=DKIM2; p=$", AUTH_PERMERROR, "the record is no DKIM key"},
    {"v=dkim1; p=$", AUTH_PERMERROR, "the record is no DKIM key"},
    {"p=$; v=DKIM1", AUTH_PERMERROR, "the record is no DKIM key"},
    {"v=spf1 -all", AUTH_PERMERROR, "the record is no DKIM key"},
    {"v=DKIM1; p=", AUTH_PERMERROR, "the key is revoked"},
    {"v=DKIM1; p= ;", AUTH_PERMERROR, "the key is revoked"},
    {"v=DKIM1; k=rsa", AUTH_PERMERROR, "the key record has no p="},
    {"v=DKIM1; p=$; p=$", AUTH_PERMERROR, "the key record is no list of tags"},
    {"v=DKIM1; ; p=$", AUTH_PERMERROR, "the key record is no list of tags"},
    {"nonsense", AUTH_PERMERROR, "the key record is no list of tags"},
    {"v=DKIM1; p=!$", AUTH_PERMERROR, "p= is no base64"},
    {"v=DKIM1; p=AAAA", AUTH_PERMERROR, "p= is no key of its type"},
    {"v=DKIM1; p=MCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=", AUTH_PERMERROR,
     "p= is no key of its type"},
    {"!timeout", AUTH_TEMPERROR, "the key could not be looked up"},
    {"!servfail", AUTH_TEMPERROR, "the key could not be looked up"},
    {"!bogus", AUTH_TEMPERROR, "the key's DNS answer is bogus"},
    {"!nodata", AUTH_PERMERROR, "there is no key"},
    {"!empty", AUTH_PERMERROR, "the key record cannot be read"},
};

static struct span filled(const char *record, struct span p, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(8192);
    for (; *record; record++)
        buf_put(&b, *record == '$' ? p : (struct span){record, 1});
    return arena_dup(a, buf_span(&b));
}

static const char *const one_rsa[] = {help_rsa_2048};

static void each_key_record(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct span signed_mail = help_sign(&sign_now, span_str(mail), &a, 1, one_rsa);
    struct span p = help_record(help_rsa_2048, &a);
    p = span_skip(p, sizeof "v=DKIM1; k=rsa; p=" - 1);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        CLEANUP(zone_free) struct zone *z = zone_new(NULL);
        assert_true(zone_add(z, SPAN("s0._domainkey.example.org"), SPAN("TXT"),
                             filled(records[i].record, p, &a)));
        verdict_is(records[i].record, z, &now, signed_mail, records[i].result, records[i].reason);
    }
    CLEANUP(zone_free) struct zone *none = zone_new(NULL);
    verdict_is("no name", none, &now, signed_mail, AUTH_PERMERROR, "there is no key");
}

#define SIGNED "v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; " BH
#define BH     "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static const struct {
    const char *value, *fault;
} signatures[] = {
    {SIGNED, NULL},
    {"  " SIGNED " ; ", NULL},
    {SIGNED "; i=@example.org", NULL},
    {SIGNED "; i=x=20y@a.b.example.org", NULL},
    {SIGNED "; i=\"a @ b\"@example.org", NULL},
    {SIGNED "; c=relaxed; q=dns/txt; t=1; x=2; l=0; z=From:x; unknown=1", NULL},
    {SIGNED "; l=99999999999999999999999999999999", NULL},
    {"v=1; a=ed25519-sha256; d=ex\r\n ample.org; s=s; h=from; b=YQ==; " BH, "d= is no domain name"},
    {"v=1; a=RSA-SHA256; d=EXAMPLE.org; s=a.b; h=To : From; b=Y\r\n Q = =; " BH, NULL},
    {"v=1; a=rsa-sha256; d=b\xc3\xbc"
     "cher.example; s=\xc3\xbc; h=from; b=YQ==; " BH,
     NULL},
    {SIGNED "; i=\xc3\xbc@example.org", NULL},
    {SIGNED "; l=", "l= is no number"},
    {SIGNED "; l=-1", "l= is no number"},
    {SIGNED "; t=1a", "t= is no time"},
    {SIGNED "; x=", "x= is no time"},
    {SIGNED "; t=2; x=2", "x= is not after t="},
    {SIGNED "; q=dns/other", "unknown query method"},
    {SIGNED "; c=relaxed/none", "unknown canonicalization"},
    {SIGNED "; c=", "unknown canonicalization"},
    {SIGNED "; c=relaxed/", "unknown canonicalization"},
    {SIGNED "; i=@ample.org", "i= is not within d="},
    {SIGNED "; i=@xexample.org", "i= is not within d="},
    {SIGNED "; i=@org", "i= is not within d="},
    {SIGNED "; i=example.org", "i= is no identity"},
    {SIGNED "; i=a=4@example.org", "i= is no identity"},
    {SIGNED "; i=", "i= is no identity"},
    {SIGNED "; v=1", "the signature is no list of tags"},
    {SIGNED ";;", "the signature is no list of tags"},
    {"", "the signature is no list of tags"},
    {SIGNED "; \x01=1", "the signature is no list of tags"},
    {SIGNED "; n=\xff", "the signature is no list of tags"},
    {SIGNED "; 1=1", "the signature is no list of tags"},
    {"a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; " BH, "v= is missing"},
    {"v=2; a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; " BH, "version is not 1"},
    {"v=1; d=example.org; s=s; h=from; b=YQ==; " BH, "a= is missing"},
    {"v=1; a=rsa-sha1; d=example.org; s=s; h=from; b=YQ==; " BH, "rsa-sha1 is historic"},
    {"v=1; a=rsa-md5; d=example.org; s=s; h=from; b=YQ==; " BH, "unknown algorithm"},
    {"v=1; a=rsa-sha256; s=s; h=from; b=YQ==; " BH, "d= is missing"},
    {"v=1; a=rsa-sha256; d=org; s=s; h=from; b=YQ==; " BH, "d= is no domain name"},
    {"v=1; a=rsa-sha256; d=a..org; s=s; h=from; b=YQ==; " BH, "d= is no domain name"},
    {"v=1; a=rsa-sha256; d=example.org.; s=s; h=from; b=YQ==; " BH, "d= is no domain name"},
    {"v=1; a=rsa-sha256; d=; s=s; h=from; b=YQ==; " BH, "d= is no domain name"},
    {"v=1; a=rsa-sha256; d=example.org; h=from; b=YQ==; " BH, "s= is missing"},
    {"v=1; a=rsa-sha256; d=example.org; s=; h=from; b=YQ==; " BH, "s= is no selector"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; b=YQ==; " BH, "h= is missing"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=to; b=YQ==; " BH, "h= does not name From"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=; b=YQ==; " BH, "h= is no list of header fields"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from::to; b=YQ==; " BH,
     "h= is no list of header fields"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=; " BH, "b= is empty"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=YQ; " BH, "b= is no base64"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=YR==; " BH, "b= is no base64"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; " BH, "b= is missing"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==", "bh= is missing"},
    {"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; bh=YQ==", "bh= is no SHA-256 hash"},
};

static void each_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
        struct auth_dkim_signature s;
        const char *fault =
            auth_dkim_signature_read(&s, span_str(signatures[i].value), AUTH_DKIM_SIGNATURE, &a);
        const char *expected = signatures[i].fault;
        if (strcmp(fault ? fault : "", expected ? expected : "") != 0)
            fail_msg("%s: %s", signatures[i].value, fault ? fault : "no fault");
    }
}

static void signature_values(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
    struct auth_dkim_signature s;
    struct span v = SPAN("v=1; a=ed25519-sha256; c=simple/relaxed; d=Example.ORG; s=x.y; t=5; "
                         "x=7; l=12; h=From:To; i=a=3Db@sub.example.org; b= YWI= ; " BH);
    assert_null(auth_dkim_signature_read(&s, v, AUTH_DKIM_SIGNATURE, &a));
    assert_int_equal(s.algorithm, CRYPTO_ED25519_SHA256);
    assert_string_equal(s.domain.text, "example.org");
    assert_string_equal(s.selector.text, "x.y");
    assert_string_equal(s.identity_domain.text, "sub.example.org");
    assert_true(span_eq(s.identity, SPAN("a=b@sub.example.org")));
    assert_true(span_eq(s.signature, SPAN("ab")));
    assert_true(span_eq(s.b_text, SPAN(" YWI= ")));
    assert_true(s.header == AUTH_CANON_SIMPLE && s.body == AUTH_CANON_RELAXED);
    assert_true(s.limited && s.length == 12 && s.timed && s.time == 5 && s.expiry == 7);
}

static void too_many_names(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    struct auth_dkim_signature s;
    buf_put(&b, SPAN("v=1; a=rsa-sha256; d=example.org; s=s; b=YQ==; " BH "; h=from"));
    for (int i = 0; i < AUTH_DKIM_NAMES_MAX; i++)
        buf_put(&b, SPAN(":to"));
    assert_string_equal(auth_dkim_signature_read(&s, buf_span(&b), AUTH_DKIM_SIGNATURE, &a),
                        "too many names in h=");
}

// ARC-Message-Signature: no v=, and i= counts (RFC 8617 §4.1.2).
static void arc_form(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(64 << 10);
    struct auth_dkim_signature s;
    struct span rest = SPAN("a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; i=3; " BH);
    assert_null(auth_dkim_signature_read(&s, rest, AUTH_ARC_SIGNATURE, &a));
    assert_int_equal(s.instance, 3);
    rest = SPAN("a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; i=51; " BH);
    assert_non_null(auth_dkim_signature_read(&s, rest, AUTH_ARC_SIGNATURE, &a));
    rest = SPAN("a=rsa-sha256; d=example.org; s=s; h=from; b=YQ==; " BH);
    assert_string_equal(auth_dkim_signature_read(&s, rest, AUTH_ARC_SIGNATURE, &a),
                        "i= is missing");
}

// What is done to a signed message, and what becomes of it.
static const struct {
    const char *name, *find, *replace;
    enum auth_result result;
    const char *reason;
} changes[] = {
    {"nothing", "", "", AUTH_PASS, NULL},
    {"body", "there.", "There.", AUTH_FAIL, "the body hash does not match"},
    {"subject", "Subject: Hi", "Subject: Ho", AUTH_FAIL, "the signature does not match"},
    {"subject's case", "Subject: Hi", "SUBJECT:  Hi ", AUTH_PASS, NULL},
    {"subject gone", "Subject: Hi\r\n", "", AUTH_FAIL, "the signature does not match"},
    {"unsigned field", "To: b", "X-New: y\r\nTo: b", AUTH_PASS, NULL},
    {"another subject", "To: b", "Subject: x\r\nTo: b", AUTH_FAIL, "the signature does not match"},
    {"another From", "To: b", "From: x@example.com\r\nTo: b", AUTH_FAIL,
     "the signature does not match"},
    {"blank lines at the end", "there.\r\n", "there. \r\n\r\n \r\n", AUTH_PASS, NULL},
    {"text at the end", "there.\r\n", "there.\r\nmore\r\n", AUTH_FAIL,
     "the body hash does not match"},
    {"between header and body", "+0000\r\n\r\n", "+0000\r\n\r\nx\r\n", AUTH_FAIL,
     "the body hash does not match"},
    {"a line that is no field", "To: b", "what\r\nTo: b", AUTH_PERMERROR,
     "a header line is no field"},
    {"no separator", "\r\n\r\nHello", "\r\nHello", AUTH_PERMERROR, "a header line is no field"},
    {"other selector", " s=s0;", " s=s1;", AUTH_PERMERROR, "there is no key"},
    {"other domain", "d=example.org", "d=example.com", AUTH_PERMERROR, "there is no key"},
    {"other time", "t=1000000", "t=1000001", AUTH_FAIL, "the signature does not match"},
    {"tag added", "v=1;", "v=1; x=1000001000;", AUTH_FAIL, "the signature does not match"},
    {"historic", "rsa-sha256", "rsa-sha1", AUTH_PERMERROR, "rsa-sha1 is historic"},
    {"other algorithm", "a=rsa-sha256", "a=ed25519-sha256", AUTH_PERMERROR,
     "the key is of another type"},
    {"short b=", "b=", "b=YQ==; bx=", AUTH_FAIL, "the signature does not match"},
    {"l= beyond the body", "v=1;", "v=1; l=1000;", AUTH_PERMERROR, "l= is larger than the body"},
};

static struct span changed(struct span s, const char *find, const char *replace, struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(64 << 10);
    const char *at = memmem(s.at, s.len, find, strlen(find));
    assert_non_null(at);
    buf_put(&b, span_first(s, (size_t)(at - s.at)));
    buf_put(&b, span_str(replace));
    buf_put(&b, span_skip(s, (size_t)(at - s.at) + strlen(find)));
    return arena_dup(a, buf_span(&b));
}

static void each_change(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, one_rsa);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 1, one_rsa);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        verdict_is(changes[i].name, z, &now, changed(s, changes[i].find, changes[i].replace, &a),
                   changes[i].result, changes[i].reason);
}

static const char *const one_ed[] = {help_ed25519};

// Relaxed, the case of a field's name is no part of what is signed.
static bool is_case_of_name(struct span s, size_t i, int bit)
{
    size_t header = (size_t)((const char *)memmem(s.at, s.len, "\r\n\r\n", 4) - s.at), line = i;
    bool letter = (s.at[i] | 32) >= 'a' && (s.at[i] | 32) <= 'z';
    while (line > 0 && s.at[line - 1] != '\n')
        line--;
    return bit == 5 && letter && i < header && s.at[line] != '\t' && s.at[line] != ' ' &&
           i < line + span_index(span_skip(s, line), ':');
}

static bool is_blank(char c)
{
    return span_index(SPAN(" \t\r\n"), c) < 4;
}

static size_t place_of(struct span s, struct span what)
{
    size_t i = 0;
    while (i < s.len && !span_starts(span_skip(s, i), what))
        i++;
    return i;
}

// Within the signature itself, b=, which stands last: unsigned.
static bool is_blank_of_signature(struct span s, size_t i, int bit)
{
    size_t end = place_of(s, SPAN("\r\nFrom:")), begin = place_of(s, SPAN("\tb="));
    return i > begin && i < end && is_blank(s.at[i]) && is_blank((char)(s.at[i] ^ 1 << bit));
}

static void flip_each_bit(struct zone *z, struct span s, bool relaxed)
{
    char *bytes = (char *)(uintptr_t)s.at;
    for (size_t i = 0; i < s.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            bool harmless = relaxed && is_case_of_name(s, i, bit);
            if (is_blank_of_signature(s, i, bit))
                continue;
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
            CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &now, s, 0, 0);
            if ((auth_dkim_overall(d) == AUTH_PASS) != harmless)
                fail_msg("byte %zu, bit %d: %s", i, bit, auth_result_text(auth_dkim_overall(d)));
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
        }
}

// Every bit of a message that is signed as a whole counts, of the signature's
// field too: a harmless change is told from a harmful one exactly.
static void no_bit_can_be_changed(void **state)
{
    (void)state;
    const enum auth_canon simple = AUTH_CANON_SIMPLE, relaxed = AUTH_CANON_RELAXED;
    const enum auth_canon forms[][2] = {
        {relaxed, relaxed}, {relaxed, simple}, {simple, relaxed}, {simple, simple}};
    static const char *const *const keys[] = {one_rsa, one_ed};
    for (size_t i = 0; i < 8; i++) {
        CLEANUP(zone_free) struct zone *z = help_zone(1, keys[i % 2]);
        CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
        struct auth_sign_options o = sign_now;
        o.header = forms[i / 2][0];
        o.body = forms[i / 2][1];
        struct span s = help_sign(&o, span_str(mail), &a, 1, keys[i % 2]);
        flip_each_bit(z, s, o.header == relaxed);
        verdict_is("unchanged", z, &now, s, AUTH_PASS, NULL);
    }
}

static const char *const three[] = {help_rsa_2048, help_ed25519, help_rsa_1024};

static void any_chunks_and_any_order_of_answers(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(3, three);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 3, three);
    for (unsigned size = 1; size <= 64; size++) {
        CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &now, s, size, size);
        assert_int_equal(auth_dkim_count(d), 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(auth_dkim_result(d, i)->result, AUTH_PASS);
        assert_int_equal(auth_dkim_result(d, 0)->key_bits, 2048);
        assert_int_equal(auth_dkim_result(d, 1)->key_bits, 256);
        assert_true(auth_dkim_result(d, 2)->weak_key);
        assert_string_equal(auth_dkim_result(d, 2)->reason, "RSA key below 2048 bits");
        assert_false(auth_dkim_result(d, 0)->weak_key || auth_dkim_result(d, 1)->weak_key);
        assert_string_equal(auth_dkim_result(d, 1)->algorithm, "ed25519-sha256");
    }
}

static void a_short_key_is_policy(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    static const char *const weak[] = {help_rsa_1024};
    CLEANUP(zone_free) struct zone *z = help_zone(1, weak);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 1, weak);
    struct auth_dkim_options o = now;
    o.rsa_bits_min = 1025;
    verdict_is("1025", z, &o, s, AUTH_POLICY, "the key is too short");
    verdict_is("and wrong", z, &o, changed(s, "Hello", "Hallo", &a), AUTH_FAIL,
               "the body hash does not match");
}

static void expiry(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, one_ed);
    struct auth_sign_options o = sign_now;
    o.lifetime = SECONDS(100);
    struct span s = help_sign(&o, span_str(mail), &a, 1, one_ed);
    struct auth_dkim_options at = now;
    verdict_is("in time", z, &at, s, AUTH_PASS, NULL);
    at.now.us += SECONDS(1);
    verdict_is("late", z, &at, s, AUTH_POLICY, "the signature has expired");
    at.skew = SECONDS(5);
    verdict_is("within the skew", z, &at, s, AUTH_PASS, NULL);
}

// RFC 6376 §3.6.1 t=s.
static void strict_identity(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = zone_new(NULL);
    CLEANUP(buf_free) struct buf b = BUF(4096);
    struct auth_sign_key key = {CRYPTO_ED25519_SHA256, .identity = "@sub.example.org"};
    struct auth_sign_options o = {.now = sign_now.now, .keys = &key, .count = 1};
    assert_true(dns_name_parse(&key.domain, SPAN("example.org")));
    assert_true(dns_name_parse(&key.selector, SPAN("s0")));
    struct span s = help_sign(&o, span_str(mail), &a, 1, one_ed);
    CLEANUP(zone_free) struct zone *loose = help_zone(1, one_ed);
    verdict_is("without", loose, &now, s, AUTH_PASS, NULL);
    buf_put(&b, help_record(help_ed25519, &a));
    buf_put(&b, SPAN("; t=s"));
    assert_true(zone_add(z, SPAN("s0._domainkey.example.org"), SPAN("TXT"), buf_span(&b)));
    verdict_is("with", z, &now, s, AUTH_PERMERROR, "i= is below d=, which the key forbids");
}

static void several_records_at_one_name(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = zone_new(NULL);
    struct span name = SPAN("s0._domainkey.example.org");
    assert_true(zone_add(z, name, SPAN("TXT"), SPAN("v=spf1 -all")));
    assert_true(zone_add(z, name, SPAN("TXT"), help_record(help_rsa_1024, &a)));
    assert_true(zone_add(z, name, SPAN("TXT"), help_record(help_ed25519, &a)));
    assert_true(zone_add(z, name, SPAN("TXT"), help_record(help_rsa_2048, &a)));
    struct span s = help_sign(&sign_now, span_str(mail), &a, 1, one_rsa);
    verdict_is("the fourth", z, &now, s, AUTH_PASS, NULL);
}

static void signatures_beyond_the_limit(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(4 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(1, one_ed);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 1, one_ed);
    struct span field = span_first(s, s.len - strlen(mail));
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    for (int i = 0; i < 100; i++)
        buf_put(&b, field);
    buf_put(&b, span_str(mail));
    CLEANUP(help_dkim_free) struct auth_dkim *d = help_verify(z, &now, buf_span(&b), 0, 0);
    assert_int_equal(auth_dkim_count(d), AUTH_DKIM_RESULTS_MAX);
    for (size_t i = 0; i < AUTH_DKIM_RESULTS_MAX; i++) {
        const struct auth_dkim_result *r = auth_dkim_result(d, i);
        assert_int_equal(r->result, i < AUTH_DKIM_SIGNATURES_MAX ? AUTH_PASS : AUTH_POLICY);
        assert_int_equal(r->field, i);
    }
    assert_int_equal(zone_questions(z), 1); // one key, asked once
}

static void nothing_signed_is_none(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "", "\r\n", "From: a\r\n\r\nx", "From: a\r\n", "x", "no field\r\n\r\n"};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        CLEANUP(help_dkim_free)
        struct auth_dkim *d = help_verify(NULL, &now, span_str(messages[i]), 1, 0);
        assert_int_equal(auth_dkim_count(d), 0);
        assert_int_equal(auth_dkim_overall(d), AUTH_NONE);
    }
}

static void header_too_large_to_judge(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    buf_put(&b, SPAN("From: a@example.org\r\n"));
    for (int i = 0; i < 30000; i++)
        buf_put(&b, SPAN("X: 0123456789\r\n"));
    buf_put(&b, SPAN("\r\nbody\r\n"));
    verdict_is("400 KiB", NULL, &now, buf_span(&b), AUTH_PERMERROR, "the header is too large");
}

static void more_fields_than_anyone_has(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    for (int i = 0; i < 1025; i++)
        buf_put(&b, SPAN("X:\r\n"));
    buf_put(&b, SPAN("DKIM-Signature: x\r\n\r\n"));
    verdict_is("1025", NULL, &now, buf_span(&b), AUTH_PERMERROR, "too many header fields");
}

// Questions are asked before the body has come; its end is waited for.
static void asks_early_and_waits(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    CLEANUP(zone_free) struct zone *z = help_zone(3, three);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 3, three);
    size_t head = (size_t)((const char *)memmem(s.at, s.len, "\r\n\r\n", 4) - s.at) + 4;
    CLEANUP(help_dkim_free) struct auth_dkim *d = auth_dkim_new(&now);
    auth_dkim_feed(d, span_first(s, head - 1));
    assert_int_equal(auth_dkim_next(d).kind, AUTH_WAIT);
    auth_dkim_feed(d, span_first(span_skip(s, head - 1), 1));
    struct auth_step step[3];
    for (int i = 0; i < 3; i++) {
        step[i] = auth_dkim_next(d);
        assert_int_equal(step[i].kind, AUTH_ASK_DNS);
        assert_int_equal(step[i].question.type, DNS_TXT);
    }
    assert_string_equal(step[1].question.name.text, "s1._domainkey.example.org");
    assert_int_equal(auth_dkim_next(d).kind, AUTH_WAIT);
    for (int i = 2; i >= 0; i--) {
        struct dns_answer got = zone_answer(z, &step[i].question, &a);
        auth_dkim_answer(d, step[i].ticket, &got);
        auth_dkim_answer(d, step[i].ticket, &got); // twice changes nothing
        auth_dkim_answer(d, 77, &got);             // nor does a ticket that is none
    }
    assert_int_equal(auth_dkim_next(d).kind, AUTH_WAIT);
    assert_int_equal(auth_dkim_count(d), 0);
    auth_dkim_feed(d, span_skip(s, head));
    auth_dkim_end(d);
    auth_dkim_end(d);
    assert_int_equal(auth_dkim_next(d).kind, AUTH_DONE);
    assert_int_equal(auth_dkim_next(d).kind, AUTH_DONE);
    assert_int_equal(auth_dkim_count(d), 3);
    assert_int_equal(auth_dkim_overall(d), AUTH_PASS);
}

static void freed_at_any_time(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct span s = help_sign(&sign_now, span_str(mail), &a, 3, three);
    for (size_t n = 0; n < s.len; n += 50) {
        CLEANUP(help_dkim_free) struct auth_dkim *d = auth_dkim_new(&now);
        auth_dkim_feed(d, span_first(s, n));
        (void)auth_dkim_next(d);
    }
    auth_dkim_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_record),
        cmocka_unit_test(each_signature),
        cmocka_unit_test(signature_values),
        cmocka_unit_test(too_many_names),
        cmocka_unit_test(arc_form),
        cmocka_unit_test(each_change),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(any_chunks_and_any_order_of_answers),
        cmocka_unit_test(a_short_key_is_policy),
        cmocka_unit_test(expiry),
        cmocka_unit_test(strict_identity),
        cmocka_unit_test(several_records_at_one_name),
        cmocka_unit_test(signatures_beyond_the_limit),
        cmocka_unit_test(nothing_signed_is_none),
        cmocka_unit_test(header_too_large_to_judge),
        cmocka_unit_test(more_fields_than_anyone_has),
        cmocka_unit_test(asks_early_and_waits),
        cmocka_unit_test(freed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
