// Texts of configuration files, good and bad: each case is one test.
#include "conf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

struct good {
    const char *name, *text;
    const char *option, *want; // as conf_print_json writes it
};
static const struct good goods[] = {
    {"an empty file is all defaults", "", "smtp.max_size", "52428800"},
    {"nested group", "smtp: { max_size = \"64K\"; };", "smtp.max_size", "65536"},
    {"nested group with equals sign", "smtp = { max_hops = 50; };", "smtp.max_hops", "50"},
    {"dotted name", "smtp.max_hops = 50;", "smtp.max_hops", "50"},
    {"dotted name with colon", "smtp.max_hops : 50", "smtp.max_hops", "50"},
    {"dotted and nested side by side", "smtp.max_hops = 50; smtp: { max_errors = 7; };",
     "smtp.max_hops", "50"},
    {"array", "smtp.listen = [ \"127.0.0.1:2525\", \"[::1]:2525\" ];", "smtp.listen",
     "[\"127.0.0.1:2525\",\"[::1]:2525\"]"},
    {"list in parentheses", "smtp.listen = ( \"127.0.0.1:2525\" );", "smtp.listen",
     "[\"127.0.0.1:2525\"]"},
    {"empty array", "relay.networks = [];", "relay.networks", "[]"},
    {"size as a bare number", "smtp.max_size = 100000;", "smtp.max_size", "100000"},
    {"size in lower case", "smtp.max_size = \"2m\";", "smtp.max_size", "2097152"},
    {"size in gigabytes", "smtp.max_size = \"4G\";", "smtp.max_size", "4294967296"},
    {"size over 32 bits as a long number", "smtp.max_size = 4294967296L;", "smtp.max_size",
     "4294967296"},
    {"size in hex", "smtp.max_size = 0x20000;", "smtp.max_size", "131072"},
    {"duration", "smtp.command_timeout = \"90s\";", "smtp.command_timeout", "\"90s\""},
    {"duration of two units", "queue.lifetime = \"1d12h\";", "queue.lifetime", "\"36h\""},
    {"duration of zero without a unit", "send.idle = 0;", "send.idle", "\"0\""},
    {"switch", "send.ipv6 = false;", "send.ipv6", "false"},
    {"choice", "log.level = \"debug\";", "log.level", "\"debug\""},
    {"relative file name", "tls.key = \"key.pem\";", "tls.key", "\"/etc/geleit/key.pem\""},
    {"absolute file name", "tls.key = \"/key.pem\";", "tls.key", "\"/key.pem\""},
    {"pairs of file names", "tls.certificates = [ \"c.pem /k.key\", \"/c  k\" ];",
     "tls.certificates", "[\"/etc/geleit/c.pem /k.key\",\"/c /etc/geleit/k\"]"},
    {"empty file name stays empty", "tls.key = \"\";", "tls.key", "\"\""},
    {"comments of all kinds",
     "# smtp.max_hops = 11;\n// smtp.max_hops = 12;\n/* smtp.max_hops\n= 13; */smtp.max_hops = 50;",
     "smtp.max_hops", "50"},
    {"dots in strings stay", "hostname = \"mail.example.org\";", "hostname",
     "\"mail.example.org\""},
    {"escaped quotes in strings", "user = \"a\\\"b.c\";", "user", "\"a\\\"b.c\""},
    {"@include inside a comment line", "# @include \"x\"\nsmtp.max_hops = 50;", "smtp.max_hops",
     "50"},
    {"routes of every kind",
     "send.routes = [ \"example.org relay.example\", \".example.org relay.example:2525\", "
     "\"* mx:example.net\", \"example.com [192.0.2.1]:25\", \"example.com [2001:db8::1]:25\" ];",
     "queue.jobs", "1000"},
    {"policies of every kind",
     "send.policy = [ \"example.org follow\", \"* verify\", \".example.org dane-only\", "
     "\"example.net pinned 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef\" ];",
     "queue.jobs", "1000"},
    {"resolvers", "dns.forward = [ \"127.0.0.53@5300\", \"::1@53\" ];", "dns.forward",
     "[\"127.0.0.53@5300\",\"::1@53\"]"},
    {"networks", "relay.networks = [ \"192.0.2.0/24\", \"2001:db8::/32\", \"192.0.2.1/32\" ];",
     "relay.networks", "[\"192.0.2.0/24\",\"2001:db8::/32\",\"192.0.2.1/32\"]"},
    {"a domain in UTF-8", "relay.domains = [ \"m\xc3\xbcller.example\" ];", "relay.domains",
     "[\"m\xc3\xbcller.example\"]"},
};

