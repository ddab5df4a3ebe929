// Certificates made on the spot and an HTTPS server that misbehaves in the way
// its name says. It runs in a child process, one more for each connection.
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "lab.h"

enum https_certificate {
    HTTPS_GOOD, // the host as DNS name
    HTTPS_WILDCARD,
    HTTPS_PARTIAL_WILDCARD,
    HTTPS_OTHER_NAME,
    HTTPS_COMMON_NAME,     // the host as common name, no DNS name
    HTTPS_COMMON_AND_MAIL, // the same, beside a SAN of another kind
    HTTPS_OTHER_AND_COMMON,
    HTTPS_SELF_SIGNED,
    HTTPS_EXPIRED,
    HTTPS_FUTURE,
    HTTPS_STRANGER, // by an authority nobody knows
};

enum https_manner {
    HTTPS_PLAIN,        // says `text`, closes
    HTTPS_CUT,          // closes without close_notify
    HTTPS_TRICKLE,      // one byte every 50 ms
    HTTPS_SILENT,       // says nothing after the handshake
    HTTPS_NO_HANDSHAKE, // not even that
    HTTPS_OLD_TLS,      // TLS 1.1 at most
    HTTPS_BODY,         // `text` as header, then `size` bytes
    HTTPS_ENDLESS_HEADER,
    HTTPS_HASTY, // answers a POST before it has its body
};

struct https_case {
    const char *domain; // without "mta-sts."
    enum https_certificate certificate;
    enum https_manner manner;
    const char *text;
    size_t size;
};

struct https_lab {
    EVP_PKEY *key;
    X509 *authority, *stranger;
    const struct https_case *cases;
    size_t count;
    const struct https_case *now; // of this connection
};

static inline void https_must(bool ok, const char *what)
{
    if (!ok)
        panic("%s: %s", what, ERR_error_string(ERR_get_error(), NULL));
}

static inline void https_extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    https_must(e && X509_add_ext(x, e, -1), value);
    X509_EXTENSION_free(e);
}

static inline X509 *https_certificate(EVP_PKEY *key, const char *common, const X509 *issuer,
                                      const char *san, long from, long until)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), until);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1,
                               0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    if (san)
        https_extend(x, NID_subject_alt_name, san);
    else if (!issuer)
        https_extend(x, NID_basic_constraints, "critical,CA:TRUE");
    https_must(X509_sign(x, key, EVP_sha256()), "signing");
    return x;
}

static inline X509 *https_leaf(const struct https_lab *h, const struct https_case *c)
{
    static const struct {
        const char *common, *san; // %s: the domain
        long from, until;
        bool by_stranger, by_itself;
    } kinds[] = {
        [HTTPS_GOOD] = {"x", "DNS:mta-sts.%s", -60, 600, 0, 0},
        [HTTPS_WILDCARD] = {"x", "DNS:*.%s", -60, 600, 0, 0},
        [HTTPS_PARTIAL_WILDCARD] = {"x", "DNS:mta*.%s", -60, 600, 0, 0},
        [HTTPS_OTHER_NAME] = {"x", "DNS:other.%s", -60, 600, 0, 0},
        [HTTPS_COMMON_NAME] = {"mta-sts.%s", NULL, -60, 600, 0, 0},
        [HTTPS_COMMON_AND_MAIL] = {"mta-sts.%s", "email:a@%s", -60, 600, 0, 0},
        [HTTPS_OTHER_AND_COMMON] = {"mta-sts.%s", "DNS:other.%s", -60, 600, 0, 0},
        [HTTPS_SELF_SIGNED] = {"x", "DNS:mta-sts.%s", -60, 600, 0, 1},
        [HTTPS_EXPIRED] = {"x", "DNS:mta-sts.%s", -600, -60, 0, 0},
        [HTTPS_FUTURE] = {"x", "DNS:mta-sts.%s", 600, 6000, 0, 0},
        [HTTPS_STRANGER] = {"x", "DNS:mta-sts.%s", -60, 600, 1, 0},
    };
    char text[2][300];
    const char *patterns[2] = {kinds[c->certificate].common, kinds[c->certificate].san};
    for (int i = 0; i < 2; i++) {
        const char *mark = patterns[i] ? strstr(patterns[i], "%s") : NULL;
        int before = mark ? (int)(mark - patterns[i]) : 0;
        snprintf(text[i], sizeof text[i], "%.*s%s", before, patterns[i] ? patterns[i] : "",
                 mark          ? c->domain
                 : patterns[i] ? patterns[i]
                               : "");
    }
    const X509 *issuer = kinds[c->certificate].by_stranger ? h->stranger : h->authority;
    return https_certificate(h->key, text[0], kinds[c->certificate].by_itself ? NULL : issuer,
                             patterns[1] ? text[1] : NULL, kinds[c->certificate].from,
                             kinds[c->certificate].until);
}

// Chooses what to be by the name asked for.
static inline int https_hello(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    struct https_lab *h = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name && i < h->count; i++) {
        if (strncmp(name, "mta-sts.", 8) == 0 && strcmp(name + 8, h->cases[i].domain) == 0)
            h->now = &h->cases[i];
    }
    if (!h->now)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    while (h->now->manner == HTTPS_NO_HANDSHAKE)
        lab_sleep_ms(1000);
    X509 *leaf = https_leaf(h, h->now);
    SSL_use_certificate(ssl, leaf);
    SSL_use_PrivateKey(ssl, h->key);
    X509_free(leaf);
    return SSL_TLSEXT_ERR_OK;
}

