// What becomes of a request: its head is looked at, its body put into a memfd, the handler
// asked, the answer sent.
#include "http_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LATER_S = 60 }; // when there may be room again

// ---- those that wait

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

// ---- answers

static struct MHD_Response *response_new(struct http_request *r, const char *type, struct span body)
{
    char seconds[16];
    struct MHD_Response *is = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at,
                                                              MHD_RESPMEM_MUST_COPY);
    if (!is)
        panic("no memory for an answer of %zu bytes", body.len);
    MHD_add_response_header(is, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (r->field)
        MHD_add_response_header(is, r->field, r->value);
    if (r->retry_s) {
        snprintf(seconds, sizeof seconds, "%u", r->retry_s);
        MHD_add_response_header(is, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    return is;
}

void http_answer(struct http_request *r, unsigned status, const char *type, struct span body)
{
    unlink_request(r);
    r->status = status;
    r->response = response_new(r, type, body);
    if (r->asking)
        return;
    MHD_resume_connection(r->connection);
    http_server_wake(r->server);
}

void http_retry_after(struct http_request *r, unsigned seconds)
{
    r->retry_s = seconds;
}

void http_field(struct http_request *r, const char *name, const char *value)
{
    r->field = name;
    r->value = value;
}

static enum MHD_Result send_answer(const struct http_request *r)
{
    return MHD_queue_response(r->connection, r->status, r->response);
}

// At once, inside libmicrohttpd's call.
static enum MHD_Result say(struct http_request *r, unsigned status, const char *sentence)
{
    r->asking = true;
    http_answer(r, status, "text/plain", span_str(sentence));
    r->asking = false;
    return send_answer(r);
}

// ---- the body

static void body_drop(struct http_request *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->server->bodies -= r->size;
    http_connection_of(r->connection)->held -= r->size;
    r->size = 0;
}

// For so many bytes more: in all, and of this client.
static bool has_room(const struct http_request *r, uint64_t more)
{
    const struct http_server *s = r->server;
    const struct io_endpoint *client = &http_connection_of(r->connection)->peer;
    uint64_t held = more;
    for (const struct http_connection *c = s->connections; c; c = c->next)
        if (c->held && http_same_client(&c->peer, client))
            held += c->held;
    return s->bodies + more <= s->conf.bodies_max && held <= s->conf.client_max;
}

// An answer has its place behind the body (libmicrohttpd takes none before): what comes
// until then is thrown away.
static void body_refuse(struct http_request *r, unsigned status, const char *sentence)
{
    body_drop(r);
    r->refused = status;
    r->sentence = sentence;
    r->retry_s = status == MHD_HTTP_SERVICE_UNAVAILABLE ? LATER_S : 0;
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = span_skip(bytes, (size_t)n);
    }
    return true;
}

static void body_add(struct http_request *r, struct span bytes)
{
    struct http_server *s = r->server;
    if (bytes.len > s->conf.body_max - r->size) {
        body_refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "This is more than is taken here.\n");
        return;
    }
    if (!has_room(r, bytes.len)) {
        body_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "There is no room now; try again later.\n");
        return;
    }
    if (r->fd < 0)
        r->fd = memfd_create("body", MFD_CLOEXEC);
    if (r->fd < 0 || !write_all(r->fd, bytes)) {
        body_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "There is no room now; try again later.\n");
        return;
    }
    r->size += bytes.len;
    s->bodies += bytes.len;
    http_connection_of(r->connection)->held += bytes.len;
}

static enum MHD_Result body_piece(struct http_request *r, const char *body, size_t *size)
{
    struct span bytes = {body, *size};
    http_connection_of(r->connection)->window += bytes.len;
    *size = 0;
    if (!r->post) // of a GET: it has no meaning (RFC 9110 §9.3.1)
        return MHD_YES;
    if (!r->refused)
        body_add(r, bytes);
    if (r->refused)
        r->spilled += bytes.len;
    return r->spilled > r->server->conf.body_max ? MHD_NO : MHD_YES; // MHD_NO: hangs up
}

// ---- the head

static struct http_request *request_new(struct http_server *s, struct MHD_Connection *c,
                                        const char *path)
{
    struct http_request *r = mem_new(sizeof *r);
    *r = (struct http_request){.server = s, .connection = c, .path = path, .fd = -1};
    return r;
}

