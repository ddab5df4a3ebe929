#include "auth_srs.h"
#include "base_rc.h"
#include "crypto_hmac.h"

enum { HASH_LEN = 5, DAY_LEN = 2, DAYS_ROUND = 1024, LOCAL_ROOM = 4096 };

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567"; // RFC 4648 §6

const char *auth_srs_result_text(enum auth_srs_result r)
{
    static const char *const texts[AUTH_SRS_RESULTS] = {
        [AUTH_SRS_OK] = "rewritten",
        [AUTH_SRS_AS_IT_IS] = "needs no rewriting",
        [AUTH_SRS_TOO_LONG] = "the rewritten local-part would be too long",
        [AUTH_SRS_NO_FORM] = "the address has no such form",
        [AUTH_SRS_FORGED] = "the hash is not ours",
        [AUTH_SRS_EXPIRED] = "the address is too old",
        [AUTH_SRS_FULL] = "out of memory",
    };
    return r < AUTH_SRS_RESULTS ? texts[r] : "";
}

static void put_lower(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        buf_putc(b, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    }
}

// `tag` keeps the hash of an SRS0 address from being one of an SRS1 address.
static void hash(struct span secret, const char *tag, struct span text, char out[HASH_LEN])
{
    CLEANUP(buf_free) struct buf b = BUF(2 * LOCAL_ROOM);
    if (secret.len == 0)
        panic("SRS with an empty secret");
    buf_put(&b, span_str(tag));
    put_lower(&b, text);
    struct crypto_digest d = crypto_hmac_sha256(secret, buf_span(&b));
    uint32_t bits =
        (uint32_t)d.at[0] << 24 | (uint32_t)d.at[1] << 16 | (uint32_t)d.at[2] << 8 | d.at[3];
    for (int i = 0; i < HASH_LEN; i++)
        out[i] = base32[bits >> (27 - 5 * i) & 31];
}

static bool hash_is_ours(const struct auth_srs *srs, const char *tag, struct span text,
                         struct span given)
{
    char made[HASH_LEN];
    CLEANUP(buf_free) struct buf lower = BUF(HASH_LEN);
    bool ours = false;
    if (given.len != HASH_LEN)
        return false;
    put_lower(&lower, given);
    for (size_t i = 0; i < srs->secret_count; i++) {
        hash(srs->secrets[i], tag, text, made);
        ours = crypto_same(SPAN_OF(made), buf_span(&lower)) || ours;
    }
    return ours;
}

static unsigned today(struct wall now)
{
    int64_t day = now.us / (86400 * US_PER_S) % DAYS_ROUND;
    return (unsigned)(day < 0 ? day + DAYS_ROUND : day);
}

static bool digit32(char c, unsigned *out)
{
    struct span alphabet = span_str(base32);
    size_t at = span_index(alphabet, c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c);
    *out = (unsigned)at;
    return at < alphabet.len;
}

static bool is_fresh(const struct auth_srs *srs, struct span tt, struct wall now)
{
    unsigned high, low, days = srs->days ? srs->days : AUTH_SRS_DAYS;
    if (days > AUTH_SRS_DAYS_MAX)
        days = AUTH_SRS_DAYS_MAX;
    if (tt.len != DAY_LEN || !digit32(tt.at[0], &high) || !digit32(tt.at[1], &low))
        return false;
    unsigned age = (today(now) + DAYS_ROUND - (high << 5 | low)) % DAYS_ROUND;
    return age <= days || age == DAYS_ROUND - 1; // a clock may be a day behind
}

// --- quoting

// The meaning of a local-part: without quotes and backslashes.
static void put_meaning(struct buf *b, struct span local)
{
    bool quoted = local.len >= 2 && local.at[0] == '"';
    if (!quoted) {
        buf_put(b, local);
        return;
    }
    local = span_skip(span_first(local, local.len - 1), 1);
    for (size_t i = 0; i < local.len; i++) {
        if (local.at[i] == '\\' && i + 1 < local.len)
            i++;
        buf_putc(b, local.at[i]);
    }
}

static void put_quoted(struct buf *b, struct span meaning)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < meaning.len; i++) {
        if (meaning.at[i] == '"' || meaning.at[i] == '\\')
            buf_putc(b, '\\');
        buf_putc(b, meaning.at[i]);
    }
    buf_putc(b, '"');
}

static bool parse_with(struct mail_address *out, struct span local, struct span domain, bool quoted,
                       struct arena *a)
{
    CLEANUP(buf_free) struct buf b = BUF(3 * LOCAL_ROOM);
    if (quoted)
        put_quoted(&b, local);
    else
        buf_put(&b, local);
    buf_putc(&b, '@');
    buf_put(&b, domain);
    return rc_ok(buf_state(&b)) && mail_address_parse(out, buf_span(&b), true, a);
}

// The address of that meaning, quoted if it must be.
static enum auth_srs_result make(struct mail_address *out, const struct buf *local,
                                 struct span domain, struct arena *a)
{
    struct mail_address made;
    struct span text = buf_span(local);
    if (!rc_ok(buf_state(local)) || text.len > MAIL_LOCAL_MAX)
        return AUTH_SRS_TOO_LONG;
    if (!parse_with(&made, text, domain, false, a) && !parse_with(&made, text, domain, true, a))
        return a->ceiling - a->used < LOCAL_ROOM ? AUTH_SRS_FULL : AUTH_SRS_TOO_LONG;
    *out = made;
    return AUTH_SRS_OK;
}

// --- forward

