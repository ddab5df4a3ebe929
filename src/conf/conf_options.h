// The table of options; included by conf.h and conf_schema.c with X defined.
// Lists hold strings; an entry's form is in its sentence.
//
// X(id, name, type, least, most, default, choices, roles, check, sentence)
#define ALL CONF_EVERYONE

X(hostname, "hostname", CONF_STRING, 0, 253, "", NULL, ALL, conf_check_hostname,
  "Name of this host, as in the greeting, EHLO, Received and Authentication-Results; empty: the system's.")
X(log_level, "log.level", CONF_CHOICE, 0, 0, "info", conf_log_levels, ALL, NULL,
  "Least level of what is written to the log.")
X(user, "user", CONF_STRING, 0, 64, "", NULL, CONF_MASTER, NULL,
  "User the roles become when started as root; empty: they stay who they are.")

X(smtp_listen, "smtp.listen", CONF_LIST, 0, 0, "0.0.0.0:25,[::]:25", NULL, CONF_MASTER | CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, conf_check_endpoint,
  "Addresses to receive mail on, \"address:port\".")
X(smtp_receivers, "smtp.receivers", CONF_INT, 0, 256, "0", NULL, CONF_MASTER, NULL,
  "Receiver processes; 0: one for every two processors, at least one.")
X(smtp_max_size, "smtp.max_size", CONF_SIZE, 65536, INT64_C(4) << 30, "50M", NULL, CONF_RECEIVER, NULL,
  "Largest message accepted.")
X(smtp_max_recipients, "smtp.max_recipients", CONF_INT, 100, 10000, "1000", NULL, CONF_RECEIVER, NULL,
  "Recipients of one message (RFC 5321 asks for at least 100).")
X(smtp_max_errors, "smtp.max_errors", CONF_INT, 1, 1000, "20", NULL, CONF_RECEIVER, NULL,
  "Refused commands in a session before it is ended.")
X(smtp_max_messages, "smtp.max_messages", CONF_INT, 1, 1000000, "1000", NULL, CONF_RECEIVER, NULL,
  "Messages in a session before it is ended.")
X(smtp_max_hops, "smtp.max_hops", CONF_INT, 10, 1000, "100", NULL, CONF_RECEIVER, NULL,
  "Received fields in a message that make it a loop (RFC 5321 section 6.3).")
X(smtp_max_sessions, "smtp.max_sessions", CONF_INT, 1, 1000000, "10000", NULL, CONF_RECEIVER, NULL,
  "Sessions at once in one receiver.")
X(smtp_command_timeout, "smtp.command_timeout", CONF_DURATION, SECONDS(1), SECONDS(3600), "5m", NULL, CONF_RECEIVER, NULL,
  "Patience for a client's next command (RFC 5321 section 4.5.3.2.7).")
X(smtp_data_timeout, "smtp.data_timeout", CONF_DURATION, SECONDS(1), SECONDS(3600), "3m", NULL, CONF_RECEIVER, NULL,
  "Patience between two pieces of a message.")
X(smtp_session_timeout, "smtp.session_timeout", CONF_DURATION, SECONDS(1), SECONDS(86400), "2h", NULL, CONF_RECEIVER, NULL,
  "Longest session.")

X(limits_per_client, "limits.per_client", CONF_INT, 0, 1000000, "100", NULL, CONF_RECEIVER, NULL,
  "Sessions at once of one client (an IPv4 address, an IPv6 /64) in one receiver; 0: no limit. relay.networks and users have no limits of this group.")
X(limits_connects, "limits.connects", CONF_INT, 0, 1000000000, "6000", NULL, CONF_RECEIVER, NULL,
  "Connections of one client in an hour, in one receiver; 0: no limit.")
X(limits_messages, "limits.messages", CONF_INT, 0, 1000000000, "20000", NULL, CONF_RECEIVER, NULL,
  "Messages of one client in an hour, in one receiver; 0: no limit.")
