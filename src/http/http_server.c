#include "http_server.h"

#include "base_buf.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 32 << 10 };

struct http_request {
    struct http_request *next, **at; // those that wait for their answer; at: NULL: not there
    struct http_server *server;
    struct MHD_Connection *connection;
    const char *path;
    struct MHD_Response *response; // NULL: not answered yet
    unsigned status;
    bool asking; // the handler is at work: nothing to resume yet
};

// libmicrohttpd keeps its descriptors in an epoll of its own, which our loop watches.
struct http_server {
    struct io_loop *loop;
    struct MHD_Daemon *daemon;
    struct io_watch *watch;
    struct io_timer timer;
    struct io_work resumed; // it does not wake itself
    struct http_request *waiting;
    struct http_conf conf;
};

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

// ---- requests ----

static void unlink_request(struct http_request *r)
{
    if (!r->at)
        return;
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    r->at = NULL;
}

static void link_request(struct http_request *r)
{
    r->next = r->server->waiting;
    r->at = &r->server->waiting;
    if (r->next)
        r->next->at = &r->next;
    r->server->waiting = r;
}

static void completed(void *arg, struct MHD_Connection *c, void **place,
                      enum MHD_RequestTerminationCode how)
{
    (void)arg, (void)c, (void)how;
    struct http_request *r = *place;
    *place = NULL;
    if (!r)
        return;
    unlink_request(r);
    if (r->response)
        MHD_destroy_response(r->response);
    free(r);
}

static enum MHD_Result send_answer(const struct http_request *r)
{
    return MHD_queue_response(r->connection, r->status, r->response);
}

static enum MHD_Result refuse_method(struct MHD_Connection *c)
{
    struct MHD_Response *no =
        MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (!no)
        return MHD_NO;
    MHD_add_response_header(no, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(c, MHD_HTTP_METHOD_NOT_ALLOWED, no);
    MHD_destroy_response(no);
    return result;
}

static struct http_request *request_new(struct http_server *s, struct MHD_Connection *c,
                                        const char *path)
{
    struct http_request *r = mem_new(sizeof *r);
    *r = (struct http_request){.server = s, .connection = c, .path = path};
    return r;
}

static enum MHD_Result ask(struct http_request *r)
{
    struct http_server *s = r->server;
    link_request(r);
    r->asking = true;
    s->conf.got(s->conf.arg, r);
    r->asking = false;
    if (r->response)
        return send_answer(r);
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

// Called for the header, for each piece of a body, and again after an answer that came later.
static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **place)
{
    (void)version, (void)body;
    struct http_request *r = *place;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse_method(c);
    if (!r) { // the header: an answer here would end the connection
        *place = request_new(arg, c, path);
        return MHD_YES;
    }
    if (*body_size) { // of a GET: it has no meaning (RFC 9110 §9.3.1)
        *body_size = 0;
        return MHD_YES;
    }
    if (r->response)
        return send_answer(r);
    r->path = path;
    return ask(r);
}

struct span http_path(const struct http_request *r)
{
    return span_str(r->path);
}

void http_answer(struct http_request *r, unsigned status, const char *type, struct span body)
{
    unlink_request(r);
    r->status = status;
    r->response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at,
                                                  MHD_RESPMEM_MUST_COPY);
    if (!r->response)
        panic("no memory for an answer of %zu bytes", body.len);
    MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (r->asking)
        return;
    MHD_resume_connection(r->connection);
    io_work_set(r->server->loop, &r->server->resumed);
}

// ---- life ----

static void quiet(void *arg, const char *format, va_list ap)
{
    (void)arg, (void)format, (void)ap; // what clients do wrong is no news
}

static struct MHD_Daemon *daemon_new(struct http_server *s, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, s,
        MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, s->conf.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        s->conf.patience_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_END);
}

struct rc http_server_new(struct http_server **out, struct io_loop *loop, int fd,
                          const struct http_conf *conf, const char **why)
{
    struct http_server *s = mem_new(sizeof *s);
    *s = (struct http_server){.loop = loop, .conf = *conf};
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
    (void)MHD_quiesce_daemon(s->daemon); // the socket is not ours to close
    while (s->waiting)                   // it does not end with a suspended connection
        http_answer(s->waiting, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", SPAN("ending\n"));
    (void)MHD_run(s->daemon);
    io_work_cancel(s->loop, &s->resumed);
    MHD_stop_daemon(s->daemon);
    free(s);
}
