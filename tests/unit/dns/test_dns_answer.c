#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "dns_answer.h"

// A packet under construction: the header is written by seal().
struct packet {
    struct buf b;
    unsigned answers;
};

static struct packet begin(void)
{
    struct packet p = {.b = BUF(1 << 17)};
    for (size_t i = 0; i < 12; i++)
        buf_putc(&p.b, '\0');
    return p;
}

static void put_name(struct buf *b, const char *text)
{
    struct span rest = span_str(text);
    while (rest.at && rest.len > 0) {
        struct span label = span_cut(&rest, '.');
        wr_u8(b, (uint8_t)label.len);
        buf_put(b, label);
    }
    wr_u8(b, 0);
}

static void put_rr(struct packet *p, const char *owner, unsigned type, unsigned class, uint32_t ttl,
                   struct span data)
{
    put_name(&p->b, owner);
    wr_u16(&p->b, (uint16_t)type);
    wr_u16(&p->b, (uint16_t) class);
    wr_u32(&p->b, ttl);
    wr_u16(&p->b, (uint16_t)data.len);
    buf_put(&p->b, data);
    p->answers++;
}

static void put_named(struct packet *p, const char *owner, unsigned type, uint32_t ttl,
                      const char *target)
{
    CLEANUP(buf_free) struct buf b = BUF(300);
    if (type == DNS_MX)
        wr_u16(&b, 10);
    put_name(&b, target);
    put_rr(p, owner, type, 1, ttl, buf_span(&b));
}

static struct span seal(struct packet *p)
{
    p->b.at[6] = (char)(p->answers >> 8);
    p->b.at[7] = (char)p->answers;
    assert_true(rc_ok(buf_state(&p->b)));
    return buf_span(&p->b);
}

struct fixture {
    struct packet p;
    struct arena a;
    struct dns_question q;
    struct dns_verdict v;
    struct dns_answer out;
};

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->p = begin();
    f->a = ARENA(DNS_ANSWER_ARENA);
    f->q.type = DNS_A;
    f->v = (struct dns_verdict){.secure = true, .ttl = 77};
    assert_true(dns_name_parse(&f->q.name, SPAN("www.example")));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_free(&f->p.b);
    arena_free(&f->a);
    free(f);
    return 0;
}

static void read_it(struct fixture *f)
{
    f->v.packet = seal(&f->p);
    dns_answer_read(&f->out, &f->q, &f->v, &f->a);
}

static void expect_indeterminate(const struct fixture *f)
{
    assert_int_equal(f->out.standing, DNS_INDETERMINATE);
    assert_int_equal(f->out.presence, DNS_NO_ANSWER);
    assert_int_equal(f->out.count, 0);
    assert_int_equal(f->out.ttl, 0);
    assert_false(f->out.aliased);
    assert_true(dns_name_eq(&f->out.expanded, &f->q.name));
    assert_true(f->out.why.len > 0);
}

#define IP "\300\0\2\1"

static void plain_address(void **state)
{
    struct fixture *f = *state;
    put_rr(&f->p, "WWW.Example", DNS_A, 1, 300, SPAN(IP)); // owner's case does not count
    put_rr(&f->p, "www.example", DNS_A, 1, 200, SPAN("\300\0\2\2"));
    put_rr(&f->p, "www.example", 46, 1, 10, SPAN("RRSIG, whatever it says"));
    put_rr(&f->p, "www.example", DNS_A, 3, 10, SPAN("\300\0\2\3")); // class CH
    put_rr(&f->p, "other.example", DNS_A, 1, 10, SPAN("\300\0\2\4"));
    read_it(f);
    assert_int_equal(f->out.standing, DNS_SECURE);
    assert_int_equal(f->out.presence, DNS_DATA);
    assert_int_equal(f->out.count, 2);
    assert_int_equal(f->out.ttl, 200);
    assert_false(f->out.aliased);
    assert_memory_equal(f->out.records[1].address.at, "\300\0\2\2", 4);
    assert_true(dns_name_eq(&f->out.expanded, &f->q.name));
}

static void six_and_wrong_lengths(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_AAAA;
    put_rr(&f->p, "www.example", DNS_AAAA, 1, 5, SPAN("0123456789abcdef"));
    put_rr(&f->p, "www.example", DNS_AAAA, 1, 5, SPAN("0123456789abcde"));
    put_rr(&f->p, "www.example", DNS_AAAA, 1, 5, SPAN(IP));
    put_rr(&f->p, "www.example", DNS_AAAA, 1, 5, SPAN(""));
    read_it(f);
    assert_int_equal(f->out.count, 1);
    assert_true(f->out.records[0].address.v6);
}

