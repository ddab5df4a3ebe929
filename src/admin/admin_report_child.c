// Foreign documents are unpacked and parsed in a process of their own: what goes wrong there ends
// there. It gets the bytes by its memory, and may open neither file nor socket.
#include "admin_report.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

enum { SECONDS_MAX = 60, STEP = 65536 };
#define MEMORY_MAX ((rlim_t)1 << 30)

static void limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit r = {value, value};
    if (setrlimit(what, &r))
        _exit(1);
}

static void limits_take(void)
{
    limit(RLIMIT_NOFILE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_CPU, SECONDS_MAX);
#ifndef SANITIZED // that reserves terabytes
    limit(RLIMIT_AS, MEMORY_MAX);
#endif
}

static void child(struct span bytes, int to)
{
    struct buf out = BUF(MEMORY_MAX / 4);
    limits_take();
    report_take(&out, bytes, &report_limits_usual);
    for (struct span s = buf_span(&out); s.len;) {
        ssize_t n = write(to, s.at, s.len);
        if (n <= 0)
            _exit(1);
        s = span_skip(s, (size_t)n);
    }
    _exit(rc_ok(buf_state(&out)) ? 0 : 1);
}

static void drain(int from, struct buf *out)
{
    static char room[STEP];
    for (ssize_t n; (n = read(from, room, sizeof room)) > 0;)
        buf_put(out, (struct span){room, (size_t)n});
}

int admin_report_child(struct span bytes, const char *title, struct buf *out)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe(ends))
        return admin_complain("%s: no pipe to its reader can be made", title);
    if ((pid = fork()) == 0) {
        close(ends[0]);
        child(bytes, ends[1]);
    }
    close(ends[1]);
    drain(ends[0], out);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return admin_complain("%s: no process to read it can be started", title);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ADMIN_DONE;
    admin_complain("%s: its reader ran out of memory or time, or died on it", title);
    return ADMIN_NEGATIVE;
}
