#include "lookup_https.h"
#include "lookup_curl.h"
#include <curl/curl.h>
#include <stdlib.h>

enum {
    ADDRESSES_MAX = 32,
    TARGETS_MAX = 2048, // host, port and 32 addresses in text
    URL_MAX = 512,
    STATUS_OK = 200,
    HEADERS_MAX = 65536,
};

static const int64_t default_timeout_us = SECONDS(60);

struct fetch {
    struct fetch *next, **at;
    struct lookup_https *h;
    struct io_timer timer; // the deadline; or, refused, the moment to say so
    CURL *easy;            // NULL: refused
    CURLSH *share;         // a name cache of its own: only the addresses given
    struct curl_slist *targets;
    struct buf body;
    size_t header_bytes;
    bool too_large;
    bool closed; // the server said that it is at its end
    struct dns_name host;
    char error[CURL_ERROR_SIZE];
    struct trust_fetched refused;
    void (*done)(void *arg, const struct trust_fetched *f);
    void *arg;
};

struct lookup_https {
    struct io_loop *loop;
    struct lookup_curl *curl;
    struct fetch *fetches;
    X509_STORE *anchors;
    int64_t timeout_us;
    unsigned port, under_way, outstanding;
};

static void release(struct fetch *f)
{
    io_timer_cancel(f->h->loop, &f->timer);
    if (f->easy) {
        lookup_curl_remove(f->h->curl, f->easy);
        curl_easy_cleanup(f->easy);
        curl_share_cleanup(f->share);
        curl_slist_free_all(f->targets);
        f->h->under_way--;
    }
    *f->at = f->next;
    if (f->next)
        f->next->at = f->at;
}

// Out of the list before `done`, which may fetch again; freed after it, for the
// result points into it.
static void fetch_end(struct fetch *f, const struct trust_fetched *result)
{
    release(f);
    f->done(f->arg, result);
    buf_free(&f->body);
    free(f);
}

static void fetch_fail(struct fetch *f, enum trust_fetch_result result, const char *what)
{
    CLEANUP(buf_free) struct buf detail = BUF(1024);
    buf_printf(&detail, "https://%s: %s", f->host.text, what);
    fetch_end(f, &(struct trust_fetched){.result = result, .detail = buf_span(&detail)});
}

static void overdue(void *arg)
{
    struct fetch *f = arg;
    if (f->easy)
        fetch_fail(f, TRUST_FETCH_CONNECT, "no complete answer in time");
    else
        fetch_end(f, &f->refused);
}

// What of libcurl's errors is not simply "could not connect or was cut off".
static const struct {
    CURLcode code;
    enum trust_fetch_result result;
} faults[] = {
    {CURLE_PEER_FAILED_VERIFICATION, TRUST_FETCH_WEBPKI},
    {CURLE_SSL_ISSUER_ERROR, TRUST_FETCH_WEBPKI},
    {CURLE_SSL_INVALIDCERTSTATUS, TRUST_FETCH_WEBPKI},
    {CURLE_WEIRD_SERVER_REPLY, TRUST_FETCH_HTTP},
    {CURLE_UNSUPPORTED_PROTOCOL, TRUST_FETCH_HTTP}, // HTTP/0.9
    {CURLE_BAD_CONTENT_ENCODING, TRUST_FETCH_HTTP},
    {CURLE_FILESIZE_EXCEEDED, TRUST_FETCH_TOO_LARGE},
};

static enum trust_fetch_result result_of(CURLcode code)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].code == code)
            return faults[i].result;
    }
    return TRUST_FETCH_CONNECT;
}

static long status_of(const struct fetch *f)
{
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

// RFC 8461 §3.2: "text/plain"; parameters do not matter (RFC 9110 §8.3.1).
static bool is_text_plain(const struct fetch *f)
{
    const char *type = NULL;
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
    struct span rest = span_str(type);
    return span_ieq(span_trim(span_cut(&rest, ';')), SPAN("text/plain"));
}

// A body that only the end of the connection delimits could be cut by anyone on
// the way unless the server says that it ends (RFC 9112 §9.8).
static bool is_whole(const struct fetch *f)
{
    curl_off_t length = -1;
    struct curl_header *coding;
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0 || f->closed)
        return true;
    return curl_easy_header(f->easy, "Transfer-Encoding", 0, CURLH_HEADER, -1, &coding) ==
               CURLHE_OK &&
           span_ieq(span_trim(span_str(coding->value)), SPAN("chunked"));
}

static void fail_status(struct fetch *f, long status)
{
    CLEANUP(buf_free) struct buf what = BUF(200);
    if (status >= 300 && status < 400)
        buf_printf(&what, "status %ld, and redirects are not followed (RFC 8461 3.3)", status);
    else
        buf_printf(&what, "status %ld instead of 200", status);
    fetch_fail(f, TRUST_FETCH_HTTP, buf_str(&what));
}

