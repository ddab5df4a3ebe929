// What a handshake is to prove, and what it did prove. DANE is verified by
// OpenSSL inside the handshake, PKIX by us on the chain that came, so that both
// can be asked of one connection and neither hides the other.
#include "io_tls_inner.h"

#include "base_code.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_ROOM = 256 };

static const struct {
    int least_version, level;
    uint64_t options;
} strengths[] = {
    // Whatever is better than clear text (RFC 7435 §3).
    [IO_TLS_ANY] = {TLS1_VERSION, 0, SSL_OP_LEGACY_SERVER_CONNECT},
    // The record vouches for the key, however small (RFC 7672 §3.1.1).
    [IO_TLS_DANE] = {TLS1_2_VERSION, 0, 0},
    [IO_TLS_MODERN] = {TLS1_2_VERSION, 2, 0},
};

// A name as OpenSSL compares it: no trailing dot, which would match nothing, and
// no leading one, which would match every name below.
static bool name_copy(char to[NAME_ROOM], struct span name)
{
    if (span_ends(name, SPAN(".")))
        name.len--;
    return name.len && name.at[0] != '.' && span_copy(to, NAME_ROOM, name);
}

// False if no name came of it: then nothing may count as proved, for OpenSSL
// takes no names for "any name".
static bool names_set(X509_VERIFY_PARAM *p, const struct io_tls_want *want)
{
    bool any = false;
    for (size_t i = 0; i < want->name_count; i++) {
        char name[NAME_ROOM];
        if (name_copy(name, want->names[i]) && X509_VERIFY_PARAM_add1_host(p, name, 0) == 1)
            any = true;
    }
    return any;
}

static bool tlsa_add(SSL *ssl, const struct io_tlsa *t)
{
    return SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching,
                             (const unsigned char *)t->data.at, t->data.len) == 1;
}

// Names count for usage 2 only (RFC 7672 §3.1.1); without any it is left out.
static bool dane_set(SSL *ssl, const struct io_tls_want *want, struct io_tls_check *check)
{
    char sni[NAME_ROOM];
    bool has_sni = name_copy(sni, want->sni);
    if (SSL_dane_enable(ssl, has_sni ? sni : "dane.invalid") != 1)
        return false;
    if (!has_sni) // it was set for us
        SSL_set_tlsext_host_name(ssl, NULL);
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set1_host(p, NULL, 0); // the SNI is no reference identifier by itself
    check->named = names_set(p, want);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 0; i < want->tlsa_count; i++) {
        uint8_t usage = want->tlsa[i].usage;
        if ((usage == 3 || (usage == 2 && check->named)) && tlsa_add(ssl, &want->tlsa[i]))
            check->tlsa_usable = true;
    }
    ERR_clear_error();
    return true;
}

static bool pkix_set(const struct io_tls_want *want, struct wall now, struct io_tls_check *check)
{
    X509_VERIFY_PARAM *p = check->params = X509_VERIFY_PARAM_new();
    if (!p)
        return false;
    check->named = names_set(p, want);
    // RFC 8461 §4.1: by subjectAltName, a wildcard for one whole label.
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set_auth_level(p, strengths[want->strength].level);
    X509_VERIFY_PARAM_set_time(p, now.us / US_PER_S);
    return true;
}

static struct io_tls_check *check_new(const struct io_tls_client *c, const struct io_tls_want *w)
{
    struct io_tls_check *check = mem_new(sizeof *check);
    *check = (struct io_tls_check){
        .tlsa = w->tlsa_count > 0, .pkix = w->pkix, .pin = w->pin.len > 0, .anchors = c->anchors};
    X509_STORE_up_ref(check->anchors);
    check->pin_whole = w->pin.len == sizeof check->pin_is;
    if (check->pin_whole)
        span_bytes(check->pin_is, sizeof check->pin_is, w->pin);
    return check;
}

void io_tls_check_free(struct io_tls_check *c)
{
    if (!c)
        return;
    X509_VERIFY_PARAM_free(c->params);
    X509_STORE_free(c->anchors);
    free(c);
}

