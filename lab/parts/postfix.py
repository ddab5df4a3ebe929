"""Postfix as a receiver, run from where it was unpacked: a listener for each
of its hosts, with that host's name and certificate. It hands everything over
unchanged, by LMTP, to the capture; which host it was the port tells.

Also `sender()`: a second instance's configuration, for trying the lab with
another MTA than Geleit (`lab/run postfix-sender`).
"""
import os
import time

import world
from parts import neighbours

USER, GROUP, UID, GID = "postfix", "postdrop", 64321, 64322

COMMON = """compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = {root}usr/sbin
daemon_directory = {root}usr/lib/postfix/sbin
shlib_directory = {root}usr/lib/postfix
meta_directory = {base}/conf
mail_owner = {user}
setgid_group = {group}
default_privs = nobody
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={libraries}
maillog_file = {base}/maillog
maillog_file_prefixes = {base}
alias_maps =
local_recipient_maps =
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128 [fd00::]/16
biff = no
in_flow_delay = 0
"""
RECEIVER = """myhostname = mx.lab.example
relay_domains = static:all
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
message_size_limit = 52428800
mailbox_size_limit = 0
# Nothing may be changed on the way to the capture.
local_header_rewrite_clients =
disable_mime_output_conversion = yes
smtp_line_length_limit = 0
lmtp_line_length_limit = 0
lmtp_dns_support_level = disabled
lmtp_host_lookup = native
lmtp_connection_cache_on_demand = no
"""
SENDER = """myhostname = {host}
inet_protocols = all
smtp_bind_address =
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane
smtp_tls_CAfile = {ca}
smtp_tls_loglevel = 1
inet_interfaces = 127.0.0.1
smtp_connect_timeout = 3s
smtp_helo_timeout = 4s
smtp_starttls_timeout = 4s
smtp_mail_timeout = 4s
smtp_rcpt_timeout = 4s
smtp_data_init_timeout = 4s
smtp_data_xfer_timeout = 4s
smtp_data_done_timeout = 4s
minimal_backoff_time = 10s
maximal_backoff_time = 20s
queue_run_delay = 5s
lmtp_tls_security_level = none
"""
SERVICES = """pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
lmtp      unix  -       -       n       -       -       lmtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def _spool(base):
    for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
              "saved", "trace"):
        os.makedirs(f"{base}/queue/{d}", mode=0o700)
        os.chown(f"{base}/queue/{d}", UID, -1)
    for d, mode in (("maildrop", 0o730), ("public", 0o710)):
        os.makedirs(f"{base}/queue/{d}")
        os.chown(f"{base}/queue/{d}", UID, GID)
        os.chmod(f"{base}/queue/{d}", mode)
    for d in ("queue/pid", "data", "conf"):
        os.makedirs(f"{base}/{d}")
    os.chown(f"{base}/data", UID, -1)


def _configure(program, base, main, master):
    _spool(base)
    common = COMMON.format(base=base, root=program.root, user=USER, group=GROUP, libraries=program.libraries)
    for name, text in (("main.cf", common + main), ("master.cf", master)):
        path = f"{base}/conf/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.utime(path, (time.time() - 60,) * 2)  # it waits for fresh files to settle
    return [program.root + "usr/lib/postfix/sbin/master", "-c", f"{base}/conf"], {
        **program.env(), "MAIL_CONFIG": f"{base}/conf"}


def receiver(program, base, state):
    """Gives the command and its environment. `base` is a folder in memory."""
    master = ""
    for h in world.HOSTS.values():
        if h.is_a == "postfix":
            cert = f"{base}/certs/{h.name}"
            master += (f"{h.address}:25 inet n - n - - smtpd\n -o myhostname={h.name}\n"
                       f" -o smtpd_tls_cert_file={cert}.pem\n -o smtpd_tls_key_file={cert}.key\n"
                       f" -o content_filter=lmtp:inet:[{world.CAPTURE}]:{neighbours.handover_port(h.name)}\n")
    command = _configure(program, base, RECEIVER, master + SERVICES)
    os.makedirs(f"{base}/certs")
    for h in world.HOSTS.values():
        if h.is_a == "postfix":
            for kind in ("pem", "key"):
                with open(f"{state}/certs/{h.name}.{kind}", "rb") as f, open(
                        f"{base}/certs/{h.name}.{kind}", "wb") as g:
                    g.write(f.read())
    return command


def sender(program, base, state):
    listen = "127.0.0.7:25 inet n - n - - smtpd\n"
    return _configure(program, base, SENDER.format(host="other.geleit-lab.example", ca=f"{state}/ca.pem"),
                      listen + SERVICES)
