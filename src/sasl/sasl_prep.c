#include "sasl_prep.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

struct range {
    ucs4_t first, last;
};

// RFC 3454 C.1.2: other spaces, which become SPACE (RFC 4013 §2.1).
static const struct range spaces[] = {{0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200b},
                                      {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
// RFC 3454 B.1: mapped to nothing.
static const struct range nothing[] = {{0xad, 0xad},     {0x34f, 0x34f},   {0x1806, 0x1806},
                                       {0x180b, 0x180d}, {0x200c, 0x200d}, {0x2060, 0x2060},
                                       {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
// RFC 4013 §2.3.
static const struct range prohibited[] = {
    {0x0, 0x1f},         {0x7f, 0x9f},       {0x6dd, 0x6dd},     {0x70f, 0x70f},
    {0x180e, 0x180e},    {0x200c, 0x200f},   {0x2028, 0x2029},   {0x202a, 0x202e},
    {0x2060, 0x2063},    {0x206a, 0x206f},   {0x340, 0x341},     {0x2ff0, 0x2ffb},
    {0xd800, 0xf8ff},    {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff9, 0xffff},
    {0x1d173, 0x1d17a},  {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff}, {0x3fffe, 0x3ffff},
    {0x4fffe, 0x4ffff},  {0x5fffe, 0x5ffff}, {0x6fffe, 0x6ffff}, {0x7fffe, 0x7ffff},
    {0x8fffe, 0x8ffff},  {0x9fffe, 0x9ffff}, {0xafffe, 0xaffff}, {0xbfffe, 0xbffff},
    {0xcfffe, 0xcffff},  {0xdfffe, 0xdffff}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
    {0xefffe, 0x10ffff},
};
#define IN(table, c) within(table, sizeof(table) / sizeof *(table), c)

static bool within(const struct range *table, size_t count, ucs4_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= table[i].first && c <= table[i].last)
            return true;
    return false;
}

// Growing leaves copies behind that nobody wipes: all the room there is, at once.
static bool map(struct buf *out, struct span text)
{
    if (!rc_ok(buf_reserve(out, text.len + 1)))
        return false;
    for (size_t n; text.len; text = span_skip(text, n)) {
        ucs4_t c;
        n = span_utf8(text);
        if (n == 0 || u8_mbtouc(&c, (const uint8_t *)text.at, n) != (int)n)
            return false;
        if (IN(spaces, c))
            buf_putc(out, ' ');
        else if (!IN(nothing, c))
            buf_put(out, span_first(text, n));
    }
    return rc_ok(buf_state(out));
}

// RFC 3454 §6: text from right to left stays among itself.
static bool directions_fit(struct span text)
{
    bool right = false, left = false, first_right = false, last_right = false;
    bool first = true;
    for (size_t n; text.len; text = span_skip(text, n)) {
        ucs4_t c = 0;
        n = (size_t)u8_mbtouc(&c, (const uint8_t *)text.at, text.len);
        int category = uc_bidi_category(c);
        last_right = category == UC_BIDI_R || category == UC_BIDI_AL;
        first_right = first ? last_right : first_right;
        right |= last_right;
        left |= category == UC_BIDI_L;
        first = false;
    }
    return !right || (!left && first_right && last_right);
}

static bool permitted(struct span text)
{
    struct span rest = text;
    for (size_t n; rest.len; rest = span_skip(rest, n)) {
        ucs4_t c = 0;
        n = (size_t)u8_mbtouc(&c, (const uint8_t *)rest.at, rest.len);
        if (IN(prohibited, c) || IN(spaces, c))
            return false;
    }
    return text.len && directions_fit(text);
}

// NFKC (RFC 4013 §2.2) into `out`. It grows what it is not given large enough, and leaves
// copies behind; one character becomes 33 bytes at most (U+FDFA).
static bool normalize(struct buf *out, struct span text)
{
    size_t len = out->max;
    if (span_is_ascii(text)) { // is normal
        buf_put(out, text);
        return rc_ok(buf_state(out));
    }
    if (!rc_ok(buf_reserve(out, out->max)))
        return false;
    uint8_t *room = (uint8_t *)out->at;
    uint8_t *is = u8_normalize(UNINORM_NFKC, (const uint8_t *)text.at, text.len, room, &len);
    out->len = is == room ? len : 0;
    if (is && is != room) {
        mem_wipe(is, len);
        free(is);
    }
    return is == room;
}

bool sasl_prep(struct buf *out, struct span text)
{
    enum { MOST = 4096 };
    CLEANUP(buf_wipe) struct buf mapped = BUF(MOST), normal = BUF(12 * MOST);
    if (text.len >= MOST || !map(&mapped, text) || !normalize(&normal, buf_span(&mapped)) ||
        !permitted(buf_span(&normal)))
        return false;
    buf_put(out, buf_span(&normal));
    return rc_ok(buf_state(out));
}
