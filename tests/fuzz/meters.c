// Meters of a process that may be an attacker's by now: whatever numbers come, they
// can be added up and shown, and no line of the page but a number is theirs.
#include "base_meter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int64_t value[METER_VALUES], sum[METER_VALUES];
    struct rd r = RD(((struct span){(const char *)data, size}));
    if (!meter_unpack(&r, value))
        return 0;
    meter_merge(sum, value, true);
    meter_merge(sum, value, false);
    const struct meter_process p = {.role = "store",
                                    .up = true,
                                    .started_us = value[0],
                                    .cpu_us = value[1],
                                    .memory = value[2]};
    CLEANUP(buf_free) struct buf page = BUF(PAGE_MAX);
    meter_put_processes(&page, &p, 1);
    meter_put(&page, sum);
    if (!rc_ok(buf_state(&page)))
        panic("a page of more than %d bytes", PAGE_MAX);
    return 0;
}
