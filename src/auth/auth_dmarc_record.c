#include "auth_dmarc_record.h"

#include "auth_dmarc_uri.h"

const char *auth_dmarc_policy_text(enum auth_dmarc_policy p)
{
    static const char *const texts[DMARC_POLICIES] = {
        [DMARC_NONE] = "none", [DMARC_QUARANTINE] = "quarantine", [DMARC_REJECT] = "reject"};
    return texts[p];
}

struct word {
    const char *text;
    int value;
};

static const struct word policies[] = {
    {"none", DMARC_NONE}, {"quarantine", DMARC_QUARANTINE}, {"reject", DMARC_REJECT}, {NULL, 0}};
static const struct word modes[] = {{"r", 0}, {"s", 1}, {NULL, 0}};
static const struct word yes_no[] = {{"n", 0}, {"y", 1}, {NULL, 0}};
static const struct word psds[] = {
    {"u", DMARC_PSD_UNKNOWN}, {"y", DMARC_PSD_YES}, {"n", DMARC_PSD_NO}, {NULL, 0}};
static const struct word failures[] = {
    {"0", DMARC_FO_ALL}, {"1", DMARC_FO_ANY}, {"d", DMARC_FO_DKIM}, {"s", DMARC_FO_SPF}, {NULL, 0}};

// -1: none of them. The ABNF's literals compare without case (RFC 5234 §2.3).
static int word_value(const struct word *words, struct span text)
{
    for (; words->text; words++)
        if (span_ieq(span_str(words->text), text))
            return words->value;
    return -1;
}

enum tag {
    TAG_V,
    TAG_P,
    TAG_SP,
    TAG_NP,
    TAG_ADKIM,
    TAG_ASPF,
    TAG_T,
    TAG_PSD,
    TAG_FO,
    TAG_RUA,
    TAG_RUF,
    TAGS
};

// `words` NULL: a list with a reader of its own.
static const struct {
    const char *name;
    const struct word *words;
} tags[TAGS] = {
    [TAG_V] = {"v", NULL},       [TAG_P] = {"p", policies},      [TAG_SP] = {"sp", policies},
    [TAG_NP] = {"np", policies}, [TAG_ADKIM] = {"adkim", modes}, [TAG_ASPF] = {"aspf", modes},
    [TAG_T] = {"t", yes_no},     [TAG_PSD] = {"psd", psds},      [TAG_FO] = {"fo", NULL},
    [TAG_RUA] = {"rua", NULL},   [TAG_RUF] = {"ruf", NULL},
};

struct tag_value {
    bool seen;
    struct span text;
    int word; // by `words`; -1 absent or not valid
};

static enum tag tag_find(struct span name)
{
    enum tag t = 0;
    while (t < TAGS && !span_ieq(span_str(tags[t].name), name))
        t++;
    return t;
}

static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.at[i] < ' ' && s.at[i] != '\t') || s.at[i] > '~')
            return false;
    return s.len > 0;
}

// Tags without a sense are passed over (§4.8: a syntax error is discarded in
// favour of the default); one that occurs twice makes the list no list (RFC 6376
// §3.2, which §4.7 follows).
static bool tags_read(struct tag_value values[static TAGS], struct span rest)
{
    for (size_t i = 0; i < TAGS; i++)
        values[i] = (struct tag_value){.word = -1, .seen = i == TAG_V};
    while (rest.at) {
        struct span value = span_cut(&rest, ';');
        struct span name = span_trim(span_cut(&value, '='));
        enum tag t = tag_find(name);
        value = span_trim(value);
        if (t == TAGS)
            continue;
        if (values[t].seen)
            return false;
        values[t] = (struct tag_value){.seen = true, .word = -1};
        if (!is_value(value))
            continue;
        values[t].text = value;
        values[t].word = tags[t].words ? word_value(tags[t].words, value) : -1;
    }
    return true;
}

static unsigned failure_options(struct span rest)
{
    unsigned bits = 0;
    while (rest.at && rest.len > 0) {
        int bit = word_value(failures, span_trim(span_cut(&rest, ':')));
        if (bit < 0 || (bits & (unsigned)bit))
            return DMARC_FO_ALL;
        bits |= (unsigned)bit;
    }
    bool both = (bits & DMARC_FO_ALL) && (bits & DMARC_FO_ANY); // mutually exclusive
    return bits == 0 || both ? DMARC_FO_ALL : bits;
}

static bool policies_given(struct auth_dmarc_record *r, const struct tag_value *v)
{
    r->sp_given = v[TAG_SP].word >= 0;
    r->np_given = v[TAG_NP].word >= 0;
    if (v[TAG_P].word < 0 || (v[TAG_SP].seen && !r->sp_given) || (v[TAG_NP].seen && !r->np_given))
        return false;
    r->p = (enum auth_dmarc_policy)v[TAG_P].word;
    r->sp = r->sp_given ? (enum auth_dmarc_policy)v[TAG_SP].word : r->p;
    r->np = r->np_given ? (enum auth_dmarc_policy)v[TAG_NP].word : r->sp;
    return true;
}

static bool record_fill(struct auth_dmarc_record *r, const struct tag_value *v, struct arena *a)
{
    r->adkim_strict = v[TAG_ADKIM].word == 1;
    r->aspf_strict = v[TAG_ASPF].word == 1;
    r->testing = v[TAG_T].word == 1;
    r->psd = v[TAG_PSD].word < 0 ? DMARC_PSD_UNKNOWN : (enum auth_dmarc_psd)v[TAG_PSD].word;
    if (!auth_dmarc_uris_parse(&r->rua, &r->rua_count, v[TAG_RUA].text, a) ||
        !auth_dmarc_uris_parse(&r->ruf, &r->ruf_count, v[TAG_RUF].text, a))
        return false;
    r->fo = r->ruf_count > 0 ? failure_options(v[TAG_FO].text) : DMARC_FO_ALL;
    r->usable = policies_given(r, v) || r->rua_count > 0;
    return true;
}

// "v", "=" and "DMARC1", the one text that is compared with case; what stands
// behind is the end, or a ';' that *rest begins behind.
static bool version(struct span text, struct span *rest)
{
    *rest = text;
    struct span value = span_cut(rest, ';');
    struct span name = span_cut(&value, '=');
    if (name.len == 0 || name.at[0] == ' ' || name.at[0] == '\t')
        return false; // §4.8: nothing stands before the version
    return span_ieq(span_trim(name), SPAN("v")) && span_eq(span_trim(value), SPAN("DMARC1"));
}

bool auth_dmarc_record_is(struct span text)
{
    struct span rest;
    return version(text, &rest);
}

bool auth_dmarc_record_parse(struct auth_dmarc_record *out, struct span text, struct arena *a)
{
    struct tag_value values[TAGS];
    struct span rest;
    *out = (struct auth_dmarc_record){0};
    if (text.len > DMARC_RECORD_MAX || !auth_dmarc_record_is(text))
        return false;
    out->text = arena_dup(a, text);
    return out->text.at && version(out->text, &rest) && tags_read(values, rest) &&
           record_fill(out, values, a);
}
