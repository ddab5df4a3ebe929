// Reports by POST: what success is, what of certificates is told, and where it never goes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lab.h"
#include "lab_https.h"
#include "lookup_https.h"

#define EMPTY   "Content-Length: 0\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\n" EMPTY

static const struct https_case cases[] = {
    {"ok.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 200 OK\r\n" EMPTY, 0},
    {"created.example", HTTPS_GOOD, HTTPS_PLAIN, CREATED, 0},
    {"nothing.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 204 No\r\n\r\n", 0},
    {"continue.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 100 Continue\r\n\r\n" CREATED, 0},
    {"talkative.example", HTTPS_GOOD, HTTPS_BODY, "HTTP/1.1 200 OK\r\n\r\n", 1 << 24},
    {"silentbody.example", HTTPS_GOOD, HTTPS_SILENT, "HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\n",
     0},
    {"cut.example", HTTPS_GOOD, HTTPS_CUT, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", 0},
    {"hasty.example", HTTPS_GOOD, HTTPS_HASTY, "HTTP/1.1 413 No\r\nConnection: close\r\n" EMPTY, 0},
    {"redirect.example", HTTPS_GOOD, HTTPS_PLAIN,
     "HTTP/1.1 308 There\r\nLocation: https://mta-sts.ok.example/v1/report\r\n" EMPTY, 0},
    {"missing.example", HTTPS_GOOD, HTTPS_PLAIN, "HTTP/1.1 404 No\r\n" EMPTY, 0},
    {"broken.example", HTTPS_GOOD, HTTPS_BODY, "HTTP/1.1 503 No\r\n\r\n", 1 << 24},
    {"forever100.example", HTTPS_GOOD, HTTPS_SILENT, "HTTP/1.1 100 Continue\r\n\r\n", 0},
    {"silent.example", HTTPS_GOOD, HTTPS_SILENT, NULL, 0},
    {"nohandshake.example", HTTPS_GOOD, HTTPS_NO_HANDSHAKE, NULL, 0},
    {"mute.example", HTTPS_GOOD, HTTPS_PLAIN, NULL, 0},
    {"garbage.example", HTTPS_GOOD, HTTPS_PLAIN, "220 mail.example ESMTP\r\n", 0},
    {"headers.example", HTTPS_GOOD, HTTPS_ENDLESS_HEADER, "HTTP/1.1 200 OK\r\n", 0},
    {"self.example", HTTPS_SELF_SIGNED, HTTPS_PLAIN, CREATED, 0},
    {"expired.example", HTTPS_EXPIRED, HTTPS_PLAIN, CREATED, 0},
    {"other.example", HTTPS_OTHER_NAME, HTTPS_PLAIN, CREATED, 0},
    {"common.example", HTTPS_COMMON_NAME, HTTPS_PLAIN, CREATED, 0},
    {"stranger.example", HTTPS_STRANGER, HTTPS_PLAIN, CREATED, 0},
    {"strangerbroken.example", HTTPS_STRANGER, HTTPS_PLAIN, "HTTP/1.1 500 No\r\n" EMPTY, 0},
};

static const struct expectation {
    const char *what, *domain;
    enum rc_code code;
    unsigned status;
    bool shaken, verified;
    const char *why; // a part of it
} expectations[] = {
    {"200", "ok.example", RC_OK, 200, 1, 1, "status 200"},
    {"201", "created.example", RC_OK, 201, 1, 1, "status 201"},
    {"204", "nothing.example", RC_OK, 204, 1, 1, "status 204"},
    {"100, then 201", "continue.example", RC_OK, 201, 1, 1, NULL},
    {"200 with an endless body", "talkative.example", RC_OK, 200, 1, 1, NULL},
    {"202, then silence", "silentbody.example", RC_OK, 202, 1, 1, NULL},
    {"200, cut off", "cut.example", RC_OK, 200, 1, 1, NULL},
    {"413 before it has the body", "hasty.example", RC_REFUSED, 413, 1, 1, "413"},
    {"redirect", "redirect.example", RC_REFUSED, 308, 1, 1, "redirects are not followed"},
    {"404", "missing.example", RC_REFUSED, 404, 1, 1, "404"},
    {"503 with an endless body", "broken.example", RC_REFUSED, 503, 1, 1, "503"},
    {"100, then silence", "forever100.example", RC_TIMEOUT, 0, 1, 1, "in time"},
    {"silence", "silent.example", RC_TIMEOUT, 0, 1, 1, "in time"},
    {"no handshake", "nohandshake.example", RC_TIMEOUT, 0, 0, 0, "time"},
    {"no answer", "mute.example", RC_CLOSED, 0, 1, 1, NULL},
    {"no HTTP", "garbage.example", RC_CLOSED, 0, 1, 1, NULL},
    {"endless header", "headers.example", RC_CLOSED, 0, 1, 1, "large"},
    {"no TLS for this name", "unknown.example", RC_CLOSED, 0, 0, 0, NULL},
    {"self-signed", "self.example", RC_OK, 201, 1, 0, "not valid: self"},
    {"expired", "expired.example", RC_OK, 201, 1, 0, "expired"},
    {"other name", "other.example", RC_OK, 201, 1, 0, "name"},
    {"common name only", "common.example", RC_OK, 201, 1, 0, "name"},
    {"unknown authority", "stranger.example", RC_OK, 201, 1, 0, "not valid"},
    {"unknown authority and 500", "strangerbroken.example", RC_REFUSED, 500, 1, 0, "500; its"},
};
enum { EXPECTATIONS = sizeof expectations / sizeof expectations[0] };

static struct lab lab;
static struct https_lab https = {.cases = cases, .count = sizeof cases / sizeof cases[0]};
static struct lookup_https *poster;
static pid_t server;
static unsigned port;
static char anchors[200];
static char report[LOOKUP_POST_MAX + 1];

static int set_up(void **state)
{
    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1", 1); // None of these may have a say.
    setenv("CURL_CA_BUNDLE", "/nonexistent", 1);
    memset(report, 'r', sizeof report);
    lab_begin(&lab);
    lab_path(anchors, sizeof anchors, &lab, "anchors.pem");
    https_begin(&https, anchors);
    server = https_start(&https, https_listen("1", &port));
    struct lookup_https_conf conf = {.ca_file = span_str(anchors), .outstanding = 100};
    const char *why = NULL;
    return rc_ok(lookup_https_new(&poster, lab.loop, &conf, &why)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    lookup_https_free(poster);
    lab_stop(server);
    https_end(&https);
    lab_end(&lab);
    return 0;
}

struct result {
    unsigned calls, *waiting;
    struct lookup_posted posted;
    char why[1024];
};

static void got(void *arg, const struct lookup_posted *p)
{
    struct result *r = arg;
    r->calls++;
    r->posted = *p;
    assert_true(span_copy(r->why, sizeof r->why, p->why));
    if (--*r->waiting == 0)
        io_loop_stop(lab.loop);
}

static const char *const here[] = {"127.0.0.1", NULL};

static struct lookup_post to(const char *domain, size_t size)
{
    struct lookup_post p = {.port = (uint16_t)port,
                            .target = SPAN("/v1/report?a=%2F"),
                            .media_type = SPAN("application/tlsrpt+gzip"),
                            .body = {report, size},
                            .timeout_us = SECONDS(2)};
    struct dns_name name;
    assert_true(dns_name_parse(&name, span_str(domain)));
    assert_true(dns_name_prepend(&p.host, SPAN("mta-sts"), &name));
    return p;
}

static void post(struct result *r, unsigned *waiting, const struct lookup_post *p,
                 const char *const *addresses)
{
    struct dns_address list[8];
    size_t count = 0;
    *r = (struct result){.waiting = waiting};
    ++*waiting;
    for (; addresses[count]; count++)
        assert_true(dns_address_parse(&list[count], span_str(addresses[count])));
    lookup_https_post(poster, p, list, count, got, r);
    assert_int_equal(r->calls, 0);
}

static void post_one(struct result *r, const struct lookup_post *p, const char *const *addresses)
{
    unsigned waiting = 0;
    post(r, &waiting, p, addresses);
    assert_true(lab_run(&lab, 20));
    assert_int_equal(r->calls, 1);
}

static void check(const struct expectation *e, const struct result *r)
{
    const struct lookup_posted *p = &r->posted;
    if (p->rc.code != e->code || p->status != e->status || p->shaken != e->shaken ||
        p->verified != e->verified || (e->why && !strstr(r->why, e->why)))
        fail_msg("%s: %d, status %u, %d %d: %s", e->what, p->rc.code, p->status, p->shaken,
                 p->verified, r->why);
    assert_true(r->why[0]);
    assert_true(rc_ok(p->rc) || rc_retry(p->rc));
}

static void all_at_once(void **state)
{
    (void)state;
    static struct result r[EXPECTATIONS];
    unsigned waiting = 0;
    for (size_t i = 0; i < EXPECTATIONS; i++) {
        struct lookup_post p = to(expectations[i].domain, 20000);
        post(&r[i], &waiting, &p, here);
    }
    assert_true(lab_run(&lab, 20));
    for (size_t i = 0; i < EXPECTATIONS; i++)
        check(&expectations[i], &r[i]);
}

static void sizes(void **state)
{
    (void)state;
    static const size_t list[] = {1, 100, 16384, 65535, 1 << 20, LOOKUP_POST_MAX};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct result r;
        struct lookup_post p = to("created.example", list[i]);
        p.timeout_us = SECONDS(15);
        post_one(&r, &p, here);
        if (r.posted.status != 201)
            fail_msg("%zu bytes: %s", list[i], r.why);
    }
}

static void refused(struct lookup_post p, const char *const *addresses, enum rc_code code)
{
    struct result r;
    post_one(&r, &p, addresses);
    assert_int_equal(r.posted.rc.code, code);
    assert_int_equal(r.posted.status, 0);
    assert_true(r.why[0]);
}

static void never_begun(void **state)
{
    (void)state;
    static const char *const nowhere[] = {NULL};
    struct lookup_post p = to("ok.example", LOOKUP_POST_MAX + 1);
    refused(p, here, RC_TOO_LARGE);
    p = to("ok.example", 10);
    refused(p, nowhere, RC_UNAVAILABLE);
    p.port = 0;
    refused(p, here, RC_MALFORMED);
    p = to("ok.example", 10);
    p.target = SPAN("/x HTTP/1.1\r\nX-More: y");
    refused(p, here, RC_MALFORMED);
    p = to("ok.example", 10);
    p.media_type = SPAN("text/plain\r\nX-More: y");
    refused(p, here, RC_MALFORMED);
    p = to("ok.example", 10);
    assert_true(dns_name_parse(&p.host, SPAN("a\\010b.example")));
    refused(p, here, RC_MALFORMED);
}

// To libcurl this name is an address, but it is none of those given.
static void names_that_are_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"127.0.0.1", "127.1", "0x7f.1", "2130706433",
                                        "017700000001"};
    static const char *const elsewhere[] = {"127.0.0.3", NULL};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct result r;
        struct lookup_post p = to("ok.example", 10);
        assert_true(dns_name_parse(&p.host, span_str(names[i])));
        post_one(&r, &p, elsewhere);
        assert_false(rc_ok(r.posted.rc));
        assert_false(r.posted.shaken);
    }
}

static void next_address(void **state)
{
    (void)state;
    struct result r;
    struct lookup_post p = to("created.example", 10);
    post_one(&r, &p, (const char *[]){"::1", "127.0.0.3", "127.0.0.1", NULL});
    assert_int_equal(r.posted.status, 201);
}

static void freed_under_way(void **state)
{
    (void)state;
    struct result r, done;
    unsigned forgotten = 0, waiting = 0;
    struct lookup_https *other, *kept = poster;
    struct lookup_https_conf conf = {.ca_file = span_str(anchors), .outstanding = 1};
    const char *why = NULL;
    assert_true(rc_ok(lookup_https_new(&other, lab.loop, &conf, &why)));
    poster = other;
    struct lookup_post p = to("silent.example", 10), q = to("ok.example", 10);
    post(&r, &forgotten, &p, here);
    poster = kept;
    post(&done, &waiting, &q, here);
    assert_true(lab_run(&lab, 20));
    lookup_https_free(other);
    assert_int_equal(r.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),  cmocka_unit_test(sizes),
        cmocka_unit_test(never_begun),  cmocka_unit_test(names_that_are_numbers),
        cmocka_unit_test(next_address), cmocka_unit_test(freed_under_way),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
