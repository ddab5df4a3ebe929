// Prints what /metrics shows of a server of two processes that has counted nothing.
#include "base_meter.h"

#include <stdio.h>

int main(void)
{
    static const int64_t none[METER_VALUES];
    static const struct meter_process list[] = {{.role = "store", .up = true},
                                                {.role = "receiver", .index = 1, .up = true}};
    CLEANUP(buf_free) struct buf b = BUF(1 << 20);
    meter_put_processes(&b, list, 2);
    meter_put(&b, none);
    return !rc_ok(buf_state(&b)) || fwrite(b.at, 1, b.len, stdout) != b.len;
}
