#include "io_address.h"
#include "io_loop_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// Few a turn: processes that share the socket then share the work, and those who
// are connected already are served in between.
enum { ACCEPTS_PER_TURN = 4, BACKLOG = 4096 };
// Out of descriptors: the socket stays readable, so looking at it again at once
// would be spinning.
static const int64_t rest_us = 200 * US_PER_MS;

struct io_listener {
    struct io_loop *loop;
    struct io_watch *watch;
    struct io_timer rest;
    int fd;
    void (*accepted)(void *arg, int fd, const struct io_endpoint *peer);
    void *arg;
    bool accepting, freed;
};

static bool option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0;
}

// A socket file that refuses a connection was left by who is no more.
static void local_clear(const struct io_endpoint *at)
{
    struct stat st;
    if (lstat(at->path, &st) || !S_ISSOCK(st.st_mode))
        return;
    int fd = io_socket_new(at);
    struct io_address a = io_address_of(at);
    if (fd >= 0 && connect(fd, &a.any, a.len) && errno == ECONNREFUSED)
        (void)unlink(at->path);
    if (fd >= 0)
        close(fd);
}

static bool prepare(int fd, const struct io_endpoint *at)
{
    if (at->local) {
        local_clear(at);
        return true;
    }
    io_socket_nodelay(fd); // accepted sockets inherit it
    return option(fd, SOL_SOCKET, SO_REUSEADDR) &&
           (!at->v6 || option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
}

struct rc io_bind(int *out, const struct io_endpoint *at)
{
    *out = -1;
    int fd = io_socket_new(at);
    if (fd < 0)
        return rc_errno(errno);
    struct io_address a = io_address_of(at);
    if (!prepare(fd, at) || bind(fd, &a.any, a.len) || listen(fd, BACKLOG)) {
        int error = errno;
        close(fd);
        return rc_errno(error);
    }
    *out = fd;
    return RC(OK);
}

static void release(struct io_listener *li)
{
    if (li->freed && !li->accepting)
        free(li);
}

static void rested(void *arg)
{
    struct io_listener *li = arg;
    io_watch_want(li->watch, IO_READ);
}

static void take_rest(struct io_listener *li)
{
    io_watch_want(li->watch, 0);
    io_timer_set(li->loop, &li->rest, (struct mono){io_now(li->loop).us + rest_us});
}

// False: no more now.
static bool accept_one(struct io_listener *li)
{
    struct io_address a = {.len = sizeof a.local};
    int fd = accept4(li->fd, &a.any, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct io_endpoint peer;
        (void)io_endpoint_of(&peer, &a);
        li->accepted(li->arg, fd, &peer);
        return !li->freed;
    }
    // Errors of the connection that is lost (accept(2)), not of the listener.
    if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == EPERM)
        return true;
    if (errno != EAGAIN)
        take_rest(li);
    return false;
}

static void ready(void *arg, int what)
{
    (void)what;
    struct io_listener *li = arg;
    li->accepting = true;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(li); i++)
        ;
    li->accepting = false;
    release(li);
}

struct io_listener *
io_listener_new(struct io_loop *l, int fd,
                void (*accepted)(void *arg, int fd, const struct io_endpoint *peer), void *arg)
{
    struct io_listener *li = mem_new(sizeof *li);
    *li = (struct io_listener){.loop = l, .fd = fd, .accepted = accepted, .arg = arg};
    li->rest = (struct io_timer){.fire = rested, .arg = li};
    li->watch = io_watch_new(l, fd, IO_READ, ready, li);
    return li;
}

void io_listener_free(struct io_listener *li)
{
    if (!li)
        return;
    io_timer_cancel(li->loop, &li->rest);
    io_watch_free(li->watch);
    close(li->fd);
    li->freed = true;
    release(li);
}
