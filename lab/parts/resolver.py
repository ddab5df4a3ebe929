"""Unbound as the namespace's validating resolver, for senders that have none
of their own (Geleit has). It learns the lab's root from the same two files.
"""
import os

import world

CONF = """server:
  interface: {address}
  do-ip6: yes
  username: ""
  chroot: ""
  directory: "{own}"
  pidfile: "{own}/unbound.pid"
  use-syslog: no
  logfile: ""
  root-hints: "{state}/root.hints"
  trust-anchor-file: "{state}/anchor"
  do-not-query-localhost: no
  module-config: "validator iterator"
  num-threads: 1
  infra-cache-max-rtt: 1000
  access-control: 127.0.0.0/8 allow
  local-zone: "127.in-addr.arpa." nodefault
remote-control:
  control-enable: no
"""


def build(state):
    own = os.path.join(state, "unbound")
    os.makedirs(own, exist_ok=True)
    path = os.path.join(own, "unbound.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(CONF.format(address=world.RESOLVER, own=own, state=state))
    return path
