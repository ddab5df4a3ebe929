// Overrides, combinations, sections, printing.
#include "base_near.h"
#include "conf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static struct conf *conf_of(const char *text)
{
    struct conf *c = conf_new();
    struct conf_fault fault;
    if (!rc_ok(conf_read(c, span_str(text), "geleit.conf", "/etc/geleit", &fault)))
        fail_msg("%s", fault.text);
    return c;
}

static void defaults_pass_their_own_checks(void **state)
{
    (void)state;
    struct conf *c = conf_new();
    struct conf_fault fault;
    assert_true(rc_ok(conf_check(c, &fault)));
    assert_int_equal(conf_int(c, CONF_smtp_max_size), 50 << 20);
    assert_int_equal(conf_int(c, CONF_queue_lifetime), SECONDS(5 * 86400));
    assert_int_equal(conf_count(c, CONF_smtp_listen), 2);
    assert_true(span_eq(conf_item(c, CONF_smtp_listen, 1), SPAN("[::]:25")));
    assert_true(conf_bool(c, CONF_send_ipv6));
    assert_int_equal(conf_choice(c, CONF_log_level), 1);
    conf_free(c);
}

static void every_option_has_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONF_OPTIONS; i++) {
        assert_non_null(conf_options[i].sentence);
        assert_true(span_ends(span_str(conf_options[i].sentence), SPAN(".")));
        assert_true(conf_options[i].roles != 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(conf_options[i].name, conf_options[k].name);
    }
}