X(limits_recipients, "limits.recipients", CONF_INT, 0, 1000000000, "100000", NULL, CONF_RECEIVER, NULL,
  "Recipients that one client may name in an hour, in one receiver; 0: no limit.")
X(limits_network, "limits.network", CONF_INT, 1, 65536, "8", NULL, CONF_RECEIVER, NULL,
  "How many times as much as one client all clients of its network (IPv4 /24, IPv6 /48) together may do.")
X(limits_greet_pause, "limits.greet_pause", CONF_DURATION, 0, SECONDS(60), "0", NULL, CONF_RECEIVER, NULL,
  "Wait before the greeting on smtp.listen: who talks in it is refused as an early talker; 0: no wait.")
X(limits_data_rate, "limits.data_rate", CONF_SIZE, 0, INT64_C(1) << 30, "100", NULL, CONF_RECEIVER, NULL,
  "Bytes a second that a message must come with after its first minute; 0: no limit but smtp.session_timeout.")
X(limits_stress_timeout, "limits.stress_timeout", CONF_DURATION, SECONDS(1), SECONDS(3600), "10s", NULL, CONF_RECEIVER, NULL,
  "Patience for a command in sessions that begin when three quarters of smtp.max_sessions are there.")
X(limits_dnsbl, "limits.dnsbl", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_dnsbl,
  "DNS block lists asked about clients, \"ZONE refuse\" or \"ZONE note\" (only a line in the log).")
X(limits_fcrdns, "limits.fcrdns", CONF_CHOICE, 0, 0, "ignore", conf_fcrdns, CONF_RECEIVER, NULL,
  "What comes of a client without a name that leads back to its address: ignore does not ask, note writes it to the log, refuse refuses its mail.")
X(limits_timeout, "limits.timeout", CONF_DURATION, SECONDS(1), SECONDS(60), "10s", NULL, CONF_RECEIVER, NULL,
  "Time for the DNS to say something about a client; then its mail is taken.")
X(limits_proxies, "limits.proxies", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_network,
  "Balancers that say by the PROXY protocol (version 2) who a client is, \"address/bits\"; others that do are refused.")

X(submission_listen, "submission.listen", CONF_LIST, 0, 0, "", NULL, CONF_MASTER, conf_check_endpoint,
  "Addresses to take users' mail on, in clear text until STARTTLS, \"address:port\"; port 587 is the usual one.")

X(submission_messages, "submission.messages", CONF_INT, 1, 1000000, "300", NULL, CONF_AUTHENTICATOR, NULL,
  "Messages of one user in an hour.")
X(submission_recipients, "submission.recipients", CONF_INT, 1, 10000000, "3000", NULL, CONF_AUTHENTICATOR, NULL,
  "Recipients of one user in an hour.")
X(submissions_listen, "submissions.listen", CONF_LIST, 0, 0, "", NULL, CONF_MASTER, conf_check_endpoint,
  "Addresses to take users' mail on, inside TLS from the first byte (RFC 8314 prefers it), \"address:port\"; port 465 is the usual one.")

X(users_file, "users.file", CONF_FILE, 0, 0, "", NULL, CONF_MASTER | CONF_AUTHENTICATOR, NULL,
  "File of those who may log in, as 'geleit user' writes it; empty: users in store.path.")
X(users_dovecot, "users.dovecot", CONF_FILE, 0, 0, "", NULL, CONF_AUTHENTICATOR, NULL,
  "Dovecot's authentication socket (auth-client), asked for everybody who is not in the file; empty: nobody else can log in.")
X(users_dovecot_userdb, "users.dovecot_userdb", CONF_FILE, 0, 0, "", NULL, CONF_AUTHENTICATOR, NULL,
  "Dovecot's user database socket (auth-userdb), asked whether a mailbox is there when it is not in the file; empty: only the file counts.")
X(users_timeout, "users.timeout", CONF_DURATION, SECONDS(1), SECONDS(120), "10s", NULL, CONF_AUTHENTICATOR, NULL,
  "Patience with Dovecot; then a login is put off with 454, which is not a refusal.")
