#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lab.h"
#include "lab_https.h"
#include "lookup_https.h"

#define POLICY "version: STSv1\nmode: none\nmax_age: 60\n"
#define OK     "HTTP/1.1 200 OK\r\n"
#define PLAIN  "Content-Type: text/plain\r\n"
#define FINE   OK PLAIN "Content-Length: 38\r\n\r\n" POLICY

static const struct https_case cases[] = {
    {"ok.example", HTTPS_GOOD, HTTPS_PLAIN, FINE, 0},
    {"wildcard.example", HTTPS_WILDCARD, HTTPS_PLAIN, FINE, 0},
    {"type.example", HTTPS_GOOD, HTTPS_PLAIN,
     OK "Content-Type: Text/PLAIN ; charset=utf-8\r\nContent-Length: 38\r\n\r\n" POLICY, 0},
    {"chunked.example", HTTPS_GOOD, HTTPS_PLAIN,
     OK PLAIN "Transfer-Encoding: chunked\r\n\r\n26\r\n" POLICY "\r\n0\r\n\r\n", 0},
    {"close.example", HTTPS_GOOD, HTTPS_PLAIN, OK PLAIN "\r\n" POLICY, 0},
    {"empty.example", HTTPS_GOOD, HTTPS_PLAIN, OK PLAIN "Content-Length: 0\r\n\r\n", 0},
    {"continue.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 100 Continue\r\n\r\n" FINE, 0},
    {"largest.example", HTTPS_GOOD, HTTPS_BODY, OK PLAIN "Content-Length: 65536\r\n\r\n", 65536},
    {"redirect.example", HTTPS_GOOD, HTTPS_PLAIN,
     "HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.ok.example/.well-known/mta-sts.txt\r\n" PLAIN
     "Content-Length: 38\r\n\r\n" POLICY,
     0},
    {"missing.example", HTTPS_GOOD, HTTPS_PLAIN,
     "HTTP/1.1 404 No\r\n" PLAIN "Content-Length: 38\r\n\r\n" POLICY, 0},
    {"nothing.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 204 No\r\n" PLAIN "\r\n", 0},
    {"broken.example", HTTPS_GOOD, HTTPS_BODY, "HTTP/1.1 503 No\r\n\r\n", 1 << 20},
    {"html.example", HTTPS_GOOD, HTTPS_PLAIN,
     OK "Content-Type: text/html\r\nContent-Length: 38\r\n\r\n" POLICY, 0},
    {"plainer.example", HTTPS_GOOD, HTTPS_PLAIN,
     OK "Content-Type: text/plainer\r\nContent-Length: 38\r\n\r\n" POLICY, 0},
    {"untyped.example", HTTPS_GOOD, HTTPS_PLAIN, OK "Content-Length: 38\r\n\r\n" POLICY, 0},
    {"large.example", HTTPS_GOOD, HTTPS_BODY, OK PLAIN "Content-Length: 65537\r\n\r\n", 65537},
    {"endless.example", HTTPS_GOOD, HTTPS_BODY, OK PLAIN "\r\n", 1 << 24},
    {"headers.example", HTTPS_GOOD, HTTPS_ENDLESS_HEADER, OK PLAIN, 0},
    {"other.example", HTTPS_OTHER_NAME, HTTPS_PLAIN, FINE, 0},
    {"common.example", HTTPS_COMMON_NAME, HTTPS_PLAIN, FINE, 0},
    {"commonmail.example", HTTPS_COMMON_AND_MAIL, HTTPS_PLAIN, FINE, 0},
    {"commonother.example", HTTPS_OTHER_AND_COMMON, HTTPS_PLAIN, FINE, 0},
    {"partial.example", HTTPS_PARTIAL_WILDCARD, HTTPS_PLAIN, FINE, 0},
    {"self.example", HTTPS_SELF_SIGNED, HTTPS_PLAIN, FINE, 0},
    {"expired.example", HTTPS_EXPIRED, HTTPS_PLAIN, FINE, 0},
    {"future.example", HTTPS_FUTURE, HTTPS_PLAIN, FINE, 0},
    {"stranger.example", HTTPS_STRANGER, HTTPS_PLAIN, FINE, 0},
    {"trickle.example", HTTPS_GOOD, HTTPS_TRICKLE, FINE, 0},
    {"silent.example", HTTPS_GOOD, HTTPS_SILENT, NULL, 0},
    {"nohandshake.example", HTTPS_GOOD, HTTPS_NO_HANDSHAKE, NULL, 0},
    {"cut.example", HTTPS_GOOD, HTTPS_CUT, OK PLAIN "\r\n" POLICY, 0},
    {"cutlength.example", HTTPS_GOOD, HTTPS_CUT, FINE, 0},
    {"cutchunk.example", HTTPS_GOOD, HTTPS_CUT,
     OK PLAIN "Transfer-Encoding: chunked\r\n\r\n26\r\n" POLICY "\r\n0\r\n\r\n", 0},
    {"lostchunk.example", HTTPS_GOOD, HTTPS_CUT,
     OK PLAIN "Transfer-Encoding: chunked\r\n\r\n26\r\n" POLICY "\r\n", 0},
    {"short.example", HTTPS_GOOD, HTTPS_PLAIN, OK PLAIN "Content-Length: 99\r\n\r\n" POLICY, 0},
    {"mute.example", HTTPS_GOOD, HTTPS_PLAIN, NULL, 0},
    {"garbage.example", HTTPS_GOOD, HTTPS_PLAIN, "220 mail.example ESMTP\r\n", 0},
};
static const struct https_case old_cases[] = {
    {"old.example", HTTPS_GOOD, HTTPS_OLD_TLS, FINE, 0},
};