struct override {
    const char *text, *fault; // NULL: it is fine
    const char *json;
};
static const struct override overrides[] = {
    {"smtp.listen=127.0.0.1:2525, [::1]:2525", NULL,
     "\"smtp.listen\":[\"127.0.0.1:2525\",\"[::1]:2525\"]"},
    {"relay.networks=", NULL, "\"relay.networks\":[]"},
    {"smtp.max_size=1M", NULL, "\"smtp.max_size\":1048576"},
    {"smtp.max_hops=12", NULL, "\"smtp.max_hops\":12"},
    {"send.ipv6=no", NULL, "\"send.ipv6\":false"},
    {"send.ipv6=true", NULL, "\"send.ipv6\":true"},
    {"dns.timeout=5s", NULL, "\"dns.timeout\":\"5s\""},
    {"tls.key=key.pem", NULL, "\"tls.key\":\"key.pem\""},
    {"hostname = mail.example.org", NULL, "\"hostname\":\"mail.example.org\""},
    {"hostname", "-o: \"hostname\" sets nothing; write -o NAME=VALUE", NULL},
    {"", "-o: \"\" sets nothing; write -o NAME=VALUE", NULL},
    {"hostnam=x", "-o: unknown option 'hostnam'; did you mean 'hostname'?", NULL},
    {"smtp.listen=127.0.0.1:25,,", "-o: smtp.listen has an empty entry", NULL},
    {"smtp.listen=127.0.0.1:25,", "-o: smtp.listen has an empty entry", NULL},
    {"dkim.sign=a.example s1 /k/1.pem, a.example s2 /k/2.pem", NULL,
     "\"dkim.sign\":[\"a.example s1 /k/1.pem\",\"a.example s2 /k/2.pem\"]"},
    {"dkim.sign=a.example s1", "-o: dkim.sign: \"a.example s1\" is no key to sign with", NULL},
    {"dkim.sign=a..example s1 k", "-o: dkim.sign: \"a..example s1 k\" is no key", NULL},
    {"dkim.oversign=From,X-Ours", NULL, "\"dkim.oversign\":[\"From\",\"X-Ours\"]"},
    {"dkim.oversign=From:To", "-o: dkim.oversign: \"From:To\" is no name of a header", NULL},
    {"tls.certificates=c.pem", "-o: tls.certificates: \"c.pem\" is no certificate with", NULL},
    {"tls.certificates=c.pem k.pem x", "-o: tls.certificates: \"c.pem k.pem x\" is no", NULL},
    {"tls.certificates=/c.pem /k.pem", NULL, "\"tls.certificates\":[\"/c.pem /k.pem\"]"},
    {"tls.require=a.example encrypt,192.0.2.0/24 verify,* verify .m.example mx.a.example", NULL,
     "\"tls.require\":[\"a.example encrypt\",\"192.0.2.0/24 verify\",\"* verify .m.example "
     "mx.a.example\"]"},
    {"tls.require=a.example", "-o: tls.require: \"a.example\" is no requirement", NULL},
    {"tls.require=a.example encrypt x.example", "-o: tls.require: \"a.example encrypt x", NULL},
    {"tls.require=192.0.2.1/24 encrypt", "-o: tls.require: \"192.0.2.1/24 encrypt\" is", NULL},
    {"tls.require=a.example verify a..b", "-o: tls.require: \"a.example verify a..b\" is", NULL},
    {"local.detail=-", NULL, "\"local.detail\":\"-\""},
    {"local.detail=", NULL, "\"local.detail\":\"\""},
    {"local.detail=a", "-o: local.detail: \"a\" is no mark that addresses have; write", NULL},
    {"local.detail=@", "-o: local.detail: \"@\" is no mark", NULL},
    {"local.detail=.", "-o: local.detail: \".\" is no mark", NULL},
    {"local.postmaster=j\xc3\xb6rg@example.org", NULL, "\"local.postmaster\":\"j"},
    {"local.postmaster=ann", "-o: local.postmaster: \"ann\" is no address; write", NULL},
    {"local.postmaster=a b@example.org", "-o: local.postmaster: \"a b@example.org\" is no", NULL},
    {"tls.min_version=1.1", NULL, "\"tls.min_version\":\"1.1\""},
    {"tls.min_version=1.4", "-o: tls.min_version", NULL},
    {"auth.spf=reject", NULL, "\"auth.spf\":\"reject\""},
    {"auth.dmarc=quarantine", "-o: auth.dmarc", NULL},
    {"auth.timeout=0s", "-o: auth.timeout", NULL},
    {"auth.trusted_forwarders=192.0.2.0/24", NULL,
     "\"auth.trusted_forwarders\":[\"192.0.2.0/24\"]"},
    {"auth.trusted_forwarders=192.0.2.1/24", "-o: auth.trusted_forwarders: \"192.0.2.1/24\" has",
     NULL},
    {"auth.trusted_sealers=lists.example.org", NULL,
     "\"auth.trusted_sealers\":[\"lists.example.org\"]"},
    {"auth.trusted_sealers=.example.org", "-o: auth.trusted_sealers: \".example.org\" is no", NULL},
    {"auth.max_signatures=11", "-o: auth.max_signatures", NULL},
    {"auth.min_rsa_bits=512", "-o: auth.min_rsa_bits", NULL},
    {"smtp.max_hops=five", "-o: smtp.max_hops is a number, which \"five\" is not", NULL},
    {"smtp.max_hops=99999999999999999999", "-o: smtp.max_hops is a number", NULL},
    {"smtp.max_hops=-9223372036854775808", "-o: smtp.max_hops is a number", NULL},
    {"send.ipv6=maybe", "-o: send.ipv6 is a switch, which \"maybe\" is not", NULL},
};

static void override_one(void **state)
{
    const struct override *o = *state;
    struct conf *c = conf_new();
    struct conf_fault fault = {""};
    struct rc rc = conf_override(c, span_str(o->text), &fault);
    if (o->fault) {
        assert_int_equal(rc.code, RC_CONFIG);
        if (!span_starts(span_str(fault.text), span_str(o->fault)))
            fail_msg("%s", fault.text);
    } else {
        if (!rc_ok(rc))
            fail_msg("%s", fault.text);
        CLEANUP(buf_free) struct buf json = BUF(65536);
        conf_print_json(&json, c);
        assert_non_null(strstr(buf_str(&json), o->json));
    }
    conf_free(c);
}

