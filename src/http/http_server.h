// A small HTTP server over libmicrohttpd, inside our event loop: requests go to one
// handler, which answers now or later. For our own pages, and for what others post.
// Everything is bounded: connections, memory of one, bodies of one and of all (they lie
// in memfds), the time a head and a body take, time without news.
//
// A client is an IPv4 address or an IPv6 network of 64 bits.
//
// TLS is done in front of it (http_tls.h).
#pragma once
#include "base_rc.h"
#include "base_span.h"
#include "io_loop.h"
#include "io_stream.h"

struct http_server;
struct http_request;

enum { HTTP_GET = 1, HTTP_POST = 2 }; // HEAD is a GET without the answer's body

struct http_conf {
    // What there is at that path; 0: nothing (404). NULL: GET everywhere.
    unsigned (*methods)(void *arg, struct span path);
    const char *nothing; // a 404 says this; NULL: nothing
    // The head of a POST is there. http_answer() in it turns the request away before its
    // body has come (and ends the connection); it is not for `got` then. NULL: all come.
    void (*head)(void *arg, struct http_request *request);
    // To be answered by http_answer(), exactly once.
    void (*got)(void *arg, struct http_request *request);
    void *arg;
    unsigned connections; // at once
    // Of a head from its first moment on, and of a connection that says nothing; not
    // while an answer is made.
    unsigned patience_s;
    // Of POST only: a body's time in all, and bytes a second it must bring at least in
    // each `patience_s`; bytes of one body, and of all that are there at once.
    unsigned body_s, body_rate;
    size_t body_max, bodies_max;
    size_t client_max; // and of one client; of connections that were taken
};
// `fd` is bound, and stays the caller's; -1: connections come by http_server_take().
// *why says in one sentence what is wrong.
struct rc http_server_new(struct http_server **out, struct io_loop *loop, int fd,
                          const struct http_conf *conf, const char **why);
// Requests without an answer get 503; they must not be answered any more.
void http_server_free(struct http_server *s); // NULL: nothing
// A connection in clear text, of the client `peer`. Takes `fd`, in any case.
struct rc http_server_take(struct http_server *s, int fd, const struct io_endpoint *peer);

// All of these while the request lasts.
struct span http_path(const struct http_request *request); // without the query
bool http_is_post(const struct http_request *request);
struct span http_header(const struct http_request *request, const char *name); // empty: none
const struct io_endpoint *http_peer(const struct http_request *request);       // of those taken
// The body of a POST: a memfd from its beginning, the request's own; -1 where it is empty.
int http_body(const struct http_request *request, uint64_t *size);

void http_retry_after(struct http_request *request, unsigned seconds); // before the answer
// Likewise, and one of its own; both are borrowed for good.
void http_field(struct http_request *request, const char *name, const char *value);
// Copies `body`. HEAD is answered without it.
void http_answer(struct http_request *request, unsigned status, const char *type, struct span body);
