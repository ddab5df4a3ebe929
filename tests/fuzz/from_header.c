// The value of a From field (RFC 5322 §3.4): whatever stands there, the author
// domain is one name or there is a reason why not.
#include "auth_from.h"

#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span value = {(const char *)data, size};
    struct auth_mailboxes list = {.rest = value};
    struct auth_mailbox m;
    struct auth_from from;
    size_t domains = 0, left = size + 1;
    auth_from_read(&from, &value, 1);
    while (auth_mailbox_next(&list, &m)) {
        if (list.rest.len >= left)
            panic("a list that does not end");
        left = list.rest.len;
        domains += !m.literal;
        if (m.literal == (m.domain.len > 0))
            panic("an address with neither domain nor literal, or both");
    }
    if ((from.problem == AUTH_FROM_OK) != (from.domain.len > 0))
        panic("a domain and a problem");
    if (from.problem == AUTH_FROM_OK && (list.bad || domains == 0))
        panic("a domain out of nothing");
    return 0;
}
