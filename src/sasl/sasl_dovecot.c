#include "sasl_dovecot.h"

#include "base_code.h"

// ---- reading ----

static bool read_version(struct sasl_dovecot *out, struct span rest)
{
    out->ours = span_eq(span_cut(&rest, '\t'), SPAN("1"));
    return true;
}

static bool read_text(struct sasl_dovecot *out, struct span rest)
{
    out->text = span_cut(&rest, '\t');
    return out->text.len > 0;
}

static bool read_nothing(struct sasl_dovecot *out, struct span rest)
{
    (void)out, (void)rest;
    return true;
}

static bool read_id(struct sasl_dovecot *out, struct span *rest)
{
    uint64_t id;
    if (!span_number(span_cut(rest, '\t'), UINT32_MAX, &id) || id == 0)
        return false;
    out->id = (uint32_t)id;
    return true;
}

static bool read_challenge(struct sasl_dovecot *out, struct span rest)
{
    if (!read_id(out, &rest))
        return false;
    out->text = span_cut(&rest, '\t');
    return true;
}

static bool read_outcome(struct sasl_dovecot *out, struct span rest)
{
    static const struct span user = {"user=", 5}, reason = {"reason=", 7};
    if (!read_id(out, &rest))
        return false;
    while (rest.at) {
        struct span one = span_cut(&rest, '\t');
        if (span_starts(one, user))
            out->user = span_skip(one, user.len);
        else if (span_starts(one, reason))
            out->reason = span_skip(one, reason.len);
        else if (span_eq(one, SPAN("temp")) || span_eq(one, SPAN("code=temp_fail")))
            out->temporary = true;
    }
    return true;
}

bool sasl_dovecot_read(struct sasl_dovecot *out, struct span line)
{
    static const struct {
        const char *word;
        enum sasl_dovecot_kind kind;
        bool (*read)(struct sasl_dovecot *out, struct span rest);
    } words[] = {
        {"VERSION", SASL_DOVECOT_VERSION, read_version},
        {"MECH", SASL_DOVECOT_MECH, read_text},
        {"DONE", SASL_DOVECOT_DONE, read_nothing},
        {"OK", SASL_DOVECOT_OK, read_outcome},
        {"CONT", SASL_DOVECOT_CONT, read_challenge},
        {"FAIL", SASL_DOVECOT_FAIL, read_outcome},
        {"USER", SASL_DOVECOT_USER, read_outcome},
        {"NOTFOUND", SASL_DOVECOT_NOTFOUND, read_outcome},
    };
    struct span rest = line, word = span_cut(&rest, '\t');
    *out = (struct sasl_dovecot){0};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_eq(word, span_str(words[i].word)))
            continue;
        out->kind = words[i].kind;
        return words[i].read(out, rest);
    }
    return true;
}

bool sasl_dovecot_unescape(struct buf *out, struct span text)
{
    static const char from[] = "01tnr", to[] = "\0\001\t\n\r";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '\001') {
            struct span all = {from, sizeof from - 1};
            size_t which = ++i < text.len ? span_index(all, text.at[i]) : all.len;
            if (which == all.len)
                return false;
            c = to[which];
        }
        buf_putc(out, c);
    }
    return rc_ok(buf_state(out));
}

// ---- writing ----

static void put_escaped(struct buf *b, struct span text)
{
    static const char from[] = "\0\001\t\n\r", to[] = "01tnr";
    struct span all = {from, sizeof from - 1};
    for (size_t i = 0; i < text.len; i++) {
        size_t which = span_index(all, text.at[i]);
        if (which < all.len)
            buf_putc(b, '\001');
        buf_putc(b, which < all.len ? to[which] : text.at[i]);
    }
}

void sasl_dovecot_put_hello(struct buf *b, uint32_t pid)
{
    buf_printf(b, "VERSION\t1\t1\nCPID\t%u\n", pid);
}

// Guessers are slowed here: a penalty of Dovecot's would be the time-out of others.
// resp= is the last field, whatever follows (Dovecot's protocol says so).
void sasl_dovecot_put_auth(struct buf *b, const struct sasl_dovecot_request *r)
{
    buf_printf(b, "AUTH\t%u\t%.*s\tservice=smtp%s\tno-penalty\trip=", r->id, SPAN_FMT(r->mechanism),
               r->secured ? "\tsecured" : "");
    put_escaped(b, r->remote);
    if (r->response.at) {
        buf_put(b, SPAN("\tresp="));
        code_put_base64(b, r->response);
    }
    buf_putc(b, '\n');
}

void sasl_dovecot_put_more(struct buf *b, uint32_t id, struct span response)
{
    buf_printf(b, "CONT\t%u\t", id);
    code_put_base64(b, response);
    buf_putc(b, '\n');
}

void sasl_dovecot_put_cancel(struct buf *b, uint32_t id)
{
    buf_printf(b, "CANCEL\t%u\n", id);
}

void sasl_dovecot_put_user_hello(struct buf *b)
{
    buf_put(b, SPAN("VERSION\t1\t1\n"));
}

void sasl_dovecot_put_user(struct buf *b, uint32_t id, struct span user)
{
    buf_printf(b, "USER\t%u\t", id);
    put_escaped(b, user);
    buf_put(b, SPAN("\tservice=smtp\n"));
}