static void unreadable_is_not_absent(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_MX;
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0"));
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\12"));
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\12\3a b\0"));
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\12\1a\0tail"));
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\12\xff\xff"));
    read_it(f);
    assert_int_equal(f->out.presence, DNS_DATA);
    assert_int_equal(f->out.count, 0);
    assert_true(f->out.unread);
}

static void unreadable_beside_others_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_MX;
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\0\0"));
    read_it(f);
    assert_int_equal(f->out.count, 1);
    assert_false(f->out.unread);
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\12\3a b\0"));
    read_it(f);
    assert_int_equal(f->out.count, 1);
    assert_true(f->out.unread);
}

static void exchanges(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_MX;
    put_named(&f->p, "www.example", DNS_MX, 5, "MX1.example");
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\0\0\0")); // null MX
    put_rr(&f->p, "www.example", DNS_MX, 1, 5, SPAN("\1\2\3mx2\xc0\x0c"));
    read_it(f);
    assert_int_equal(f->out.count, 3);
    assert_string_equal(f->out.records[0].name.text, "mx1.example");
    assert_int_equal(f->out.records[0].preference, 10);
    assert_true(dns_name_is_root(&f->out.records[1].name));
    assert_string_equal(f->out.records[2].name.text, "mx2.www.example");
    assert_int_equal(f->out.records[2].preference, 258);
}

static void tlsa_of_any_length(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_TLSA;
    put_rr(&f->p, "www.example", DNS_TLSA, 1, 5, SPAN(""));
    put_rr(&f->p, "www.example", DNS_TLSA, 1, 5, SPAN("\3"));
    put_rr(&f->p, "www.example", DNS_TLSA, 1, 5, SPAN("\3\1"));
    put_rr(&f->p, "www.example", DNS_TLSA, 1, 5, SPAN("\3\1\1"));
    put_rr(&f->p, "www.example", DNS_TLSA, 1, 5, SPAN("\3\1\1X"));
    read_it(f);
    assert_int_equal(f->out.count, 5);
    for (size_t i = 0; i < 4; i++) {
        assert_true(f->out.records[i].short_rdata);
        assert_int_equal(f->out.records[i].data.len, 0);
    }
    const struct dns_record *last = &f->out.records[4];
    assert_false(last->short_rdata);
    assert_int_equal(last->usage * 100 + last->selector * 10 + last->matching, 311);
    assert_true(span_eq(last->data, SPAN("X")));
}

static void text_strings_join(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_TXT;
    put_rr(&f->p, "www.example", DNS_TXT, 1, 5, SPAN("\7v=STSv1\0\5; id="));
    put_rr(&f->p, "www.example", DNS_TXT, 1, 5, SPAN("\0"));
    put_rr(&f->p, "www.example", DNS_TXT, 1, 5, SPAN(""));      // no string at all
    put_rr(&f->p, "www.example", DNS_TXT, 1, 5, SPAN("\5abc")); // string cut
    put_rr(&f->p, "www.example", DNS_TXT, 1, 5, SPAN("\3abc\1"));
    read_it(f);
    assert_int_equal(f->out.count, 2);
    assert_true(span_eq(f->out.records[0].data, SPAN("v=STSv1; id=")));
    assert_int_equal(f->out.records[1].data.len, 0);
}

static void chain_in_any_order(void **state)
{
    struct fixture *f = *state;
    put_rr(&f->p, "c.example", DNS_A, 1, 300, SPAN(IP));
    put_named(&f->p, "b.example", DNS_CNAME, 60, "C.example");
    put_named(&f->p, "stray.example", DNS_CNAME, 1, "nowhere.example");
    put_rr(&f->p, "example", 39, 1, 1, SPAN("\3org\0")); // DNAME: its CNAME says the same
    put_named(&f->p, "www.EXAMPLE", DNS_CNAME, 90, "b.example");
    read_it(f);
    assert_int_equal(f->out.presence, DNS_DATA);
    assert_true(f->out.aliased);
    assert_string_equal(f->out.expanded.text, "c.example");
    assert_int_equal(f->out.ttl, 60);
    assert_int_equal(f->out.count, 1);
}

