// A server with a handler that says what it was given, for the tests of this room.
#pragma once
#include "../io/io_test.h"

#include "base_buf.h"
#include "http_server.h"

enum { TEST_BODY_MAX = 100000, TEST_BODIES_MAX = 250000, TEST_CLIENT_MAX = 150000 };

struct handler {
    struct io_loop *loop;
    unsigned gets, posts, heads;
    bool later; // answers are kept back
    struct http_request *kept[8];
    size_t kept_count;
    uint64_t size;
    char peer[64];
};

static unsigned handler_methods(void *arg, struct span path)
{
    (void)arg;
    return span_eq(path, SPAN("/post"))   ? HTTP_POST
           : span_eq(path, SPAN("/both")) ? HTTP_GET | HTTP_POST
           : span_eq(path, SPAN("/"))     ? HTTP_GET
                                          : 0;
}

static void handler_head(void *arg, struct http_request *r)
{
    struct handler *h = arg;
    h->heads++;
    if (span_eq(http_header(r, "Content-Encoding"), SPAN("br")))
        http_answer(r, 415, "text/plain", SPAN("not that\n"));
}

static void handler_say(struct handler *h, struct http_request *r)
{
    CLEANUP(buf_free) struct buf b = BUF(1024), peer = BUF(64);
    unsigned char piece[4096];
    unsigned sum = 0;
    int fd = http_body(r, &h->size);
    off_t at = 0;
    for (ssize_t n; fd >= 0 && (n = pread(fd, piece, sizeof piece, at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + piece[i];
    assert_int_equal(at, h->size);
    io_endpoint_put(&peer, http_peer(r));
    (void)span_copy(h->peer, sizeof h->peer, buf_span(&peer));
    buf_printf(&b, "%s %u %u\n", http_is_post(r) ? "posted" : "got", (unsigned)h->size, sum);
    http_answer(r, http_is_post(r) ? 201 : 200, "text/plain", buf_span(&b));
}

static void handler_got(void *arg, struct http_request *r)
{
    struct handler *h = arg;
    ++*(http_is_post(r) ? &h->posts : &h->gets);
    if (h->later)
        h->kept[h->kept_count++] = r;
    else
        handler_say(h, r);
}

static inline unsigned handler_sum(const char *bytes, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}

static inline struct http_conf handler_conf(struct handler *h)
{
    return (struct http_conf){.methods = handler_methods,
                              .nothing = "nothing here\n",
                              .head = handler_head,
                              .got = handler_got,
                              .arg = h,
                              .connections = 8,
                              .patience_s = 10,
                              .body_s = 60,
                              .body_rate = 100,
                              .body_max = TEST_BODY_MAX,
                              .bodies_max = TEST_BODIES_MAX,
                              .client_max = TEST_CLIENT_MAX};
}
