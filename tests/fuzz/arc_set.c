// Messages with ARC fields (RFC 8617), and the keys for them: the verdict does
// not depend on how the message is cut, and a chain never passes unsealed. The
// first byte is the size of the pieces, a zero parts key record and message.
#include "auth_arc.h"

#include "base_rc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth_arc *run(struct span message, struct span key, size_t chunk)
{
    struct dns_record record = {.data = key};
    struct dns_answer a = {
        .standing = DNS_INSECURE, .presence = DNS_DATA, .count = 1, .records = &record};
    struct dns_name sealer = {.len = 11, .text = "example.org"};
    struct auth_arc_options o = {.sealers = &sealer, .sealer_count = 1};
    struct auth_arc *m = auth_arc_new(&o);
    for (; message.len; message = span_skip(message, chunk))
        auth_arc_feed(m, span_first(message, chunk));
    auth_arc_end(m);
    for (int asked = 0;; asked++) {
        struct auth_step step = auth_arc_next(m);
        if (step.kind == AUTH_DONE)
            return m;
        if (step.kind == AUTH_WAIT || asked > 2 * AUTH_ARC_SETS_MAX)
            panic("a verification that does not end");
        auth_arc_answer(m, step.ticket, &a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span rest = {(const char *)data + 1, size - 1};
    struct span key = span_cut(&rest, '\0');
    CLEANUP(auth_arc_free) struct auth_arc *whole = run(rest, key, SIZE_MAX);
    CLEANUP(auth_arc_free) struct auth_arc *cut = run(rest, key, data[0] + 1u);
    const struct auth_arc_result *r = auth_arc_result(whole), *s = auth_arc_result(cut);
    if (r->result != s->result || strcmp(r->reason, s->reason) != 0)
        panic("chunks make a difference");
    if (r->result == AUTH_PASS && (r->count == 0 || r->sets[0].seal != AUTH_PASS))
        panic("a chain that passes without seals");
    return 0;
}
