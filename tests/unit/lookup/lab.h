// A folder that goes away, child processes that end with the test, and a loop
// that never runs for ever.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "io_loop.h"

struct lab {
    char folder[64];
    struct io_loop *loop;
    struct io_timer guard;
    bool late;
};

static inline void lab_path(char *to, size_t room, const struct lab *lab, const char *name)
{
    snprintf(to, room, "%s/%s", lab->folder, name);
}

static inline void lab_put(const struct lab *lab, const char *name, const char *text)
{
    char path[200];
    lab_path(path, sizeof path, lab, name);
    FILE *f = fopen(path, "we");
    if (!f)
        panic("%s: %s", path, strerror(errno));
    fputs(text, f);
    fclose(f);
}

static inline void lab_expired(void *arg)
{
    struct lab *lab = arg;
    lab->late = true;
    io_loop_stop(lab->loop);
}

static inline void lab_begin(struct lab *lab)
{
    *lab = (struct lab){.folder = "/tmp/geleit-test-XXXXXX"};
    prctl(PR_SET_CHILD_SUBREAPER, 1); // what a child leaves behind comes to us
    if (!mkdtemp(lab->folder))
        panic("no temporary folder: %s", strerror(errno));
    lab->loop = io_loop_new();
    lab->guard = (struct io_timer){.fire = lab_expired, .arg = lab};
}

static inline int lab_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void lab_sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static inline void lab_reap(void)
{
    for (int i = 0; i < 200 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
        lab_sleep_ms(10);
}

static inline void lab_end(struct lab *lab)
{
    lab_reap();
    nftw(lab->folder, lab_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    io_loop_free(lab->loop);
}

// Runs the loop until somebody stops it; false after `seconds`.
static inline bool lab_run(struct lab *lab, int seconds)
{
    lab->late = false;
    io_timer_set(lab->loop, &lab->guard, (struct mono){io_now(lab->loop).us + SECONDS(seconds)});
    io_loop_run(lab->loop);
    io_timer_cancel(lab->loop, &lab->guard);
    return !lab->late;
}

// A direct child, in the lab's folder, its output in log.txt there.
static inline pid_t lab_start(const struct lab *lab, const char *const *argv)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int log = chdir(lab->folder) ? -1 : open("log.txt", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(126);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

// The exit status; -1 if it was not over in time, or was killed.
static inline int lab_wait(pid_t pid, int seconds)
{
    int status = 0;
    for (int i = 0; i < seconds * 100; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        lab_sleep_ms(10);
    }
    return -1;
}

static inline void lab_stop(pid_t pid)
{
    if (pid <= 0 || kill(pid, SIGTERM))
        return;
    if (lab_wait(pid, 5) >= 0 || waitpid(pid, NULL, WNOHANG) < 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static inline bool lab_has(const char *program)
{
    char text[200];
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    snprintf(text, sizeof text, "command -v %s >/dev/null 2>&1", program);
    return system(text) == 0;
}

static inline struct sockaddr_in lab_address(const char *last, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(0x7f000000u | (unsigned)atoi(last));
    return a;
}

// A socket on 127.0.0.1; *port 0 chooses one.
static inline int lab_socket(int type, unsigned *port)
{
    struct sockaddr_in a = lab_address("1", *port);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        panic("no socket: %s", strerror(errno));
    *port = ntohs(a.sin_port);
    return fd;
}