static void read_good(void **state)
{
    const struct good *g = *state;
    struct conf *c = conf_new();
    struct conf_fault fault = {""};
    struct rc rc = conf_read(c, span_str(g->text), "geleit.conf", "/etc/geleit", &fault);
    if (!rc_ok(rc))
        fail_msg("%s", fault.text);
    CLEANUP(buf_free) struct buf json = BUF(65536), want = BUF(1000);
    conf_print_json(&json, c);
    buf_printf(&want, "\"%s\":%s", g->option, g->want);
    if (!strstr(buf_str(&json), buf_str(&want)))
        fail_msg("no %s in %s", buf_str(&want), buf_str(&json));
    conf_free(c);
}

struct bad {
    const char *name, *text, *fault; // the fault begins with this
};
static const struct bad bads[] = {
    {"unknown option with a near name", "\n\nsmtp.lisen = [];",
     "geleit.conf:3: unknown option 'smtp.lisen'; did you mean 'smtp.listen'?"},
    {"unknown option in a group", "smtp: {\n lisen = [];\n};",
     "geleit.conf:2: unknown option 'smtp.lisen'; did you mean 'smtp.listen'?"},
    {"option in a misspelt group", "smpt: {\n listen = [];\n};",
     "geleit.conf:2: unknown option 'smpt.listen'; did you mean 'smtp.listen'?"},
    {"option without its group", "listen = [];",
     "geleit.conf:1: unknown option 'listen'; did you mean 'smtp.listen'?"},
    {"unknown option with nothing near", "frobnicate = 1;",
     "geleit.conf:1: unknown option 'frobnicate'; 'geleit config' lists"},
    {"unknown empty group", "foo: { };", "geleit.conf:1: unknown option 'foo'"},
    {"option below an option", "hostname: { x = 1; };", "geleit.conf:1: hostname is a text"},
    {"group given a value", "smtp = 1;", "geleit.conf:1: 'smtp' is a group of options"},
    {"text where a number is due", "smtp.max_hops = \"50\";",
     "geleit.conf:1: smtp.max_hops is a number; write digits, without quotes"},
    {"fraction where a number is due", "smtp.max_hops = 50.5;",
     "geleit.conf:1: smtp.max_hops is a number"},
    {"number where a text is due", "hostname = 5;", "geleit.conf:1: hostname is a text; write"},
    {"text where a list is due", "smtp.listen = \"127.0.0.1:25\";",
     "geleit.conf:1: smtp.listen is a list; write [ \"one\", \"two\" ]"},
    {"number in a list", "smtp.listen = [ 25 ];", "geleit.conf:1: smtp.listen is a list"},
    {"text where a switch is due", "send.ipv6 = \"no\";", "geleit.conf:1: send.ipv6 is a switch"},
    {"number where a switch is due", "send.ipv6 = 1;", "geleit.conf:1: send.ipv6 is a switch"},
    {"below its bounds", "smtp.max_size = \"1K\";",
     "geleit.conf:1: smtp.max_size must be between 64K and 4G, not 1K"},
    {"above its bounds", "smtp.max_hops = 1001;",
     "geleit.conf:1: smtp.max_hops must be between 10 and 1000, not 1001"},
    {"number past 32 bits", "smtp.max_hops = 4294967346;",
     "geleit.conf:1: 4294967346 is too large"},
    {"hex number past 32 bits", "smtp.max_hops = 0x100000032;",
     "geleit.conf:1: 0x100000032 is too"},
    {"number past 64 bits", "smtp.max_hops = 99999999999999999999L;",
     "geleit.conf:1: smtp.max_hop"},
    {"negative", "smtp.max_hops = -1;", "geleit.conf:1: smtp.max_hops must be between"},
    {"duration out of bounds", "dns.timeout = \"1h\";",
     "geleit.conf:1: dns.timeout must be between 1s and 2m, not 1h"},
    {"duration without a unit", "dns.timeout = 5;", "geleit.conf:1: dns.timeout is a duration"},
    {"duration with an unknown unit", "dns.timeout = \"5x\";",
     "geleit.conf:1: dns.timeout is a duration, which \"5x\" is not"},
    {"duration without a number", "dns.timeout = \"s\";", "geleit.conf:1: dns.timeout is a dur"},
    {"empty duration", "dns.timeout = \"\";", "geleit.conf:1: dns.timeout is a duration"},
    {"duration past 64 bits", "dns.timeout = \"99999999999999999999d\";",
     "geleit.conf:1: dns.timeout is a duration"},
    {"durations whose sum is past 64 bits", "dns.timeout = \"100000000d100000000d\";",
     "geleit.conf:1: dns.timeout is a duration"},
    {"size past 64 bits", "smtp.max_size = \"9999999999T\";",
     "geleit.conf:1: smtp.max_size is a size"},
    {"negative size", "smtp.max_size = \"-5M\";", "geleit.conf:1: smtp.max_size is a size"},
    {"unknown choice", "log.level = \"loud\";",
     "geleit.conf:1: log.level cannot be \"loud\"; write one of \"debug\", \"info\", \"warn\""},
    {"bad endpoint in a long list", "smtp.listen = [ \"127.0.0.1:25\",\n \"localhost\" ];",
     "geleit.conf:2: smtp.listen: \"localhost\" is no address with a port"},
    {"endpoint with port 0", "smtp.listen = [ \"127.0.0.1:0\" ];", "geleit.conf:1: smtp.listen: "},
    {"endpoint with a large port", "smtp.listen = [ \"127.0.0.1:65536\" ];", "geleit.conf:1: smtp"},
    {"endpoint of IPv6 without brackets", "smtp.listen = [ \"::1:25\" ];", "geleit.conf:1: smtp"},
    {"network with bits behind its prefix", "relay.networks = [ \"192.0.2.1/24\" ];",
     "geleit.conf:1: relay.networks: \"192.0.2.1/24\" has address bits set"},
    {"network with a long prefix", "relay.networks = [ \"192.0.2.0/33\" ];",
     "geleit.conf:1: relay"},
    {"network without a prefix", "relay.networks = [ \"192.0.2.1\" ];",
     "geleit.conf:1: relay.netw"},
    {"domain with an empty label", "relay.domains = [ \"a..b\" ];", "geleit.conf:1: relay.domains"},
    {"domain with a blank", "relay.domains = [ \"a b\" ];", "geleit.conf:1: relay.domains"},
    {"a mailbox server without a port", "local.lmtp = \"127.0.0.1\";", "geleit.conf:1: local.lmtp"},
    {"a mailbox server's socket without a path", "local.lmtp = \"unix:lmtp\";",
     "geleit.conf:1: local.lmtp"},
    {"a route to no mailbox server", "send.routes = [ \"example.org lmtp:mail.example\" ];",
     "geleit.conf:1: send.routes"},
    {"route without a host", "send.routes = [ \"example.org\" ];", "geleit.conf:1: send.routes"},
    {"route with an address bare", "send.routes = [ \"example.org [192.0.2.1\" ];",
     "geleit.conf:1: send.routes"},
    {"policy with an unknown word", "send.policy = [ \"example.org always\" ];",
     "geleit.conf:1: send.policy: \"example.org always\" is no policy"},
    {"policy with a short pin", "send.policy = [ \"example.org pinned 0123\" ];",
     "geleit.conf:1: send.policy"},
    {"host name with a dot at its end", "hostname = \"mail.example.org.\";",
     "geleit.conf:1: hostname: \"mail.example.org.\" is no host name"},
    {"host name too long",
     "hostname = \"" /* 254 */
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aa"
     "\";",
     "geleit.conf:1: hostname is longer than 253 bytes"},
    {"set twice, both dotted", "smtp.max_hops = 50;\nsmtp.max_hops = 50;", "geleit.conf:2: this"},
    {"set twice, dotted and nested", "smtp.max_hops = 50;\nsmtp: {\n max_hops = 51; };",
     "geleit.conf:3: smtp.max_hops was set in line 1 already"},
    {"group twice", "smtp: { };\nsmtp: { };", "geleit.conf:2: this name was set before"},
    {"include", "@include \"/etc/passwd\"\n", "geleit.conf:1: @include is not supported"},
    {"include after blanks and lines", "\n\n  \t@include \"x\"\n",
     "geleit.conf:3: @include is not"},
    {"include with a carriage return", "\r@include \"x\"\n", "geleit.conf:1: "},
    {"include after a setting", "smtp.max_hops = 50; @include \"x\"\n", "geleit.conf:1: syntax"},
    {"star in a name", "smtp*listen = [];", "geleit.conf:1: '*' cannot stand in a name"},
    {"no value", "smtp.max_hops = ;", "geleit.conf:1: syntax error"},
    {"unit without quotes", "smtp.max_size = 50M;", "geleit.conf:1: syntax error"},
    {"unclosed string", "hostname = \"mail", "geleit.conf:1: syntax error"},
    {"unclosed group", "smtp: {\n", "geleit.conf:2: syntax error"},
    {"unclosed comment", "\n/* smtp\n", "geleit.conf:2: this comment has no end"},
    {"control characters are not echoed", "log.level = \"\\x1b[31m\";",
     "geleit.conf:1: log.level cannot be \"?[31m\""},
    {"nor is what is no UTF-8", "log.level = \"\\xc2\\x9b31m\\xff\\xc3\\xbc\";",
     "geleit.conf:1: log.level cannot be \"??31m?\xc3\xbc\""},
};

