#include "proc_door.h"

#include "io_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

void proc_door_path(const struct conf *c, struct buf *path)
{
    struct span own = conf_span(c, CONF_control_socket), store = conf_span(c, CONF_store_path);
    if (own.len)
        buf_put(path, own);
    else
        buf_printf(path, "%.*s/control.sock", SPAN_FMT(store));
}

// The address of a socket has room for 107 bytes. A longer path is reached through
// a descriptor of its folder, which the caller closes.
static bool endpoint(const char *path, struct io_endpoint *out, int *folder)
{
    char above[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    *out = (struct io_endpoint){.local = true};
    *folder = -1;
    if (span_copy(out->path, sizeof out->path, span_str(path)))
        return true;
    errno = ENAMETOOLONG;
    if (!slash || !span_copy(above, sizeof above, (struct span){path, (size_t)(slash - path)}))
        return false;
    *folder = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return false;
    int n = snprintf(out->path, sizeof out->path, "/proc/self/fd/%d/%s", *folder, slash + 1);
    return n > 0 && (size_t)n < sizeof out->path;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static struct rc complain(struct conf_fault *fault, const char *path, const char *why)
{
    snprintf(fault->text, sizeof fault->text, "control.socket %s cannot be listened on: %s", path,
             why);
    return RC(CONFIG);
}

// Root's servers give the door to the user they run as, and to the group.
static struct rc hand_over(const struct conf *c, const char *path, struct conf_fault *fault)
{
    char user[256], group[256];
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    if (span_copy(user, sizeof user, conf_span(c, CONF_user)) && *user && geteuid() == 0) {
        const struct passwd *pw = getpwnam(user);
        uid = pw ? pw->pw_uid : uid;
    }
    bool shared = span_copy(group, sizeof group, conf_span(c, CONF_control_group)) && *group;
    if (shared) {
        const struct group *g = getgrnam(group);
        if (!g) {
            snprintf(fault->text, sizeof fault->text,
                     "control.group: there is no group \"%s\"; make it, or name another", group);
            return RC(CONFIG);
        }
        gid = g->gr_gid;
    }
    if (chmod(path, shared ? 0660 : 0600) || chown(path, uid, gid))
        return complain(fault, path, strerror(errno));
    return RC(OK);
}

static struct rc bind_path(struct proc_setup *s, const char *path, struct conf_fault *fault)
{
    struct io_endpoint at;
    CLEANUP(close_fd) int folder = -1;
    int fd = -1;
    if (!endpoint(path, &at, &folder))
        return complain(fault, path, strerror(errno));
    errno = 0;
    struct rc rc = io_bind(&fd, &at);
    if (!rc_ok(rc))
        return complain(fault, path, errno == EADDRINUSE ? "another server is there" : rc_text(rc));
    rc = hand_over(s->conf, path, fault);
    if (!rc_ok(rc)) {
        close(fd);
        return rc;
    }
    s->door = (struct proc_bound){buf_span(&s->door_path), fd};
    return RC(OK);
}

struct rc proc_door_bind(struct proc_setup *s, const struct proc_setup *old,
                         struct conf_fault *fault)
{
    s->door_path = BUF(PATH_ROOM);
    proc_door_path(s->conf, &s->door_path);
    if (!rc_ok(buf_state(&s->door_path)))
        return complain(fault, "", "its path is too long");
    const char *path = buf_str(&s->door_path);
    if (!old || !span_eq(old->door.text, buf_span(&s->door_path)))
        return bind_path(s, path, fault);
    int fd = fcntl(old->door.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return complain(fault, path, strerror(errno));
    s->door = (struct proc_bound){buf_span(&s->door_path), fd};
    return hand_over(s->conf, path, fault);
}

// The kernel picks a name in a space without files; its text here is "@NAME".
static int bind_nameless(struct buf *text)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof a, fixed = offsetof(struct sockaddr_un, sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)(void *)&a, sizeof a.sun_family) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)(void *)&a, &len) || len <= fixed + 1) {
        close(fd);
        return -1;
    }
    buf_putc(text, '@');
    buf_put(text, (struct span){a.sun_path + 1, len - fixed - 1});
    return fd;
}

struct rc proc_setup_private(struct proc_setup **out, struct conf *conf, struct conf_fault *fault)
{
    struct proc_setup *s = mem_new(sizeof *s);
    *s = (struct proc_setup){
        .conf = conf, .door_path = BUF(PATH_ROOM), .aliases = {.fd = -1}};
    *out = s;
    int fd = bind_nameless(&s->door_path);
    if (fd < 0)
        return complain(fault, "of its own", strerror(errno));
    s->door = (struct proc_bound){buf_span(&s->door_path), fd};
    return RC(OK);
}

static int connect_to(const void *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, address, len) || fcntl(fd, F_SETFL, O_NONBLOCK)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_nameless(struct span name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (name.len >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    span_bytes(a.sun_path + 1, name.len, name);
    return connect_to(&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.len));
}

int proc_door_connect(struct span text)
{
    char path[PATH_ROOM];
    struct io_endpoint at;
    CLEANUP(close_fd) int folder = -1;
    if (span_starts(text, SPAN("@")))
        return connect_nameless(span_skip(text, 1));
    if (!span_copy(path, sizeof path, text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!endpoint(path, &at, &folder))
        return -1;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!span_copy(a.sun_path, sizeof a.sun_path, span_str(at.path)))
        return -1;
    return connect_to(&a, sizeof a);
}