struct expectation {
    const char *what, *domain;
    enum trust_fetch_result result;
    const char *detail; // a part of it
    size_t size;        // OK only; 0: POLICY
};

static const struct expectation expectations[] = {
    {"a policy", "ok.example", TRUST_FETCH_OK, NULL, 0},
    {"wildcard certificate", "wildcard.example", TRUST_FETCH_OK, NULL, 0},
    {"media type with parameter", "type.example", TRUST_FETCH_OK, NULL, 0},
    {"chunks", "chunked.example", TRUST_FETCH_OK, NULL, 0},
    {"length by closing", "close.example", TRUST_FETCH_OK, NULL, 0},
    {"after 100", "continue.example", TRUST_FETCH_OK, NULL, 0},
    {"largest policy", "largest.example", TRUST_FETCH_OK, NULL, 65536},
    {"redirect", "redirect.example", TRUST_FETCH_HTTP, "301", 0},
    {"404", "missing.example", TRUST_FETCH_HTTP, "404", 0},
    {"204", "nothing.example", TRUST_FETCH_HTTP, "204", 0},
    {"503 with much text", "broken.example", TRUST_FETCH_HTTP, "503", 0},
    {"text/html", "html.example", TRUST_FETCH_TYPE, "text/plain", 0},
    {"text/plainer", "plainer.example", TRUST_FETCH_TYPE, "text/plain", 0},
    {"no media type", "untyped.example", TRUST_FETCH_TYPE, "text/plain", 0},
    {"a byte too large", "large.example", TRUST_FETCH_TOO_LARGE, NULL, 0},
    {"endless body", "endless.example", TRUST_FETCH_TOO_LARGE, "64 KiB", 0},
    {"endless header", "headers.example", TRUST_FETCH_TOO_LARGE, NULL, 0},
    {"other name", "other.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"common name only", "common.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"common name and a mailbox", "commonmail.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"common name and another", "commonother.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"partial wildcard", "partial.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"self-signed", "self.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"expired", "expired.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"not yet valid", "future.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"unknown authority", "stranger.example", TRUST_FETCH_WEBPKI, NULL, 0},
    {"trickle", "trickle.example", TRUST_FETCH_CONNECT, "in time", 0},
    {"silent", "silent.example", TRUST_FETCH_CONNECT, "in time", 0},
    {"no handshake", "nohandshake.example", TRUST_FETCH_CONNECT, "time", 0},
    {"cut off without notice", "cut.example", TRUST_FETCH_CONNECT, NULL, 0},
    {"cut off behind its length", "cutlength.example", TRUST_FETCH_OK, NULL, 0},
    {"cut off behind the last chunk", "cutchunk.example", TRUST_FETCH_OK, NULL, 0},
    {"cut off before the last chunk", "lostchunk.example", TRUST_FETCH_CONNECT, NULL, 0},
    {"less than announced", "short.example", TRUST_FETCH_CONNECT, NULL, 0},
    {"no answer", "mute.example", TRUST_FETCH_CONNECT, NULL, 0},
    {"no HTTP", "garbage.example", TRUST_FETCH_HTTP, NULL, 0},
    {"no TLS for this name", "unknown.example", TRUST_FETCH_CONNECT, NULL, 0},
};
enum { EXPECTATIONS = sizeof expectations / sizeof expectations[0] };

