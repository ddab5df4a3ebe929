// The server's side: which certificate a client is shown, which tickets are taken,
// what is asked of it.
#include "io_tls_inner.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

// ---- names

struct gather {
    struct io_tls_server *server;
    size_t identity;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool fold(char *out, size_t room, struct span name)
{
    if (!span_copy(out, room, name))
        return false;
    for (char *c = out; *c; c++)
        *c = lower(*c);
    return true;
}

static void add_name(void *arg, struct span name)
{
    const struct gather *g = arg;
    struct io_tls_server *s = g->server;
    s->names = mem_resize(s->names, (s->name_count + 1) * sizeof *s->names);
    struct io_tls_name *n = &s->names[s->name_count];
    n->identity = g->identity;
    s->name_count += fold(n->text, sizeof n->text, name);
}

static int by_name(const void *a, const void *b)
{
    const struct io_tls_name *x = a, *y = b;
    int d = strcmp(x->text, y->text);
    return d ? d : (x->identity > y->identity) - (x->identity < y->identity);
}

// The first of those with this name; name_count: none.
static size_t find(const struct io_tls_server *s, const char *name)
{
    size_t low = 0, high = s->name_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(s->names[mid].text, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->name_count && strcmp(s->names[low].text, name) == 0 ? low : s->name_count;
}

// ---- which certificate

enum { TYPES_MAX = 8 }; // kinds of keys that one client may choose between
struct chosen {
    int types[TYPES_MAX];
    size_t count;
};

// One certificate for each kind of key: OpenSSL takes the one this client can use.
static bool wanted(struct chosen *c, int type)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->types[i] == type)
            return false;
    if (c->count == TYPES_MAX)
        return false;
    c->types[c->count++] = type;
    return true;
}

static void show_named(const struct io_tls_server *s, SSL *ssl, const char *name,
                       struct chosen *chosen)
{
    for (size_t i = find(s, name); i < s->name_count && strcmp(s->names[i].text, name) == 0; i++) {
        const struct io_tls_identity *id = &s->identities[s->names[i].identity];
        bool first = chosen->count == 0;
        if (!wanted(chosen, id->type))
            continue;
        if (first)
            SSL_certs_clear(ssl); // those of the context are the default's
        (void)SSL_use_cert_and_key(ssl, id->leaf, id->key, id->chain, 1);
    }
}

// RFC 6066 §3. A name that we have no certificate for gets the default: clients of
// port 25 ask for whatever name their MX lookup ended at.
static int choose(SSL *ssl, void *arg)
{
    const struct io_tls_server *s = arg;
    struct chosen chosen = {.count = 0};
    char name[260] = "*";
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!asked || s->count < 2 || !fold(name + 1, sizeof name - 1, span_str(asked)))
        return 1;
    size_t end = strlen(name);
    if (name[end - 1] == '.')
        name[end - 1] = '\0';
    show_named(s, ssl, name + 1, &chosen);
    char *dot = strchr(name + 1, '.');
    if (dot && dot > name + 1) {
        dot[-1] = '*'; // one label, the leftmost (RFC 9525 §6.3)
        show_named(s, ssl, dot - 1, &chosen);
    }
    ERR_clear_error();
    return 1;
}

// For who names nobody, too, both an ECDSA and an RSA certificate.
static bool beside_default(const struct io_tls_server *s, size_t identity)
{
    for (size_t i = 0; i < s->name_count; i++) {
        if (s->names[i].identity != identity)
            continue;
        size_t at = find(s, s->names[i].text);
        if (s->names[at].identity == 0)
            return true;
    }
    return identity == 0;
}

static const char *set_default(struct io_tls_server *s)
{
    struct chosen chosen = {.count = 0};
    for (size_t i = 0; i < s->count; i++) {
        const struct io_tls_identity *id = &s->identities[i];
        if (beside_default(s, i) && wanted(&chosen, id->type) &&
            SSL_CTX_use_cert_and_key(s->ctx, id->leaf, id->key, id->chain, 1) != 1)
            return "The certificate cannot be used for a TLS server.";
    }
    return NULL;
}

// ---- clients' certificates

// The handshake goes on whatever comes: who requires something looks at the result.
static int client_verify(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2);
    if (X509_verify_cert(ctx) != 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK)
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_UNSPECIFIED);
    return 1;
}

static const char *anchors_read(X509_STORE *store, struct span pem)
{
    BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
    size_t count = 0;
    X509 *x;
    while (bio && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        count += X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
    }
    BIO_free(bio);
    return count ? NULL : "The file of trust anchors for clients holds no PEM certificate.";
}

static const char *set_clients(struct io_tls_server *s, const struct io_tls_server_conf *c)
{
    s->asks = c->clients;
    if (!c->clients)
        return NULL;
    SSL_CTX_set_cert_verify_callback(s->ctx, client_verify, NULL);
    if (c->client_ca.len)
        return anchors_read(SSL_CTX_get_cert_store(s->ctx), c->client_ca);
    return SSL_CTX_set_default_verify_paths(s->ctx) == 1
               ? NULL
               : "The system's trust anchors are missing.";
}

