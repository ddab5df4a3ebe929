"""Where nsd, nginx, Postfix and the others come from: PATH if installed
(the program only, never a running service), else the Debian package,
downloaded and unpacked into a cache folder, never installed.
"""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import sys

# program: (Debian packages to unpack, path inside them)
_OPENDKIM = ("libopendkim11", "libbsd0", "libdb5.3", "libhashkit2", "libldap-2.5-0", "liblua5.3-0", "libmemcached11",
             "libmilter1.0.1", "libopendbx1", "librbl1", "libvbr2")
PROGRAMS = {
    "nsd": (("nsd", "libfstrm0", "libprotobuf-c1", "libevent-2.1-7"), "usr/sbin/nsd"),
    "ldns-keygen": (("ldnsutils", "libldns3"), "usr/bin/ldns-keygen"),
    "ldns-signzone": (("ldnsutils", "libldns3"), "usr/bin/ldns-signzone"),
    "nginx": (("nginx",), "usr/sbin/nginx"),
    "dovecot": (("dovecot-core", "libexttextcat-2.0-0", "liblua5.3-0", "libsodium23"), "usr/sbin/dovecot"),
    "postfix": (("postfix", "libdb5.3", "libnsl2", "libicu72", "libsasl2-2"), "usr/sbin/postfix"),
    "opendkim": (("opendkim", *_OPENDKIM), "usr/sbin/opendkim"),
    "opendkim-testmsg": (("opendkim-tools", *_OPENDKIM), "usr/sbin/opendkim-testmsg"),
    "rspamd": (("rspamd", "libhyperscan5", "libluajit-5.1-2", "libluajit-5.1-common"), "usr/bin/rspamd"),
    "msmtp": (("msmtp", "libgsasl18", "libgssglue1", "libidn12", "libntlm0", "libsecret-1-0"), "usr/bin/msmtp"),
    "promtool": (("prometheus",), "usr/bin/promtool"),
    "unbound": (("unbound", "libevent-2.1-7", "libnghttp2-14", "libprotobuf-c1"), "usr/sbin/unbound"),
}

NEEDED = ("nsd", "ldns-keygen", "ldns-signzone")  # without the others, rows of the table are missing
LATER = ("opendkim", "opendkim-testmsg", "rspamd", "dovecot", "msmtp", "promtool")  # for single stories, which fetch them themselves


class Missing(Exception):
    """A program that is neither installed nor to be had; says what to do."""


def cache_folder():
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".cache")
    if os.path.isdir(beside) or os.access(os.path.dirname(beside), os.W_OK):
        return beside
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "geleit-lab")


_depth = 0


@contextlib.contextmanager
def locked():
    """Nobody else, of those who run stories side by side, changes the cache meanwhile."""
    global _depth  # within one process it may be entered again
    if _depth:
        yield
        return
    os.makedirs(cache_folder(), exist_ok=True)
    with open(os.path.join(cache_folder(), ".lock"), "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        _depth = 1
        try:
            yield
        finally:
            _depth = 0


def _download(packages):
    """What of them is not there yet, in one go."""
    debs = os.path.join(cache_folder(), "debs")
    missing = [p for p in packages if not os.path.isdir(os.path.join(cache_folder(), p))
               and not glob.glob(os.path.join(debs, glob.escape(p) + "_*.deb"))]
    os.makedirs(debs, exist_ok=True)
    os.chmod(cache_folder(), 0o755)
    if not missing:
        return
    print(f"lab: fetching Debian packages (unpacked, not installed): {' '.join(missing)}", file=sys.stderr)
    subprocess.run(["apt-get", "download", "-qq", *missing], cwd=debs, timeout=120, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def unpack(package):
    """The folder a package is unpacked in; downloads it the first time."""
    with locked():
        return _unpack(package)


def _unpack(package):
    folder = os.path.join(cache_folder(), package)
    if os.path.isdir(folder):
        return folder
    try:
        _download([package])
        deb = sorted(glob.glob(os.path.join(cache_folder(), "debs", glob.escape(package) + "_*.deb")))[-1]
        subprocess.run(["dpkg", "-x", deb, folder + ".new"], timeout=60, check=True)
        os.rename(folder + ".new", folder)
    except (OSError, subprocess.SubprocessError, IndexError) as e:
        shutil.rmtree(folder + ".new", ignore_errors=True)
        raise Missing(f"{package}: 'apt-get download {package}' and dpkg -x did not work ({e}); "
                      f"install it: apt-get install {package}") from None
    return folder


class Program:
    """A program, and the environment its libraries are found in."""

    def __init__(self, name):
        packages, inside = PROGRAMS[name]
        self.path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        self.root = "/"
        self.libraries = ""
        if self.path:
            return
        self.root = os.path.join(unpack(packages[0]), "")
        self.path = os.path.join(self.root, inside)
        self.libraries = self._library_path(packages[1:])

    def _library_path(self, packages):
        own = (os.path.join(self.root, "usr/lib", name) for name in ("postfix", "rspamd"))
        folders = [d for d in own if os.path.isdir(d)]
        if self._lacks_libraries(":".join(folders)):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                _download(packages)
            for p in packages:
                for inside in ("usr/lib/*-linux-*", "usr/lib", "lib/*-linux-*"):
                    folders += glob.glob(os.path.join(unpack(p), inside))
        return ":".join(folders)

    def _lacks_libraries(self, path):
        out = subprocess.run(["ldd", self.path], env={**os.environ, "LD_LIBRARY_PATH": path},
                             capture_output=True, text=True, timeout=20)
        return "not found" in out.stdout

    def env(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
        if self.libraries:
            env["LD_LIBRARY_PATH"] = self.libraries
        return env


def perl_modules(package):
    """Environment in which perl finds the modules of a package that is not installed."""
    return {"PERL5LIB": ":".join(glob.glob(os.path.join(unpack(package), "usr/lib/*-linux-*/perl5/*")))}


def find(name):
    with locked():
        return Program(name)


def fetch():
    """Gets everything now, while there is a network: the lab's own has none."""
    for name in PROGRAMS:
        if name in LATER:
            continue
        try:
            find(name)
        except Missing:
            if name in NEEDED:
                raise
