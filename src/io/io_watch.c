// Two events a descriptor, one a direction: libevent folds them into one entry of
// epoll, and a change of one is one system call.
#include "io_loop_inner.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

struct io_watch {
    struct event reading, writing;
    int want;
    void (*ready)(void *arg, int what);
    void *arg;
};

static void readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct io_watch *w = arg;
    w->ready(w->arg, IO_READ);
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct io_watch *w = arg;
    w->ready(w->arg, IO_WRITE);
}

struct io_watch *io_watch_new(struct io_loop *l, int fd, int what,
                              void (*ready)(void *arg, int what), void *arg)
{
    struct io_watch *w = mem_new(sizeof *w);
    w->ready = ready;
    w->arg = arg;
    struct event_base *base = io_loop_base(l);
    if (event_assign(&w->reading, base, fd, EV_READ | EV_PERSIST, readable, w) ||
        event_assign(&w->writing, base, fd, EV_WRITE | EV_PERSIST, writable, w))
        panic("descriptor %d cannot be watched", fd);
    io_watch_want(w, what);
    return w;
}

static void change(struct event *e, bool on)
{
    if (on ? event_add(e, NULL) : event_del(e))
        panic("descriptor %d cannot be watched", (int)event_get_fd(e));
}

void io_watch_want(struct io_watch *w, int what)
{
    int changed = w->want ^ what;
    w->want = what;
    if (changed & IO_READ)
        change(&w->reading, what & IO_READ);
    if (changed & IO_WRITE)
        change(&w->writing, what & IO_WRITE);
}

void io_watch_free(struct io_watch *w)
{
    if (!w)
        return;
    io_watch_want(w, 0);
    free(w);
}