// "SRS0=", "srs1+", "Srs0-": what our and other implementations write.
static bool tagged(struct span local, char which)
{
    return local.len > 5 && span_istarts(local, SPAN("SRS")) && local.at[3] == which &&
           span_index(SPAN("=+-"), local.at[4]) < 3;
}

// What an SRS1 address says behind its hash: the first forwarder, and what
// stands behind "SRS0" in its address, the separator included.
static bool second_form(struct span text, struct dns_name *first, struct span *rest)
{
    struct span name = span_cut(&text, '=');
    *rest = text;
    return text.len > 1 && span_index(SPAN("=+-"), text.at[0]) < 3 &&
           dns_name_parse_host(first, name);
}

// An address that SRS made elsewhere, made into SRS1's text; false: it is none,
// but may look like one.
static bool put_second(const struct mail_address *sender, struct span meaning, struct buf *text)
{
    struct dns_name first;
    struct span after, rest = span_skip(meaning, 5);
    if (tagged(meaning, '0')) {
        buf_printf(text, "%s=", sender->domain.text);
        buf_put(text, span_skip(meaning, 4));
        return true;
    }
    span_cut(&rest, '='); // its hash was the last forwarder's; the first stays the first
    if (!tagged(meaning, '1') || !second_form(rest, &first, &after))
        return false;
    buf_put(text, rest);
    return true;
}

static void put_hashed(const struct auth_srs *srs, const char *tag, const struct buf *text,
                       struct buf *out)
{
    char h[HASH_LEN];
    if (srs->secret_count == 0)
        panic("SRS without a secret");
    hash(srs->secrets[0], tag, buf_span(text), h);
    buf_printf(out, "%s=", tag);
    buf_put(out, SPAN_OF(h));
    buf_putc(out, '=');
    buf_put(out, buf_span(text));
}

static void put_srs0(const struct mail_address *sender, struct span local, struct wall now,
                     struct buf *text)
{
    unsigned day = today(now);
    buf_printf(text, "%c%c=%s=", base32[day >> 5], base32[day & 31], sender->domain.text);
    buf_put(text, local);
}

enum auth_srs_result auth_srs_forward(const struct auth_srs *srs, const struct mail_address *sender,
                                      struct wall now, struct mail_address *out, struct arena *a)
{
    CLEANUP(buf_free) struct buf local = BUF(LOCAL_ROOM), text = BUF(LOCAL_ROOM);
    CLEANUP(buf_free) struct buf made = BUF(LOCAL_ROOM);
    if (sender->kind == MAIL_NULL ||
        (sender->kind == MAIL_DOMAIN && dns_name_eq(&sender->domain, &srs->domain)))
        return AUTH_SRS_AS_IT_IS;
    if (sender->kind != MAIL_DOMAIN)
        return AUTH_SRS_NO_FORM;
    put_meaning(&local, sender->local);
    struct span meaning = buf_span(&local);
    if (meaning.len == 0)
        return AUTH_SRS_NO_FORM;
    bool second = put_second(sender, meaning, &text);
    if (!second)
        put_srs0(sender, meaning, now, &text);
    put_hashed(srs, second ? "SRS1" : "SRS0", &text, &made);
    return rc_ok(buf_state(&text)) ? make(out, &made, dns_name_span(&srs->domain), a)
                                   : AUTH_SRS_TOO_LONG;
}

// --- back

static enum auth_srs_result back_first(const struct auth_srs *srs, struct span rest,
                                       struct wall now, struct mail_address *out, struct arena *a)
{
    CLEANUP(buf_free) struct buf local = BUF(LOCAL_ROOM);
    struct dns_name domain;
    struct span given = span_cut(&rest, '='), signed_text = rest;
    struct span tt = span_cut(&rest, '='), name = span_cut(&rest, '=');
    if (!rest.len || !dns_name_parse_host(&domain, name))
        return AUTH_SRS_NO_FORM;
    if (!hash_is_ours(srs, "SRS0", signed_text, given))
        return AUTH_SRS_FORGED;
    if (!is_fresh(srs, tt, now))
        return AUTH_SRS_EXPIRED;
    buf_put(&local, rest);
    return make(out, &local, dns_name_span(&domain), a);
}

// The first forwarder sees to the age.
static enum auth_srs_result back_second(const struct auth_srs *srs, struct span rest,
                                        struct mail_address *out, struct arena *a)
{
    CLEANUP(buf_free) struct buf local = BUF(LOCAL_ROOM);
    struct dns_name domain;
    struct span given = span_cut(&rest, '='), signed_text = rest;
    if (!second_form(signed_text, &domain, &rest))
        return AUTH_SRS_NO_FORM;
    if (!hash_is_ours(srs, "SRS1", signed_text, given))
        return AUTH_SRS_FORGED;
    buf_printf(&local, "SRS0");
    buf_put(&local, rest);
    return make(out, &local, dns_name_span(&domain), a);
}

enum auth_srs_result auth_srs_back(const struct auth_srs *srs, const struct mail_address *recipient,
                                   struct wall now, struct mail_address *out, struct arena *a)
{
    CLEANUP(buf_free) struct buf local = BUF(LOCAL_ROOM);
    if (recipient->kind != MAIL_DOMAIN || !dns_name_eq(&recipient->domain, &srs->domain))
        return AUTH_SRS_AS_IT_IS;
    put_meaning(&local, recipient->local);
    struct span meaning = buf_span(&local);
    if (tagged(meaning, '0'))
        return back_first(srs, span_skip(meaning, 5), now, out, a);
    if (tagged(meaning, '1'))
        return back_second(srs, span_skip(meaning, 5), out, a);
    return AUTH_SRS_AS_IT_IS;
}
