// The DKIM and Authentication-Results machines behind a protocol of lines, for
// tests in Python: a command and its arguments, parted by tabs, bytes in hex; one
// line of fields parted by tabs comes back.
#include "auth_dkim.h"
#include "auth_dkim_sign.h"
#include "auth_head.h"
#include "auth_results.h"
#include "base_code.h"
#include "crypto_sign.h"
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 16 << 20, ARGUMENTS_MAX = 16 };

static struct zone *zone;
static struct auth_dkim_options options;
static size_t chunk_size;
static struct buf out;
static struct arena arena;
static struct span arguments[ARGUMENTS_MAX];

static struct span bytes(size_t i)
{
    CLEANUP(buf_free) struct buf b = BUF(BYTES_MAX);
    if (!code_get_hex(&b, arguments[i]))
        panic("argument %zu is no hex", i);
    return arena_dup(&arena, buf_span(&b));
}

static uint64_t number(size_t i)
{
    uint64_t n = 0;
    if (!span_number(arguments[i], INT64_MAX, &n))
        panic("argument %zu is no number", i);
    return n;
}

static void field(struct span s)
{
    buf_putc(&out, '\t');
    buf_put(&out, s);
}

static void hex_field(struct span s)
{
    buf_putc(&out, '\t');
    code_put_hex(&out, s);
}

static void number_field(uint64_t n)
{
    buf_printf(&out, "\t%llu", (unsigned long long)n);
}

static void do_reset(void)
{
    zone_free(&zone);
    zone = zone_new(NULL);
    options = (struct auth_dkim_options){0};
    chunk_size = 0;
}

static void do_zone(void)
{
    if (!zone_add(zone, arguments[1], arguments[2], arguments[3]))
        buf_put(&out, SPAN("\tbad"));
}

static void do_option(void)
{
    if (span_eq(arguments[1], SPAN("now")))
        options.now.us = SECONDS(number(2));
    else if (span_eq(arguments[1], SPAN("length")))
        options.length = (enum auth_dkim_length)number(2);
    else if (span_eq(arguments[1], SPAN("chunk")))
        chunk_size = number(2);
    else if (span_eq(arguments[1], SPAN("signatures")))
        options.signatures_max = (unsigned)number(2);
    else
        panic("no such option");
}

static void answer_all(struct auth_dkim *d)
{
    for (;;) {
        struct auth_step step = auth_dkim_next(d);
        if (step.kind != AUTH_ASK_DNS)
            return;
        struct dns_answer a = zone_answer(zone, &step.question, &arena);
        auth_dkim_answer(d, step.ticket, &a);
    }
}

static struct span cut_chunk(struct span *rest)
{
    struct span part = span_first(*rest, chunk_size ? chunk_size : rest->len);
    *rest = span_skip(*rest, part.len);
    return part;
}

static struct auth_dkim *verify(struct span message)
{
    struct auth_dkim *d = auth_dkim_new(&options);
    while (message.len)
        auth_dkim_feed(d, cut_chunk(&message));
    auth_dkim_end(d);
    answer_all(d);
    return d;
}

// verify MESSAGE: ten fields a signature
static void do_verify(void)
{
    struct auth_dkim *d = verify(bytes(1));
    for (size_t i = 0; i < auth_dkim_count(d); i++) {
        const struct auth_dkim_result *r = auth_dkim_result(d, i);
        field(span_str(auth_result_text(r->result)));
        field(span_str(r->reason));
        field(dns_name_span(&r->signature.domain));
        field(dns_name_span(&r->signature.selector));
        hex_field(r->signature.identity);
        field(span_str(r->algorithm));
        number_field(r->key_bits);
        number_field(r->testing);
        number_field(r->weak_key);
        number_field(r->body_length);
    }
    auth_dkim_free(d);
}