// ---- the protocol inside (RFC 7301 §3.2)

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    const struct io_tls_server *s = arg;
    const unsigned char *ours = (const unsigned char *)s->protocol;
    unsigned char *at;
    if (SSL_select_next_proto(&at, out_len, ours, ours[0] + 1u, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = at;
    return SSL_TLSEXT_ERR_OK;
}

static void set_protocol(struct io_tls_server *s, struct span name)
{
    if (name.len == 0)
        return;
    if (name.len > IO_TLS_PROTOCOL_MAX)
        panic("a protocol's name of %zu bytes", name.len);
    s->protocol[0] = (char)name.len;
    span_bytes(s->protocol + 1, name.len, name);
    SSL_CTX_set_alpn_select_cb(s->ctx, select_protocol, s);
}

// ---- tickets (RFC 5077 §4)

static bool ticket_begin(const struct io_tls_ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *ec,
                         EVP_MAC_CTX *mac, int enc)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
                                          sizeof k->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(ec, EVP_aes_256_cbc(), NULL, k->cipher, iv, enc) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ec,
                  EVP_MAC_CTX *mac, int enc)
{
    const struct io_tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (s->ticket_count == 0)
        return 0;
    if (enc) {
        span_bytes(name, sizeof s->tickets[0].name, SPAN_OF(s->tickets[0].name));
        return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                       ticket_begin(&s->tickets[0], iv, ec, mac, 1)
                   ? 1
                   : -1;
    }
    // 2: to be renewed. In TLS 1.3 a client uses each only once (RFC 8446 §C.4).
    for (size_t i = 0; i < s->ticket_count; i++)
        if (memcmp(name, s->tickets[i].name, sizeof s->tickets[i].name) == 0)
            return !ticket_begin(&s->tickets[i], iv, ec, mac, 0) ? -1
                   : i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1
                                                                 : 2;
    return 0;
}

static void set_tickets(struct io_tls_server *s, const struct io_tls_server_conf *c)
{
    for (struct span rest = c->tickets;
         rest.len >= sizeof *s->tickets && s->ticket_count < IO_TLS_TICKET_KEYS;
         rest = span_skip(rest, sizeof *s->tickets)) {
        struct io_tls_ticket_key *k = &s->tickets[s->ticket_count++];
        span_bytes(k, sizeof *k, span_first(rest, sizeof *k));
    }
    if (s->ticket_count == 0)
        SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(s->ctx, s->ticket_count ? 1 : 0);
    SSL_CTX_set_timeout(s->ctx, (long)(c->ticket_us / US_PER_S));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(s->ctx, ticket);
}

// ---- the whole

static SSL_CTX *server_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    io_tls_settle(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);
    static const unsigned char name[] =
        "geleit"; // tickets of a server that is not ours say another
    SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    return ctx;
}

static const char *fill(struct io_tls_server *s, const struct io_tls_server_conf *c, size_t *which)
{
    s->ctx = server_context();
    if (!s->ctx || c->pair_count == 0)
        return "OpenSSL gives no server context.";
    SSL_CTX_set_app_data(s->ctx, s);
    s->identities = mem_new(c->pair_count * sizeof *s->identities);
    for (*which = 0; *which < c->pair_count; ++*which) {
        const char *why = io_tls_identity_read(&s->identities[*which], &c->pairs[*which]);
        if (why)
            return why;
        s->count++;
        struct gather g = {s, *which};
        (void)io_tls_names(s->identities[*which].leaf, true, add_name, &g);
    }
    *which = 0;
    if (s->name_count)
        qsort(s->names, s->name_count, sizeof *s->names, by_name);
    set_tickets(s, c);
    set_protocol(s, c->protocol);
    SSL_CTX_set_cert_cb(s->ctx, choose, s);
    const char *why = set_default(s);
    return why ? why : set_clients(s, c);
}

struct rc io_tls_server_make(struct io_tls_server **out, const struct io_tls_server_conf *c,
                             const char **why, size_t *which)
{
    struct io_tls_server *s = mem_new(sizeof *s);
    size_t at = 0;
    *out = NULL;
    ERR_clear_error();
    *why = fill(s, c, &at);
    ERR_clear_error();
    if (which)
        *which = at;
    if (*why) {
        io_tls_server_free(s);
        return RC(CONFIG);
    }
    *out = s;
    *why = "";
    return RC(OK);
}

struct rc io_tls_server_new(struct io_tls_server **out, struct span chain, struct span key,
                            const char **why)
{
    struct io_tls_pair pair = {chain, key};
    struct io_tls_server_conf c = {.pairs = &pair, .pair_count = 1};
    return io_tls_server_make(out, &c, why, NULL);
}

static void dispose(struct io_tls_server *s)
{
    for (size_t i = 0; i < s->count; i++)
        io_tls_identity_free(&s->identities[i]);
    free(s->identities);
    free(s->names);
    explicit_bzero(s->tickets, sizeof s->tickets);
    SSL_CTX_free(s->ctx); // sessions under way hold it
    free(s);
}

void io_tls_server_free(struct io_tls_server *s)
{
    if (!s)
        return;
    s->freed = true;
    if (s->users == 0)
        dispose(s);
}

void io_tls_server_release(struct io_tls_server *s)
{
    if (s && --s->users == 0 && s->freed)
        dispose(s);
}

static const int versions[] = {[IO_TLS_FROM_1_2] = TLS1_2_VERSION,
                               [IO_TLS_FROM_1_3] = TLS1_3_VERSION,
                               [IO_TLS_FROM_1_1] = TLS1_1_VERSION,
                               [IO_TLS_FROM_1_0] = TLS1_VERSION};

SSL *io_tls_server_session(struct io_tls_server *s, const struct io_tls_accept *how)
{
    SSL *ssl = SSL_new(s->ctx);
    if (!ssl)
        return NULL;
    SSL_set_accept_state(ssl);
    if (s->identities) // not one that a test made
        SSL_set_min_proto_version(ssl, versions[how ? how->least : IO_TLS_FROM_1_2]);
    if (how && how->ask && s->asks) {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        // What a resumed session says of its client was proved in another one.
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_set_num_tickets(ssl, 0);
    }
    s->users++;
    return ssl;
}
