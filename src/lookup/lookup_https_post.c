// A document by POST. Who has trouble with certificates must hear of it, so one that is not valid
// does not stop it (RFC 8460 §3): verification goes on to its end in the one handshake there is,
// and what it found is told.
#include "lookup_https_inner.h"

#include <stdlib.h>

enum {
    ANSWER_MAX = 65536, // what comes behind the status is read, for that is polite, and dropped
    TARGET_MAX = 4096,
    WHY_MAX = 1024,
};

struct post {
    struct https_request r;
    struct buf body, target;
    struct curl_slist *fields;
    size_t answer_bytes;
    struct lookup_posted refused;
    void (*done)(void *arg, const struct lookup_posted *p);
    void *arg;
};

static struct post *post_of(struct https_request *r)
{
    return (struct post *)r;
}

static void post_free(struct https_request *r)
{
    struct post *p = post_of(r);
    buf_free(&p->body);
    buf_free(&p->target);
    curl_slist_free_all(p->fields);
    free(p);
}

static void post_end(struct post *p, const struct lookup_posted *result)
{
    https_request_release(&p->r);
    p->done(p->arg, result);
    post_free(&p->r);
}

static bool is_success(long status)
{
    return status >= 200 && status < 300; // RFC 9110 §15.3
}

static void status_say(struct buf *b, long status)
{
    if (status >= 300 && status < 400)
        buf_printf(b, "status %ld, and redirects are not followed", status);
    else
        buf_printf(b, "status %ld", status);
}

// The status alone decides, whatever happened to the connection behind it: a report that was
// taken is not posted again (RFC 8460 §5.4).
static void post_settle(struct post *p, struct rc fault, const char *what)
{
    CLEANUP(buf_free) struct buf why = BUF(WHY_MAX);
    long status = https_request_status(&p->r);
    struct lookup_posted result = {.rc = fault, .shaken = p->r.heard.shaken};
    result.verified = result.shaken && p->r.heard.verified == X509_V_OK;
    if (status >= 200 && status < 1000 && !p->r.too_large) {
        result.rc = is_success(status) ? RC(OK) : RC(REFUSED);
        result.status = (unsigned)status;
        status_say(&why, status);
    } else
        buf_put(&why, span_str(what));
    if (result.shaken && !result.verified)
        buf_printf(&why, "%sits certificate is not valid: %s", why.len ? "; " : "",
                   X509_verify_cert_error_string(p->r.heard.verified));
    result.why = buf_span(&why);
    post_end(p, &result);
}

static void overdue(struct https_request *r)
{
    if (r->easy)
        post_settle(post_of(r), RC(TIMEOUT), "no answer in time");
    else
        post_end(post_of(r), &post_of(r)->refused);
}

static void finished(struct https_request *r, CURLcode code)
{
    if (r->too_large)
        post_settle(post_of(r), RC(CLOSED), "its answer has too large a header");
    else
        post_settle(post_of(r), RC(CLOSED),
                    code == CURLE_OK ? "no answer" : https_request_fault(r, code));
}

static size_t take_body(struct https_request *r, struct span piece)
{
    struct post *p = post_of(r);
    p->answer_bytes += piece.len;
    return p->answer_bytes > ANSWER_MAX ? 0 : piece.len;
}

static const struct https_use use = {
    .finished = finished, .overdue = overdue, .body = take_body, .forget = post_free};

static bool is_line(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~')
            return false;
    return true;
}

// RFC 9112 §3.2.1: the target is the path, "/" where there is none, and the query.
static bool request_line(struct post *p, const struct lookup_post *what)
{
    buf_put(&p->target, span_starts(what->target, SPAN("/")) ? SPAN("") : SPAN("/"));
    buf_put(&p->target, what->target);
    return is_line(what->target) && is_line(what->media_type) && rc_ok(buf_state(&p->target));
}

static void start(struct post *p, const struct lookup_post *what,
                  const struct dns_address *addresses, size_t count)
{
    CLEANUP(buf_free) struct buf type = BUF(256);
    struct https_request *r = &p->r;
    r->any_certificate = true;
    https_request_prepare(r, addresses, count);
    buf_printf(&type, "Content-Type: %.*s", SPAN_FMT(what->media_type));
    p->fields = curl_slist_append(NULL, buf_str(&type));
    p->fields = curl_slist_append(p->fields, "Expect:"); // not every server knows it
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, p->fields);
    curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, buf_str(&p->body));
    curl_easy_setopt(r->easy, CURLOPT_REQUEST_TARGET, buf_str(&p->target));
    https_request_go(r, what->timeout_us > 0 ? what->timeout_us : r->h->timeout_us);
}

static void refuse(struct post *p, struct rc rc, struct span why)
{
    p->refused = (struct lookup_posted){.rc = rc, .why = why};
    https_request_refuse(&p->r);
}

void lookup_https_post(struct lookup_https *h, const struct lookup_post *what,
                       const struct dns_address *addresses, size_t count,
                       void (*done)(void *arg, const struct lookup_posted *p), void *arg)
{
    struct post *p = mem_new(sizeof *p);
    *p = (struct post){.done = done, .arg = arg, .target = BUF(TARGET_MAX)};
    p->body = BUF(LOOKUP_POST_MAX);
    https_request_begin(&p->r, h, &use);
    p->r.host = what->host;
    p->r.port = what->port;
    buf_put(&p->body, what->body);
    if (!dns_name_is_host(&what->host) || what->port == 0 || !request_line(p, what))
        refuse(p, RC(MALFORMED), SPAN("this is no place to post to"));
    else if (!rc_ok(buf_state(&p->body)))
        refuse(p, RC(TOO_LARGE), SPAN("it is too large to be posted"));
    else if (count == 0)
        refuse(p, RC(UNAVAILABLE), SPAN("its host has no address"));
    else if (!https_request_room(h))
        refuse(p, RC(FULL), SPAN("too many requests under way"));
    else
        start(p, what, addresses, count);
}