X(users_failures, "users.failures", CONF_INT, 1, 100000, "20", NULL, CONF_AUTHENTICATOR, NULL,
  "Failed logins in an hour from one address (IPv6: /64) before its further ones are put off unseen.")
X(users_failures_each, "users.failures_each", CONF_INT, 1, 100000, "60", NULL, CONF_AUTHENTICATOR, NULL,
  "Failed logins in an hour for one user before further ones are put off, but from addresses that he logged in from before.")

X(relay_networks, "relay.networks", CONF_LIST, 0, 0, "127.0.0.0/8,::1/128", NULL, CONF_RECEIVER, conf_check_network,
  "Clients that may send to any destination, \"address/bits\".")
X(relay_domains, "relay.domains", CONF_LIST, 0, 0, "", NULL, CONF_MASTER | CONF_RECEIVER, conf_check_domain,
  "Domains that mail is accepted for from anyone; \".example.org\" means all below it.")

X(local_domains, "local.domains", CONF_LIST, 0, 0, "", NULL, CONF_MASTER | CONF_RECEIVER | CONF_SENDER | CONF_CONTROL, conf_check_domain,
  "Domains whose mailboxes are here: mail for them is taken from anyone and handed over by LMTP; \".example.org\" means all below it.")
X(local_lmtp, "local.lmtp", CONF_STRING, 0, 300, "", NULL, CONF_MASTER | CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, conf_check_lmtp,
  "Mailbox server of local.domains, by LMTP: \"unix:/run/dovecot/lmtp\", \"ADDRESS:PORT\" or \"HOST:PORT\".")
X(local_return_path, "local.return_path", CONF_BOOL, 0, 1, "false", NULL, CONF_SENDER, NULL,
  "Write Return-Path into what is handed to the mailbox server; Dovecot and Cyrus write it themselves.")
X(local_check, "local.check_mailboxes", CONF_BOOL, 0, 1, "true", NULL, CONF_RECEIVER, NULL,
  "Ask the users' file, and Dovecot, who has a mailbox, and refuse mail for others at once; off: whoever takes it by LMTP says so later, and the sender gets a bounce.")
X(local_postmaster, "local.postmaster", CONF_STRING, 0, 320, "", NULL, CONF_MASTER | CONF_RECEIVER, conf_check_postmaster,
  "Address of the postmaster of domains where neither an alias nor a mailbox says who that is; empty: the mailbox postmaster of that domain.")
X(local_detail, "local.detail", CONF_STRING, 0, 1, "+", NULL, CONF_MASTER | CONF_RECEIVER, conf_check_detail,
  "Character that begins a detail in local-parts: alice+news goes to alice; empty: none.")

X(alias_files, "alias.files", CONF_LIST, CONF_LIST_OF_FILES, 0, "", NULL, CONF_MASTER, NULL,
  "Files of aliases, \"ADDRESS: TARGET, TARGET\" a line; read again when they change.")
X(alias_domains, "alias.domains", CONF_LIST, 0, 0, "", NULL, CONF_MASTER | CONF_RECEIVER, conf_check_domain,
  "Domains that have aliases only and no mailboxes; \".example.org\" means all below it.")
X(alias_most, "alias.most", CONF_INT, 1, 5000, "1000", NULL, CONF_MASTER | CONF_RECEIVER, NULL,
  "Most recipients that one address may stand for; a list beyond the bounds wants a list manager.")
X(srs_domain, "srs.domain", CONF_STRING, 0, 253, "", NULL, CONF_RECEIVER, conf_check_hostname,
  "Domain of the senders of mail that an alias sends on elsewhere (SRS), so that SPF passes and bounces find back; empty: the first of local.domains or alias.domains, else hostname.")
X(srs_rewrite, "srs.rewrite", CONF_BOOL, 0, 1, "true", NULL, CONF_RECEIVER, NULL,
  "Give mail that an alias sends on elsewhere a sender of ours; off: it goes on with its own, and fails SPF there.")