// results MESSAGE: the Authentication-Results field about it
static void do_results(void)
{
    CLEANUP(buf_free) struct buf b = BUF(BYTES_MAX);
    struct auth_dkim *d = verify(bytes(1));
    struct auth_results_writer w = auth_results_open(&b, SPAN("mx.example.net"), false);
    auth_results_dkim(&w, d);
    auth_results_close(&w);
    hex_field(buf_span(&b));
    auth_dkim_free(d);
}

static struct rc sign_with(void *context, unsigned key, const struct crypto_digest *d,
                           struct buf *signature)
{
    (void)key;
    return crypto_sign(context, d, signature);
}

static void private_free(struct crypto_private **k)
{
    crypto_private_free(*k);
}

// sign PEM DOMAIN SELECTOR HEADER-CANON BODY-CANON NOW LIFETIME MESSAGE: the fields
static void do_sign(void)
{
    CLEANUP(private_free) struct crypto_private *key = NULL;
    CLEANUP(buf_free) struct buf fields = BUF(BYTES_MAX);
    if (!rc_ok(crypto_private_read(&key, bytes(1)))) {
        buf_put(&out, SPAN("\tno key"));
        return;
    }
    struct auth_sign_key k = {crypto_private_algorithm(key)};
    if (!dns_name_parse(&k.domain, arguments[2]) || !dns_name_parse(&k.selector, arguments[3]))
        panic("no names to sign with");
    struct auth_sign_options o = {.now.us = SECONDS(number(6)),
                                  .lifetime = SECONDS(number(7)),
                                  .header = (enum auth_canon)number(4),
                                  .body = (enum auth_canon)number(5),
                                  .keys = &k,
                                  .count = 1};
    struct auth_signer *s = auth_signer_new(&o);
    for (struct span rest = bytes(8); rest.len;)
        auth_signer_feed(s, cut_chunk(&rest));
    auth_signer_end(s);
    auth_signer_run(s, sign_with, key);
    struct rc rc = auth_signer_put(s, &fields);
    field(rc_ok(rc) ? SPAN("ok") : span_str(rc_text(rc)));
    hex_field(buf_span(&fields));
    auth_signer_free(s);
}

// sign-digest PEM DIGEST: the signature
static void do_sign_digest(void)
{
    CLEANUP(private_free) struct crypto_private *key = NULL;
    CLEANUP(buf_free) struct buf signature = BUF(CRYPTO_SIGNATURE_MAX);
    struct crypto_digest d;
    span_bytes(d.at, sizeof d.at, bytes(2));
    if (rc_ok(crypto_private_read(&key, bytes(1))) && rc_ok(crypto_sign(key, &d, &signature)))
        hex_field(buf_span(&signature));
}

static void collect(void *context, struct span s)
{
    buf_put(context, s);
}

// body CANON BODY: canonical form
static void do_body(void)
{
    CLEANUP(buf_free) struct buf b = BUF(BYTES_MAX);
    struct auth_canon_body c = {.how = (enum auth_canon)number(1), .to = {collect, &b}};
    for (struct span rest = bytes(2); rest.len;)
        auth_canon_body_feed(&c, cut_chunk(&rest));
    auth_canon_body_end(&c);
    hex_field(buf_span(&b));
}

// header CANON MESSAGE: what the signature in its first field signs
static void do_header(void)
{
    CLEANUP(buf_free) struct buf b = BUF(BYTES_MAX);
    struct auth_sink to = {collect, &b};
    enum auth_canon how = (enum auth_canon)number(1);
    struct auth_head head;
    struct auth_tags tags;
    struct span b_text = SPAN("");
    auth_head_read(&head, bytes(2), &arena);
    if (head.fault || !head.count || !auth_tags_read(&tags, head.at[0].value)) {
        buf_put(&out, SPAN("\tbad"));
        return;
    }
    for (size_t i = 0; i < tags.count; i++)
        b_text = span_eq(tags.at[i].name, SPAN("b")) ? tags.at[i].raw : b_text;
    auth_head_select(&head, auth_tags_get(&tags, SPAN("h")), 0, how, &to);
    auth_canon_own(how, head.at[0].text, b_text, &to);
    hex_field(buf_span(&b));
}

