#include "auth_body.h"

#include "base_rc.h"

static struct auth_body_hash *find(struct auth_body *b, enum auth_canon how, uint64_t length)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->hashes[i].how == how && b->hashes[i].length == length)
            return &b->hashes[i];
    return NULL;
}

size_t auth_body_want(struct auth_body *b, enum auth_canon how, uint64_t length)
{
    struct auth_body_hash *h = find(b, how, length);
    if (!h && b->count == AUTH_BODY_HASHES_MAX)
        panic("more body hashes than signatures");
    if (!h) {
        h = &b->hashes[b->count++];
        *h = (struct auth_body_hash){how, length, .hash = crypto_hash_new()};
    }
    return (size_t)(h - b->hashes);
}

static void take(struct auth_body *b, enum auth_canon how, struct span s)
{
    for (size_t i = 0; i < b->count; i++) {
        struct auth_body_hash *h = &b->hashes[i];
        uint64_t room = h->length - h->taken;
        struct span part = s.len > room ? span_first(s, (size_t)room) : s;
        if (h->how != how)
            continue;
        h->taken += part.len;
        crypto_hash_feed(h->hash, part);
    }
}

static void take_relaxed(void *context, struct span s)
{
    take(context, AUTH_CANON_RELAXED, s);
}

static void take_simple(void *context, struct span s)
{
    take(context, AUTH_CANON_SIMPLE, s);
}

// The sinks point to `b`, which may have moved since: they are set each time.
static struct auth_canon_body *canon_of(struct auth_body *b, enum auth_canon how)
{
    b->canon[how].how = how;
    b->canon[how].to =
        (struct auth_sink){how == AUTH_CANON_RELAXED ? take_relaxed : take_simple, b};
    return &b->canon[how];
}

static bool wanted(const struct auth_body *b, enum auth_canon how)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->hashes[i].how == how)
            return true;
    return false;
}

void auth_body_feed(struct auth_body *b, struct span chunk)
{
    for (enum auth_canon how = 0; how < AUTH_CANONS; how++)
        if (wanted(b, how))
            auth_canon_body_feed(canon_of(b, how), chunk);
}

void auth_body_end(struct auth_body *b)
{
    for (enum auth_canon how = 0; how < AUTH_CANONS; how++)
        if (wanted(b, how))
            auth_canon_body_end(canon_of(b, how));
    for (size_t i = 0; i < b->count; i++)
        b->hashes[i].digest = crypto_hash_done(b->hashes[i].hash);
}

uint64_t auth_body_len(const struct auth_body *b, size_t hash)
{
    return b->canon[b->hashes[hash].how].len;
}

void auth_body_free(struct auth_body *b)
{
    for (size_t i = 0; i < b->count; i++)
        crypto_hash_free(b->hashes[i].hash);
    b->count = 0;
}
