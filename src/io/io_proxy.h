// The header that a balancer puts in front of a connection (PROXY protocol, version 2,
// haproxy's proxy-protocol.txt §2.2): who the client really is. Pure bytes; only from
// balancers that the configuration names.
#pragma once
#include "io_stream.h"

enum { IO_PROXY_MAX = 16 + 2048 }; // of a header that is taken; extensions (TLVs) are passed over

enum io_proxy {
    IO_PROXY_MORE,   // not all of it is there yet
    IO_PROXY_CLIENT, // *client is who connected to the balancer; an IPv4 client is never mapped
    IO_PROXY_LOCAL,  // the balancer speaks for itself (a health check)
    IO_PROXY_BAD,    // no header, or one we cannot use
};
// How many bytes to read, from the first on, so that none behind the header is taken:
// they may be TLS. More are known to be wanted when these are there.
size_t io_proxy_size(struct span in);
// Moves *in behind the header, unless it is MORE or BAD.
enum io_proxy io_proxy_read(struct span *in, struct io_endpoint *client);
