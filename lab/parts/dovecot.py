"""Dovecot as a neighbour: the Debian package, unpacked, over /usr in a mount
namespace of its own (its paths are compiled in), in the foreground, with a
configuration of the test. Needs root.
"""
import contextlib
import os
import signal
import subprocess

from . import namespace, packages

CONF = """
base_dir = {folder}/run
log_path = {folder}/log
ssl = no
protocols = {protocols}
default_login_user = nobody
default_internal_user = root
default_internal_group = root
auth_mechanisms = plain login scram-sha-256
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/passwd
}}
userdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
service auth {{
  unix_listener geleit-auth {{
    mode = 0666
  }}
  unix_listener geleit-userdb {{
    mode = 0666
  }}
}}
{more}
"""


class Dovecot:
    """`users`: name to password. Sockets: .auth, .userdb"""

    def __init__(self, folder, users, protocols="", more=""):
        self.folder, self.process = str(folder), None
        self.auth, self.userdb = f"{self.folder}/run/geleit-auth", f"{self.folder}/run/geleit-userdb"
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/passwd", "w", encoding="utf-8") as f:
            for name, password in users.items():
                f.write(f"{name}:{{PLAIN}}{password}:65534:65534::{self.folder}\n")
        with open(f"{self.folder}/dovecot.conf", "w", encoding="utf-8") as f:
            f.write(CONF.format(folder=self.folder, protocols=protocols, more=more))

    def start(self):
        program = packages.find("dovecot")
        command = [program.path, "-F", "-c", f"{self.folder}/dovecot.conf"]
        if program.root != "/":
            over = f"mount -t overlay overlay -o lowerdir={program.root}usr:/usr /usr"
            command = ["unshare", "-m", "sh", "-c", over + ' && exec "$@"', "sh", "/usr/sbin/dovecot", *command[1:]]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=namespace.die_with_parent,
                                        start_new_session=True)
        return self

    def stop(self):
        """All of it: its auth process would go on for clients that it has."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
