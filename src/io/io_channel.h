// Messages between roles: length-prefixed, over a Unix stream socketpair, with
// descriptors where bytes are many. Many messages travel in one system call.
// A malformed frame closes the channel; it never harms who receives it.
//
// Frame: u32 length of what follows, u16 kind, u8 number of descriptors (0 or
// 1), u32 ticket, payload. `ticket` pairs an answer with its question: the
// asker chooses it, the answerer repeats it.
#pragma once
#include "base_wire.h"
#include "io_loop.h"

enum { IO_MESSAGE_MAX = 4 << 20 };

struct io_channel;
struct io_message {
    uint16_t kind;
    uint32_t ticket;
    struct span payload; // borrowed during the call
    int fd;              // -1: none; closed after `got` unless that takes it by setting it to -1
};
// `got` returns false for a message it cannot make sense of: the channel is
// closed then, and `closed` called. The owner may not free the channel inside `got`.
struct io_channel *io_channel_new(struct io_loop *l, int fd,
                                  bool (*got)(void *arg, struct io_message *m),
                                  void (*closed)(void *arg), void *arg);
void io_channel_free(struct io_channel *c);
// Queues a message; it leaves at the end of the turn. `fd` (or -1) is duplicated.
void io_channel_send(struct io_channel *c, uint16_t kind, uint32_t ticket, struct span payload,
                     int fd);
// Passwords or keys pass through: nothing of what was sent or read stays in memory of ours.
void io_channel_secret(struct io_channel *c);
size_t io_channel_pending(const struct io_channel *c); // bytes not yet with the kernel
struct rc io_channel_pair(int fds[2]);