X(srs_secret, "srs.secret", CONF_FILE, 0, 0, "", NULL, CONF_MASTER, NULL,
  "File of the secret in such senders, the newest in its first line; empty: srs.secret in store.path, made at the first start.")

X(auth_evaluate, "auth.evaluate", CONF_BOOL, 0, 1, "true", NULL, CONF_RECEIVER, NULL,
  "Evaluate SPF, DKIM, ARC and DMARC of what comes from clients outside relay.networks, and write Authentication-Results.")
X(auth_relayed, "auth.relayed", CONF_BOOL, 0, 1, "false", NULL, CONF_RECEIVER, NULL,
  "Evaluate what comes from relay.networks too.")
X(auth_spf, "auth.spf", CONF_CHOICE, 0, 0, "note", conf_auth_spf, CONF_RECEIVER, NULL,
  "What an SPF result of fail leads to: note writes it down and leaves the rest to DMARC, reject refuses the message unless DMARC passes or a forwarder or list of those below handled it.")
X(auth_dmarc, "auth.dmarc", CONF_CHOICE, 0, 0, "enforce", conf_auth_dmarc, CONF_RECEIVER, NULL,
  "What DMARC leads to: enforce does what the domain's owner asks for, note only writes it down, ignore does not even keep records for reports.")
X(auth_quarantine, "auth.quarantine", CONF_CHOICE, 0, 0, "header", conf_auth_quarantine, CONF_RECEIVER, NULL,
  "What a DMARC disposition of quarantine leads to: header adds X-Geleit-Quarantine, hold does and keeps the message in the queue until 'geleit queue release'.")
X(auth_from, "auth.from", CONF_CHOICE, 0, 0, "ambiguous", conf_auth_from, CONF_RECEIVER, NULL,
  "Messages that DMARC cannot judge for their From field: note writes it down, ambiguous refuses those whose readers could see different authors (several fields, domains or readings), strict those without an author's domain too.")
X(auth_trusted_forwarders, "auth.trusted_forwarders", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_network,
  "Clients whose forwarded mail is accepted though DMARC fails, \"address/bits\".")
X(auth_trusted_sealers, "auth.trusted_sealers", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_name,
  "Domains whose ARC seals are believed: what they say they received is an override when DMARC fails.")
X(auth_trusted_results, "auth.trusted_results", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_results,
  "Servers of ours whose Authentication-Results are believed, \"authserv-id address/bits\": a dmarc=pass in what they hand over is an override when DMARC fails here; they must remove forged ones (RFC 8601 section 5).")
X(auth_mailing_lists, "auth.mailing_lists", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_name,
  "Domains of mailing lists, with all below them: what SPF or DKIM shows to come from there is accepted though DMARC fails.")
X(auth_exempt, "auth.exempt", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER, conf_check_name,
  "Authors' domains, with all below them, whose DMARC policy is not enforced.")
X(auth_authserv_id, "auth.authserv_id", CONF_STRING, 0, 253, "", NULL, CONF_RECEIVER, conf_check_hostname,
  "Name in Authentication-Results, and of those that are removed as forged; empty: hostname.")
X(auth_timeout, "auth.timeout", CONF_DURATION, SECONDS(1), SECONDS(300), "30s", NULL, CONF_RECEIVER, NULL,
  "Time for the evaluation behind the end of a message; then what is not known is temperror, which never refuses anything.")
X(auth_max_signatures, "auth.max_signatures", CONF_INT, 1, 10, "10", NULL, CONF_RECEIVER, NULL,
  "DKIM signatures of a message that are verified.")
X(auth_min_rsa_bits, "auth.min_rsa_bits", CONF_INT, 1024, 4096, "1024", NULL, CONF_RECEIVER, NULL,
  "Shortest RSA key whose signatures count (RFC 8301 asks for 1024).")

