// OpenSSL's side of a stream, for the files of this room.
#pragma once
#include "base_time.h"
#include "io_tls.h"

#include <openssl/ssl.h>

// One certificate with its key and those above it.
struct io_tls_identity {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    int type; // of the key, EVP_PKEY_RSA...
};
// NULL: it was read, and is the caller's to free; else what is wrong.
const char *io_tls_identity_read(struct io_tls_identity *id, const struct io_tls_pair *pair);
void io_tls_identity_free(struct io_tls_identity *id);
// Calls `each` for the DNS names in it, as they are written there; how many. `common`:
// where there are none, for its common name.
size_t io_tls_names(X509 *x, bool common, void (*each)(void *arg, struct span name), void *arg);

struct io_tls_name {
    char text[254]; // lower case; may begin with "*."
    size_t identity;
};
struct io_tls_server {
    SSL_CTX *ctx;
    struct io_tls_identity *identities; // the first is the default
    size_t count;
    struct io_tls_name *names; // in order
    size_t name_count;
    struct io_tls_ticket_key tickets[IO_TLS_TICKET_KEYS];
    size_t ticket_count;
    char protocol[IO_TLS_PROTOCOL_MAX + 1]; // behind its length; of length 0: any
    bool asks;                              // has what a client's certificate is checked with
    // OpenSSL calls back with our address while a handshake is under way: `users` of them.
    size_t users;
    bool freed;
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

void io_tls_settle(SSL_CTX *ctx); // what all contexts have in common

// NULL if OpenSSL refuses. The session belongs to the caller, who releases the server
// when its handshake is over (only if there was a session).
SSL *io_tls_server_session(struct io_tls_server *s, const struct io_tls_accept *how);
void io_tls_server_release(struct io_tls_server *s); // NULL: nothing
SSL *io_tls_client_session(struct io_tls_client *c, const struct io_tls_want *want, struct wall now,
                           struct io_tls_check **check);
void io_tls_check_free(struct io_tls_check *c);

// X509_verify_cert in the handshake's place: only where DANE asks for it.
int io_tls_verify_in_handshake(X509_STORE_CTX *ctx, void *arg);
// After a handshake; `check` NULL: a server's.
void io_tls_facts_read(SSL *ssl, const struct io_tls_check *check, struct io_tls_facts *out);
// After a failed one; reads OpenSSL's error queue.
void io_tls_facts_failed(struct io_tls_facts *out, struct rc why);
