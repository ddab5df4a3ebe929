// A child's filter of system calls (seccomp): what may be done with memory and the one
// descriptor; the rest ends it. Written by hand: it is one table.
#include "io_child_inner.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#if defined(ARCHITECTURE) && !defined(IO_CHILD_SANITIZED)

// Refused, but survived: libraries ask for files that they can do without (locales, time zones,
// /dev/urandom); without descriptors to be had that would fail anyway.
static const int refused[] = {
    SYS_openat,     SYS_newfstatat, SYS_fstat,  SYS_lseek,
    SYS_readlinkat, SYS_ioctl,      SYS_fcntl,  SYS_prlimit64,
#ifdef SYS_open
    SYS_open,       SYS_stat,       SYS_access, SYS_readlink,
#endif
};
static const int allowed[] = {
    SYS_read,         SYS_write,        SYS_close,          SYS_munmap,        SYS_mremap,
    SYS_brk,          SYS_madvise,      SYS_futex,          SYS_exit,          SYS_exit_group,
    SYS_rt_sigreturn, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_clock_gettime, SYS_gettimeofday,
    SYS_getrandom,    SYS_getpid,       SYS_gettid,         SYS_sched_yield,   SYS_restart_syscall,
#ifdef SYS_time
    SYS_time,
#endif
};
// Allowed for what is not to be run.
static const int mapping[] = {SYS_mmap, SYS_mprotect};

enum {
    COUNT_ALLOWED = sizeof allowed / sizeof *allowed,
    COUNT_REFUSED = sizeof refused / sizeof *refused,
    COUNT_MAPPING = sizeof mapping / sizeof *mapping,
    STEPS_MAX = 8 + 2 * (COUNT_ALLOWED + COUNT_REFUSED) + 4 * COUNT_MAPPING,
};

struct program {
    struct sock_filter at[STEPS_MAX];
    unsigned short count;
};

static void step(struct program *p, unsigned short code, unsigned k, unsigned char past)
{
    p->at[p->count++] = (struct sock_filter){code, 0, past, k};
}

static void load(struct program *p, size_t offset)
{
    step(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0);
}

static void end(struct program *p, unsigned what)
{
    step(p, BPF_RET | BPF_K, what, 0);
}

static void each(struct program *p, const int *calls, size_t count, unsigned what)
{
    for (size_t i = 0; i < count; i++) {
        step(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 1);
        end(p, what);
    }
}

// Their third argument is the protection; its low half is all there is of it.
static void each_mapping(struct program *p)
{
    size_t protection = offsetof(struct seccomp_data, args[2]);
    for (size_t i = 0; i < COUNT_MAPPING; i++) {
        step(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)mapping[i], 4);
        load(p, protection);
        p->at[p->count++] = (struct sock_filter){BPF_JMP | BPF_JSET | BPF_K, 1, 0, PROT_EXEC};
        end(p, SECCOMP_RET_ALLOW);
        end(p, SECCOMP_RET_KILL_PROCESS);
    }
}

static void build(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    step(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0);
    p->at[p->count - 1].jt = 1;
    end(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
    each(p, allowed, COUNT_ALLOWED, SECCOMP_RET_ALLOW);
    each(p, refused, COUNT_REFUSED, SECCOMP_RET_ERRNO | EACCES);
    each_mapping(p);
    end(p, SECCOMP_RET_KILL_PROCESS);
}

bool io_child_filter(void)
{
    struct program p = {0};
    build(&p);
    struct sock_fprog f = {.len = p.count, .filter = p.at};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f, 0, 0) == 0 || errno == EINVAL;
}

#else

bool io_child_filter(void)
{
    return true;
}

#endif