X(dkim_sign, "dkim.sign", CONF_LIST, CONF_LIST_OF_FILES, 0, "", NULL, CONF_MASTER, conf_check_signer,
  "DKIM keys, \"DOMAIN SELECTOR KEYFILE\" (PEM, RSA or Ed25519): all keys of a domain sign what relay.networks send from it, and notices of our own; \"USER@DOMAIN SELECTOR KEYFILE\" signs for that author in their place.")
X(dkim_keys, "dkim.keys", CONF_FILE, 0, 0, "", NULL, CONF_MASTER | CONF_CONTROL, NULL,
  "Folder of the DKIM keys that 'geleit keys dkim' makes and looks after; empty: keys in store.path.")
X(dkim_margin, "dkim.margin", CONF_DURATION, 0, SECONDS(31536000), "7d", NULL, CONF_CONTROL, NULL,
  "How long after queue.lifetime the record of a retired DKIM key is still needed: others have queues, too.")
X(dkim_look, "dkim.look", CONF_DURATION, SECONDS(1), SECONDS(86400), "1m", NULL, CONF_CONTROL, NULL,
  "How often DNS is asked for the records of DKIM keys that wait to be published.")
X(dkim_settle, "dkim.settle", CONF_DURATION, 0, SECONDS(604800), "15m", NULL, CONF_CONTROL, NULL,
  "How long DNS must have shown a new DKIM key before it takes the place of another: not all servers of a zone change at once.")
X(dkim_below, "dkim.below", CONF_BOOL, 0, 1, "true", NULL, CONF_RECEIVER, NULL,
  "Whether a domain that has no DKIM keys is signed for with those of the nearest domain above it that has some.")
X(dkim_bounce_domain, "dkim.bounce_domain", CONF_STRING, 0, 253, "", NULL, CONF_RECEIVER, conf_check_hostname,
  "Domain whose keys sign notices of our own; empty: that of hostname.")
X(dkim_oversign, "dkim.oversign", CONF_LIST, 0, 0, "From,Subject,Date,To,Cc,Reply-To,MIME-Version,Content-Type", NULL, CONF_RECEIVER, conf_check_field,
  "Header fields that nobody can add to a signed message; From is one in any case.")
X(dkim_lifetime, "dkim.lifetime", CONF_DURATION, 0, SECONDS(31536000), "0", NULL, CONF_RECEIVER, NULL,
  "How long a signature is valid; 0: without end.")

X(tls_certificate, "tls.certificate", CONF_FILE, 0, 0, "", NULL, CONF_MASTER, NULL,
  "Certificate chain for receiving (PEM); empty: STARTTLS is not offered.")
X(tls_key, "tls.key", CONF_FILE, 0, 0, "", NULL, CONF_MASTER, NULL,
  "Private key of the certificate (PEM).")
X(tls_certificates, "tls.certificates", CONF_LIST, CONF_LIST_OF_PAIRS, 0, "", NULL, CONF_MASTER, conf_check_pair,
  "More certificates, \"CERTFILE KEYFILE\": clients that ask for a name in one of them get that one; ECDSA and RSA of the same name go side by side. Without tls.certificate the first is the default.")
X(tls_min_version, "tls.min_version", CONF_CHOICE, 0, 0, "1.2", conf_tls_versions, CONF_RECEIVER, NULL,
  "Least TLS version taken on smtp.listen; 1.0 and 1.1 are better than the clear text that old servers fall back to, and are never taken from users.")
X(tls_ticket_rotation, "tls.ticket_rotation", CONF_DURATION, 0, SECONDS(604800), "12h", NULL, CONF_MASTER | CONF_RECEIVER | CONF_WEB, NULL,
  "How long a key of session tickets is used; it is taken for as long again. 0: no tickets.")
X(tls_require, "tls.require", CONF_LIST, 0, 0, "", NULL, CONF_MASTER | CONF_RECEIVER, conf_check_require,
  "TLS that clients of smtp.listen must use, \"DOMAIN-or-NETWORK encrypt\" or \"DOMAIN-or-NETWORK verify [NAME...]\": by sender's domain (\".example.org\": all below it) or client's address/bits; verify asks for a certificate with a NAME (\".example.org\": any below it), or without one with the domain's own or one below it, for a network with that of EHLO.")
