#include "io_tls_inner.h"

#include <openssl/err.h>
#include <stdlib.h>

// One read of the kernel fills the record layer's buffer; buffers that are empty
// are given back; a write may stop between records, and its bytes may have moved.
void io_tls_settle(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    // SMTP says by itself where it ends; a missing close_notify tells nothing new.
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    io_tls_settle(ctx);
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
