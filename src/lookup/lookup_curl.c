#include "lookup_curl.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static const char system_anchors[] = "/etc/ssl/certs/ca-certificates.crt";

struct lookup_curl {
    struct io_loop *loop;
    CURLM *multi;
    struct io_timer timer;
    void (*finished)(void *arg, CURLcode code);
};

struct socket {
    struct lookup_curl *c;
    struct io_watch *watch;
    curl_socket_t fd;
};

static void report(struct lookup_curl *c)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
        void *arg = NULL;
        CURLcode code = m->data.result; // m is gone when the handle is
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &arg);
        c->finished(arg, code);
    }
}

static void act(struct lookup_curl *c, curl_socket_t fd, int events)
{
    int running;
    if (curl_multi_socket_action(c->multi, fd, events, &running))
        panic("libcurl does not go on");
    report(c);
}

static void ready(void *arg, int what)
{
    const struct socket *s = arg;
    act(s->c, s->fd,
        (what & IO_READ ? CURL_CSELECT_IN : 0) | (what & IO_WRITE ? CURL_CSELECT_OUT : 0));
}

static void timed(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct lookup_curl *c = arg;
    if (ms < 0)
        io_timer_cancel(c->loop, &c->timer);
    else
        io_timer_set(c->loop, &c->timer, (struct mono){io_now(c->loop).us + ms * US_PER_MS});
    return 0;
}

static struct socket *socket_new(struct lookup_curl *c, curl_socket_t fd)
{
    struct socket *s = mem_new(sizeof *s);
    *s = (struct socket){.c = c, .fd = fd};
    s->watch = io_watch_new(c->loop, fd, 0, ready, s);
    curl_multi_assign(c->multi, fd, s);
    return s;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    (void)easy;
    struct lookup_curl *c = arg;
    struct socket *s = socket;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            io_watch_free(s->watch);
        free(s);
        return 0;
    }
    if (!s)
        s = socket_new(c, fd);
    io_watch_want(s->watch,
                  (what & CURL_POLL_IN ? IO_READ : 0) | (what & CURL_POLL_OUT ? IO_WRITE : 0));
    return 0;
}

struct lookup_curl *lookup_curl_new(struct io_loop *l, void (*finished)(void *, CURLcode))
{
    struct lookup_curl *c = mem_new(sizeof *c);
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        panic("libcurl does not start");
    *c = (struct lookup_curl){.loop = l, .multi = curl_multi_init(), .finished = finished};
    if (!c->multi)
        panic("libcurl gives no handle");
    c->timer = (struct io_timer){.fire = timed, .arg = c};
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    return c;
}

void lookup_curl_free(struct lookup_curl *c)
{
    curl_multi_cleanup(c->multi);
    io_timer_cancel(c->loop, &c->timer);
    curl_global_cleanup();
    free(c);
}

void lookup_curl_add(struct lookup_curl *c, CURL *easy)
{
    if (curl_multi_add_handle(c->multi, easy))
        panic("libcurl does not take a handle");
}

void lookup_curl_remove(struct lookup_curl *c, CURL *easy)
{
    curl_multi_remove_handle(c->multi, easy);
}

X509_STORE *lookup_curl_anchors(struct span file)
{
    char path[4096];
    X509_STORE *store = X509_STORE_new();
    if (!store)
        panic("no memory for certificates");
    if (span_copy(path, sizeof path, file.len ? file : span_str(system_anchors)) &&
        X509_STORE_load_file(store, path) == 1)
        return store;
    ERR_clear_error();
    X509_STORE_free(store);
    return NULL;
}

static void hear(const SSL *ssl, int where, int what)
{
    struct lookup_curl_heard *heard = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (what & 0xff) == SSL_AD_CLOSE_NOTIFY)
        heard->closed = true;
    if (where & SSL_CB_HANDSHAKE_DONE) {
        heard->shaken = true;
        heard->verified = SSL_get_verify_result(ssl);
    }
}

bool lookup_curl_secure(SSL_CTX *context, X509_STORE *anchors, const char *host,
                        struct lookup_curl_heard *heard)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    SSL_CTX_set1_cert_store(context, anchors);
    SSL_CTX_set_app_data(context, heard);
    SSL_CTX_set_info_callback(context, hear);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}
