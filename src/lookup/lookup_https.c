#include "lookup_https_inner.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    TARGETS_MAX = 2048, // host, port and 32 addresses in text
    URL_MAX = 512,
    HEADERS_MAX = 65536,
};

static const int64_t default_timeout_us = SECONDS(60);

static void overdue(void *arg)
{
    struct https_request *r = arg;
    r->use->overdue(r);
}

void https_request_begin(struct https_request *r, struct lookup_https *h,
                         const struct https_use *use)
{
    r->h = h;
    r->use = use;
    r->timer = (struct io_timer){.fire = overdue, .arg = r};
    r->next = h->requests;
    r->at = &h->requests;
    if (r->next)
        r->next->at = &r->next;
    h->requests = r;
}

void https_request_release(struct https_request *r)
{
    io_timer_cancel(r->h->loop, &r->timer);
    if (r->easy) {
        lookup_curl_remove(r->h->curl, r->easy);
        curl_easy_cleanup(r->easy);
        curl_share_cleanup(r->share);
        curl_slist_free_all(r->targets);
        r->h->under_way--;
    }
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
}

bool https_request_room(const struct lookup_https *h)
{
    return h->under_way < h->outstanding;
}

void https_request_refuse(struct https_request *r)
{
    io_timer_set(r->h->loop, &r->timer, io_now(r->h->loop));
}

long https_request_status(const struct https_request *r)
{
    long status = 0;
    if (r->easy)
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

const char *https_request_fault(const struct https_request *r, CURLcode code)
{
    return r->error[0] ? r->error : curl_easy_strerror(code);
}

static void finished(void *arg, CURLcode code)
{
    struct https_request *r = arg;
    r->use->finished(r, code);
}

// ---- what libcurl asks ----

static size_t take_body(char *at, size_t size, size_t count, void *arg)
{
    struct https_request *r = arg;
    return r->use->body(r, (struct span){at, size * count});
}

static size_t take_header(char *at, size_t size, size_t count, void *arg)
{
    (void)at;
    struct https_request *r = arg;
    r->header_bytes += size * count;
    r->too_large = r->header_bytes > HEADERS_MAX;
    return r->too_large ? 0 : size * count;
}

// Called when libcurl would ask a resolver: it never may.
static int no_resolver(void *resolver, void *reserved, void *arg)
{
    (void)resolver, (void)reserved, (void)arg;
    return 1;
}

static bool address_of(struct dns_address *out, const struct curl_sockaddr *a)
{
    const struct sockaddr_in *v4 = (const void *)&a->addr;
    const struct sockaddr_in6 *v6 = (const void *)&a->addr;
    *out = (struct dns_address){.v6 = a->family == AF_INET6};
    if (a->family == AF_INET)
        span_bytes(out->at, 4, ((struct span){(const char *)&v4->sin_addr, 4}));
    else if (a->family == AF_INET6)
        span_bytes(out->at, 16, ((struct span){(const char *)&v6->sin6_addr, 16}));
    return a->family == AF_INET || a->family == AF_INET6;
}

// Whatever libcurl makes of a host's name ("0x7f.1"), it is one of these or none.
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    const struct https_request *r = arg;
    struct dns_address to;
    if (purpose != CURLSOCKTYPE_IPCXN || !address_of(&to, a))
        return CURL_SOCKET_BAD;
    for (size_t i = 0; i < r->count; i++)
        if (dns_address_eq(&to, &r->addresses[i]))
            return socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
    return CURL_SOCKET_BAD;
}

static CURLcode set_tls(CURL *easy, void *context, void *arg)
{
    (void)easy;
    struct https_request *r = arg;
    bool set = lookup_curl_secure(context, r->h->anchors, r->host.text, &r->heard);
    return set ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

// ---- setting up ----

struct long_option {
    CURLoption option;
    long value;
};

static const struct long_option long_options[] = {
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_FOLLOWLOCATION, 0}, // RFC 8461 §3.3: redirects MUST NOT be followed
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_SESSIONID_CACHE, 0}, // a resumed session proves nothing (TRAPS DANE 11)
    {CURLOPT_FRESH_CONNECT, 1},
    {CURLOPT_FORBID_REUSE, 1},
};

static void set_common(CURL *easy)
{
    for (size_t i = 0; i < sizeof long_options / sizeof long_options[0]; i++)
        curl_easy_setopt(easy, long_options[i].option, long_options[i].value);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); // whatever the environment says
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL); // anchors: set_tls()
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "geleit");
}

static void set_callbacks(struct https_request *r)
{
    CURL *easy = r->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, no_resolver);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, r);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, set_tls);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, r);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, r->any_certificate ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, r->any_certificate ? 0L : 2L);
}

// "host:port:address,address": libcurl tries both families, one after the other. What is asked
// for there is no part of the URL, so that libcurl reads nothing of a stranger's.
static void set_target(struct https_request *r)
{
    CLEANUP(buf_free) struct buf url = BUF(URL_MAX), target = BUF(TARGETS_MAX);
    buf_printf(&url, "https://%s:%u/", r->host.text, r->port);
    buf_printf(&target, "%s:%u:", r->host.text, r->port);
    for (size_t i = 0; i < r->count; i++) {
        buf_put(&target, i ? SPAN(",") : SPAN(""));
        dns_address_put(&target, &r->addresses[i]);
    }
    r->targets = curl_slist_append(NULL, buf_str(&target));
    r->share = curl_share_init();
    curl_share_setopt(r->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_easy_setopt(r->easy, CURLOPT_URL, buf_str(&url));
    curl_easy_setopt(r->easy, CURLOPT_RESOLVE, r->targets);
    curl_easy_setopt(r->easy, CURLOPT_SHARE, r->share);
}

void https_request_prepare(struct https_request *r, const struct dns_address *addresses,
                           size_t count)
{
    r->easy = curl_easy_init();
    if (!r->easy)
        panic("libcurl gives no handle");
    for (size_t i = 0; i < count && i < HTTPS_ADDRESSES_MAX; i++)
        r->addresses[r->count++] = addresses[i];
    set_common(r->easy);
    set_callbacks(r);
    set_target(r);
    r->h->under_way++;
}

void https_request_go(struct https_request *r, int64_t timeout_us)
{
    // libcurl divides this among the addresses, so that one dead one leaves time for the next.
    curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_us / US_PER_MS));
    io_timer_set(r->h->loop, &r->timer, (struct mono){io_now(r->h->loop).us + timeout_us});
    lookup_curl_add(r->h->curl, r->easy);
}

struct rc lookup_https_new(struct lookup_https **out, struct io_loop *l,
                           const struct lookup_https_conf *conf, const char **why)
{
    *out = NULL;
    X509_STORE *anchors = lookup_curl_anchors(conf->ca_file);
    if (!anchors) {
        *why = "the file of certificate authorities cannot be read or holds none";
        return RC(CONFIG);
    }
    struct lookup_https *h = mem_new(sizeof *h);
    *h = (struct lookup_https){.loop = l, .anchors = anchors, .outstanding = conf->outstanding};
    h->timeout_us = conf->timeout_us > 0 ? conf->timeout_us : default_timeout_us;
    h->port = conf->port ? conf->port : 443;
    h->curl = lookup_curl_new(l, finished);
    *out = h;
    return RC(OK);
}

void lookup_https_free(struct lookup_https *h)
{
    if (!h)
        return;
    while (h->requests) {
        struct https_request *r = h->requests;
        https_request_release(r);
        r->use->forget(r);
    }
    lookup_curl_free(h->curl);
    X509_STORE_free(h->anchors);
    free(h);
}