static void read_bad(void **state)
{
    const struct bad *b = *state;
    struct conf *c = conf_new();
    struct conf_fault fault = {""};
    struct rc rc = conf_read(c, span_str(b->text), "geleit.conf", "/etc/geleit", &fault);
    assert_int_equal(rc.code, RC_CONFIG);
    fault.text[strlen(b->fault) < sizeof fault.text ? strlen(b->fault) : 0] = '\0';
    assert_string_equal(fault.text, b->fault);
    conf_free(c);
}

static void nul_bytes_are_refused(void **state)
{
    (void)state;
    struct conf *c = conf_new();
    struct conf_fault fault;
    struct rc rc = conf_read(c, SPAN("user = \"a\0b\";"), "x", "", &fault);
    assert_int_equal(rc.code, RC_CONFIG);
    conf_free(c);
}

static void a_large_file_is_refused(void **state)
{
    (void)state;
    struct conf *c = conf_new();
    struct conf_fault fault;
    CLEANUP(buf_free) struct buf b = BUF(2 << 20);
    while (b.len < (1 << 20))
        buf_put(&b, SPAN("# nothing to see\n"));
    assert_int_equal(conf_read(c, buf_span(&b), "x", "", &fault).code, RC_CONFIG);
    conf_free(c);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    struct conf *c = conf_new();
    struct conf_fault fault;
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    for (int i = 0; i < 3000; i++)
        buf_put(&b, SPAN("a:{"));
    for (int i = 0; i < 3000; i++)
        buf_put(&b, SPAN("};"));
    assert_int_equal(conf_read(c, buf_span(&b), "x", "", &fault).code, RC_CONFIG);
    conf_free(c);
}

enum { GOODS = sizeof goods / sizeof *goods, BADS = sizeof bads / sizeof *bads };

int main(void)
{
    static struct CMUnitTest tests[GOODS + BADS + 3];
    for (size_t i = 0; i < GOODS; i++)
        tests[i] = (struct CMUnitTest){goods[i].name, read_good, NULL, NULL, (void *)&goods[i]};
    for (size_t i = 0; i < BADS; i++)
        tests[GOODS + i] =
            (struct CMUnitTest){bads[i].name, read_bad, NULL, NULL, (void *)&bads[i]};
    struct CMUnitTest more[] = {cmocka_unit_test(nul_bytes_are_refused),
                                cmocka_unit_test(a_large_file_is_refused),
                                cmocka_unit_test(deep_nesting_is_refused)};
    for (size_t i = 0; i < 3; i++)
        tests[GOODS + BADS + i] = more[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
