#include "dns_name.h"
#include "base_rc.h"
#include <idn2.h>

enum {
    NAME_MAX_TEXT = 253, // RFC 1035 §2.3.4: 255 on the wire
    LABEL_MAX = 63,
    IDN_INPUT_MAX = 1020, // no U-label form of a legal name is longer
    POINTERS_MAX = 64,    // in one name: bounds the work a hostile packet can make
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool label_char(char c)
{
    return c > ' ' && c <= '~' && c != '.';
}

static bool append_label(struct dns_name *out, struct span label)
{
    size_t dot = out->len > 0;
    if (label.len == 0 || label.len > LABEL_MAX || out->len + dot + label.len > NAME_MAX_TEXT)
        return false;
    char *to = out->text + out->len;
    if (dot)
        *to++ = '.';
    for (size_t i = 0; i < label.len; i++) {
        if (!label_char(label.at[i]))
            return false;
        to[i] = lower(label.at[i]);
    }
    out->len = (uint8_t)(out->len + dot + label.len);
    return true;
}

// One or more labels with dots between them and none at the end.
static bool append_labels(struct dns_name *out, struct span text)
{
    while (text.at) {
        if (!append_label(out, span_cut(&text, '.')))
            return false;
    }
    return true;
}

static struct span without_end_dot(struct span text)
{
    return span_ends(text, SPAN(".")) ? span_first(text, text.len - 1) : text;
}

static bool parse_ascii(struct dns_name *out, struct span text)
{
    struct dns_name n = {0};
    if (span_eq(text, SPAN("."))) {
        *out = n;
        return true;
    }
    if (text.len == 0 || !append_labels(&n, without_end_dot(text)))
        return false;
    *out = n;
    return true;
}

static void free_idn(char **text)
{
    idn2_free(*text);
}

// The mapping makes "a/c" of U+2100 and the like: nobody means that by a name.
static bool plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = lower(text.at[i]);
        if (!letter_or_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

// IDNA 2008 (RFC 5891 §5) with the mapping of UTS 46, non-transitional.
static bool parse_idn(struct dns_name *out, struct span text)
{
    char in[IDN_INPUT_MAX + 1];
    CLEANUP(free_idn) char *ascii = NULL;
    if (!span_copy(in, sizeof in, text) ||
        idn2_to_ascii_8z(in, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return false;
    struct span made = span_str(ascii);
    // An ideographic full stop alone maps to ".": that is not how anyone writes the root.
    return plain(made) && !span_eq(made, SPAN(".")) && parse_ascii(out, made);
}

bool dns_name_parse(struct dns_name *out, struct span text)
{
    return span_is_ascii(text) ? parse_ascii(out, text) : parse_idn(out, text);
}

bool dns_name_parse_host(struct dns_name *out, struct span text)
{
    struct dns_name n;
    if (!dns_name_parse(&n, text) || !dns_name_is_host(&n))
        return false;
    *out = n;
    return true;
}

// Where the next label of a name begins, pointers followed. Each pointer must
// lead to before the run of labels it ends: so there can be no loop.
struct walk {
    struct span message;
    size_t at, run, behind;
    unsigned jumps;
};

static bool jump(struct walk *w)
{
    if (w->at + 1 >= w->message.len)
        return false;
    size_t high = (unsigned char)w->message.at[w->at] & 0x3f;
    size_t to = high << 8 | (unsigned char)w->message.at[w->at + 1];
    if (w->jumps == 0)
        w->behind = w->at + 2;
    w->jumps++;
    if (to >= w->run || w->jumps > POINTERS_MAX)
        return false;
    w->at = w->run = to;
    return true;
}

// The next label; an empty one is the end of the name. False: malformed.
static bool next_label(struct walk *w, struct span *label)
{
    while (w->at < w->message.len) {
        unsigned length = (unsigned char)w->message.at[w->at];
        if (length >= 0xc0) {
            if (!jump(w))
                return false;
            continue;
        }
        if (length > LABEL_MAX || length > w->message.len - w->at - 1)
            return false;
        *label = (struct span){w->message.at + w->at + 1, length};
        w->at += 1 + length;
        if (w->jumps == 0)
            w->behind = w->at;
        return true;
    }
    return false;
}

bool dns_name_from_wire(struct dns_name *out, struct span message, size_t *offset)
{
    struct walk w = {.message = message, .at = *offset, .run = *offset};
    struct dns_name n = {0};
    struct span label;
    while (next_label(&w, &label)) {
        if (label.len == 0) {
            *out = n;
            *offset = w.behind;
            return true;
        }
        if (!append_label(&n, label))
            return false;
    }
    return false;
}

bool dns_name_skip_wire(struct span message, size_t *offset)
{
    for (size_t at = *offset; at < message.len;) {
        unsigned length = (unsigned char)message.at[at];
        size_t step = length >= 0xc0 ? 2 : 1 + (size_t)length;
        if ((length > LABEL_MAX && length < 0xc0) || step > message.len - at)
            return false;
        at += step;
        if (at - *offset > NAME_MAX_TEXT + 2)
            return false;
        if (length == 0 || length >= 0xc0) {
            *offset = at;
            return true;
        }
    }
    return false;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
    return span_eq(dns_name_span(a), dns_name_span(b));
}

bool dns_name_is_root(const struct dns_name *n)
{
    return n->len == 0;
}

// RFC 5321 §4.1.2: sub-domain = Let-dig [Ldh-str]
static bool host_label(struct span l)
{
    for (size_t i = 0; i < l.len; i++) {
        if (!letter_or_digit(l.at[i]) && l.at[i] != '-')
            return false;
    }
    return letter_or_digit(l.at[0]) && letter_or_digit(l.at[l.len - 1]);
}

bool dns_name_is_host(const struct dns_name *n)
{
    struct span rest = dns_name_span(n);
    if (rest.len == 0)
        return false;
    while (rest.at) {
        if (!host_label(span_cut(&rest, '.')))
            return false;
    }
    return true;
}

bool dns_name_prepend(struct dns_name *out, struct span labels, const struct dns_name *n)
{
    struct dns_name made = {0};
    labels = without_end_dot(labels);
    if (labels.len > 0 && !append_labels(&made, labels))
        return false;
    if (n->len > 0 && !append_labels(&made, dns_name_span(n)))
        return false;
    *out = made;
    return true;
}

bool dns_name_parent(struct dns_name *out, const struct dns_name *n)
{
    if (n->len == 0)
        return false;
    struct dns_name parent = {0};
    struct span rest = dns_name_span(n);
    span_cut(&rest, '.');
    if (rest.at && !append_labels(&parent, rest))
        return false;
    *out = parent;
    return true;
}

// A label as it is shown: in Unicode only where that leads back to the same
// A-label, so that what is shown always names what is meant.
static struct span show_label(struct span label, char **converted)
{
    char ascii[LABEL_MAX + 1];
    struct dns_name back;
    if (!span_starts(label, SPAN("xn--")) || !span_copy(ascii, sizeof ascii, label) ||
        idn2_to_unicode_8z8z(ascii, converted, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return label;
    struct span shown = span_str(*converted);
    if (span_index(shown, '.') < shown.len || !dns_name_parse(&back, shown))
        return label;
    return span_eq(dns_name_span(&back), label) ? shown : label;
}

struct span dns_name_shown(const struct dns_name *n, char room[static 512])
{
    size_t used = 0;
    for (struct span rest = dns_name_span(n); n->len > 0 && rest.at;) {
        CLEANUP(free_idn) char *converted = NULL;
        struct span label = show_label(span_cut(&rest, '.'), &converted);
        size_t dot = used > 0;
        if (used + dot + label.len + 1 > 512)
            return dns_name_span(n);
        if (dot)
            room[used++] = '.';
        span_copy(room + used, 512 - used, label);
        used += label.len;
    }
    if (n->len == 0)
        return SPAN(".");
    struct span shown = {room, used};
    struct dns_name back; // beside a U-label not every other label can be read
    return dns_name_parse(&back, shown) && dns_name_eq(&back, n) ? shown : dns_name_span(n);
}
