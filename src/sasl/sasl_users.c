#include "sasl_users.h"

#include "base_code.h"
#include "mail_address.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_ROOM = 1 << 30, ADDRESS_ROOM = 4096 };

struct sasl_users {
    struct arena memory;
    struct sasl_user *at;
    size_t count, cap;
    bool all_scram;
    char secret[64];
    size_t secret_len;
};

// ---- keys ----

static bool put_lower(struct buf *b, struct span s)
{
    for (size_t n; s.len; s = span_skip(s, n)) {
        char c = s.at[0];
        n = span_utf8(s);
        if (n == 0 || (unsigned char)c <= ' ' || c == 0x7f)
            return false;
        if (c >= 'A' && c <= 'Z')
            buf_putc(b, (char)(c + 32));
        else
            buf_put(b, span_first(s, n));
    }
    return true;
}

static bool put_domain(struct buf *b, struct span text)
{
    struct dns_name domain;
    bool below = span_starts(text, SPAN("."));
    if (!dns_name_parse_host(&domain, span_skip(text, below)))
        return false;
    buf_printf(b, "@%s%s", below ? "." : "", domain.text);
    return true;
}

static size_t last_at(struct span s)
{
    size_t i = s.len;
    while (i && s.at[i - 1] != '@')
        i--;
    return i ? i - 1 : s.len;
}

static bool key_put(char key[static SASL_KEY_MAX], struct span local, struct span domain)
{
    CLEANUP(buf_free) struct buf b = BUF(SASL_KEY_MAX);
    return put_lower(&b, local) && (!domain.at || put_domain(&b, domain)) && b.len &&
           rc_ok(buf_state(&b)) && span_copy(key, SASL_KEY_MAX, buf_span(&b));
}

static bool sensible(struct span local)
{
    return span_index(local, ',') == local.len && span_index(local, '"') == local.len &&
           span_index(local, '*') == local.len;
}

bool sasl_key(char key[static SASL_KEY_MAX], struct span name)
{
    size_t at = last_at(name);
    struct span local = span_first(name, at);
    struct span domain = at < name.len ? span_skip(name, at + 1) : (struct span){0};
    if (!local.len || span_starts(domain, SPAN(".")))
        return false;
    return key_put(key, local, domain);
}

bool sasl_sender_key(char key[static SASL_KEY_MAX], struct span pattern)
{
    size_t at = last_at(pattern);
    struct span local = span_first(pattern, at);
    if (span_eq(pattern, SPAN("*")))
        return span_copy(key, SASL_KEY_MAX, pattern);
    struct span plain = span_first(local, local.len - span_ends(local, SPAN("*")));
    if (at == pattern.len || !local.len || !sensible(plain))
        return false;
    return key_put(key, local, span_skip(pattern, at + 1));
}

static bool domain_fits(struct span wanted, struct span is)
{
    if (!span_starts(wanted, SPAN(".")))
        return span_eq(wanted, is);
    return is.len > wanted.len && span_ends(is, wanted);
}

static bool fits(struct span pattern, struct span key)
{
    size_t p = last_at(pattern), k = last_at(key);
    struct span local = span_first(pattern, p), is = span_first(key, k);
    if (span_eq(pattern, SPAN("*")))
        return true;
    if (k == key.len || p == pattern.len ||
        !domain_fits(span_skip(pattern, p + 1), span_skip(key, k + 1)))
        return false;
    return span_ends(local, SPAN("*")) ? span_starts(is, span_first(local, local.len - 1))
                                       : span_eq(local, is);
}

bool sasl_may_send(struct span user, const struct span *senders, size_t count, struct span address)
{
    char key[SASL_KEY_MAX];
    if (!sasl_key(key, address))
        return false;
    if (span_eq(user, span_str(key)))
        return true;
    for (size_t i = 0; i < count; i++)
        if (fits(senders[i], span_str(key)))
            return true;
    return false;
}

// ---- reading ----

struct reading {
    struct sasl_users *users;
    struct sasl_users_fault *fault;
    unsigned line;
};

