// A byte stream over a socket, with TLS when asked, on plain loop events and
// SSL_read/SSL_write. Non-blocking throughout; SSL_ERROR_WANT_ASYNC is waited
// for like readability.
//
// The owner is called back, never from inside one of its own calls into the
// stream. After `closed`, and after `connected` or `secured` with a failure, no
// call comes: what is left to do is io_stream_free(). The owner may free the
// stream at any time, also from a callback. A callback that an owner has no use
// for may be NULL; without `input` nothing is taken.
#pragma once
#include "io_loop.h"
#include "io_tls.h"

struct io_stream;
struct io_stream_owner {
    // Unread input: take what you can, return how many bytes you took. Called
    // again when more came; input is held back (not read from the socket)
    // while more than IO_STREAM_HOLD bytes lie unread.
    size_t (*input)(void *arg, struct span bytes);
    void (*drained)(void *arg);                  // everything written was handed to the kernel
    void (*connected)(void *arg, struct rc how); // io_stream_connect only
    void (*secured)(void *arg, struct rc how);   // handshake over; facts: io_stream_tls()
    // The peer will say no more; its last input was offered. Who has this is not told CLOSED:
    // the peer may still listen, until io_stream_close().
    void (*ended)(void *arg);
    // CLOSED: by the peer, after its last input was offered, what was written has
    // left, and no pause is on. OK: io_stream_close() is through. Else a failure.
    void (*closed)(void *arg, struct rc why);
};

enum { IO_STREAM_HOLD = 65536, IO_STREAM_WRITE_MAX = 1 << 20 };

struct io_stream *io_stream_new(struct io_loop *l, int fd, const struct io_stream_owner *owner,
                                void *arg); // takes the descriptor
struct io_endpoint {
    bool v6;
    unsigned char address[16];
    uint16_t port;
    bool local; // Unix socket: `path`
    char path[108];
};
// Starts to connect; `connected` tells. `from`: bind address, NULL: any.
struct io_stream *io_stream_connect(struct io_loop *l, const struct io_endpoint *to,
                                    const struct io_endpoint *from,
                                    const struct io_stream_owner *owner, void *arg);
void io_stream_free(struct io_stream *s); // closes at once

// Queues bytes; they leave at the end of this turn, or at once by flush. On a
// stream that is closed or closing they go nowhere.
// FULL past IO_STREAM_WRITE_MAX: wait for `drained`.
struct rc io_stream_write(struct io_stream *s, struct span bytes);
struct buf *io_stream_out(struct io_stream *s); // to append directly; then io_stream_wake()
void io_stream_wake(struct io_stream *s);
void io_stream_flush(struct io_stream *s);           // tries now; what came of it is told later
size_t io_stream_pending(const struct io_stream *s); // bytes not yet with the kernel
struct span io_stream_unread(const struct io_stream *s);
void io_stream_again(struct io_stream *s); // offer unread input again at the end of the turn
// Leaves all but so many unread bytes in the socket, until it is given more or 0 (no
// ceiling, as at first): for what comes in front of a handshake.
void io_stream_sip(struct io_stream *s, size_t most);
// Passwords pass through: what was read and taken, or written, stays in no memory of ours,
// nor of OpenSSL's.
void io_stream_secret(struct io_stream *s);
void io_stream_pause(struct io_stream *s, bool paused); // no input calls while paused
// Takes no more input, lets what is queued leave, says close_notify where TLS is
// on, then calls `closed`. A peer that does not read is given up after a while.
// What a peer is in the middle of saying is thrown away for up to two seconds, or a
// reset would eat our last words.
void io_stream_close(struct io_stream *s);
// For a peer that may be answered in the middle of a long speech: after a close what
// it still says is thrown away for so long, or until it ends.
void io_stream_linger(struct io_stream *s, int64_t us);

// Handshakes begin when all queued bytes have left. Unread clear-text input is
// dropped by the client side and is an error (MALFORMED) on the server side. A
// handshake fails with MALFORMED (no TLS, or none we could agree on), CLOSED or
// what the network said; the facts then have the sentence. `want` and what it points
// to are copied. With io_tls_accept.clear a client without TLS ends with `closed` (OK).
void io_stream_accept_tls(struct io_stream *s, struct io_tls_server *t,
                          const struct io_tls_accept *how); // NULL: {0}
void io_stream_connect_tls(struct io_stream *s, struct io_tls_client *t,
                           const struct io_tls_want *want);
const struct io_tls_facts *io_stream_tls(const struct io_stream *s); // NULL: no TLS
// The DNS names in the certificate that the peer showed, proved or not; how many.
size_t io_stream_tls_names(const struct io_stream *s, void (*each)(void *arg, struct span name),
                           void *arg);
// The server side's; false: no TLS.
bool io_stream_binding(const struct io_stream *s, struct io_tls_binding *out);
bool io_stream_peer(const struct io_stream *s, struct io_endpoint *out); // asks the kernel
bool io_stream_own(const struct io_stream *s, struct io_endpoint *out);  // this side's

// "192.0.2.1:25", "[2001:db8::1]:25", "unix:/path"; parse takes the same.
void io_endpoint_put(struct buf *b, const struct io_endpoint *e);
bool io_endpoint_parse(struct io_endpoint *out, struct span text, uint16_t default_port);

// Listening sockets are bound by the master and handed on as descriptors. A Unix
// socket that nobody listens on any more is replaced.
struct rc io_bind(int *fd, const struct io_endpoint *at);
struct io_listener;
// Takes the descriptor, which several processes may share; `accepted` owns what
// it is given (non-blocking, close-on-exec) and may free the listener.
struct io_listener *
io_listener_new(struct io_loop *l, int fd,
                void (*accepted)(void *arg, int fd, const struct io_endpoint *peer), void *arg);
void io_listener_free(struct io_listener *li); // closes