static bool session_set(SSL *ssl, const struct io_tls_want *want, struct wall now,
                        struct io_tls_check *check)
{
    char sni[NAME_ROOM];
    SSL_set_connect_state(ssl);
    SSL_set_app_data(ssl, check);
    SSL_set_security_level(ssl, strengths[want->strength].level);
    SSL_set_options(ssl, strengths[want->strength].options);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), now.us / US_PER_S);
    if (SSL_set_min_proto_version(ssl, strengths[want->strength].least_version) != 1)
        return false;
    if (name_copy(sni, want->sni) && SSL_set_tlsext_host_name(ssl, sni) != 1)
        return false;
    return (!check->tlsa || dane_set(ssl, want, check)) &&
           (!check->pkix || pkix_set(want, now, check));
}

SSL *io_tls_client_session(struct io_tls_client *c, const struct io_tls_want *want, struct wall now,
                           struct io_tls_check **check)
{
    *check = NULL;
    SSL *ssl = SSL_new(c->ctx);
    if (!ssl)
        return NULL;
    *check = check_new(c, want);
    if (session_set(ssl, want, now, *check))
        return ssl;
    SSL_free(ssl);
    io_tls_check_free(*check);
    *check = NULL;
    return NULL;
}

int io_tls_verify_in_handshake(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct io_tls_check *check = SSL_get_app_data(ssl);
    // Without a usable record OpenSSL would fall back to PKIX and call that verified.
    if (check && check->tlsa_usable)
        (void)X509_verify_cert(ctx); // the result stays in ctx, and from there in the session
    else
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_UNSPECIFIED);
    return 1;
}

static enum io_tls_fault fault_of(int error)
{
    static const struct {
        int error;
        enum io_tls_fault fault;
    } table[] = {
        {X509_V_ERR_HOSTNAME_MISMATCH, IO_TLS_NAME},
        {X509_V_ERR_CERT_HAS_EXPIRED, IO_TLS_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, IO_TLS_EXPIRED},
        {X509_V_ERR_DANE_NO_MATCH, IO_TLS_TLSA},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, IO_TLS_UNTRUSTED},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, IO_TLS_UNTRUSTED},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, IO_TLS_UNTRUSTED},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, IO_TLS_UNTRUSTED},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, IO_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE, IO_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_CHAIN_TOO_LONG, IO_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_UNTRUSTED, IO_TLS_UNTRUSTED},
        {X509_V_ERR_CERT_REJECTED, IO_TLS_UNTRUSTED},
        {X509_V_ERR_INVALID_CA, IO_TLS_UNTRUSTED},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error)
            return table[i].fault;
    return IO_TLS_OTHER;
}

// The first thing that is missing is what is told.
static void missing(struct io_tls_facts *f, enum io_tls_fault fault, const char *proof,
                    const char *text)
{
    if (f->fault != IO_TLS_FINE)
        return;
    f->fault = fault;
    snprintf(f->error, sizeof f->error, "%s: %s", proof, text);
}

static void matched_tlsa(SSL *ssl, struct io_tls_facts *f)
{
    uint8_t usage, selector, matching;
    const unsigned char *data;
    size_t len;
    if (SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, &data, &len) < 0)
        return;
    const char *name = usage == 2 ? SSL_get0_peername(ssl) : NULL;
    snprintf(f->matched, sizeof f->matched, "%u %u %u%s%s", usage, selector, matching,
             name ? " " : "", name ? name : "");
}

static void dane_read(SSL *ssl, const struct io_tls_check *check, struct io_tls_facts *f)
{
    if (!check->tlsa_usable) {
        missing(f, IO_TLS_TLSA, "DANE", "no usable TLSA record");
        return;
    }
    long result = SSL_get_verify_result(ssl);
    f->dane = result == X509_V_OK && !SSL_session_reused(ssl) &&
              SSL_get0_dane_authority(ssl, NULL, NULL) >= 0;
    if (f->dane)
        matched_tlsa(ssl, f);
    else
        missing(f, fault_of((int)result), "DANE", X509_verify_cert_error_string(result));
}

