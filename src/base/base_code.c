#include "base_code.h"

void code_put_hex(struct buf *b, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        buf_putc(b, digits[c >> 4]);
        buf_putc(b, digits[c & 15]);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool code_get_hex(struct buf *b, struct span hex)
{
    if (hex.len % 2)
        return false;
    for (size_t i = 0; i < hex.len; i += 2) {
        int high = hex_value(hex.at[i]), low = hex_value(hex.at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_putc(b, (char)(high << 4 | low));
    }
    return rc_ok(buf_state(b));
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void code_put_base64(struct buf *b, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (unsigned char)bytes.at[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_putc(b, k <= n ? alphabet[v >> (18 - 6 * k) & 63] : '=');
    }
}

static int base64_value(char c)
{
    size_t i = span_index((struct span){alphabet, 64}, c);
    return i < 64 ? (int)i : -1;
}

bool code_get_base64(struct buf *b, struct span text)
{
    if (text.len % 4)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        size_t pad = last && text.at[i + 3] == '=' ? (text.at[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int digit = k < 4 - pad ? base64_value(text.at[i + k]) : 0;
            if (digit < 0)
                return false;
            v = v << 6 | (uint32_t)digit;
        }
        // Bits that no byte takes must be zero, else two texts mean the same.
        if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
            return false;
        for (size_t k = 0; k < 3 - pad; k++)
            buf_putc(b, (char)(v >> (16 - 8 * k)));
    }
    return rc_ok(buf_state(b));
}
