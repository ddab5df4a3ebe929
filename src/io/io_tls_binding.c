#include "io_stream_inner.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

// RFC 9266 §4: for TLS 1.2 only with the extended master secret, else two
// handshakes can share what is exported.
static size_t exporter(SSL *ssl, unsigned char *to, size_t size)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return 0;
    return SSL_export_keying_material(ssl, to, size, label, sizeof label - 1, NULL, 0, 1) == 1
               ? size
               : 0;
}

// RFC 5929 §4.1: by the digest of the certificate's signature, SHA-256 in place of
// MD5 and SHA-1; undefined for a signature without a digest of its own.
static size_t end_point(SSL *ssl, unsigned char *to)
{
    const X509 *own = SSL_get_certificate(ssl);
    int digest = NID_undef;
    unsigned len = 0;
    if (!own || X509_get_signature_info((X509 *)(uintptr_t)own, &digest, NULL, NULL, NULL) != 1 ||
        digest == NID_undef)
        return 0;
    const EVP_MD *md =
        digest == NID_md5 || digest == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest);
    return md && X509_digest(own, md, to, &len) == 1 ? len : 0;
}

bool io_stream_binding(const struct io_stream *s, struct io_tls_binding *out)
{
    *out = (struct io_tls_binding){0};
    if (!s->ssl || !s->facts || s->client)
        return false;
    out->exporter_len = exporter(s->ssl, out->exporter, sizeof out->exporter);
    out->end_point_len = end_point(s->ssl, out->end_point);
    ERR_clear_error();
    return true;
}
