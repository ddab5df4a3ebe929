// TLS by OpenSSL 3: server contexts from certificate and key, client contexts
// with what a handshake is to prove, and what it did prove. A client handshake
// always goes on to its end: verification is *reported*, the plan's table
// decides. Resumption is off for clients (a resumed session proves nothing,
// TRAPS DANE 11).
#pragma once
#include "base_arena.h"
#include "base_rc.h"
#include "base_span.h"

struct io_tls_server; // what a listener needs: certificate chain and key
// PEM texts; the place where a key *handle* of the signer will stand is `key`.
// *why says in one sentence what is wrong (a static string). TLS 1.2 and up, no
// client certificate; what old clients can do is taken, the alternative being
// clear text.
struct rc io_tls_server_new(struct io_tls_server **out, struct span chain, struct span key,
                            const char **why);
void io_tls_server_free(struct io_tls_server *s);

struct io_tls_client; // trust anchors for PKIX, shared by all connections of a role
// `ca_file` empty: the system's anchors.
struct rc io_tls_client_new(struct io_tls_client **out, struct span ca_file, const char **why);
void io_tls_client_free(struct io_tls_client *c);

struct io_tlsa {
    uint8_t usage, selector, matching;
    struct span data;
};

// How strict the handshake itself is (TRAPS DANE 14).
enum io_tls_strength {
    IO_TLS_ANY,    // opportunistic: TLS 1.0 and up, OpenSSL security level 0
    IO_TLS_DANE,   // TLS 1.2 and up, any key size
    IO_TLS_MODERN, // TLS 1.2 and up, level 2
};
struct io_tls_want {
    struct span sni;
    enum io_tls_strength strength;
    const struct io_tlsa *tlsa; // DANE: usable records only; NULL: none
    size_t tlsa_count;          // usages other than 2 and 3 are left out (RFC 7672 §3.1.3)
    const struct span *names;   // reference identifiers, SAN only for PKIX; no name: no proof
    size_t name_count;
    bool pkix;       // check the chain against the anchors and the names
    struct span pin; // SHA-256 of the SPKI, 32 bytes; empty: none
};

enum io_tls_fault { // why verification did not succeed
    IO_TLS_FINE,
    IO_TLS_HANDSHAKE, // no session at all
    IO_TLS_NAME,
    IO_TLS_EXPIRED,
    IO_TLS_UNTRUSTED,
    IO_TLS_TLSA, // no TLSA record matches
    IO_TLS_PIN,
    IO_TLS_OTHER,
};
// When several things were asked for, each proof stands for itself and `fault` is
// the first missing one's, in the order DANE, PKIX, pin.
struct io_tls_facts {
    const char *version, *cipher, *group; // static strings or ""; version "" : no TLS
    bool dane, pkix, pinned;              // what was proved
    enum io_tls_fault fault;              // when something asked for was not proved
    // With DANE "3 1 1", or "2 1 1 mx.example.org" with the name that matched; with
    // PKIX alone the name of the certificate.
    char matched[300];
    char certificate[65]; // SHA-256 of the leaf, hex
    int64_t until;        // its notAfter, seconds since 1970
    char error[256];      // for people
};

// What ties something to this one TLS session (channel bindings), for SCRAM-…-PLUS;
// a length of 0: this session has none of that kind.
struct io_tls_binding {
    unsigned char exporter[32];  // tls-exporter (RFC 9266)
    unsigned char end_point[64]; // tls-server-end-point (RFC 5929 §4)
    size_t exporter_len, end_point_len;
};
