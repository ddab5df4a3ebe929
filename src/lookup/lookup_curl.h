// libcurl's multi interface on the role's loop, and the strict verification of
// certificates that its options alone do not give. For this room only.
#pragma once
#include <curl/curl.h>
#include <openssl/ssl.h>
#include "base_span.h"
#include "io_loop.h"

struct lookup_curl;
// `finished` is called from the loop, with the handle's CURLOPT_PRIVATE; the
// handle is still added then.
struct lookup_curl *lookup_curl_new(struct io_loop *l, void (*finished)(void *, CURLcode));
void lookup_curl_free(struct lookup_curl *c); // after every handle was removed
void lookup_curl_add(struct lookup_curl *c, CURL *easy);
void lookup_curl_remove(struct lookup_curl *c, CURL *easy);

// The anchors of a PEM file (empty: the system's); NULL: none could be read.
X509_STORE *lookup_curl_anchors(struct span file);
// What libcurl does not look at, or not tell.
struct lookup_curl_heard {
    bool closed;   // the server said that this is the end (close_notify)
    bool shaken;   // the handshake is over
    long verified; // X509_V_OK, or what is wrong with the certificate
};
// For CURLOPT_SSL_CTX_FUNCTION: these anchors and no other; the host by a DNS
// name of the certificate's subjectAltName, never by a common name (RFC 8461
// §3.3), where a wildcard is a whole label.
bool lookup_curl_secure(SSL_CTX *context, X509_STORE *anchors, const char *host,
                        struct lookup_curl_heard *heard);
