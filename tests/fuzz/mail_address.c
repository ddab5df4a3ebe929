// Paths of MAIL and RCPT: whatever parses has a text that parses to the same.
#include "base_rc.h"
#include "mail_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct mail_address m, bool utf8, struct arena *a)
{
    struct mail_address again;
    if (!mail_address_parse(&again, m.text, utf8, a) || again.kind != m.kind ||
        !span_eq(again.text, m.text) || !dns_name_eq(&again.domain, &m.domain))
        panic("%.*s does not come back", SPAN_FMT(m.text));
    if (m.text.len + 2 > MAIL_PATH_MAX || m.local.len > MAIL_LOCAL_MAX)
        panic("%zu bytes", m.text.len);
    for (size_t i = 0; i < m.text.len; i++)
        if ((unsigned char)m.text.at[i] < ' ' || m.text.at[i] == 0x7f)
            panic("control character");
}

static void one(struct span input, bool utf8)
{
    struct arena a = ARENA(4096);
    struct mail_address m;
    struct span in = input;
    if (mail_path_parse(&m, &in, utf8, &a)) {
        if (in.at <= input.at || in.at + in.len != input.at + input.len || in.at[-1] != '>')
            panic("rest is not behind the path");
        same(m, utf8, &a);
    } else if (in.at != input.at || in.len != input.len) {
        panic("input moved");
    }
    if (mail_address_parse(&m, input, utf8, &a))
        same(m, utf8, &a);
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {(const char *)data, size};
    one(in, false);
    one(in, true);
    return 0;
}
