// TLS by OpenSSL 3: server contexts from certificate and key, client contexts
// with what a handshake is to prove, and what it did prove. A client handshake
// always goes on to its end: verification is *reported*, the plan's table
// decides. Resumption is off for clients (a resumed session proves nothing,
// TRAPS DANE 11).
#pragma once
#include "base_arena.h"
#include "base_rc.h"
#include "base_span.h"

struct io_tls_pair { // PEM texts; the place where a key *handle* of the signer will stand
    struct span chain, key;
};
struct io_tls_ticket_key { // random bytes, the same for all receivers
    unsigned char name[16], cipher[32], mac[32];
};
enum { IO_TLS_TICKET_KEYS = 2 };
struct io_tls_server_conf {
    // A client sees the one with the name it asks for (exactly, or by a wildcard); of
    // several those whose keys differ in kind are side by side, and the first of a kind
    // counts. Who asks for another name or none sees the first of all.
    const struct io_tls_pair *pairs;
    size_t pair_count;
    struct span tickets;   // io_tls_ticket_key, that of new tickets first; empty: none
    int64_t ticket_us;     // how long a ticket is good
    bool clients;          // io_tls_accept.ask may be used
    struct span client_ca; // its trust anchors (PEM); empty: the system's
    // The one protocol spoken here (ALPN, RFC 7301): a client that offers others and not this
    // gets an alert, one that offers nothing is taken. Empty: whatever it offers.
    struct span protocol; // at most IO_TLS_PROTOCOL_MAX bytes
};
enum { IO_TLS_PROTOCOL_MAX = 30 };
struct io_tls_server; // what a listener needs
// *why says in one sentence what is wrong (a static string), *which (or NULL) of which
// pair. What old clients can do is taken, the alternative being clear text.
struct rc io_tls_server_make(struct io_tls_server **out, const struct io_tls_server_conf *c,
                             const char **why, size_t *which);
struct rc io_tls_server_new(struct io_tls_server **out, struct span chain, struct span key,
                            const char **why); // one pair, nothing else
// Handshakes under way go on with it.
void io_tls_server_free(struct io_tls_server *s);

// Of a certificate that belongs to its key; CONFIG and *why as above.
struct io_tls_about {
    int64_t from, until; // seconds since 1970
    char name[254];      // the first in it; may be empty
};
struct rc io_tls_pair_about(struct io_tls_about *out, const struct io_tls_pair *pair,
                            const char **why);

enum io_tls_least { IO_TLS_FROM_1_2, IO_TLS_FROM_1_3, IO_TLS_FROM_1_1, IO_TLS_FROM_1_0 };
struct io_tls_accept { // {0} is what most want
    enum io_tls_least least;
    // Asks for the client's certificate. Whatever it shows, the handshake goes on;
    // facts.pkix says whether its chain is good, the names are for io_stream_tls_names().
    bool ask;
    // Where TLS begins with the first byte: said in clear text to who speaks clear text
    // or waits for us to speak, before the stream closes by itself. Borrowed for good.
    struct span clear;
};

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
