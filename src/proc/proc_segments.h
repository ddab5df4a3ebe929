// Descriptors of body segments that the store handed over, by segment id. The
// store sends each once a channel; a new store sends them anew. Who reads from
// one holds it, so that it stays open although the list has let go of it.
#pragma once
#include "base_rc.h"

struct proc_segment;
struct proc_segments;
struct proc_segments *proc_segments_new(void);
void proc_segments_clear(struct proc_segments *s);                     // the store died
void proc_segments_keep(struct proc_segments *s, uint32_t id, int fd); // takes the descriptor
void proc_segments_drop(struct proc_segments *s, uint32_t id);         // the segment is gone

struct proc_segment *proc_segments_hold(struct proc_segments *s, uint32_t id); // NULL: not here
int proc_segment_fd(const struct proc_segment *held);
void proc_segment_release(struct proc_segment *held); // NULL: nothing
