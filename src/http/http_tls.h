// An HTTP server behind TLS. OpenSSL ends TLS in a stream of ours; libmicrohttpd is given
// one end of a pair of sockets for each connection, and what it says and hears is carried
// between the two. An end of the client's side is carried, too: it still gets its answer.
//
// When http_conf.connections are there and one more comes, a client with the most of them
// loses the one that has waited for its request longest: who stalls many stalls himself.
#pragma once
#include "http_server.h"
#include "io_tls.h"

struct http_tls;
// As http_server_new().
struct rc http_tls_new(struct http_tls **out, struct io_loop *loop, const struct http_conf *conf,
                       const char **why);
// Takes the sockets, which are bound, in the place of those before; connections stay.
void http_tls_listen(struct http_tls *t, const int *fds, size_t count);
// For handshakes from now on; takes it. NULL: nobody is let in.
void http_tls_use(struct http_tls *t, struct io_tls_server *tls);
size_t http_tls_connections(const struct http_tls *t);
// Requests without an answer get 503, and what is said already leaves if it can at once.
void http_tls_free(struct http_tls *t); // NULL: nothing
