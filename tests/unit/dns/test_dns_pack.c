#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dns_answer.h"

static struct dns_name name(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_parse(&n, span_str(text)));
    return n;
}

static struct dns_record records[3];

static struct dns_answer sample(void)
{
    records[0] = (struct dns_record){.preference = 7, .name = name("mx.example"), .data = SPAN("")};
    records[1] =
        (struct dns_record){.usage = 3, .selector = 1, .matching = 1, .data = SPAN("a\0b")};
    records[2] = (struct dns_record){.short_rdata = true, .address = {true, "\x20\x01"}};
    return (struct dns_answer){.standing = DNS_SECURE,
                               .presence = DNS_DATA,
                               .ttl = 300,
                               .aliased = true,
                               .expanded = name("b.example"),
                               .why = SPAN(""),
                               .count = 3,
                               .records = records};
}

static void answers_come_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 16), again = BUF(1 << 16);
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer in = sample(), out;
    dns_answer_pack(&b, &in);
    struct rd r = RD(buf_span(&b));
    assert_true(dns_answer_unpack(&r, &out, &a));
    assert_true(rd_end(&r));
    assert_int_equal(out.count, 3);
    assert_true(span_eq(out.records[1].data, SPAN("a\0b")));
    assert_true(out.records[2].address.v6 && out.records[2].short_rdata);
    assert_string_equal(out.expanded.text, "b.example");
    dns_answer_pack(&again, &out);
    assert_true(span_eq(buf_span(&b), buf_span(&again)));
}

static void cut_answers(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    struct dns_answer in = sample(), out;
    dns_answer_pack(&b, &in);
    for (size_t n = 0; n < b.len; n++) {
        CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
        struct rd r = RD(span_first(buf_span(&b), n));
        assert_false(dns_answer_unpack(&r, &out, &a));
        assert_true(r.bad);
    }
}

static bool taken(const struct dns_answer *in)
{
    CLEANUP(buf_free) struct buf b = BUF(1 << 16);
    CLEANUP(arena_free) struct arena a = ARENA(DNS_ANSWER_ARENA);
    struct dns_answer out;
    dns_answer_pack(&b, in);
    struct rd r = RD(buf_span(&b));
    return dns_answer_unpack(&r, &out, &a);
}

static void standing_and_presence_agree(void **state)
{
    (void)state;
    for (int s = 0; s < DNS_STANDINGS; s++) {
        for (int p = 0; p < DNS_PRESENCES; p++) {
            struct dns_answer in = {.standing = (enum dns_standing)s,
                                    .presence = (enum dns_presence)p};
            bool silent = s == DNS_BOGUS || s == DNS_INDETERMINATE;
            assert_int_equal(taken(&in), silent == (p == DNS_NO_ANSWER));
        }
    }
}

static void records_only_with_data(void **state)
{
    (void)state;
    struct dns_answer in = sample();
    assert_true(taken(&in));
    in.presence = DNS_NODATA;
    assert_false(taken(&in));
    in.presence = DNS_NO_ANSWER;
    in.standing = DNS_BOGUS;
    assert_false(taken(&in));
}

static void forged_fields(void **state)
{
    (void)state;
    struct dns_answer in = sample();
    in.rcode = 4096;
    assert_false(taken(&in));
    in = sample();
    records[0].address.at[9] = 1; // an IPv4 address with a tail
    assert_false(taken(&in));
    in = sample();
    records[0].name = (struct dns_name){3, "A.b"}; // not as a dns_name is
    assert_false(taken(&in));
    records[0].name = (struct dns_name){1, "."};
    assert_false(taken(&in));
    records[0].name = (struct dns_name){3, "a\0b"};
    assert_false(taken(&in));
}

static void count_beyond_message(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct dns_answer in = {.standing = DNS_SECURE, .presence = DNS_DATA}, out;
    dns_answer_pack(&b, &in);
    b.at[b.len - 2] = 1; // 256 records that are not there
    struct rd r = RD(buf_span(&b));
    assert_false(dns_answer_unpack(&r, &out, &a));
    assert_true(a.used < 4096);
}

static void questions_come_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct dns_question in = {.name = name("_25._tcp.mx.example"), .type = DNS_TLSA}, out;
    dns_question_pack(&b, &in);
    struct rd r = RD(buf_span(&b));
    assert_true(dns_question_unpack(&r, &out));
    assert_true(rd_end(&r));
    assert_true(dns_name_eq(&in.name, &out.name));
    assert_int_equal(out.type, DNS_TLSA);
    b.at[b.len - 1] = 99;
    r = RD(buf_span(&b));
    assert_false(dns_question_unpack(&r, &out));
}

static void addresses_come_back(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf b = BUF(1000);
    struct dns_address in, out;
    assert_true(dns_address_parse(&in, SPAN("192.0.2.1")));
    dns_address_pack(&b, &in);
    struct rd r = RD(buf_span(&b));
    assert_true(dns_address_unpack(&r, &out) && rd_end(&r));
    assert_true(dns_address_eq(&in, &out));
    r = RD(span_first(buf_span(&b), 5));
    assert_false(dns_address_unpack(&r, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_back),
        cmocka_unit_test(cut_answers),
        cmocka_unit_test(standing_and_presence_agree),
        cmocka_unit_test(records_only_with_data),
        cmocka_unit_test(forged_fields),
        cmocka_unit_test(count_beyond_message),
        cmocka_unit_test(questions_come_back),
        cmocka_unit_test(addresses_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
