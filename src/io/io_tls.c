#include "io_tls_inner.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

// One read of the kernel fills the record layer's buffer; buffers that are empty
// are given back; a write may stop between records, and its bytes may have moved.
static void settle(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    // SMTP says by itself where it ends; a missing close_notify tells nothing new.
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static int no_passphrase(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static const char *chain_rest(SSL_CTX *ctx, BIO *bio)
{
    X509 *x;
    while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)))
        if (!SSL_CTX_add0_chain_cert(ctx, x)) {
            X509_free(x);
            return "The certificate chain holds a certificate that cannot be used.";
        }
    unsigned long end = ERR_peek_last_error();
    if (ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
        return "The certificate chain holds a certificate that cannot be read.";
    return NULL;
}

static const char *chain_take(SSL_CTX *ctx, BIO *bio)
{
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    if (!leaf)
        return "The certificate file holds no PEM certificate.";
    int ok = SSL_CTX_use_certificate(ctx, leaf);
    X509_free(leaf);
    return ok == 1 ? chain_rest(ctx, bio) : "The certificate cannot be used for a TLS server.";
}

static const char *key_take(SSL_CTX *ctx, BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!key)
        return "The key file holds no PEM private key, or one with a passphrase.";
    int ok = SSL_CTX_use_PrivateKey(ctx, key);
    EVP_PKEY_free(key);
    return ok == 1 && SSL_CTX_check_private_key(ctx) == 1
               ? NULL
               : "The private key does not belong to the certificate.";
}

static const char *pem_take(SSL_CTX *ctx, struct span pem,
                            const char *(*take)(SSL_CTX *ctx, BIO *bio))
{
    BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.at ? pem.at : "", (int)pem.len) : NULL;
    if (!bio)
        return "A PEM file is too large.";
    const char *wrong = take(ctx, bio);
    BIO_free(bio);
    return wrong;
}

static SSL_CTX *server_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    settle(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_num_tickets(ctx, 1);
    static const unsigned char name[] =
        "geleit"; // tickets of a server that is not ours say another
    SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    return ctx;
}

struct rc io_tls_server_new(struct io_tls_server **out, struct span chain, struct span key,
                            const char **why)
{
    *out = NULL;
    ERR_clear_error();
    SSL_CTX *ctx = server_context();
    *why = ctx ? pem_take(ctx, chain, chain_take) : "OpenSSL gives no server context.";
    if (!*why)
        *why = pem_take(ctx, key, key_take);
    ERR_clear_error();
    if (*why) {
        SSL_CTX_free(ctx);
        return RC(CONFIG);
    }
    *out = mem_new(sizeof **out);
    (*out)->ctx = ctx;
    *why = "";
    return RC(OK);
}

void io_tls_server_free(struct io_tls_server *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->ctx); // sessions under way hold it
    free(s);
}

SSL *io_tls_server_session(struct io_tls_server *s)
{
    SSL *ssl = SSL_new(s->ctx);
    if (ssl)
        SSL_set_accept_state(ssl);
    return ssl;
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    settle(ctx);
    // A resumed session skips DANE and PKIX: there is none.
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, io_tls_verify_in_handshake, NULL);
    if (SSL_CTX_dane_enable(ctx) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static const char *anchors_load(SSL_CTX *ctx, struct span ca_file)
{
    char path[4096];
    if (ca_file.len == 0)
        return SSL_CTX_set_default_verify_paths(ctx) == 1
                   ? NULL
                   : "The system's trust anchors are missing.";
    if (!span_copy(path, sizeof path, ca_file))
        return "The name of the file of trust anchors is too long.";
    return SSL_CTX_load_verify_file(ctx, path) == 1
               ? NULL
               : "The file of trust anchors cannot be read or holds none.";
}

struct rc io_tls_client_new(struct io_tls_client **out, struct span ca_file, const char **why)
{
    *out = NULL;
    ERR_clear_error();
    SSL_CTX *ctx = client_context();
    *why = ctx ? anchors_load(ctx, ca_file) : "OpenSSL gives no client context.";
    ERR_clear_error();
    if (*why) {
        SSL_CTX_free(ctx);
        return RC(CONFIG);
    }
    *out = mem_new(sizeof **out);
    **out = (struct io_tls_client){ctx, SSL_CTX_get_cert_store(ctx)};
    *why = "";
    return RC(OK);
}

void io_tls_client_free(struct io_tls_client *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}