struct combination {
    const char *name, *text, *fault;
};
static const struct combination combinations[] = {
    {"certificate without key", "\ntls.certificate = \"c.pem\";",
     "geleit.conf:2: tls.certificate without tls.key"},
    {"key without certificate", "tls.key = \"k.pem\";",
     "geleit.conf:1: tls.key without tls.certificate"},
    {"certificate and key", "tls: { certificate = \"c.pem\"; key = \"k.pem\"; };", NULL},
    {"TLS is required and impossible", "tls.require = [ \"a.example encrypt\" ];",
     "geleit.conf:1: tls.require without a certificate"},
    {"users without TLS", "submissions.listen = [ \"127.0.0.1:465\" ];",
     "geleit.conf:1: submissions.listen without a certificate: TLS begins there"},
    {"TLS is required and possible",
     "tls: { certificates = [ \"c k\" ]; require = [ \"a.example encrypt\" ]; };", NULL},
    {"first wait over the longest", "queue.retry_first = \"5h\";",
     "geleit.conf:1: queue.retry_first is longer than queue.retry_longest"},
    {"longest wait over the lifetime", "queue.lifetime = \"1h\";",
     "geleit.conf:1: queue.retry_longest is longer than queue.lifetime"},
    {"open relay", "relay.networks = [ \"10.0.0.0/8\", \"0.0.0.0/0\" ];",
     "geleit.conf:1: relay.networks: \"0.0.0.0/0\" would let everybody send"},
    {"listening twice", "smtp.listen = [ \"127.0.0.1:25\", \"127.0.0.1:25\" ];",
     "geleit.conf:1: smtp.listen has \"127.0.0.1:25\" twice"},
    {"listening twice for users",
     "submissions.listen = [ \"127.0.0.1:465\", \"127.0.0.1:465\" ]; tls.key = \"k\";\n"
     "tls.certificate = \"c\";",
     "geleit.conf:1: submissions.listen has \"127.0.0.1:465\" twice"},
    {"two services at one place",
     "smtp.listen = [ \"127.0.0.1:25\" ]; tls.key = \"k\"; tls.certificate = \"c\";\n"
     "submission.listen = [ \"127.0.0.1:587\", \"127.0.0.1:25\" ];",
     "geleit.conf:2: submission.listen has \"127.0.0.1:25\", and so has smtp.listen; give"},
    {"two keys of one selector", "dkim.sign = [ \"a.example s k1\", \"A.example  s k2\" ];",
     "geleit.conf:1: dkim.sign has selector s of A.example twice"},
    {"two selectors of one domain", "dkim.sign = [ \"a.example r k1\", \"a.example e k1\" ];",
     NULL},
    {"no store", "store.path = \"\";", "geleit.conf:1: store.path is empty"},
};

static void combine(void **state)
{
    const struct combination *k = *state;
    struct conf *c = conf_of(k->text);
    struct conf_fault fault = {""};
    struct rc rc = conf_check(c, &fault);
    assert_int_equal(rc.code, k->fault ? RC_CONFIG : RC_OK);
    if (k->fault && !span_starts(span_str(fault.text), span_str(k->fault)))
        fail_msg("%s", fault.text);
    conf_free(c);
}

static void key_files_count_from_the_folder(void **state)
{
    (void)state;
    struct conf *c =
        conf_of("dkim.sign = [ \"a.example s keys/a.pem\", \"b.example s /k/b.pem\" ];");
    assert_true(
        span_eq(conf_item(c, CONF_dkim_sign, 0), SPAN("a.example s /etc/geleit/keys/a.pem")));
    assert_true(span_eq(conf_item(c, CONF_dkim_sign, 1), SPAN("b.example s /k/b.pem")));
    conf_free(c);
}

static const char everything[] =
    "hostname = \"mail.example.org\"; user = \"a\\\\b\\\"c\\x07\";"
    "smtp: { listen = [ \"127.0.0.1:2525\" ]; max_size = \"64K\"; receivers = 3; };"
    "relay.domains = [ \"example.org\", \".example.net\" ]; send.ipv6 = false;"
    "send.idle = \"250ms\"; log.level = \"debug\";";

static void what_is_printed_reads_the_same(void **state)
{
    (void)state;
    struct conf *c = conf_of(everything);
    CLEANUP(buf_free) struct buf text = BUF(65536), one = BUF(65536), two = BUF(65536);
    conf_print(&text, c);
    conf_print_json(&one, c);
    struct conf *again = conf_of(buf_str(&text));
    conf_print_json(&two, again);
    assert_string_equal(buf_str(&one), buf_str(&two));
    assert_non_null(strstr(buf_str(&text), "max_hops = 100; # default\n"));
    assert_non_null(strstr(buf_str(&text), "    receivers = 3;\n"));
    conf_free(again);
    conf_free(c);
}