static void the_alias_itself(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_CNAME;
    put_named(&f->p, "www.example", DNS_CNAME, 90, "b.example");
    put_named(&f->p, "b.example", DNS_CNAME, 60, "c.example");
    read_it(f);
    assert_false(f->out.aliased);
    assert_int_equal(f->out.count, 1);
    assert_string_equal(f->out.records[0].name.text, "b.example");
    assert_int_equal(f->out.ttl, 90);
}

static void put_chain(struct packet *p, unsigned length)
{
    char from[32] = "www.example", to[32];
    for (unsigned i = 0; i < length; i++) {
        CLEANUP(buf_free) struct buf b = BUF(32);
        buf_printf(&b, "n%u.example", i);
        assert_true(span_copy(to, sizeof to, buf_span(&b)));
        put_named(p, from, DNS_CNAME, 60, to);
        assert_true(span_copy(from, sizeof from, span_str(to)));
    }
    put_rr(p, from, DNS_A, 1, 60, SPAN(IP));
}

static void chain_of_sixteen(void **state)
{
    struct fixture *f = *state;
    put_chain(&f->p, 16);
    read_it(f);
    assert_int_equal(f->out.count, 1);
    assert_string_equal(f->out.expanded.text, "n15.example");
}

static void chain_of_seventeen(void **state)
{
    struct fixture *f = *state;
    put_chain(&f->p, 17);
    read_it(f);
    expect_indeterminate(f);
}

static void chain_loops(void **state)
{
    struct fixture *f = *state;
    put_named(&f->p, "www.example", DNS_CNAME, 60, "b.example");
    put_named(&f->p, "b.example", DNS_CNAME, 60, "www.example");
    read_it(f);
    expect_indeterminate(f);
}

static void alias_of_itself(void **state)
{
    struct fixture *f = *state;
    put_named(&f->p, "www.example", DNS_CNAME, 60, "www.example");
    read_it(f);
    expect_indeterminate(f);
}

static void flood_of_aliases(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 65; i++)
        put_named(&f->p, "stray.example", DNS_CNAME, 60, "b.example");
    read_it(f);
    expect_indeterminate(f);
}

static void alias_to_nothing(void **state)
{
    struct fixture *f = *state;
    f->v.rcode = 3;
    f->v.ttl = 40;
    put_named(&f->p, "www.example", DNS_CNAME, 90, "gone.example");
    read_it(f);
    assert_int_equal(f->out.presence, DNS_NXDOMAIN);
    assert_true(f->out.aliased);
    assert_string_equal(f->out.expanded.text, "gone.example");
    assert_int_equal(f->out.ttl, 40);
    assert_int_equal(f->out.rcode, 3);
}

static void nothing_there(void **state)
{
    struct fixture *f = *state;
    f->v.secure = false;
    read_it(f);
    assert_int_equal(f->out.standing, DNS_INSECURE);
    assert_int_equal(f->out.presence, DNS_NODATA);
    assert_int_equal(f->out.ttl, 77);
    assert_null(f->out.records);
}

static void no_domain_without_packet(void **state)
{
    struct fixture *f = *state;
    f->v.rcode = 3;
    dns_answer_read(&f->out, &f->q, &f->v, &f->a);
    assert_int_equal(f->out.presence, DNS_NXDOMAIN);
    assert_int_equal(f->out.ttl, 77);
    f->v.rcode = 0;
    dns_answer_read(&f->out, &f->q, &f->v, &f->a);
    expect_indeterminate(f);
}

static void bogus_before_anything(void **state)
{
    struct fixture *f = *state;
    put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    f->v.bogus = true; // with rcode 0, data, and even `secure`
    f->v.why = SPAN("signature expired");
    read_it(f);
    assert_int_equal(f->out.standing, DNS_BOGUS);
    assert_int_equal(f->out.presence, DNS_NO_ANSWER);
    assert_int_equal(f->out.count, 0);
    assert_null(f->out.records);
    assert_true(span_eq(f->out.why, SPAN("signature expired")));
    assert_ptr_not_equal(f->out.why.at, f->v.why.at);
}

static void failures_are_not_read(void **state)
{
    struct fixture *f = *state;
    static const unsigned rcodes[] = {1, 2, 4, 5, 9, 16, 23, 4095};
    put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    for (size_t i = 0; i < sizeof rcodes / sizeof rcodes[0]; i++) {
        f->v.rcode = rcodes[i];
        read_it(f);
        expect_indeterminate(f);
        assert_int_equal(f->out.rcode, rcodes[i]);
    }
}

