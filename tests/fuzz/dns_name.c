// Text and wire: whatever is taken for a name is one, and stays the same when
// it is read again.
#include "base_rc.h"
#include "dns_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dns_name *n)
{
    struct dns_name again;
    char room[512];
    struct span text = n->len ? dns_name_span(n) : SPAN(".");
    if (!dns_name_parse(&again, text) || !dns_name_eq(&again, n))
        panic("\"%s\" does not come back", n->text);
    struct span shown = dns_name_shown(n, room);
    if (!dns_name_parse(&again, shown) || !dns_name_eq(&again, n))
        panic("\"%s\" is shown as another name", n->text);
    struct dns_name up;
    if (dns_name_parent(&up, n) && up.len >= n->len)
        panic("the parent of \"%s\" is longer", n->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {(const char *)data, size};
    struct dns_name n;
    size_t at = size ? data[0] % size : 0, skipped = at;
    if (dns_name_parse(&n, in))
        check(&n);
    if (dns_name_from_wire(&n, in, &at)) {
        check(&n);
        if (!dns_name_skip_wire(in, &skipped) || skipped != at)
            panic("reading and skipping end at different places");
    }
    return 0;
}