X(tls_client_ca_file, "tls.client_ca_file", CONF_FILE, 0, 0, "", NULL, CONF_MASTER, NULL,
  "Trust anchors for clients' certificates (PEM); empty: tls.ca_file, then the system's.")
X(tls_ca_file, "tls.ca_file", CONF_FILE, 0, 0, "", NULL, CONF_MASTER | CONF_SENDER | CONF_FETCHER | CONF_CONTROL | CONF_RECEIVER, NULL,
  "Trust anchors for other servers' certificates (PEM); empty: the system's.")

X(dns_trust_anchor, "dns.trust_anchor", CONF_FILE, 0, 0, "", NULL, CONF_RESOLVER | CONF_CONTROL, NULL,
  "DNSSEC trust anchor of the root; empty: that of the package dns-root-data.")
X(dns_root_hints, "dns.root_hints", CONF_FILE, 0, 0, "", NULL, CONF_RESOLVER | CONF_CONTROL, NULL,
  "Root servers; empty: the well-known ones.")
X(dns_forward, "dns.forward", CONF_LIST, 0, 0, "", NULL, CONF_RESOLVER | CONF_CONTROL, conf_check_forward,
  "Resolvers to ask instead of the authoritative servers, \"address@port\"; answers are validated all the same.")
X(dns_timeout, "dns.timeout", CONF_DURATION, SECONDS(1), SECONDS(120), "20s", NULL, CONF_RESOLVER | CONF_CONTROL, NULL,
  "Time for one question; then its answer is unknown, which is not the same as no.")

X(sts_timeout, "mta_sts.timeout", CONF_DURATION, SECONDS(1), SECONDS(300), "60s", NULL, CONF_FETCHER | CONF_CONTROL, NULL,
  "Time to fetch a policy.")
X(sts_port, "mta_sts.port", CONF_INT, 1, 65535, "443", NULL, CONF_FETCHER | CONF_CONTROL, NULL,
  "Port of policy hosts; anything but 443 is for tests.")

X(send_processes, "send.processes", CONF_INT, 0, 64, "0", NULL, CONF_MASTER, NULL,
  "Sender processes; 0: one for every two processors, at least one.")
X(send_port, "send.port", CONF_INT, 1, 65535, "25", NULL, CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, NULL,
  "Port of other mail servers; anything but 25 is for tests.")
X(send_routes, "send.routes", CONF_LIST, 0, 0, "", NULL, CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, conf_check_route,
  "Next hops that replace a domain's own: \"DOMAIN HOST[:PORT]\" (the host itself), \"DOMAIN mx:HOST\" (its MX), \"DOMAIN [ADDRESS]:PORT\", \"DOMAIN lmtp:MAILBOX-SERVER\" (as local.lmtp); DOMAIN may be \".example.org\" or \"*\".")
X(send_policy, "send.policy", CONF_LIST, 0, 0, "", NULL, CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, conf_check_policy,
  "Local TLS policy: \"DOMAIN follow|clear|opportunistic|encrypt|verify|dane-only\" or \"DOMAIN pinned SHA256-OF-SPKI\".")
X(send_addresses, "send.addresses", CONF_LIST, 0, 0, "", NULL, CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, conf_check_address,
  "Own addresses besides those listened on: a host of the MX list with one of them is ourselves.")
X(send_ipv6, "send.ipv6", CONF_BOOL, 0, 1, "true", NULL, CONF_SENDER | CONF_CONTROL | CONF_RECEIVER, NULL,
  "Connect to IPv6 addresses.")
