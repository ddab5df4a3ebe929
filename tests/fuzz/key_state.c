// The note about a DKIM key of our own: what is read is written the same again.
#include "auth_keys.h"
#include "base_rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_key k, back;
    CLEANUP(buf_free) struct buf once = BUF(AUTH_KEY_STATE_MAX), twice = BUF(AUTH_KEY_STATE_MAX);
    CLEANUP(buf_free) struct buf record = BUF(4 * AUTH_KEY_STATE_MAX);
    if (!auth_key_read(&k, (struct span){(const char *)data, size}))
        return 0;
    auth_key_put(&once, &k);
    if (!rc_ok(buf_state(&once)) || !auth_key_read(&back, buf_span(&once)))
        panic("a note that cannot be read again");
    auth_key_put(&twice, &back);
    if (!span_eq(buf_span(&once), buf_span(&twice)))
        panic("a note that changes by being read");
    auth_key_put_record(&record, &k);
    if (!rc_ok(buf_state(&record)))
        panic("a record without end");
    return 0;
}