// key RECORD: fault, algorithm, bits
static void do_key(void)
{
    struct auth_dkim_key key;
    field(span_str(auth_dkim_key_read(&key, bytes(1), SPAN("email"))));
    number_field(key.algorithm);
    number_field(key.bits);
    crypto_public_free(key.key);
}

// signature VALUE: fault
static void do_signature(void)
{
    struct auth_dkim_signature s;
    field(span_str(auth_dkim_signature_read(&s, bytes(1), AUTH_DKIM_SIGNATURE, &arena)));
}

// crypto ALGORITHM KEY BYTES SIGNATURE: 1, 0, or nokey
static void do_crypto(void)
{
    struct crypto_public *key = crypto_public_read((enum crypto_algorithm)number(1), bytes(2));
    if (key)
        number_field(crypto_verify_bytes(key, bytes(3), bytes(4)));
    else
        field(SPAN("nokey"));
    crypto_public_free(key);
}

// authres VALUE: bad, or id, version, none, loose, and for each result its method,
// result, reason and properties
static void do_authres(void)
{
    struct auth_results r;
    if (!auth_results_parse(&r, bytes(1), &arena)) {
        field(SPAN("bad"));
        return;
    }
    field(r.id);
    number_field(r.version);
    number_field(r.none);
    number_field(r.loose);
    for (size_t i = 0; i < r.count; i++) {
        field(r.infos[i].method);
        field(r.infos[i].result);
        field(r.infos[i].reason);
        buf_putc(&out, '\t');
        for (size_t p = 0; p < r.infos[i].count; p++)
            buf_printf(
                &out, "%s%.*s.%.*s=%.*s", p ? "," : "", SPAN_FMT(r.infos[i].properties[p].type),
                SPAN_FMT(r.infos[i].properties[p].name), SPAN_FMT(r.infos[i].properties[p].value));
    }
}

// strip ID MESSAGE: what passes
static void do_strip(void)
{
    CLEANUP(buf_free) struct buf b = BUF(BYTES_MAX);
    struct auth_strip s = {{arguments[1]}, 1, .put = collect, .context = &b};
    auth_strip_open(&s);
    for (struct span rest = bytes(2); rest.len;)
        auth_strip_feed(&s, cut_chunk(&rest));
    auth_strip_end(&s);
    number_field(s.removed);
    hex_field(buf_span(&b));
}

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {
    {"reset", do_reset},     {"zone", do_zone},
    {"option", do_option},   {"verify", do_verify},
    {"results", do_results}, {"sign", do_sign},
    {"body", do_body},       {"header", do_header},
    {"key", do_key},         {"signature", do_signature},
    {"crypto", do_crypto},   {"authres", do_authres},
    {"strip", do_strip},     {"sign-digest", do_sign_digest},
};

static void line(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < ARGUMENTS_MAX; i++)
        arguments[i] = SPAN("");
    while (s.at && n < ARGUMENTS_MAX)
        arguments[n++] = span_cut(&s, '\t');
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (span_eq(arguments[0], span_str(commands[i].name)))
            commands[i].run();
}

int main(void)
{
    char *room = NULL;
    size_t size = 0;
    ssize_t n;
    out = BUF(BYTES_MAX);
    do_reset();
    while ((n = getline(&room, &size, stdin)) > 0) {
        arena = ARENA(64 << 20);
        buf_clear(&out);
        buf_put(&out, SPAN("."));
        line((struct span){room, (size_t)n - (room[n - 1] == '\n')});
        printf("%s\n", buf_str(&out));
        fflush(stdout);
        arena_free(&arena);
    }
    zone_free(&zone);
    buf_free(&out);
    free(room);
    return 0;
}