X(send_max_hosts, "send.max_connections", CONF_INT, 1, 100, "8", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "Connections tried in one attempt.")
X(send_connect_timeout, "send.connect_timeout", CONF_DURATION, SECONDS(1), SECONDS(600), "30s", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "Time for a connection to be made.")
X(send_command_timeout, "send.command_timeout", CONF_DURATION, SECONDS(1), SECONDS(3600), "5m", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "Patience for greeting and replies (RFC 5321 section 4.5.3.2).")
X(send_end_timeout, "send.end_timeout", CONF_DURATION, SECONDS(1), SECONDS(7200), "10m", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "Patience for the reply to a whole message.")
X(send_idle, "send.idle", CONF_DURATION, 0, SECONDS(300), "2s", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "How long an open connection waits for another message.")
X(send_max_messages, "send.max_messages", CONF_INT, 1, 100000, "100", NULL, CONF_SENDER | CONF_CONTROL, NULL,
  "Messages over one connection.")

X(queue_jobs, "queue.jobs", CONF_INT, 1, 100000, "1000", NULL, CONF_QUEUE, NULL,
  "Deliveries at once.")
X(queue_per_domain, "queue.per_domain", CONF_INT, 1, 10000, "20", NULL, CONF_QUEUE, NULL,
  "Deliveries at once to one domain.")
X(queue_per_host, "queue.per_host", CONF_INT, 1, 10000, "20", NULL, CONF_QUEUE, NULL,
  "Connections at once to one host.")
X(queue_window, "queue.window", CONF_INT, 100, 10000000, "20000", NULL, CONF_QUEUE, NULL,
  "Messages the scheduler holds in memory; the rest waits in the store.")
X(queue_retry_first, "queue.retry_first", CONF_DURATION, SECONDS(1), SECONDS(86400), "5m", NULL, CONF_STORE, NULL,
  "Wait after the first failed attempt; it doubles with each. Up to a quarter is added, at random for each message.")
X(queue_retry_longest, "queue.retry_longest", CONF_DURATION, SECONDS(1), SECONDS(604800), "4h", NULL, CONF_STORE, NULL,
  "Longest wait between attempts; once it is reached, each is between three quarters of it and all of it, at random.")
X(queue_lifetime, "queue.lifetime", CONF_DURATION, SECONDS(1), SECONDS(8640000), "5d", NULL, CONF_STORE | CONF_CONTROL | CONF_RECEIVER, NULL,
  "Age at which a message that cannot be delivered is returned.")
X(queue_delay_warning, "queue.delay_warning", CONF_DURATION, 0, SECONDS(8640000), "4h", NULL, CONF_STORE, NULL,
  "Age from which the sender is told, once, with the next attempt that fails, that a message still waits; 0: never.")

X(notice_whole, "notice.whole", CONF_BOOL, 0, 1, "false", NULL, CONF_RECEIVER, NULL,
  "Whether a message that failed is returned whole where its sender did not say; else its header is (RFC 3461 section 4.3).")
X(notice_largest, "notice.largest", CONF_SIZE, 0, INT64_C(4) << 20, "1M", NULL, CONF_RECEIVER, NULL,
  "Largest message that is returned whole; of larger ones the header is, whatever was asked.")

X(store_path, "store.path", CONF_FILE, 0, 0, "/var/lib/geleit", NULL, CONF_MASTER | CONF_STORE | CONF_CONTROL | CONF_AUTHENTICATOR, NULL,
  "Folder of the queue, the history and the policies.")
X(store_history, "store.history", CONF_DURATION, SECONDS(3600), SECONDS(315360000), "90d", NULL, CONF_STORE, NULL,
  "How long decision records are kept.")

X(web_listen, "web.listen", CONF_LIST, 0, 0, "127.0.0.1:9825", NULL, CONF_MASTER, conf_check_endpoint,
  "Addresses of the page of metrics for Prometheus, http://ADDRESS:PORT/metrics, in clear text for whoever can reach them; one that is taken is left out; empty: none.")

X(report_from, "report.from", CONF_STRING, 0, 254, "", NULL, CONF_REPORTER | CONF_CONTROL, conf_check_report_address,
  "Address that reports to others are sent from; its domain needs a DKIM key of ours; empty: no reports are sent.")
