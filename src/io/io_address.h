// Endpoints as the kernel's addresses, for the files of this room.
#pragma once
#include "io_stream.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct io_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t len;
};
struct io_address io_address_of(const struct io_endpoint *e);
bool io_endpoint_of(struct io_endpoint *out, const struct io_address *a);
int io_socket_new(const struct io_endpoint *e); // non-blocking, close-on-exec; -1: errno
void io_socket_nodelay(int fd);                 // where it makes sense
