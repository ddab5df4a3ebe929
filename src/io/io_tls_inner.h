// OpenSSL's side of a stream, for the files of this room.
#pragma once
#include "base_time.h"
#include "io_tls.h"

#include <openssl/ssl.h>

struct io_tls_server {
    SSL_CTX *ctx;
};
struct io_tls_client {
    SSL_CTX *ctx;
    X509_STORE *anchors; // the context's own
};

// What a client's handshake is to prove, kept until it is over.
struct io_tls_check {
    bool tlsa, pkix, named, pin;
    bool tlsa_usable;          // OpenSSL took at least one record
    X509_VERIFY_PARAM *params; // of the PKIX verification
    X509_STORE *anchors;
    unsigned char pin_is[32];
    bool pin_whole;
};

// NULL if OpenSSL refuses. The session belongs to the caller.
SSL *io_tls_server_session(struct io_tls_server *s);
SSL *io_tls_client_session(struct io_tls_client *c, const struct io_tls_want *want, struct wall now,
                           struct io_tls_check **check);
void io_tls_check_free(struct io_tls_check *c);

// X509_verify_cert in the handshake's place: only where DANE asks for it.
int io_tls_verify_in_handshake(X509_STORE_CTX *ctx, void *arg);
// After a handshake; `check` NULL: a server's.
void io_tls_facts_read(SSL *ssl, const struct io_tls_check *check, struct io_tls_facts *out);
// After a failed one; reads OpenSSL's error queue.
void io_tls_facts_failed(struct io_tls_facts *out, struct rc why);