X(report_addresses, "report.addresses", CONF_LIST, 0, 0, "", NULL, CONF_RECEIVER | CONF_CONTROL, conf_check_report_to,
  "Addresses that reports of others come to, as records name them in rua=; what is mailed there is taken in by this server and not delivered.")
X(report_tlsrpt, "report.tlsrpt", CONF_BOOL, 0, 1, "true", NULL, CONF_REPORTER | CONF_CONTROL, NULL,
  "Send TLS reports (RFC 8460) where domains ask for them and report.from is set.")
X(report_dmarc, "report.dmarc", CONF_BOOL, 0, 1, "true", NULL, CONF_REPORTER | CONF_CONTROL, NULL,
  "Send DMARC aggregate reports (RFC 9990) where domains ask for them and report.from is set.")
X(report_organization, "report.organization", CONF_STRING, 0, 200, "", NULL, CONF_REPORTER, NULL,
  "Name of who reports, as in the reports; empty: hostname.")
X(report_contact, "report.contact", CONF_STRING, 0, 254, "", NULL, CONF_REPORTER, conf_check_report_address,
  "Address for questions about reports, as in the reports (in TLS reports only where it is of the domain of report.from); empty: report.from.")
X(report_delay, "report.delay", CONF_DURATION, 0, SECONDS(43200), "4h", NULL, CONF_REPORTER, NULL,
  "Reports leave at a random time within this after the end of a UTC day.")
X(report_post_timeout, "report.post_timeout", CONF_DURATION, SECONDS(1), SECONDS(75), "30s", NULL, CONF_FETCHER, NULL,
  "Time for a report to be posted by HTTPS and answered.")
X(report_post_inside, "report.post_inside", CONF_BOOL, 0, 1, "false", NULL, CONF_FETCHER, NULL,
  "Post reports to addresses that are not of the Internet (loopback, private, link-local and the like), too: whoever publishes a record then reaches into your network.")
X(report_entries, "report.entries", CONF_INT, 10, 1000000, "5000", NULL, CONF_STORE, NULL,
  "Different entries that a day's report about one domain may have; what comes beyond is added up.")
X(report_retention, "report.retention", CONF_DURATION, SECONDS(259200), SECONDS(315360000), "400d", NULL, CONF_STORE, NULL,
  "How long what reports are made of is kept, and the reports of others.")
X(report_overview, "report.overview", CONF_DURATION, SECONDS(259200), SECONDS(3153600000), "3650d", NULL, CONF_STORE, NULL,
  "How long it is kept how many deliveries to a domain were protected how, by day.")
X(report_listen, "report.listen", CONF_LIST, 0, 0, "", NULL, CONF_MASTER, conf_check_endpoint,
  "Addresses where others post their TLS reports by HTTPS (RFC 8460 section 5.4), with our certificates, at the path /v1/tlsrpt or /tlsrpt; without a port: 443; one that is taken is left out, and said; empty: none.")
X(report_posts, "report.posts", CONF_INT, 1, 100000, "120", NULL, CONF_WEB, NULL,
  "Reports a minute that one client (IPv4 address, IPv6 /64) may post; beyond that it is asked to wait.")

X(roles_patience, "roles.patience", CONF_DURATION, 0, SECONDS(3600), "60s", NULL, CONF_MASTER, NULL,
  "Time in which each process has to answer the master (five times as long: the store, which waits for the disk, and the authenticator, which computes): one that hangs is ended and started again; 0: none is.")
X(control_socket, "control.socket", CONF_FILE, 0, 0, "", NULL, CONF_MASTER, NULL,
  "Unix socket that commands reach the running server by; empty: control.sock in store.path.")
X(control_group, "control.group", CONF_STRING, 0, 64, "", NULL, CONF_MASTER | CONF_CONTROL, NULL,
  "Group whose members may use it besides root and the server's own user; empty: none.")
#undef ALL
