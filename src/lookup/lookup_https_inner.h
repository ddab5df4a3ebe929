// One HTTPS request, whatever it is for: only the addresses given, only https, no redirect, no
// proxy, bounded time. What it is for makes it a member of its own structure, the first one.
// For this room only.
#pragma once
#include "lookup_curl.h"
#include "lookup_https.h"

enum { HTTPS_ADDRESSES_MAX = 32 };

struct https_request;

struct https_use {
    void (*finished)(struct https_request *r, CURLcode code); // the handle is still there
    void (*overdue)(struct https_request *r);
    size_t (*body)(struct https_request *r, struct span piece); // how much of it was taken
    void (*forget)(struct https_request *r);                    // frees it, released
};

struct https_request {
    struct https_request *next, **at;
    struct lookup_https *h;
    const struct https_use *use;
    struct io_timer timer; // the deadline; or, refused, the moment to say so
    CURL *easy;            // NULL: refused
    CURLSH *share;         // a name cache of its own: only the addresses given
    struct curl_slist *targets;
    struct dns_name host;
    uint16_t port;
    bool any_certificate; // what is wrong with it is seen (`heard`), and nothing more
    struct dns_address addresses[HTTPS_ADDRESSES_MAX];
    size_t count;
    size_t header_bytes;
    bool too_large;
    struct lookup_curl_heard heard;
    char error[CURL_ERROR_SIZE];
};

struct lookup_https {
    struct io_loop *loop;
    struct lookup_curl *curl;
    struct https_request *requests;
    X509_STORE *anchors;
    int64_t timeout_us;
    uint16_t port;
    unsigned under_way, outstanding;
};

// Among those of `h`; its host and port come after this.
void https_request_begin(struct https_request *r, struct lookup_https *h,
                         const struct https_use *use);
bool https_request_room(const struct lookup_https *h);
// `finished` or `overdue` will be called. The handle is the caller's to set before
// https_request_go().
void https_request_prepare(struct https_request *r, const struct dns_address *addresses,
                           size_t count);
void https_request_go(struct https_request *r, int64_t timeout_us);
// `overdue` will be called at once, without a handle.
void https_request_refuse(struct https_request *r);
// Its end: out of the list and without its handle, not freed.
void https_request_release(struct https_request *r);

long https_request_status(const struct https_request *r); // the latest; 0: none yet
const char *https_request_fault(const struct https_request *r, CURLcode code);
