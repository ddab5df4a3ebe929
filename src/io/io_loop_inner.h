// What the files of this room share of the loop; no other room includes it.
#pragma once
#include "base_span.h"
#include "io_loop.h"

struct event_base;
struct event_base *io_loop_base(struct io_loop *l);

// One read's worth of memory for the whole process: whoever reads fills it, hands
// it to its owner and copies what is left before it returns to the loop.
enum { IO_SCRATCH = 65536 };
char *io_loop_scratch(struct io_loop *l);
