// libmicrohttpd in our loop, and its connections.
#include "http_inner.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { MEMORY = 32 << 10 };

static void panicked(void *arg, const char *file, unsigned line, const char *reason)
{
    (void)arg;
    panic("libmicrohttpd: %s:%u: %s", file, line, reason ? reason : "");
}

// ---- the loop ----

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_run(s->daemon) != MHD_YES)
        panic("libmicrohttpd does not run");
    io_timer_cancel(s->loop, &s->timer);
    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES) {
        int64_t us = ms < 3600000 ? (int64_t)ms * US_PER_MS : SECONDS(3600);
        io_timer_set(s->loop, &s->timer, (struct mono){io_now(s->loop).us + us});
    }
}

static void ready(void *arg, int what)
{
    (void)what;
    run(arg);
}

static void go_on(void *arg)
{
    run(arg);
}

void http_server_wake(struct http_server *s)
{
    io_work_set(s->loop, &s->resumed);
}

// ---- connections ----

static void connection_noted(void *arg, struct MHD_Connection *c, void **context,
                             enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = arg;
    struct http_connection *one = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = one = mem_new(sizeof *one);
        *one = (struct http_connection){
            .next = s->connections, .at = &s->connections, .server = s, .connection = c};
        if (one->next)
            one->next->at = &one->next;
        s->connections = one;
        if (s->coming)
            one->peer = *s->coming;
        http_limit_init(one);
    } else if (one) {
        *one->at = one->next;
        if (one->next)
            one->next->at = one->at;
        io_timer_cancel(s->loop, &one->limit);
        *context = NULL;
        free(one);
    }
}

struct rc http_server_take(struct http_server *s, int fd, const struct io_endpoint *peer)
{
    // Whose it is, is ours to know; all that is asked for is some address.
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    s->coming = peer;
    enum MHD_Result is =
        MHD_add_connection(s->daemon, fd, (struct sockaddr *)&nobody, sizeof nobody.sun_family);
    s->coming = NULL;
    http_server_wake(s);
    return is == MHD_YES ? RC(OK) : RC(UNAVAILABLE);
}

// ---- life ----

static void quiet(void *arg, const char *format, va_list ap)
{
    (void)arg, (void)format, (void)ap; // what clients do wrong is no news
}

static struct MHD_Daemon *daemon_new(struct http_server *s, int fd)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem socket[] = {
        {fd < 0 ? MHD_OPTION_END : MHD_OPTION_LISTEN_SOCKET, fd, NULL}, {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        fd < 0 ? flags | MHD_USE_NO_LISTEN_SOCKET : flags, 0, NULL, NULL, http_request_handle, s,
        MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_ARRAY, socket,
        MHD_OPTION_CONNECTION_LIMIT, s->conf.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        s->conf.patience_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, connection_noted, s, MHD_OPTION_END);
}

struct rc http_server_new(struct http_server **out, struct io_loop *loop, int fd,
                          const struct http_conf *conf, const char **why)
{
    struct http_server *s = mem_new(sizeof *s);
    *s = (struct http_server){.loop = loop, .conf = *conf, .listens = fd >= 0};
    s->timer = (struct io_timer){.fire = go_on, .arg = s};
    s->resumed = (struct io_work){.run = go_on, .arg = s};
    *out = NULL;
    MHD_set_panic_func(panicked, NULL);
    s->daemon = daemon_new(s, fd);
    const union MHD_DaemonInfo *info =
        s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || info->epoll_fd < 0) {
        *why = "libmicrohttpd cannot listen on the socket";
        if (s->daemon)
            MHD_stop_daemon(s->daemon);
        free(s);
        return RC(UNAVAILABLE);
    }
    s->watch = io_watch_new(loop, info->epoll_fd, IO_READ, ready, s);
    *out = s;
    return RC(OK);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    io_watch_free(s->watch);
    io_timer_cancel(s->loop, &s->timer);
    if (s->listens)
        (void)MHD_quiesce_daemon(s->daemon); // the socket is not ours to close
    while (s->waiting)                       // it does not end with a suspended connection
        http_answer(s->waiting, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", SPAN("ending\n"));
    (void)MHD_run(s->daemon);
    io_work_cancel(s->loop, &s->resumed);
    MHD_stop_daemon(s->daemon);
    free(s);
}
