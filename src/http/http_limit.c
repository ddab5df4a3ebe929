// How long a client may take. libmicrohttpd ends connections that say nothing; one that
// drips is ended here.
#include "http_inner.h"

#include <sys/socket.h>

struct http_connection *http_connection_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

bool http_same_client(const struct io_endpoint *a, const struct io_endpoint *b)
{
    size_t len = a->v6 ? 8 : 4;
    return a->v6 == b->v6 &&
           span_eq(span_first(SPAN_OF(a->address), len), span_first(SPAN_OF(b->address), len));
}

// It sees that the client is gone, and cleans up.
static void cut(struct http_connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        (void)shutdown(info->connect_fd, SHUT_RDWR);
}

static void arm(struct http_connection *c)
{
    struct mono when = {io_now(c->server->loop).us + SECONDS(c->server->conf.patience_s)};
    if (c->phase == HTTP_BODY && c->server->conf.body_s && c->until.us < when.us)
        when = c->until;
    c->window = 0;
    io_timer_set(c->server->loop, &c->limit, when);
}

static void fire(void *arg)
{
    struct http_connection *c = arg;
    const struct http_conf *conf = &c->server->conf;
    uint64_t least = (uint64_t)conf->body_rate * conf->patience_s;
    bool goes_on =
        c->phase == HTTP_BODY && c->window >= least && io_now(c->server->loop).us < c->until.us;
    if (goes_on)
        arm(c);
    else
        cut(c);
}

void http_limit_init(struct http_connection *c)
{
    c->limit = (struct io_timer){.fire = fire, .arg = c};
    http_limit_set(c, HTTP_HEAD);
}

void http_limit_set(struct http_connection *c, enum http_phase phase)
{
    c->phase = phase;
    c->until = (struct mono){io_now(c->server->loop).us + SECONDS(c->server->conf.body_s)};
    if (phase == HTTP_OURS)
        io_timer_cancel(c->server->loop, &c->limit);
    else
        arm(c);
}
