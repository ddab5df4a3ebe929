// A stream's inside: io_stream.c is what owners call, io_stream_state.c decides
// what comes next, io_stream_wire.c talks to the socket and to OpenSSL.
#pragma once
#include "io_loop_inner.h"
#include "io_stream.h"
#include "io_tls_inner.h"

enum io_stream_state {
    IO_STREAM_CONNECTING,
    IO_STREAM_OPEN,
    IO_STREAM_SHAKING,   // a handshake is under way
    IO_STREAM_NOTIFYING, // own close: all bytes have left, close_notify has not
    IO_STREAM_LINGERING, // own close: the peer still sends; a reset would eat our last words
    IO_STREAM_OVER,      // the owner was told, or has freed it
};

struct io_stream {
    struct io_loop *loop;
    const struct io_stream_owner *owner;
    void *arg;
    struct io_watch *watch, *async;
    struct io_work work;
    struct io_timer limit; // of an own close
    enum io_stream_state state;
    int fd, depth; // depth: callbacks we are in
    struct buf in, out;
    int64_t linger_us;            // after an own close; 0: usual, where the peer is heard to speak
    size_t sip;                   // bytes of input at most; 0: no ceiling of the owner
    size_t sent;                  // of `out`, with the kernel
    struct span shown;            // what `input` is being offered from the scratch
    SSL *ssl, *next;              // next: of the handshake that was asked for
    struct io_tls_server *server; // while its handshake needs it
    struct span clear;            // io_tls_accept's, until the client has begun as TLS does
    struct io_tls_check *check;
    struct io_tls_facts *facts;
    struct rc fail;              // what ended the stream; OK: nothing did
    struct rc broken;            // what ended writing; the peer's last words may still be read
    bool client, tls_asked;      // the handshake is to begin when `out` is empty
    bool freed, paused, closing; // what the owner said
    bool again, wrote, eof;      // what the owner is to be told
    bool ended;                  // and was told of eof
    bool more;                   // OpenSSL holds input that the socket will not tell of
    bool blocked, stalled;       // writing, reading waits until the socket is writable
};

// The ways in: a ready descriptor, the end of a turn, a limit of an own close.
void io_stream_ready(void *arg, int what);
void io_stream_turn_end(void *arg);
void io_stream_limit(void *arg);
void io_stream_poke(struct io_stream *s); // asks for a turn_end
void io_stream_try(struct io_stream *s);  // writes what can be written; calls nobody back
void io_stream_over(struct io_stream *s); // nothing will come of this socket any more

enum io_wire_is {
    IO_WIRE_DONE,
    IO_WIRE_READ,  // again when the socket is readable
    IO_WIRE_WRITE, // again when it is writable
    IO_WIRE_ASYNC, // again when an asynchronous job says so
    IO_WIRE_EOF,
    IO_WIRE_FAIL,
};
struct io_wire {
    enum io_wire_is is;
    size_t n;
    struct rc why; // FAIL
};
struct io_wire io_wire_read(struct io_stream *s, char *to, size_t room); // more than one record
struct io_wire io_wire_write(struct io_stream *s, struct span bytes);
struct io_wire io_wire_shake(struct io_stream *s);
struct io_wire io_wire_notify(struct io_stream *s); // close_notify; without TLS nothing
bool io_wire_more(struct io_stream *s);             // OpenSSL holds bytes for us
// The descriptor of the asynchronous job that OpenSSL waits for; -1: none.
int io_wire_async(struct io_stream *s);
