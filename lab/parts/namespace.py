"""A namespace of its own: how to make it, how to get into it, what it needs.

Made by unshare(1): network, mounts and processes; without root also users.
/proc stays the machine's, so that a process that entered (network and mounts
only) still finds itself there.
"""
import ctypes
import os
import pwd
import shutil
import subprocess

from parts import packages

_HERE = os.path.dirname(os.path.abspath(__file__))


def memory(state):
    """Where the namespace has a tmpfs, for what must not stay and what users
    other than ours must reach: a folder every system has and we do not need."""
    needed = (os.path.abspath(state), _HERE, os.getcwd(), packages.cache_folder())
    return next(d for d in ("/mnt", "/media", "/srv", "/opt")
                if os.path.isdir(d) and not any((n + "/").startswith(d + "/") for n in needed))


class Impossible(Exception):
    """Says what is missing and the command that mends it."""


def unshare_command():
    if not shutil.which("unshare"):
        raise Impossible("unshare is missing: apt-get install util-linux")
    if os.geteuid() == 0:
        return ["unshare", "-n", "-m", "-p", "-f", "--kill-child"]
    user = pwd.getpwuid(os.getuid()).pw_name
    if not shutil.which("newuidmap"):
        raise Impossible("without root the lab needs newuidmap (Postfix has users of its own): "
                         "run 'sudo apt-get install uidmap', or run this as root")
    if not any(line.split(":")[0] in (user, str(os.getuid())) for line in _lines("/etc/subuid")):
        raise Impossible(f"'{user}' has no range in /etc/subuid: run 'sudo usermod --add-subuids 100000-165535 "
                         f"--add-subgids 100000-165535 {user}', or run this as root")
    return ["unshare", "-U", "-r", "--map-auto", "-n", "-m", "-p", "-f", "--kill-child"]


def _lines(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.readlines()
    except OSError:
        return []


def check():
    """Tries it; raises Impossible with the reason."""
    command = unshare_command()
    done = subprocess.run([*command, "sh", "-c", "ip link set lo up && mount -t tmpfs none /mnt"], timeout=20,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Impossible(f"no namespace can be made here ({done.stderr.strip() or done.returncode}); "
                         "in a container it needs CAP_SYS_ADMIN, or run this as root")


def _libc(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{name}: {os.strerror(e)}")


def enter(pid):
    """This process (with one thread) moves into the namespace of `pid`."""
    cwd = os.getcwd()
    kinds = ["net", "mnt"]
    if os.stat(f"/proc/{pid}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino:
        kinds.insert(0, "user")
    for fd in [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]:
        _libc("setns", fd, 0)
        os.close(fd)
    os.chdir(cwd)


def die_with_parent():
    _libc("prctl", 1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


def furnish(inside, texts, addresses6):
    """Inside: loopback up, addresses, memory, an /etc of its own."""
    batch = "link set lo up\n" + "".join(f"addr add {a}/128 dev lo nodad\n" for a in addresses6)
    done = subprocess.run(["ip", "-force", "-batch", "-"], input=batch, timeout=20, capture_output=True, text=True)
    complaints = done.stderr.strip()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", inside], timeout=20, check=True)
    _private_etc(inside, texts)
    return complaints


def _private_etc(inside, texts):
    """Our small files over the machine's /etc. An overlay, because a bind mount
    over a file vanishes when somebody outside replaces that file by rename."""
    upper, work = inside + "/etc", inside + "/etc.work"
    os.mkdir(upper)
    os.mkdir(work)
    for name, text in texts.items():
        with open(os.path.join(upper, name), "w", encoding="utf-8") as f:
            f.write(text)
    options = f"lowerdir=/etc,upperdir={upper},workdir={work}"
    done = subprocess.run(["mount", "-t", "overlay", "-o", options, "lab", "/etc"], timeout=20, capture_output=True)
    if done.returncode == 0:
        return
    for name in texts:
        if os.path.exists("/etc/" + name):
            subprocess.run(["mount", "--bind", os.path.join(upper, name), "/etc/" + name], timeout=20, check=True)