static const char *allowed(unsigned methods)
{
    return methods == HTTP_GET ? "GET, HEAD" : methods == HTTP_POST ? "POST" : "GET, HEAD, POST";
}

// 0: it may come.
static unsigned body_wrong(const struct http_request *r, const char **sentence)
{
    struct span te = http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    struct span length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t size = 0;
    *sentence = "";
    if (te.len && !span_ieq(te, SPAN("chunked"))) { // RFC 9112 §6.1
        *sentence = "Of the transfer encodings chunked alone is known here.\n";
        return MHD_HTTP_NOT_IMPLEMENTED;
    }
    if (te.len)
        return 0;
    if (!length.len) {
        *sentence = "A body is wanted, with its Content-Length.\n";
        return MHD_HTTP_LENGTH_REQUIRED;
    }
    if (!span_number(length, r->server->conf.body_max, &size)) {
        *sentence = "This is more than is taken here.\n";
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    if (has_room(r, size))
        return 0;
    *sentence = "There is no room now; try again later.\n";
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

// What is answered here comes instead of 100 (Continue), and ends the connection.
static enum MHD_Result post_begin(struct http_request *r)
{
    struct http_server *s = r->server;
    const char *sentence;
    r->asking = true;
    if (s->conf.head)
        s->conf.head(s->conf.arg, r);
    r->asking = false;
    if (r->response)
        return send_answer(r);
    unsigned wrong = body_wrong(r, &sentence);
    if (wrong == MHD_HTTP_SERVICE_UNAVAILABLE)
        r->retry_s = LATER_S;
    return wrong ? say(r, wrong, sentence) : MHD_YES;
}

static enum MHD_Result begin(struct http_request *r, const char *method)
{
    const struct http_conf *conf = &r->server->conf;
    unsigned there = conf->methods ? conf->methods(conf->arg, span_str(r->path)) : HTTP_GET;
    bool get =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    r->post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    http_limit_set(http_connection_of(r->connection), HTTP_BODY);
    if (!there)
        return say(r, MHD_HTTP_NOT_FOUND, conf->nothing);
    if (get && (there & HTTP_GET)) // an answer here would end the connection
        return MHD_YES;
    if (r->post && (there & HTTP_POST))
        return post_begin(r);
    http_field(r, MHD_HTTP_HEADER_ALLOW, allowed(there));
    return say(r, MHD_HTTP_METHOD_NOT_ALLOWED, "");
}

// ---- the whole

static enum MHD_Result ask(struct http_request *r)
{
    struct http_server *s = r->server;
    http_limit_set(http_connection_of(r->connection), HTTP_OURS);
    if (r->refused)
        return say(r, r->refused, r->sentence);
    link_request(r);
    r->asking = true;
    s->conf.got(s->conf.arg, r);
    r->asking = false;
    if (r->response)
        return send_answer(r);
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

// Called for the head, for each piece of a body, and again after an answer that came later.
enum MHD_Result http_request_handle(void *arg, struct MHD_Connection *c, const char *path,
                                    const char *method, const char *version, const char *body,
                                    size_t *body_size, void **place)
{
    (void)version;
    struct http_request *r = *place;
    if (!r) {
        *place = r = request_new(arg, c, path);
        return begin(r, method);
    }
    if (*body_size)
        return body_piece(r, body, body_size);
    if (r->response)
        return send_answer(r);
    r->path = path;
    return ask(r);
}

void http_request_completed(void *arg, struct MHD_Connection *c, void **place,
                            enum MHD_RequestTerminationCode how)
{
    (void)arg, (void)how;
    struct http_request *r = *place;
    struct http_connection *of = http_connection_of(c);
    *place = NULL;
    if (of)
        http_limit_set(of, HTTP_HEAD);
    if (!r)
        return;
    unlink_request(r);
    body_drop(r);
    if (r->response)
        MHD_destroy_response(r->response);
    free(r);
}

struct span http_path(const struct http_request *r)
{
    return span_str(r->path);
}

bool http_is_post(const struct http_request *r)
{
    return r->post;
}

struct span http_header(const struct http_request *r, const char *name)
{
    return span_str(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

const struct io_endpoint *http_peer(const struct http_request *r)
{
    return &http_connection_of(r->connection)->peer;
}

int http_body(const struct http_request *r, uint64_t *size)
{
    *size = r->size;
    return r->fd;
}