static struct lab lab;
static struct https_lab https = {.cases = cases, .count = sizeof cases / sizeof cases[0]};
static struct https_lab old = {.cases = old_cases, .count = 1};
static struct lookup_https *fetcher;
static pid_t server, old_server;
static unsigned port;
static char anchors[200];

static struct lookup_https *fetcher_new(unsigned outstanding, int64_t timeout_us)
{
    struct lookup_https_conf conf = {.ca_file = span_str(anchors),
                                     .timeout_us = timeout_us,
                                     .port = (uint16_t)port,
                                     .outstanding = outstanding};
    struct lookup_https *h;
    const char *why = NULL;
    if (!rc_ok(lookup_https_new(&h, lab.loop, &conf, &why)))
        fail_msg("%s", why);
    return h;
}

static int set_up(void **state)
{
    (void)state;
    // None of these may have a say.
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    setenv("CURL_CA_BUNDLE", "/nonexistent", 1);
    lab_begin(&lab);
    lab_path(anchors, sizeof anchors, &lab, "anchors.pem");
    https_begin(&https, anchors);
    old.key = https.key;
    old.authority = https.authority;
    int first = https_listen("1", &port), second = https_listen("2", &port);
    server = https_start(&https, first);
    old_server = https_start(&old, second);
    fetcher = fetcher_new(100, 1500 * US_PER_MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lookup_https_free(fetcher);
    lab_stop(server);
    lab_stop(old_server);
    https_end(&https);
    lab_end(&lab);
    return 0;
}

struct result {
    unsigned calls, *waiting;
    enum trust_fetch_result result;
    struct buf file, detail;
};

static void result_free(struct result *r)
{
    buf_free(&r->file);
    buf_free(&r->detail);
}

static void got(void *arg, const struct trust_fetched *f)
{
    struct result *r = arg;
    r->calls++;
    r->result = f->result;
    r->file = r->detail = BUF(1 << 20);
    buf_put(&r->file, f->file);
    buf_put(&r->detail, f->detail);
    if (--*r->waiting == 0)
        io_loop_stop(lab.loop);
}

static void fetch(struct lookup_https *h, struct result *r, unsigned *waiting, const char *domain,
                  const char *const *addresses)
{
    struct dns_name name;
    struct dns_address list[8];
    size_t count = 0;
    *r = (struct result){.waiting = waiting};
    ++*waiting;
    assert_true(dns_name_parse(&name, span_str(domain)));
    for (; addresses[count]; count++)
        assert_true(dns_address_parse(&list[count], span_str(addresses[count])));
    lookup_https_policy(h, &name, list, count, got, r);
    assert_int_equal(r->calls, 0);
}

static void fetch_one(struct result *r, const char *domain, const char *const *addresses)
{
    unsigned waiting = 0;
    fetch(fetcher, r, &waiting, domain, addresses);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(r->calls, 1);
}

static const char *const here[] = {"127.0.0.1", NULL};

static void check(const struct expectation *e, struct result *r)
{
    if (r->result != e->result)
        fail_msg("%s: result %d, not %d: %s", e->domain, r->result, e->result, buf_str(&r->detail));
    if (e->detail && !strstr(buf_str(&r->detail), e->detail))
        fail_msg("%s: %s", e->domain, buf_str(&r->detail));
    assert_int_equal(r->detail.len > 0, r->result != TRUST_FETCH_OK);
    if (e->result == TRUST_FETCH_OK && e->size)
        assert_int_equal(r->file.len, e->size);
    else
        assert_string_equal(buf_str(&r->file), e->result == TRUST_FETCH_OK ? POLICY : "");
}

static void one_fetch(void **state)
{
    const struct expectation *e = *state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, e->domain, here);
    check(e, &r);
}

static void empty_policy(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "empty.example", here);
    assert_int_equal(r.result, TRUST_FETCH_OK);
    assert_int_equal(r.file.len, 0);
}

static void all_at_once(void **state)
{
    (void)state;
    static struct result r[EXPECTATIONS];
    unsigned waiting = 0;
    struct lookup_https *h = fetcher_new(100, SECONDS(3));
    for (size_t i = 0; i < EXPECTATIONS; i++)
        fetch(h, &r[i], &waiting, expectations[i].domain, here);
    assert_true(lab_run(&lab, 20));
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        assert_int_equal(r[i].calls, 1);
        check(&expectations[i], &r[i]);
        result_free(&r[i]);
    }
    lookup_https_free(h);
}

static void old_protocol(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "old.example", (const char *[]){"127.0.0.2", NULL});
    assert_int_equal(r.result, TRUST_FETCH_CONNECT);
}

