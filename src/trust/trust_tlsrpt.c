#include "trust_tlsrpt.h"

#include "trust_fields.h"

// Commas part URIs; '!' and ';' must be encoded in them (§3).
static bool is_uri(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < 0x21 || s.at[i] > 0x7e || s.at[i] == '!')
            return false;
    size_t colon = span_index(s, ':');
    return colon > 0 && colon + 1 < s.len;
}

static bool supported(struct span uri)
{
    return uri.len <= TLSRPT_URI_MAX &&
           (span_istarts(uri, SPAN("mailto:")) || span_istarts(uri, SPAN("https://")));
}

static bool is_among(const struct span *uris, size_t count, struct span uri)
{
    for (size_t i = 0; i < count; i++)
        if (span_eq(uris[i], uri))
            return true;
    return false;
}

// One that is none does not take the others with it: a record must be accepted that is made of
// pairs of key and value (§3), which this one still is.
static void read_rua(struct span list, struct span *uris, size_t *count)
{
    while (list.at && *count < TLSRPT_URIS_MAX) {
        struct span uri = span_trim(span_cut(&list, ','));
        if (is_uri(uri) && supported(uri) && !is_among(uris, *count, uri))
            uris[(*count)++] = uri;
    }
}

static bool read_record(struct span fields, struct span *uris, size_t *count)
{
    struct trust_field f;
    bool found = false;
    int more;
    while ((more = trust_fields_next(&fields, &f)) > 0) {
        bool rua = span_eq(f.name, SPAN("rua"));
        if (rua && !found)
            read_rua(f.value, uris, count);
        else if (!rua && !trust_fields_is_value(f.value))
            return false;
        found = found || rua;
    }
    return more == 0 && found;
}

size_t trust_tlsrpt_record(const struct dns_answer *txt, struct arena *a, struct span **out)
{
    struct span fields, uris[TLSRPT_URIS_MAX];
    size_t count = 0;
    *out = NULL;
    if (!trust_fields_find(txt, SPAN("v=TLSRPTv1"), &fields) ||
        !read_record(fields, uris, &count) || count == 0)
        return 0;
    struct span *kept = arena_alloc(a, count * sizeof *kept);
    for (size_t i = 0; kept && i < count; i++) {
        kept[i] = arena_dup(a, uris[i]);
        if (!kept[i].at)
            return 0;
    }
    *out = kept;
    return kept ? count : 0;
}
