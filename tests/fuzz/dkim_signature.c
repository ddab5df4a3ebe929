// DKIM-Signature values, and ARC's message signature of the same form.
#include "auth_dkim_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(enum auth_dkim_form form, struct span value)
{
    CLEANUP(arena_free) struct arena a = ARENA(256 << 10);
    struct auth_dkim_signature s;
    if (auth_dkim_signature_read(&s, value, form, &a))
        return;
    if (!s.domain.len || !s.selector.len || !s.signature.len || !s.headers.at || !s.b_text.at)
        panic("a signature without what it needs");
    if (s.b_text.at < value.at || s.b_text.at + s.b_text.len > value.at + value.len)
        panic("b= outside the field");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span value = {(const char *)data, size};
    read_as(AUTH_DKIM_SIGNATURE, value);
    read_as(AUTH_ARC_SIGNATURE, value);
    return 0;
}