static bool complain(const struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool complain(const struct reading *r, const char *format, ...)
{
    va_list ap;
    r->fault->line = r->line;
    va_start(ap, format);
    vsnprintf(r->fault->text, sizeof r->fault->text, format, ap);
    va_end(ap);
    return false;
}

static struct span word(struct span *rest)
{
    size_t n = 0;
    *rest = span_trim(*rest);
    while (n < rest->len && rest->at[n] != ' ' && rest->at[n] != '\t')
        n++;
    struct span w = span_first(*rest, n);
    *rest = span_skip(*rest, n);
    return w;
}

static bool none(struct span s)
{
    return s.len == 0 || span_eq(s, SPAN("-"));
}

static struct span keep(struct reading *r, const char *text)
{
    return arena_dup(&r->users->memory, span_str(text));
}

static bool read_senders(struct reading *r, struct sasl_user *u, struct span list)
{
    char key[SASL_KEY_MAX];
    struct span *at = NULL;
    if (none(list))
        return true;
    size_t most = 1;
    for (size_t i = 0; i < list.len; i++)
        most += list.at[i] == ',';
    if (most > SASL_SENDERS_MAX || !(at = arena_alloc(&r->users->memory, most * sizeof *at)))
        return complain(r, "more than %d senders", SASL_SENDERS_MAX);
    while (list.at) {
        struct span one = span_cut(&list, ',');
        if (!sasl_sender_key(key, one))
            return complain(r,
                            "'%.100s' is no address that can be sent from; as in ann@example.org,"
                            " *@example.org",
                            (arena_dup(&r->users->memory, one)).at);
        at[u->sender_count++] = keep(r, key);
    }
    u->senders = at;
    return true;
}

static bool read_secrets(struct reading *r, struct sasl_user *u, struct span hash,
                         struct span verifier)
{
    if (!none(hash) && !crypto_password_readable(hash))
        return complain(r, "the second field is no password hash of a strong method (crypt(5))");
    if (!none(verifier) && !crypto_scram_parse(&u->scram, verifier))
        return complain(r, "the third field is no SCRAM-SHA-256 verifier");
    u->has_scram = !none(verifier);
    if (!none(hash))
        u->hash = arena_dup(&r->users->memory, hash);
    r->users->all_scram &= u->has_scram || none(hash);
    return true;
}

static struct sasl_user *add(struct sasl_users *s)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->at = mem_resize(s->at, s->cap * sizeof *s->at);
    }
    s->at[s->count] = (struct sasl_user){0};
    return &s->at[s->count++];
}

static bool read_user(struct reading *r, struct span line)
{
    char key[SASL_KEY_MAX];
    struct span name = word(&line), hash = word(&line), verifier = word(&line);
    struct span senders = word(&line);
    if (span_trim(line).len)
        return complain(r, "more than four fields");
    if (!sasl_key(key, name) || !sensible(name))
        return complain(r, "the first field is neither an address nor a name");
    struct sasl_user *u = add(r->users);
    u->line = r->line;
    u->name = keep(r, key);
    return read_secrets(r, u, hash, verifier) && read_senders(r, u, senders);
}

static bool read_secret(struct reading *r, struct span line)
{
    CLEANUP(buf_free) struct buf b = BUF(sizeof r->users->secret);
    struct span what = word(&line), value = span_trim(line);
    if (!span_eq(what, SPAN("@decoys")) || !code_get_base64(&b, value) || b.len < 16)
        return complain(r, "a line with '@' at its front can only be '@decoys' and base64");
    span_bytes(r->users->secret, b.len, buf_span(&b));
    r->users->secret_len = b.len;
    return true;
}

static bool read_line(struct reading *r, struct span line)
{
    if (span_ends(line, SPAN("\r")))
        line.len--;
    line = span_trim(line);
    if (line.len == 0 || line.at[0] == '#')
        return true;
    return line.at[0] == '@' ? read_secret(r, line) : read_user(r, line);
}

static int compare_spans(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.at, b.at, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    const struct sasl_user *x = a, *y = b;
    int c = compare_spans(x->name, y->name);
    return c ? c : (x->line > y->line) - (x->line < y->line);
}

static bool no_doubles(struct reading *r)
{
    const struct sasl_users *s = r->users;
    for (size_t i = 1; i < s->count; i++) {
        if (!span_eq(s->at[i - 1].name, s->at[i].name))
            continue;
        r->line = s->at[i].line;
        return complain(r, "%.100s was there before, in line %u", s->at[i].name.at,
                        s->at[i - 1].line);
    }
    return true;
}

static bool read_all(struct reading *r, struct span text)
{
    while (text.len) {
        r->line++;
        if (!read_line(r, span_cut(&text, '\n')))
            return false;
    }
    if (r->users->count)
        qsort(r->users->at, r->users->count, sizeof *r->users->at, by_name);
    return no_doubles(r);
}

struct sasl_users *sasl_users_read(struct span text, struct sasl_users_fault *fault)
{
    struct sasl_users *u = mem_new(sizeof *u);
    *u = (struct sasl_users){.memory = ARENA(USERS_ROOM), .all_scram = true};
    struct reading r = {.users = u, .fault = fault};
    *fault = (struct sasl_users_fault){0};
    if (read_all(&r, text))
        return u;
    sasl_users_free(u);
    return NULL;
}

void sasl_users_free(struct sasl_users *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        if (u->at[i].hash.len)
            explicit_bzero((char *)(uintptr_t)u->at[i].hash.at, u->at[i].hash.len);
    if (u->at)
        explicit_bzero(u->at, u->cap * sizeof *u->at);
    free(u->at);
    arena_free(&u->memory);
    explicit_bzero(u, sizeof *u);
    free(u);
}

size_t sasl_users_count(const struct sasl_users *u)
{
    return u->count;
}

const struct sasl_user *sasl_users_at(const struct sasl_users *u, size_t i)
{
    return &u->at[i];
}

const struct sasl_user *sasl_users_find(const struct sasl_users *u, struct span name)
{
    char key[SASL_KEY_MAX];
    if (!sasl_key(key, name))
        return NULL;
    for (size_t low = 0, high = u->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int c = compare_spans(u->at[middle].name, span_str(key));
        if (c == 0)
            return &u->at[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct span sasl_users_decoys(const struct sasl_users *u)
{
    return (struct span){u->secret, u->secret_len};
}

bool sasl_users_all_scram(const struct sasl_users *u)
{
    return u->all_scram;
}
