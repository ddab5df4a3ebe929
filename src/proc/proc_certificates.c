#include "proc_certificates.h"

#include "base_log.h"
#include "io_channel.h"
#include "proc_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROOM = IO_MESSAGE_MAX - 65536 };

// ---- which files

static bool paths_of(const struct conf *c, size_t i, struct proc_certificate *out)
{
    struct span chain = conf_span(c, CONF_tls_certificate), key = conf_span(c, CONF_tls_key);
    size_t single = chain.len > 0;
    if (i >= single) {
        key = conf_item(c, CONF_tls_certificates, i - single);
        chain = span_cut(&key, ' ');
        key = span_trim(key);
    }
    return span_copy(out->chain_path, sizeof out->chain_path, chain) &&
           span_copy(out->key_path, sizeof out->key_path, key);
}

static size_t count_of(const struct conf *c)
{
    return (conf_span(c, CONF_tls_certificate).len > 0) + conf_count(c, CONF_tls_certificates);
}

// Anchors are only read where a client's certificate counts.
static struct span client_ca_of(const struct conf *c)
{
    struct span own = conf_span(c, CONF_tls_client_ca_file);
    bool verify = false;
    for (size_t i = 0; i < conf_count(c, CONF_tls_require) && !verify; i++) {
        struct span rest = conf_item(c, CONF_tls_require, i);
        (void)span_cut(&rest, ' ');
        rest = span_trim(rest);
        verify = span_eq(span_cut(&rest, ' '), SPAN("verify"));
    }
    return !verify ? SPAN("") : own.len ? own : conf_span(c, CONF_tls_ca_file);
}

static void mix(uint64_t *h, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        *h = (*h ^ b[i]) * UINT64_C(1099511628211);
}

// Another file of the same age and size is another file.
static void mix_file(uint64_t *h, const char *path)
{
    struct stat st;
    if (stat(path, &st))
        st = (struct stat){.st_size = -1};
    mix(h, &st.st_dev, sizeof st.st_dev);
    mix(h, &st.st_ino, sizeof st.st_ino);
    mix(h, &st.st_size, sizeof st.st_size);
    mix(h, &st.st_mtim.tv_sec, sizeof st.st_mtim.tv_sec);
    mix(h, &st.st_mtim.tv_nsec, sizeof st.st_mtim.tv_nsec);
}

uint64_t proc_certificates_stamp(const struct conf *c)
{
    uint64_t h = UINT64_C(14695981039346656037);
    struct proc_certificate *one = mem_new(sizeof *one);
    for (size_t i = 0; i < count_of(c); i++)
        if (paths_of(c, i, one)) {
            mix_file(&h, one->chain_path);
            mix_file(&h, one->key_path);
        }
    if (span_copy(one->chain_path, sizeof one->chain_path, client_ca_of(c)) && *one->chain_path)
        mix_file(&h, one->chain_path);
    free(one);
    return h;
}

// ---- reading

static struct io_tls_pair pair_of(const struct proc_certificate *one)
{
    return (struct io_tls_pair){buf_span(&one->chain), buf_span(&one->key)};
}

static struct rc read_one(struct proc_certificate *one, struct conf_fault *fault)
{
    const char *why = "";
    TRY(proc_file_read(one->key_path, &one->key, fault));
    TRY(proc_file_read(one->chain_path, &one->chain, fault));
    struct io_tls_pair pair = pair_of(one);
    if (!rc_ok(io_tls_pair_about(&one->about, &pair, &why)))
        return conf_fault_say(fault, "certificate %s and its key %s cannot be used: %s",
                              one->chain_path, one->key_path, why);
    return RC(OK);
}

static void copy(struct buf *to, const struct buf *from)
{
    *to = BUF(from->max);
    if (rc_ok(buf_reserve(to, from->len))) // at once: it may be a key
        buf_put(to, buf_span(from));
}

static void keep_old(struct proc_certificate *one, const struct proc_certificate *old,
                     const struct conf_fault *fault)
{
    LOG(LOG_ERROR, "certificate-not-loaded", LOG_T("certificate", one->chain_path),
        LOG_T("why", fault->text), LOG_T("means", "the one that was read before stays in use"));
    buf_wipe(&one->key);
    buf_free(&one->chain);
    copy(&one->key, &old->key);
    copy(&one->chain, &old->chain);
    one->about = old->about;
}

static struct rc load_one(struct proc_certificates *s, const struct conf *c,
                          const struct proc_certificates *old, struct conf_fault *fault)
{
    struct proc_certificate *one = &s->at[s->count];
    if (!paths_of(c, s->count, one))
        return conf_fault_say(fault, "tls.certificates: a file name is too long");
    struct rc rc = read_one(one, fault);
    if (!rc_ok(rc) && old && s->count < old->count) {
        keep_old(one, &old->at[s->count], fault);
        rc = RC(OK);
    }
    s->count++; // to be freed, whatever it is
    return rc;
}

