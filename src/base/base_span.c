#include "base_span.h"

#include "base_rc.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

struct span span_str(const char *s)
{
    return (struct span){s, s ? strlen(s) : 0};
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

int span_compare(struct span a, struct span b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least ? memcmp(a.at, b.at, least) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool span_ieq(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

uint64_t span_ihash(struct span s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); // FNV-1a
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? c | 0x20u : c)) * UINT64_C(0x100000001b3);
    }
    return h;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq(span_first(s, prefix.len), prefix);
}

bool span_istarts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_ieq(span_first(s, prefix.len), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_eq(span_skip(s, s.len - suffix.len), suffix);
}

struct span span_skip(struct span s, size_t n)
{
    if (n >= s.len)
        return (struct span){s.at ? s.at + s.len : NULL, 0};
    return (struct span){s.at + n, s.len - n};
}

struct span span_first(struct span s, size_t n)
{
    return (struct span){s.at, n < s.len ? n : s.len};
}

size_t span_index(struct span s, char c)
{
    const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.at) : s.len;
}

struct span span_cut(struct span *s, char c)
{
    size_t i = span_index(*s, c);
    struct span before = span_first(*s, i);
    *s = i < s->len ? span_skip(*s, i + 1) : (struct span){NULL, 0};
    return before;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.len && blank(s.at[0]))
        s = span_skip(s, 1);
    while (s.len && blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool span_number(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (n > max / 10 || n * 10 > max - digit)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool span_is_ascii(struct span s)
{
    uint64_t word;
    size_t i = 0;
    for (; i + sizeof word <= s.len; i += sizeof word) {
        memcpy(&word, s.at + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < s.len; i++)
        if ((unsigned char)s.at[i] >= 0x80)
            return false;
    return true;
}

static size_t utf8_claimed(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t span_utf8(struct span s)
{
    unsigned char lead = s.len ? (unsigned char)s.at[0] : 0xff;
    size_t n = utf8_claimed(lead);
    if (n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.at[i] & 0xc0) != 0x80)
            return 0;
    if (n < 3)
        return n;
    unsigned char second = (unsigned char)s.at[1];
    bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    bool surrogate = lead == 0xed && second > 0x9f, beyond = lead == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

bool span_copy(char *to, size_t room, struct span s)
{
    to[0] = '\0';
    if (s.len >= room || span_index(s, '\0') < s.len)
        return false;
    if (s.len)
        memcpy(to, s.at, s.len);
    to[s.len] = '\0';
    return true;
}

void span_bytes(void *to, size_t size, struct span s)
{
    if (s.len != size)
        panic("%zu bytes where %zu are wanted", s.len, size);
    if (size)
        memcpy(to, s.at, size);
}
