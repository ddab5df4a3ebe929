// The file of users, as somebody might have edited it: what is read is found again,
// and a change of one line leaves the others as they were.
#include "sasl_users.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void remove_first(struct span text, const struct sasl_users *u)
{
    CLEANUP(buf_free) struct buf b = BUF(16 << 20);
    struct sasl_users_fault fault;
    struct span name = sasl_users_at(u, 0)->name;
    check(sasl_users_change(&b, text, name, SPAN("")));
    struct sasl_users *less = sasl_users_read(buf_span(&b), &fault);
    check(less && sasl_users_count(less) + 1 == sasl_users_count(u) &&
          !sasl_users_find(less, name));
    sasl_users_free(less);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct sasl_users_fault fault;
    struct sasl_users *u = sasl_users_read(text, &fault);
    if (!u) {
        check(fault.line > 0 && fault.text[0]);
        return 0;
    }
    for (size_t i = 0; i < sasl_users_count(u); i++) {
        const struct sasl_user *one = sasl_users_at(u, i);
        check(sasl_users_find(u, one->name) == one);
        (void)sasl_may_send(one->name, one->senders, one->sender_count, SPAN("ann@example.org"));
    }
    if (sasl_users_count(u))
        remove_first(text, u);
    sasl_users_free(u);
    return 0;
}