static struct rc load_anchors(struct proc_certificates *s, const struct conf *c,
                              const struct proc_certificates *old, struct conf_fault *fault)
{
    char path[4096];
    struct span name = client_ca_of(c);
    if (name.len == 0)
        return RC(OK);
    if (!span_copy(path, sizeof path, name))
        return conf_fault_say(fault, "tls.client_ca_file is too long a file name");
    struct rc rc = proc_file_read(path, &s->client_ca, fault);
    if (rc_ok(rc) || !old)
        return rc;
    LOG(LOG_ERROR, "certificate-not-loaded", LOG_T("certificate", path), LOG_T("why", fault->text),
        LOG_T("means", "the anchors that were read before stay in use"));
    copy(&s->client_ca, &old->client_ca);
    return RC(OK);
}

// As a receiver will: what passes here cannot leave it without TLS.
static struct rc try_all(struct proc_certificates *s, struct conf_fault *fault)
{
    struct io_tls_pair *pairs = mem_new((s->count + 1) * sizeof *pairs);
    size_t size = s->client_ca.len, which = 0;
    for (size_t i = 0; i < s->count; i++) {
        pairs[i] = pair_of(&s->at[i]);
        size += pairs[i].chain.len + pairs[i].key.len + 8;
    }
    struct io_tls_server *tried = NULL;
    const char *why = "";
    struct io_tls_server_conf c = {.pairs = pairs,
                                   .pair_count = s->count,
                                   .clients = s->client_ca.len > 0,
                                   .client_ca = buf_span(&s->client_ca)};
    struct rc rc = io_tls_server_make(&tried, &c, &why, &which);
    io_tls_server_free(tried);
    free(pairs);
    if (!rc_ok(rc))
        return conf_fault_say(fault, "certificate %s cannot be used: %s",
                              which < s->count ? s->at[which].chain_path : "", why);
    if (size > ROOM)
        return conf_fault_say(fault,
                              "all certificates, keys and client anchors together have more than "
                              "%d bytes; name fewer in tls.certificates",
                              ROOM);
    return RC(OK);
}

struct rc proc_certificates_load(struct proc_certificates *out, const struct conf *c,
                                 const struct proc_certificates *old, struct conf_fault *fault)
{
    size_t count = count_of(c);
    *out = (struct proc_certificates){.stamp = proc_certificates_stamp(c)};
    if (count == 0)
        return RC(OK);
    out->at = mem_new(count * sizeof *out->at);
    while (out->count < count)
        TRY(load_one(out, c, old, fault));
    TRY(load_anchors(out, c, old, fault));
    return try_all(out, fault);
}

void proc_certificates_free(struct proc_certificates *s)
{
    for (size_t i = 0; i < s->count; i++) {
        buf_free(&s->at[i].chain);
        buf_wipe(&s->at[i].key);
    }
    free(s->at);
    buf_free(&s->client_ca);
    *s = (struct proc_certificates){0};
}

// Reserved at once: growing would leave copies of keys behind.
void proc_certificates_put(const struct proc_certificates *s, struct span tickets, struct buf *b)
{
    if (!rc_ok(buf_reserve(b, IO_MESSAGE_MAX - 1024)))
        panic("no room for certificates");
    wr_u16(b, (uint16_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        wr_span(b, buf_span(&s->at[i].chain));
        wr_span(b, buf_span(&s->at[i].key));
    }
    wr_span(b, tickets);
    wr_span(b, buf_span(&s->client_ca));
}

// ---- dates

void proc_certificates_tell(const struct proc_certificates *s, struct wall now)
{
    enum { DAY = 86400, SOON = 14 * DAY };
    for (size_t i = 0; i < s->count; i++) {
        const struct proc_certificate *one = &s->at[i];
        int64_t at = now.us / US_PER_S, left = one->about.until - at;
        CLEANUP(buf_free) struct buf until = BUF(64);
        time_put_iso(&until, (struct wall){one->about.until * US_PER_S});
        if (left <= 0)
            LOG(LOG_ERROR, "certificate-expired", LOG_T("certificate", one->chain_path),
                LOG_T("name", one->about.name), LOG_S("until", buf_span(&until)),
                LOG_T("means", "clients that check it will not accept it; renew it now"));
        else if (left < SOON)
            LOG(LOG_WARN, "certificate-expires", LOG_T("certificate", one->chain_path),
                LOG_T("name", one->about.name), LOG_S("until", buf_span(&until)),
                LOG_I("days", left / DAY));
        if (one->about.from > at)
            LOG(LOG_ERROR, "certificate-not-yet-valid", LOG_T("certificate", one->chain_path),
                LOG_T("name", one->about.name),
                LOG_T("means", "clients that check it will not accept it; is the clock right?"));
    }
}
