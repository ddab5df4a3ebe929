#include "proc_taken_child.h"

enum { OUTPUT_MAX = 256 << 20 };
#define MEMORY_MAX ((size_t)3 << 29)
#define PATIENCE   SECONDS(60)

static void read_all(struct buf *out, struct span bytes)
{
    report_take(out, bytes, &report_limits_usual);
}

struct io_child_task proc_taken_task(struct span bytes)
{
    return (struct io_child_task){.run = read_all,
                                  .bytes = bytes,
                                  .output_max = OUTPUT_MAX,
                                  .memory_max = MEMORY_MAX,
                                  .patience_us = PATIENCE};
}

const char *proc_taken_fault(enum io_child_end end)
{
    static const char *const texts[IO_CHILD_ENDS] = {
        [IO_CHILD_DIED] = "Its reader ran out of memory or died on it.",
        [IO_CHILD_LATE] = "Its reader was not done with it within a minute.",
        [IO_CHILD_TOO_MUCH] = "There is more in it than is taken at once.",
        [IO_CHILD_NONE] = "No process to read it can be started now.",
    };
    return texts[end];
}

const char *proc_taken_read(struct buf *out, struct span bytes, bool *later)
{
    struct io_child_task t = proc_taken_task(bytes);
    enum io_child_end end = io_child_run(&t, out);
    *later = end == IO_CHILD_NONE;
    return proc_taken_fault(end);
}
