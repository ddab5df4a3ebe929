// What the files of this room share: http_server.c has the library and its connections,
// http_request.c what becomes of a request, http_limit.c how long that may take.
#pragma once
#include "http_server.h"

#include "base_buf.h"

#include <microhttpd.h>

struct http_request {
    struct http_request *next, **at; // those that wait for their answer; at: NULL: not there
    struct http_server *server;
    struct MHD_Connection *connection;
    const char *path;
    struct MHD_Response *response; // NULL: not answered yet
    unsigned status, retry_s;
    const char *field, *value; // one more of the answer; NULL: none
    bool asking;               // the handler is at work: nothing to resume yet
    bool post;
    int fd; // of the body; -1: none yet
    uint64_t size;
    uint64_t spilled;     // bytes that were thrown away since `refused`
    unsigned refused;     // what the request will be answered when its body is over; 0: nothing
    const char *sentence; // why
};

enum http_phase {
    HTTP_HEAD, // of a request is awaited or comes in
    HTTP_BODY, // comes in
    HTTP_OURS, // the answer is ours to make, and to send
};
// Of libmicrohttpd's connection: it lasts as long as that.
struct http_connection {
    struct http_connection *next, **at;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct io_endpoint peer;
    struct io_timer limit;
    enum http_phase phase;
    struct mono until; // all of the body
    uint64_t window;   // bytes since the timer was set
    uint64_t held;     // bytes of its body
};
bool http_same_client(const struct io_endpoint *a, const struct io_endpoint *b);
struct http_connection *http_connection_of(struct MHD_Connection *c);
void http_limit_set(struct http_connection *c, enum http_phase phase);
void http_limit_init(struct http_connection *c);

// libmicrohttpd keeps its descriptors in an epoll of its own, which our loop watches.
struct http_server {
    struct io_loop *loop;
    struct MHD_Daemon *daemon;
    struct io_watch *watch;
    struct io_timer timer;
    struct io_work resumed; // it does not wake itself
    struct http_request *waiting;
    const struct io_endpoint *coming; // whose connection is being taken
    struct http_connection *connections;
    uint64_t bodies; // bytes of all bodies
    bool listens;
    struct http_conf conf;
};
void http_server_wake(struct http_server *s);

// libmicrohttpd's callbacks
enum MHD_Result http_request_handle(void *arg, struct MHD_Connection *c, const char *path,
                                    const char *method, const char *version, const char *body,
                                    size_t *body_size, void **place);
void http_request_completed(void *arg, struct MHD_Connection *c, void **place,
                            enum MHD_RequestTerminationCode how);