// The status first: the body of any other than 200 is not even read.
static void finished(void *arg, CURLcode code)
{
    struct fetch *f = arg;
    long status = status_of(f);
    if (f->too_large)
        fetch_fail(f, TRUST_FETCH_TOO_LARGE, "the answer is larger than 64 KiB");
    else if (status >= STATUS_OK && status != STATUS_OK)
        fail_status(f, status);
    else if (code != CURLE_OK)
        fetch_fail(f, result_of(code), f->error[0] ? f->error : curl_easy_strerror(code));
    else if (status != STATUS_OK)
        fail_status(f, status);
    else if (!is_whole(f))
        fetch_fail(f, TRUST_FETCH_CONNECT, "the connection was cut off");
    else if (!is_text_plain(f))
        fetch_fail(f, TRUST_FETCH_TYPE, "the content is not text/plain");
    else
        fetch_end(f, &(struct trust_fetched){.result = TRUST_FETCH_OK, .file = buf_span(&f->body)});
}

static size_t take_body(char *at, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    if (status_of(f) != STATUS_OK)
        return 0;
    buf_put(&f->body, (struct span){at, size * count});
    f->too_large = !rc_ok(buf_state(&f->body));
    return f->too_large ? 0 : size * count;
}

static size_t take_header(char *at, size_t size, size_t count, void *arg)
{
    (void)at;
    struct fetch *f = arg;
    f->header_bytes += size * count;
    f->too_large = f->header_bytes > HEADERS_MAX;
    return f->too_large ? 0 : size * count;
}

// Called when libcurl would ask a resolver: it never may.
static int no_resolver(void *resolver, void *reserved, void *arg)
{
    (void)resolver, (void)reserved, (void)arg;
    return 1;
}

static CURLcode set_tls(CURL *easy, void *context, void *arg)
{
    (void)easy;
    struct fetch *f = arg;
    bool set = lookup_curl_secure(context, f->h->anchors, f->host.text, &f->closed);
    return set ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

struct long_option {
    CURLoption option;
    long value;
};

static const struct long_option long_options[] = {
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_FOLLOWLOCATION, 0}, // RFC 8461 §3.3: redirects MUST NOT be followed
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_SESSIONID_CACHE, 0}, // a resumed session proves nothing (TRAPS DANE 11)
    {CURLOPT_FRESH_CONNECT, 1},
    {CURLOPT_FORBID_REUSE, 1},
    {CURLOPT_MAXFILESIZE, STS_POLICY_MAX},
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

static void set_callbacks(struct fetch *f)
{
    CURL *easy = f->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, no_resolver);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, set_tls);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, f);
}

// "host:port:address,address": libcurl tries both families, one after the other.
static void set_target(struct fetch *f, const struct dns_address *addresses, size_t count)
{
    CLEANUP(buf_free) struct buf url = BUF(URL_MAX), target = BUF(TARGETS_MAX);
    unsigned port = f->h->port;
    buf_printf(&url, "https://%s:%u/.well-known/mta-sts.txt", f->host.text, port);
    buf_printf(&target, "%s:%u:", f->host.text, port);
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        buf_put(&target, i ? SPAN(",") : SPAN(""));
        dns_address_put(&target, &addresses[i]);
    }
    f->targets = curl_slist_append(NULL, buf_str(&target));
    f->share = curl_share_init();
    curl_share_setopt(f->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_easy_setopt(f->easy, CURLOPT_URL, buf_str(&url));
    curl_easy_setopt(f->easy, CURLOPT_RESOLVE, f->targets);
    curl_easy_setopt(f->easy, CURLOPT_SHARE, f->share);
    // libcurl divides this among the addresses, so that one dead one leaves time
    // for the next.
    curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(f->h->timeout_us / US_PER_MS));
}

static void start(struct fetch *f, const struct dns_address *addresses, size_t count)
{
    f->easy = curl_easy_init();
    if (!f->easy)
        panic("libcurl gives no handle");
    set_common(f->easy);
    set_callbacks(f);
    set_target(f, addresses, count);
    f->h->under_way++;
    io_timer_set(f->h->loop, &f->timer, (struct mono){io_now(f->h->loop).us + f->h->timeout_us});
    lookup_curl_add(f->h->curl, f->easy);
}

static void refuse(struct fetch *f, enum trust_fetch_result result, struct span why)
{
    f->refused = (struct trust_fetched){.result = result, .detail = why};
    io_timer_set(f->h->loop, &f->timer, io_now(f->h->loop));
}

void lookup_https_policy(struct lookup_https *h, const struct dns_name *domain,
                         const struct dns_address *addresses, size_t count,
                         void (*done)(void *arg, const struct trust_fetched *f), void *arg)
{
    struct fetch *f = mem_new(sizeof *f);
    *f = (struct fetch){.next = h->fetches, .at = &h->fetches, .h = h, .done = done, .arg = arg};
    f->timer = (struct io_timer){.fire = overdue, .arg = f};
    f->body = BUF(STS_POLICY_MAX);
    if (f->next)
        f->next->at = &f->next;
    h->fetches = f;
    if (!dns_name_prepend(&f->host, SPAN("mta-sts"), domain) || !dns_name_is_host(&f->host))
        refuse(f, TRUST_FETCH_DNS, SPAN("there can be no policy host of this name"));
    else if (count == 0)
        refuse(f, TRUST_FETCH_DNS, SPAN("the policy host has no address"));
    else if (h->under_way >= h->outstanding)
        refuse(f, TRUST_FETCH_CONNECT, SPAN("too many requests under way"));
    else
        start(f, addresses, count);
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
    while (h->fetches) {
        struct fetch *f = h->fetches;
        release(f);
        buf_free(&f->body);
        free(f);
    }
    lookup_curl_free(h->curl);
    X509_STORE_free(h->anchors);
    free(h);
}