static void a_section_has_what_its_role_gets(void **state)
{
    (void)state;
    struct conf *c = conf_of(everything), *section;
    CLEANUP(buf_free) struct buf packed = BUF(65536);
    conf_pack(&packed, c, CONF_RECEIVER);
    struct rd r = RD(buf_span(&packed));
    assert_true(conf_unpack(&r, &section));
    assert_true(rd_end(&r));
    assert_int_equal(conf_int(section, CONF_smtp_max_size), 65536);
    assert_int_equal(conf_count(section, CONF_relay_domains), 2);
    assert_true(span_eq(conf_span(section, CONF_hostname), SPAN("mail.example.org")));
    assert_int_equal(conf_choice(section, CONF_log_level), 0);
    CLEANUP(buf_free) struct buf json = BUF(65536);
    conf_print_json(&json, section);
    assert_null(strstr(buf_str(&json), "tls.key"));
    assert_null(strstr(buf_str(&json), "store.history"));
    conf_free(section);
    conf_free(c);
}

static void a_cut_section_is_refused(void **state)
{
    (void)state;
    struct conf *c = conf_of(everything), *section;
    CLEANUP(buf_free) struct buf packed = BUF(65536);
    conf_pack(&packed, c, CONF_EVERYONE);
    for (size_t n = 0; n < packed.len; n++) {
        struct rd r = RD(span_first(buf_span(&packed), n));
        assert_false(conf_unpack(&r, &section));
        assert_null(section);
    }
    conf_free(c);
}

static void a_damaged_section_is_harmless(void **state)
{
    (void)state;
    struct conf *c = conf_of(everything), *section;
    CLEANUP(buf_free) struct buf packed = BUF(65536);
    conf_pack(&packed, c, CONF_EVERYONE);
    for (size_t n = 0; n < packed.len; n++) {
        packed.at[n] ^= (char)0xff;
        struct rd r = RD(buf_span(&packed));
        if (conf_unpack(&r, &section))
            conf_free(section);
        packed.at[n] ^= (char)0xff;
    }
    conf_free(c);
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(near_distance(SPAN(""), SPAN("")), 0);
    assert_int_equal(near_distance(SPAN("listen"), SPAN("LISTEN")), 0);
    assert_int_equal(near_distance(SPAN("lisen"), SPAN("listen")), 1);
    assert_int_equal(near_distance(SPAN("lsiten"), SPAN("listen")), 1);
    assert_int_equal(near_distance(SPAN("abc"), SPAN("")), 3);
    assert_int_equal(near_distance(SPAN(""), SPAN("abc")), 3);
    assert_int_equal(near_distance(SPAN("kitten"), SPAN("sitting")), 3);
    static char longer[NEAR_MAX + 1];
    assert_true(near_distance(SPAN_OF(longer), SPAN("abc")) == SIZE_MAX);
    assert_false(near_enough(SPAN("abc"), SIZE_MAX));
}

enum {
    OVERRIDES = sizeof overrides / sizeof *overrides,
    COMBINATIONS = sizeof combinations / sizeof *combinations,
    OTHERS = 8
};

int main(void)
{
    static struct CMUnitTest tests[OVERRIDES + COMBINATIONS + OTHERS] = {
        cmocka_unit_test(defaults_pass_their_own_checks),
        cmocka_unit_test(every_option_has_its_sentence),
        cmocka_unit_test(key_files_count_from_the_folder),
        cmocka_unit_test(what_is_printed_reads_the_same),
        cmocka_unit_test(a_section_has_what_its_role_gets),
        cmocka_unit_test(a_cut_section_is_refused),
        cmocka_unit_test(a_damaged_section_is_harmless),
        cmocka_unit_test(distances),
    };
    struct CMUnitTest *t = tests + OTHERS;
    for (size_t i = 0; i < OVERRIDES; i++)
        *t++ =
            (struct CMUnitTest){overrides[i].text, override_one, NULL, NULL, (void *)&overrides[i]};
    for (size_t i = 0; i < COMBINATIONS; i++)
        *t++ = (struct CMUnitTest){combinations[i].name, combine, NULL, NULL,
                                   (void *)&combinations[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
