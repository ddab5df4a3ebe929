#include "proc_segments.h"

#include <stdlib.h>
#include <unistd.h>

struct proc_segment {
    struct proc_segment *next; // in the list; few at a time
    uint32_t id;
    int fd;
    unsigned users; // the list is one
};

struct proc_segments {
    struct proc_segment *first;
};

struct proc_segments *proc_segments_new(void)
{
    return mem_new(sizeof(struct proc_segments));
}

void proc_segment_release(struct proc_segment *held)
{
    if (!held || --held->users)
        return;
    close(held->fd);
    free(held);
}

void proc_segments_drop(struct proc_segments *s, uint32_t id)
{
    for (struct proc_segment **at = &s->first; *at; at = &(*at)->next) {
        if ((*at)->id != id)
            continue;
        struct proc_segment *gone = *at;
        *at = gone->next;
        proc_segment_release(gone);
        return;
    }
}

void proc_segments_clear(struct proc_segments *s)
{
    while (s->first)
        proc_segments_drop(s, s->first->id);
}

void proc_segments_keep(struct proc_segments *s, uint32_t id, int fd)
{
    proc_segments_drop(s, id);
    struct proc_segment *segment = mem_new(sizeof *segment);
    *segment = (struct proc_segment){.next = s->first, .id = id, .fd = fd, .users = 1};
    s->first = segment;
}

struct proc_segment *proc_segments_hold(struct proc_segments *s, uint32_t id)
{
    for (struct proc_segment *segment = s->first; segment; segment = segment->next) {
        if (segment->id == id) {
            segment->users++;
            return segment;
        }
    }
    return NULL;
}

int proc_segment_fd(const struct proc_segment *held)
{
    return held->fd;
}
