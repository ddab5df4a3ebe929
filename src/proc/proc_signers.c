#include "proc_signers.h"

#include "auth_signing.h"
#include "base_log.h"
#include "crypto_sign.h"
#include "dns_name.h"
#include "io_channel.h"
#include "proc_keys.h"
#include "proc_setup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void proc_signer_pack(struct buf *b, const struct proc_signer *s)
{
    wr_span(b, s->domain);
    wr_span(b, s->selector);
    wr_span(b, s->sender);
    wr_u8(b, (uint8_t)s->services);
    wr_span(b, s->pem);
}

bool proc_signer_unpack(struct rd *r, struct proc_signer *out)
{
    out->domain = rd_span(r);
    out->selector = rd_span(r);
    out->sender = rd_span(r);
    out->services = rd_enum(r, AUTH_SERVICES_END);
    out->pem = rd_span(r);
    return !r->bad;
}

// A key that is the first to be found wrong by a receiver would sign nothing, and
// nobody would know.
static struct rc try_key(struct span entry, const char *path, struct span pem,
                         struct conf_fault *fault)
{
    struct crypto_private *key = NULL;
    if (!rc_ok(crypto_private_read(&key, pem)))
        return conf_fault_say(fault,
                              "dkim.sign \"%.*s\": %s holds no RSA or Ed25519 private key in PEM "
                              "without a passphrase",
                              SPAN_FMT(entry), path);
    unsigned bits = crypto_private_bits(key);
    bool weak = crypto_private_algorithm(key) == CRYPTO_RSA_SHA256 && bits < 1024;
    crypto_private_free(key);
    if (weak) // RFC 8301 §3.2
        return conf_fault_say(fault,
                              "dkim.sign \"%.*s\": the RSA key has %u bits, and signatures of less "
                              "than 1024 count nowhere",
                              SPAN_FMT(entry), bits);
    return RC(OK);
}

static void warn_of_mode(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 07)
        LOG(LOG_WARN, "key-exposed", LOG_T("file", path),
            LOG_T("why", "everybody can read or write it; its mode should be 600"));
}

static struct rc load_signer(struct span entry, struct buf *out, struct conf_fault *fault)
{
    CLEANUP(buf_wipe) struct buf key = BUF(0);
    struct span rest = entry, domain = span_cut(&rest, ' ');
    struct span sender = SPAN("");
    struct dns_name d, s;
    char path[4096];
    rest = span_trim(rest);
    struct span selector = span_cut(&rest, ' ');
    if (span_index(domain, '@') < domain.len)
        sender = span_cut(&domain, '@');
    if (sender.len && !auth_sender_fits(sender))
        return conf_fault_say(fault, "dkim.sign: \"%.*s\" names a user that no key can be bound to",
                              SPAN_FMT(entry));
    if (!dns_name_parse_host(&d, domain) || !dns_name_parse(&s, selector))
        return conf_fault_say(fault,
                              "dkim.sign: \"%.*s\" has no domain and selector that can be names",
                              SPAN_FMT(entry));
    if (!span_copy(path, sizeof path, span_trim(rest)))
        return conf_fault_say(fault, "dkim.sign: \"%.*s\" has too long a file name",
                              SPAN_FMT(entry));
    TRY(proc_file_read(path, &key, fault));
    TRY(try_key(entry, path, buf_span(&key), fault));
    warn_of_mode(path);
    proc_signer_pack(out, &(struct proc_signer){.domain = dns_name_span(&d),
                                                .selector = dns_name_span(&s),
                                                .sender = sender,
                                                .pem = buf_span(&key)});
    return RC(OK);
}

// Reserved at once, as proc_file_read() does.
struct rc proc_signers_load(const struct conf *c, bool folder, struct buf *out,
                            struct conf_fault *fault)
{
    size_t listed = conf_count(c, CONF_dkim_sign), kept = 0;
    *out = BUF(IO_MESSAGE_MAX - 64);
    TRY(buf_reserve(out, IO_MESSAGE_MAX - 64));
    wr_u16(out, 0); // how many: known at the end
    for (size_t i = 0; i < listed; i++)
        TRY(load_signer(conf_item(c, CONF_dkim_sign, i), out, fault));
    if (folder)
        TRY(proc_keys_put_signers(c, out, &kept, fault));
    if (!rc_ok(buf_state(out)) || listed + kept > UINT16_MAX)
        return conf_fault_say(fault, "there are more DKIM keys than %d MB can hold",
                              IO_MESSAGE_MAX >> 20);
    out->at[0] = (char)((listed + kept) >> 8);
    out->at[1] = (char)(listed + kept);
    return RC(OK);
}
