// The walk over a MIME message: it ends, what it hands out lies inside the message, decoding never
// grows it by more than a line end.
#include "base_rc.h"
#include "mail_mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct span whole, struct span part, const char *what)
{
    if (part.len && (part.at < whole.at || part.at + part.len > whole.at + whole.len))
        panic("%s lies outside", what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena a = ARENA(8 << 20);
    struct span message = {(const char *)data, size}, value;
    struct mail_mime m = mail_mime_open(message, &a);
    struct mail_mime_part p;
    unsigned parts = 0;
    while (mail_mime_next(&m, &p)) {
        CLEANUP(buf_free) struct buf body = BUF(size + 16);
        within(message, p.head, "the head");
        within(message, p.body, "the body");
        if (p.depth > MAIL_MIME_DEPTH || ++parts > MAIL_MIME_PARTS)
            panic("beyond its bounds");
        (void)!mail_mime_decode(&body, &p);
        if (!rc_ok(buf_state(&body)))
            panic("decoding grew");
        if (mail_field_find(p.head, SPAN("Subject"), &value))
            (void)mail_field_unfold(value, &a);
    }
    return 0;
}
