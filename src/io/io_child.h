// A function on foreign bytes, run in a short-lived child: what goes wrong there ends there. The
// child has the bytes by its memory and one descriptor, its output. It can have no other, nor a
// socket, a file or a process; memory, processor time and life are bounded, and it dies with
// its parent. Built without sanitizers it has a filter of system calls besides.
//
// What comes out is to be read as if a stranger had written it.
#pragma once
#include "base_buf.h"
#include "io_loop.h"

enum io_child_end {
    IO_CHILD_DONE,
    IO_CHILD_DIED,     // crashed, was killed, ran out of memory or processor time
    IO_CHILD_LATE,     // was not done in time
    IO_CHILD_TOO_MUCH, // its output is larger than allowed
    IO_CHILD_NONE,     // none could be started now
    IO_CHILD_ENDS
};

struct io_child_task {
    void (*run)(struct buf *out, struct span bytes); // in the child; its result goes to `out`
    struct span bytes;
    size_t output_max;
    size_t memory_max; // of address space, what the parent has included
    int64_t patience_us;
};

// Starts, waits and gives the output, which is empty unless DONE.
enum io_child_end io_child_run(const struct io_child_task *t, struct buf *out);

// The same by the loop; the bytes may go when this returns. `done` is called once, later, and may
// take the output (leaving an empty buf there); the child is gone then, as is the handle.
struct io_child;
struct io_child *io_child_start(struct io_loop *l, const struct io_child_task *t,
                                void (*done)(void *arg, enum io_child_end end, struct buf *out),
                                void *arg);
void io_child_stop(struct io_child *c); // kills it; no call comes. NULL: nothing