static inline bool https_write(SSL *ssl, const char *at, size_t n, size_t step, long ms)
{
    for (size_t i = 0; i < n; i += step) {
        if (SSL_write(ssl, at + i, (int)(n - i < step ? n - i : step)) <= 0)
            return false;
        lab_sleep_ms(ms);
    }
    return true;
}

static inline void https_say(SSL *ssl, const struct https_case *c)
{
    static char filler[1000];
    memset(filler, 'x', sizeof filler);
    https_write(ssl, c->text ? c->text : "", c->text ? strlen(c->text) : 0,
                c->manner == HTTPS_TRICKLE ? 1 : 4096, c->manner == HTTPS_TRICKLE ? 50 : 0);
    for (size_t left = c->size; left > 0 && c->manner == HTTPS_BODY;) {
        size_t n = left < sizeof filler ? left : sizeof filler;
        if (!https_write(ssl, filler, n, n, 0))
            return;
        left -= n;
    }
    while (c->manner == HTTPS_ENDLESS_HEADER && https_write(ssl, "X-More: of this\r\n", 17, 17, 0))
        ;
    while (c->manner == HTTPS_SILENT)
        lab_sleep_ms(1000);
    if (c->manner != HTTPS_CUT)
        SSL_shutdown(ssl);
}

// What follows the head of a POST: as long as it says, and made of 'r' alone.
static inline bool https_posted(SSL *ssl, const char *head, const char *body, size_t have)
{
    static char more[65536];
    const char *length = strstr(head, "\r\nContent-Length: ");
    size_t left = length ? strtoul(length + 18, NULL, 10) : 0;
    bool good = length && strstr(head, "\r\nContent-Type: application/tlsrpt+gzip\r\n") &&
                !strstr(head, "\r\nExpect:");
    while (good && have <= left) {
        for (size_t i = 0; i < have; i++)
            good = good && body[i] == 'r';
        left -= have;
        int n = left ? SSL_read(ssl, more, (int)(left < sizeof more ? left : sizeof more)) : 0;
        if (n <= 0)
            return good && left == 0;
        body = more;
        have = (size_t)n;
    }
    return false;
}

static inline bool https_asked(SSL *ssl, char *request, size_t room, const struct https_case *now)
{
    static const char get[] = "GET /.well-known/mta-sts.txt HTTP/1.1\r\n";
    static const char post[] = "POST /v1/report?a=%2F HTTP/1.1\r\n";
    size_t got = 0;
    char *end = NULL;
    while (got < room - 1 && !end) {
        int n = SSL_read(ssl, request + got, (int)(room - 1 - got));
        if (n <= 0)
            return false;
        got += (size_t)n;
        request[got] = '\0';
        end = strstr(request, "\r\n\r\n");
    }
    if (!end || strstr(request, "Cookie:"))
        return false;
    if (strncmp(request, post, sizeof post - 1))
        return strncmp(request, get, sizeof get - 1) == 0;
    if (now->manner == HTTPS_HASTY)
        return true;
    end[2] = '\0';
    return https_posted(ssl, request, end + 4, got - (size_t)(end + 4 - request));
}

static inline void https_serve(struct https_lab *h, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_tlsext_servername_callback(context, https_hello);
    SSL_CTX_set_tlsext_servername_arg(context, h);
    if (h->cases[0].manner == HTTPS_OLD_TLS) { // a server of its own
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    }
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    char request[4096];
    if (SSL_accept(ssl) != 1)
        return;
    if (https_asked(ssl, request, sizeof request, h->now))
        https_say(ssl, h->now);
    else
        SSL_write(ssl, "HTTP/1.1 400 Odd\r\n\r\n", 20);
}

static inline void https_loop(struct https_lab *h, int listener)
{
    signal(SIGCHLD, SIG_IGN); // connections end by themselves
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pid_t pid = fd < 0 ? -1 : fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            alarm(20);
            https_serve(h, fd);
            _exit(0);
        }
        close(fd);
    }
}

static inline int https_listen(const char *last, unsigned *port)
{
    struct sockaddr_in a = lab_address(last, *port);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, size) || listen(fd, 100) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        panic("no listener: %s", strerror(errno));
    *port = ntohs(a.sin_port);
    return fd;
}

static inline pid_t https_start(struct https_lab *h, int listener)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        https_loop(h, listener);
    }
    close(listener);
    return pid;
}

static inline void https_begin(struct https_lab *h, const char *anchors)
{
    h->key = EVP_EC_gen("P-256");
    h->authority = https_certificate(h->key, "Authority", NULL, NULL, -60, 6000);
    h->stranger = https_certificate(h->key, "Stranger", NULL, NULL, -60, 6000);
    FILE *f = fopen(anchors, "we");
    https_must(f && PEM_write_X509(f, h->authority), anchors);
    fclose(f);
}

static inline void https_end(struct https_lab *h)
{
    X509_free(h->authority);
    X509_free(h->stranger);
    EVP_PKEY_free(h->key);
}
