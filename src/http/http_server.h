// A small HTTP server over libmicrohttpd, inside our event loop: requests go to one
// handler, which answers now or later. For our own pages; bodies of requests are not
// taken (405). Everything is bounded: connections, memory of one, time without news.
//
// TLS is not done here: what listens beyond loopback belongs behind a proxy.
#pragma once
#include "base_rc.h"
#include "base_span.h"
#include "io_loop.h"

struct http_server;
struct http_request;

struct http_conf {
    // To be answered by http_answer(), exactly once.
    void (*got)(void *arg, struct http_request *request);
    void *arg;
    unsigned connections; // at once
    unsigned patience_s;  // of a connection that says nothing; not while an answer is made
};
// `fd` is bound, and stays the caller's. *why says in one sentence what is wrong.
struct rc http_server_new(struct http_server **out, struct io_loop *loop, int fd,
                          const struct http_conf *conf, const char **why);
// Requests without an answer get 503; they must not be answered any more.
void http_server_free(struct http_server *s); // NULL: nothing

struct span http_path(const struct http_request *request); // without the query; while it lasts
// Copies `body`. GET and HEAD alone get here, HEAD is sent without it.
void http_answer(struct http_request *request, unsigned status, const char *type, struct span body);
