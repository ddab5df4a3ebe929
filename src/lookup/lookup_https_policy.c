// MTA-STS policy files (RFC 8461 §3.3).
#include "lookup_https_inner.h"

#include <stdlib.h>

enum { STATUS_OK = 200 };

struct fetch {
    struct https_request r;
    struct buf body;
    struct trust_fetched refused;
    void (*done)(void *arg, const struct trust_fetched *f);
    void *arg;
};

static struct fetch *fetch_of(struct https_request *r)
{
    return (struct fetch *)r;
}

static void fetch_free(struct https_request *r)
{
    buf_free(&fetch_of(r)->body);
    free(r);
}

// Out of the list before `done`, which may fetch again; freed after it, for the
// result points into it.
static void fetch_end(struct fetch *f, const struct trust_fetched *result)
{
    https_request_release(&f->r);
    f->done(f->arg, result);
    fetch_free(&f->r);
}

static void fetch_fail(struct fetch *f, enum trust_fetch_result result, const char *what)
{
    CLEANUP(buf_free) struct buf detail = BUF(1024);
    buf_printf(&detail, "https://%s: %s", f->r.host.text, what);
    fetch_end(f, &(struct trust_fetched){.result = result, .detail = buf_span(&detail)});
}

static void overdue(struct https_request *r)
{
    struct fetch *f = fetch_of(r);
    if (r->easy)
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

// RFC 8461 §3.2: "text/plain"; parameters do not matter (RFC 9110 §8.3.1).
static bool is_text_plain(const struct https_request *r)
{
    const char *type = NULL;
    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    struct span rest = span_str(type);
    return span_ieq(span_trim(span_cut(&rest, ';')), SPAN("text/plain"));
}

// A body that only the end of the connection delimits could be cut by anyone on
// the way unless the server says that it ends (RFC 9112 §9.8).
static bool is_whole(const struct https_request *r)
{
    curl_off_t length = -1;
    struct curl_header *coding;
    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0 || r->heard.closed)
        return true;
    return curl_easy_header(r->easy, "Transfer-Encoding", 0, CURLH_HEADER, -1, &coding) ==
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
static void finished(struct https_request *r, CURLcode code)
{
    struct fetch *f = fetch_of(r);
    long status = https_request_status(r);
    if (r->too_large)
        fetch_fail(f, TRUST_FETCH_TOO_LARGE, "the answer is larger than 64 KiB");
    else if (status >= STATUS_OK && status != STATUS_OK)
        fail_status(f, status);
    else if (code != CURLE_OK)
        fetch_fail(f, result_of(code), https_request_fault(r, code));
    else if (status != STATUS_OK)
        fail_status(f, status);
    else if (!is_whole(r))
        fetch_fail(f, TRUST_FETCH_CONNECT, "the connection was cut off");
    else if (!is_text_plain(r))
        fetch_fail(f, TRUST_FETCH_TYPE, "the content is not text/plain");
    else
        fetch_end(f, &(struct trust_fetched){.result = TRUST_FETCH_OK, .file = buf_span(&f->body)});
}

static size_t take_body(struct https_request *r, struct span piece)
{
    struct fetch *f = fetch_of(r);
    if (https_request_status(r) != STATUS_OK)
        return 0;
    buf_put(&f->body, piece);
    r->too_large = !rc_ok(buf_state(&f->body));
    return r->too_large ? 0 : piece.len;
}

static const struct https_use use = {
    .finished = finished, .overdue = overdue, .body = take_body, .forget = fetch_free};

static void start(struct fetch *f, const struct dns_address *addresses, size_t count)
{
    struct https_request *r = &f->r;
    r->port = r->h->port;
    https_request_prepare(r, addresses, count);
    curl_easy_setopt(r->easy, CURLOPT_REQUEST_TARGET, "/.well-known/mta-sts.txt");
    curl_easy_setopt(r->easy, CURLOPT_MAXFILESIZE, (long)STS_POLICY_MAX);
    https_request_go(r, r->h->timeout_us);
}

static void refuse(struct fetch *f, enum trust_fetch_result result, struct span why)
{
    f->refused = (struct trust_fetched){.result = result, .detail = why};
    https_request_refuse(&f->r);
}

void lookup_https_policy(struct lookup_https *h, const struct dns_name *domain,
                         const struct dns_address *addresses, size_t count,
                         void (*done)(void *arg, const struct trust_fetched *f), void *arg)
{
    struct fetch *f = mem_new(sizeof *f);
    *f = (struct fetch){.done = done, .arg = arg, .body = BUF(STS_POLICY_MAX)};
    https_request_begin(&f->r, h, &use);
    if (!dns_name_prepend(&f->r.host, SPAN("mta-sts"), domain) || !dns_name_is_host(&f->r.host))
        refuse(f, TRUST_FETCH_DNS, SPAN("there can be no policy host of this name"));
    else if (count == 0)
        refuse(f, TRUST_FETCH_DNS, SPAN("the policy host has no address"));
    else if (!https_request_room(h))
        refuse(f, TRUST_FETCH_CONNECT, SPAN("too many requests under way"));
    else
        start(f, addresses, count);
}