static void no_answer_at_all(void **state)
{
    struct fixture *f = *state;
    put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    f->v.no_answer = true;
    read_it(f);
    expect_indeterminate(f);
}

static void cut_anywhere(void **state)
{
    struct fixture *f = *state;
    put_named(&f->p, "www.example", DNS_CNAME, 90, "b.example");
    put_rr(&f->p, "b.example", DNS_A, 1, 300, SPAN(IP));
    struct span whole = seal(&f->p);
    for (size_t n = 0; n < whole.len; n++) {
        char *exact = mem_new(n + 1); // so that a look past the end is seen
        if (n)
            span_bytes(exact, n, span_first(whole, n));
        f->v.packet = (struct span){mem_resize(exact, n ? n : 1), n};
        dns_answer_read(&f->out, &f->q, &f->v, &f->a);
        free((char *)f->v.packet.at);
        expect_indeterminate(f);
    }
}

static void questions_are_skipped(void **state)
{
    struct fixture *f = *state;
    put_name(&f->p.b, "www.example");
    wr_u32(&f->p.b, 0x00010001);
    f->p.b.at[5] = 1;
    put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    read_it(f);
    assert_int_equal(f->out.count, 1);
}

static void promised_questions_missing(void **state)
{
    struct fixture *f = *state;
    f->p.b.at[4] = '\xff';
    put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    read_it(f);
    expect_indeterminate(f);
}

static void lifetime_with_top_bit(void **state)
{
    struct fixture *f = *state;
    put_rr(&f->p, "www.example", DNS_A, 1, 0x80000000u, SPAN(IP)); // RFC 2181 §8
    read_it(f);
    assert_int_equal(f->out.ttl, 0);
}

static void more_than_anyone_needs(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 1000; i++)
        put_rr(&f->p, "www.example", DNS_A, 1, 300, SPAN(IP));
    read_it(f);
    assert_int_equal(f->out.count, DNS_RECORDS_MAX);
}

static void small_arena(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_TXT;
    for (unsigned i = 0; i < 3; i++)
        put_rr(&f->p, "www.example", DNS_TXT, 1, 300, SPAN("\5abcde"));
    f->v.packet = seal(&f->p);
    for (size_t ceiling = 0; ceiling < 1100; ceiling += 16) {
        struct arena a = ARENA(ceiling);
        dns_answer_read(&f->out, &f->q, &f->v, &a);
        if (f->out.presence == DNS_DATA)
            assert_int_equal(f->out.count, 3);
        else
            expect_indeterminate(f);
        arena_free(&a);
    }
}

static void largest_answer_fits(void **state)
{
    struct fixture *f = *state;
    f->q.type = DNS_TXT;
    char data[230];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = 'x';
    data[0] = (char)(unsigned char)(sizeof data - 1);
    for (unsigned i = 0; i < 254; i++)
        put_rr(&f->p, "www.example", DNS_TXT, 1, 300, SPAN_OF(data));
    assert_true(seal(&f->p).len < 65536);
    read_it(f);
    assert_int_equal(f->out.count, 254);
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(dns_standing_text(DNS_SECURE), "secure");
    assert_string_equal(dns_standing_text(DNS_INSECURE), "insecure");
    assert_string_equal(dns_standing_text(DNS_BOGUS), "bogus");
    assert_string_equal(dns_standing_text(DNS_INDETERMINATE), "indeterminate");
    assert_string_equal(dns_type_text(DNS_TLSA), "TLSA");
    assert_null(dns_type_text((enum dns_type)99));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(plain_address),
        CASE(six_and_wrong_lengths),
        CASE(unreadable_is_not_absent),
        CASE(unreadable_beside_others_is_not_forgotten),
        CASE(exchanges),
        CASE(tlsa_of_any_length),
        CASE(text_strings_join),
        CASE(chain_in_any_order),
        CASE(the_alias_itself),
        CASE(chain_of_sixteen),
        CASE(chain_of_seventeen),
        CASE(chain_loops),
        CASE(alias_of_itself),
        CASE(flood_of_aliases),
        CASE(alias_to_nothing),
        CASE(nothing_there),
        CASE(no_domain_without_packet),
        CASE(bogus_before_anything),
        CASE(failures_are_not_read),
        CASE(no_answer_at_all),
        CASE(cut_anywhere),
        CASE(questions_are_skipped),
        CASE(promised_questions_missing),
        CASE(lifetime_with_top_bit),
        CASE(more_than_anyone_needs),
        CASE(small_arena),
        CASE(largest_answer_fits),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
