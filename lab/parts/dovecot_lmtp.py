"""Dovecot as a mailbox server: LMTP at a Unix socket and at a port of the
loopback, mailboxes as Maildirs. Unprivileged and in a folder of its own: no
account, no service and no file of the system is touched.
"""
import glob
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from . import packages

MODULES = b"/usr/lib/dovecot/modules"
CONF = """\
base_dir = {folder}/run
state_dir = {folder}/state
libexec_dir = {lib}
mail_plugin_dir = {lib}/modules
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
log_path = {folder}/log
import_environment = PATH LD_LIBRARY_PATH={lib}:{lib}/modules:{lib}/modules/old-stats
protocols = lmtp
listen = 127.0.0.1
ssl = no
first_valid_uid = {uid}
first_valid_gid = {gid}
mail_location = maildir:~/Maildir
mail_plugins = quota
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
}}
service lmtp {{
  user = {user}
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{more}
"""


class Dovecot:
    """`users`: name@domain, or (name@domain, "*:bytes=500") with a quota."""

    def __init__(self, folder, users, more=""):
        self.folder, self.process = os.path.abspath(folder), None
        program = packages.find("dovecot")
        self.program = program.path
        self.doveconf = os.path.join(program.root, "usr/bin/doveconf")
        self.lib = os.path.join(program.root, "usr/lib/dovecot")
        if program.root != "/":  # lmtp is in a package of its own
            self._join(packages.unpack("dovecot-lmtpd"))
            self._move("libdovecot.so.0", "libdovecot-storage.so.0")
        if not os.path.exists(self.lib + "/lmtp"):
            raise packages.Missing("dovecot-lmtpd: install it: apt-get install dovecot-lmtpd")
        self.user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        self.socket = self.folder + "/lmtp"
        self._make(users, more)

    def _join(self, other):
        for path in glob.glob(other + "/usr/lib/dovecot/*"):
            there = os.path.join(self.lib, os.path.basename(path))
            if not os.path.lexists(there):
                shutil.copy2(path, there) if os.path.isfile(path) else shutil.copytree(path, there)

    def _move(self, *libraries):
        """The unpacked copy looks for its modules in the folder it runs in, not where it
        would be installed."""
        for name in libraries:
            path = os.path.realpath(os.path.join(self.lib, name))
            with open(path, "rb") as f:
                old = f.read()
            new = old.replace(MODULES, b"modules".ljust(len(MODULES), b"\0"))
            if new != old:
                with open(path + ".new", "wb") as f:
                    f.write(new)
                os.rename(path + ".new", path)

    def _make(self, users, more):
        uid, gid = self.user.pw_uid, self.user.pw_gid
        for name in ("", "run", "state", "home"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
            os.chown(os.path.join(self.folder, name), uid, gid)
        if not os.path.lexists(self.folder + "/run/modules"):
            os.symlink(self.lib + "/modules", self.folder + "/run/modules")
        with open(self.folder + "/users", "w", encoding="utf-8") as f:
            for one in users:
                name, rule = one if isinstance(one, tuple) else (one, None)
                extra = f"userdb_quota_rule={rule}" if rule else ""
                f.write(f"{name}:{{PLAIN}}secret:{uid}:{gid}::{self.folder}/home/{name}::{extra}\n")
        group = group_name(gid)
        with open(self.folder + "/dovecot.conf", "w", encoding="utf-8") as f:
            f.write(CONF.format(folder=self.folder, lib=self.lib, user=self.user.pw_name, group=group,
                                uid=uid, gid=gid, port=self.port, more=more))

    def start(self, patience=15):
        who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        env = {"PATH": "/usr/bin:/bin", "LANG": "C", "LD_LIBRARY_PATH": f"{self.lib}:{self.lib}/modules"}
        # As dovecot itself would, but that it looks for doveconf where it would be installed.
        command = [self.doveconf, "-f", "service=master", "-c", self.folder + "/dovecot.conf", "-m", "master",
                   "-e", self.program, "-F", "-c", self.folder + "/dovecot.conf"]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True, cwd=self.folder, **who)
        end = time.monotonic() + patience
        while not self.answers():
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise RuntimeError("dovecot does not answer; its log ends:\n" + self.log_end())
            time.sleep(0.05)
        return self

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.socket)
                return s.recv(3) == b"220"
        except OSError:
            return False

    def stop(self):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait(5)
        self.said = self.process.stdout.read().decode("utf-8", "replace")
        self.process.stdout.close()
        self.process = None

    def log_end(self, size=3000):
        text = getattr(self, "said", "")
        if os.path.exists(self.folder + "/log"):
            with open(self.folder + "/log", encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text[-size:]

    def mail(self, user):
        """The messages of a mailbox, as they lie there."""
        out = []
        for path in sorted(glob.glob(f"{self.folder}/home/{glob.escape(user)}/Maildir/new/*")):
            with open(path, "rb") as f:
                out.append(f.read())
        return out


def group_name(gid):
    return grp.getgrgid(gid).gr_name