static int pkix_verify(X509_STORE_CTX *ctx, SSL *ssl, const struct io_tls_check *check)
{
    if (X509_STORE_CTX_init(ctx, check->anchors, SSL_get0_peer_certificate(ssl),
                            SSL_get_peer_cert_chain(ssl)) != 1 ||
        X509_STORE_CTX_set_default(ctx, "ssl_server") != 1 ||
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx), check->params) != 1)
        return X509_V_ERR_OUT_OF_MEM;
    if (X509_verify_cert(ctx) == 1)
        return X509_V_OK;
    int error = X509_STORE_CTX_get_error(ctx);
    return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
}

static void pkix_read(SSL *ssl, const struct io_tls_check *check, struct io_tls_facts *f)
{
    if (!check->named) {
        missing(f, IO_TLS_NAME, "PKIX", "no name to verify");
        return;
    }
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int error = ctx ? pkix_verify(ctx, ssl, check) : X509_V_ERR_OUT_OF_MEM;
    f->pkix = error == X509_V_OK;
    const char *name =
        f->pkix ? X509_VERIFY_PARAM_get0_peername(X509_STORE_CTX_get0_param(ctx)) : NULL;
    if (name && !f->matched[0])
        snprintf(f->matched, sizeof f->matched, "%s", name);
    X509_STORE_CTX_free(ctx);
    if (!f->pkix)
        missing(f, fault_of(error), "PKIX", X509_verify_cert_error_string(error));
}

static void pin_read(X509 *leaf, const struct io_tls_check *check, struct io_tls_facts *f)
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    if (n > 0 && EVP_Digest(der, (size_t)n, digest, &len, EVP_sha256(), NULL) == 1)
        f->pinned =
            check->pin_whole && span_eq((struct span){(char *)digest, len}, SPAN_OF(check->pin_is));
    OPENSSL_free(der);
    if (!f->pinned)
        missing(f, IO_TLS_PIN, "Pin", "the key is not the one that is expected");
}

static void certificate_read(X509 *leaf, struct io_tls_facts *f)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_digest(leaf, EVP_sha256(), digest, &len) == 1)
        for (unsigned i = 0; i < len && i < 32; i++)
            snprintf(f->certificate + (size_t)2 * i, 3, "%02x", digest[i]);
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) == 1)
        f->until = timegm(&tm);
}

static void name_first(void *arg, struct span name)
{
    struct io_tls_facts *f = arg;
    if (!f->matched[0])
        (void)span_copy(f->matched, sizeof f->matched, name);
}

// A client's: its names count where somebody asks for them.
static void client_read(SSL *ssl, X509 *leaf, struct io_tls_facts *f)
{
    long result = SSL_get_verify_result(ssl);
    f->pkix = result == X509_V_OK && !SSL_session_reused(ssl);
    if (f->pkix)
        (void)io_tls_names(leaf, false, name_first, f);
    else
        missing(f, fault_of((int)result), "client certificate",
                X509_verify_cert_error_string(result));
}

static const char *group_of(SSL *ssl)
{
    int id = (int)SSL_get_negotiated_group(ssl);
    const char *name = id && !(id & TLSEXT_nid_unknown) ? OBJ_nid2sn(id) : NULL;
    return name ? name : "";
}

void io_tls_facts_read(SSL *ssl, const struct io_tls_check *check, struct io_tls_facts *out)
{
    *out = (struct io_tls_facts){.version = SSL_get_version(ssl), .group = group_of(ssl)};
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    out->cipher = cipher ? SSL_CIPHER_get_name(cipher) : "";
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (leaf && !check)
        client_read(ssl, leaf, out);
    if (leaf)
        certificate_read(leaf, out);
    else if (check && (check->tlsa || check->pkix || check->pin))
        missing(out, IO_TLS_OTHER, "TLS", "the peer showed no certificate");
    if (leaf && check && check->tlsa)
        dane_read(ssl, check, out);
    if (leaf && check && check->pkix)
        pkix_read(ssl, check, out);
    if (leaf && check && check->pin)
        pin_read(leaf, check, out);
    ERR_clear_error();
}

void io_tls_facts_failed(struct io_tls_facts *out, struct rc why)
{
    *out =
        (struct io_tls_facts){.version = "", .cipher = "", .group = "", .fault = IO_TLS_HANDSHAKE};
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    snprintf(out->error, sizeof out->error, "handshake: %s", reason ? reason : rc_text(why));
    ERR_clear_error();
}
