#include "abuse_bucket.h"

#include "base_rc.h"

#include <stdlib.h>

// A bucket is one number: when it will be full again. The more tokens are missing,
// the later that is ("generic cell rate algorithm").
struct bucket {
    uint64_t key[2]; // 128 bits of the key's hash stand for it
    int64_t full_us;
};

enum { WAYS = 8 };

struct abuse_buckets {
    uint64_t seed;
    size_t sets; // a power of two
    struct bucket *at;
};

struct abuse_rate abuse_hourly(uint64_t n)
{
    const uint64_t hour = (uint64_t)SECONDS(3600);
    if (n == 0 || n > UINT32_MAX)
        n = n ? UINT32_MAX : 1;
    return (struct abuse_rate){(unsigned)n, (int64_t)(hour / n ? hour / n : 1)};
}

struct abuse_buckets *abuse_buckets_new(size_t keys, uint64_t seed)
{
    struct abuse_buckets *b = mem_new(sizeof *b);
    *b = (struct abuse_buckets){.seed = seed, .sets = 1};
    while (b->sets * WAYS < keys)
        b->sets *= 2;
    b->at = mem_new(b->sets * WAYS * sizeof *b->at);
    return b;
}

void abuse_buckets_free(struct abuse_buckets *b)
{
    if (!b)
        return;
    free(b->at);
    free(b);
}

static uint64_t mix(uint64_t v)
{
    v ^= v >> 32;
    v *= UINT64_C(0x9e3779b97f4a7c15);
    v ^= v >> 29;
    v *= UINT64_C(0xd6e8feb86659fd93);
    return v ^ v >> 32;
}

static uint64_t hash(struct span s, uint64_t seed)
{
    uint64_t h = mix(seed ^ s.len), word = 0;
    for (size_t i = 0; i < s.len; i++) {
        word = word << 8 | (unsigned char)s.at[i];
        if (i % 8 == 7) {
            h = mix(h ^ word) + seed;
            word = 0;
        }
    }
    return mix(h ^ word) | 1; // 0: nobody
}

static struct bucket *find(const struct abuse_buckets *b, struct span key, uint64_t id[2],
                           struct bucket **worst)
{
    id[0] = hash(key, b->seed);
    id[1] = hash(key, ~b->seed);
    struct bucket *set = &b->at[(id[0] >> 1 & (b->sets - 1)) * WAYS];
    *worst = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key[0] == id[0] && set[i].key[1] == id[1])
            return &set[i];
        if (set[i].full_us < (*worst)->full_us || !set[i].key[0])
            *worst = &set[i];
    }
    return NULL;
}

static struct bucket *find_or_make(struct abuse_buckets *b, struct span key)
{
    uint64_t id[2];
    struct bucket *worst, *one = find(b, key, id, &worst);
    if (one)
        return one;
    *worst = (struct bucket){.key = {id[0], id[1]}};
    return worst;
}

int64_t abuse_bucket_take(struct abuse_buckets *b, struct span key, const struct abuse_rate *rate,
                          unsigned tokens, struct mono now)
{
    struct bucket *one = find_or_make(b, key);
    if (tokens > rate->burst)
        return INT64_MAX;
    int64_t from = one->full_us > now.us ? one->full_us : now.us;
    int64_t full = from + (int64_t)tokens * rate->every_us;
    int64_t latest = now.us + (int64_t)rate->burst * rate->every_us;
    if (full > latest)
        return full - latest;
    one->full_us = full;
    return 0;
}

unsigned abuse_bucket_used(const struct abuse_buckets *b, struct span key,
                           const struct abuse_rate *rate, struct mono now)
{
    uint64_t id[2];
    struct bucket *worst;
    const struct bucket *one = find(b, key, id, &worst);
    if (!one || one->full_us <= now.us)
        return 0;
    int64_t used = (one->full_us - now.us + rate->every_us - 1) / rate->every_us;
    return used > rate->burst ? rate->burst : (unsigned)used;
}

void abuse_bucket_fill(struct abuse_buckets *b, struct span key)
{
    uint64_t id[2];
    struct bucket *worst, *one = find(b, key, id, &worst);
    if (one)
        one->full_us = 0;
}