static void refused_address(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "ok.example", (const char *[]){"127.0.0.3", NULL});
    assert_int_equal(r.result, TRUST_FETCH_CONNECT);
    assert_true(r.detail.len > 0);
}

static void next_address(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "ok.example", (const char *[]){"::1", "127.0.0.3", "127.0.0.1", NULL});
    assert_int_equal(r.result, TRUST_FETCH_OK);
}

// What one request was told of a name is not believed by the next.
static void addresses_are_not_kept(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result first, second;
    fetch_one(&first, "ok.example", here);
    assert_int_equal(first.result, TRUST_FETCH_OK);
    fetch_one(&second, "ok.example", (const char *[]){"127.0.0.3", NULL});
    assert_int_equal(second.result, TRUST_FETCH_CONNECT);
}

static void no_address(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "ok.example", (const char *[]){NULL});
    assert_int_equal(r.result, TRUST_FETCH_DNS);
    assert_true(r.detail.len > 0);
}

static void no_host_name(void **state)
{
    (void)state;
    CLEANUP(result_free) struct result r;
    fetch_one(&r, "a/b@c.example", here);
    assert_int_equal(r.result, TRUST_FETCH_DNS);
}

static void over_the_ceiling(void **state)
{
    (void)state;
    struct lookup_https *h = fetcher_new(1, SECONDS(3));
    CLEANUP(result_free) struct result first, second;
    unsigned waiting = 0;
    fetch(h, &first, &waiting, "ok.example", here);
    fetch(h, &second, &waiting, "ok.example", here);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(first.result, TRUST_FETCH_OK);
    assert_int_equal(second.result, TRUST_FETCH_CONNECT);
    lookup_https_free(h);
}

static void freed_under_way(void **state)
{
    (void)state;
    struct lookup_https *h = fetcher_new(10, SECONDS(10));
    struct result r[3], other;
    unsigned forgotten = 0, waiting = 0;
    fetch(h, &r[0], &forgotten, "silent.example", here);
    fetch(h, &r[1], &forgotten, "ok.example", (const char *[]){NULL});
    fetch(fetcher, &other, &waiting, "redirect.example", here);
    assert_true(lab_run(&lab, 20)); // the first is under way now
    fetch(h, &r[2], &forgotten, "trickle.example", here);
    lookup_https_free(h);
    assert_int_equal(r[0].calls + r[2].calls, 0);
    if (r[1].calls)
        result_free(&r[1]);
    result_free(&other);
}

static void bad_anchors(void **state)
{
    (void)state;
    static const char damaged[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char *const texts[] = {"", "no certificate\n", damaged};
    char path[200];
    lab_path(path, sizeof path, &lab, "bad.pem");
    struct lookup_https_conf conf = {.ca_file = span_str(path), .outstanding = 1};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        lab_put(&lab, "bad.pem", texts[i]);
        struct lookup_https *h;
        const char *why = NULL;
        assert_int_equal(lookup_https_new(&h, lab.loop, &conf, &why).code, RC_CONFIG);
        assert_null(h);
        assert_non_null(why);
    }
}

static void system_anchors(void **state)
{
    (void)state;
    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK))
        skip();
    struct lookup_https_conf conf = {.outstanding = 1};
    struct lookup_https *h;
    const char *why = NULL;
    assert_true(rc_ok(lookup_https_new(&h, lab.loop, &conf, &why)));
    lookup_https_free(h);
}

static const struct CMUnitTest others[] = {
    cmocka_unit_test(empty_policy),     cmocka_unit_test(all_at_once),
    cmocka_unit_test(old_protocol),     cmocka_unit_test(refused_address),
    cmocka_unit_test(next_address),     cmocka_unit_test(addresses_are_not_kept),
    cmocka_unit_test(no_address),       cmocka_unit_test(no_host_name),
    cmocka_unit_test(over_the_ceiling), cmocka_unit_test(freed_under_way),
    cmocka_unit_test(bad_anchors),      cmocka_unit_test(system_anchors),
};
enum { OTHERS = sizeof others / sizeof others[0] };

int main(void)
{
    static struct CMUnitTest tests[EXPECTATIONS + OTHERS];
    for (size_t i = 0; i < EXPECTATIONS; i++)
        tests[i] = (struct CMUnitTest){expectations[i].what, one_fetch, NULL, NULL,
                                       (void *)(uintptr_t)&expectations[i]};
    for (size_t i = 0; i < OTHERS; i++)
        tests[EXPECTATIONS + i] = others[i];
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
