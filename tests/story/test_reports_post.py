"""TLS reports that leave by HTTPS POST: to each destination once, whatever it answers first, and
never to where a stranger's record must not lead."""
import base64
import gzip
import json
import os
import re

import alone
import lab as lab_
from test_reports import OPTIONS, clock, deliver, reports  # noqa: F401
from virtual import DAY, HOUR

POSTING = {**OPTIONS, "report.post_inside": True, "report.post_timeout": "2s"}


def told(server, event):
    """[(destination, why)] of the reports that this became of."""
    return [(re.search(r'to="?([^" ]+)', line)[1], (re.search(r'why="([^"]*)"', line) or ["", ""])[1])
            for line in alone.log_lines(server, event)]


def posts(lab, host, about):
    """(post, document) of those about the domain."""
    out = []
    for p in lab.posts(host + ".reports.example"):
        document = json.loads(gzip.decompress(base64.b64decode(p["body"])))
        if document["policies"][0]["policy"]["policy-domain"] == about:
            out.append((p, document))
    return out


def wait(server, true, patience=20):
    assert lab_.until(true, patience, 0.1), server.log_end()


def states(server, about):
    """{destination: (state, why)} as the history has them; the latest day's."""
    with alone.contextlib.closing(alone.sqlite3.connect(f"file:{server.store}/history.db?mode=ro", uri=True)) as db:
        return {uri: (state, why) for uri, state, why in
                db.execute("SELECT uri, state, why FROM sent WHERE domain = ? ORDER BY day", (about,))}


def answer(lab, status):
    """What the host `told` says from now on."""
    path = os.path.join(lab.state, "post-answer")
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(str(status))
    os.replace(path + ".new", path)


LATER, SENT, NEVER = range(3)


def test_a_report_is_posted_and_mailed(clock, geleit, lab):  # noqa: F811
    server = geleit(options=POSTING)
    deliver(server, "post.example", "one")
    clock.move(700)
    wait(server, lambda: posts(lab, "good", "post.example"))
    (post, document), = posts(lab, "good", "post.example")
    assert post["request"] == "POST /v1/report?from=lab HTTP/1.1"
    assert post["fields"]["content-type"] == "application/tlsrpt+gzip"
    assert post["fields"]["host"] == post["sni"] == "good.reports.example"
    assert document["organization-name"] == "Geleit Lab" and document["contact-info"] == OPTIONS["report.from"]
    assert document["policies"][0]["policy"]["policy-type"] == "no-policy-found"
    assert document["policies"][0]["summary"] == {"total-successful-session-count": 1,
                                                  "total-failure-session-count": 0}
    wait(server, lambda: reports(lab, "post.example"))
    wait(server, lambda: [s for s, _ in states(server, "post.example").values()] == [SENT, SENT])
    assert ("https://good.reports.example/v1/report?from=lab#part", "status 201") in told(server, "report-posted")
    assert not told(server, "report-not-sent") and not told(server, "report-put-off")
    clock.move(2 * HOUR)
    server.stop()
    server.start()
    clock.move(2 * HOUR)
    lab_.until(lambda: len(posts(lab, "good", "post.example")) > 1, 3)
    assert len(posts(lab, "good", "post.example")) == 1, "a report was posted twice"


def test_one_bad_destination_stops_no_other(clock, geleit, lab):  # noqa: F811
    server = geleit(options=POSTING)
    deliver(server, "post-odd.example", "odd")
    clock.move(700)
    wait(server, lambda: posts(lab, "good", "post-odd.example"), 30)
    (behind, _), = posts(lab, "good", "post-odd.example")
    assert behind["request"] == "POST /behind HTTP/1.1"
    wait(server, lambda: len(states(server, "post-odd.example")) == 9)
    became = states(server, "post-odd.example")

    def is_now(host, state, text):
        (got, why), = [became[uri] for uri in became if host in uri]
        assert got == state and text in why, (host, got, why)
    is_now("redirect", LATER, "status 307, and redirects are not followed")
    is_now("never", LATER, "no answer in time")
    is_now("127.0.0.1", NEVER, "its host is none")
    is_now("refuse", LATER, "")
    is_now("gone", LATER, "no address")
    is_now("slow", SENT, "status 201")
    is_now("behind", SENT, "status 201")
    is_now("mailto", SENT, "queued as ")
    lines = alone.log_lines(server, "about=post-odd.example")
    order = [next(i for i, line in enumerate(lines) if "." + host in line) for host in ("example/behind", "example/n ")]
    assert order == sorted(order), "a host that does not answer held up another"
    # RFC 8460 §3: it may have trouble with certificates, and is to hear of it.
    is_now("self.", SENT, "status 201; its certificate is not valid: self")
    assert [to for to, _ in told(server, "report-certificate")] == ["https://self.reports.example:8443/self"]
    (post, _), = posts(lab, "self", "post-odd.example")
    assert post["fields"]["host"] == "self.reports.example:8443"
    (post, _), = posts(lab, "slow", "post-odd.example")
    assert post["request"] == "POST / HTTP/1.1"
    # What is tried again a day later is given up then, and said once.
    clock.move(DAY)
    wait(server, lambda: states(server, "post-odd.example")["https://never.reports.example/n"][0] == NEVER, 30)
    wait(server, lambda: len(told(server, "report-not-sent")) == 5)
    became = states(server, "post-odd.example")
    is_now("redirect", NEVER, "given up after a day: status 307")
    is_now("refuse", NEVER, "given up after a day: ")
    is_now("slow", SENT, "status 201")
    before = len(posts(lab, "never", "post-odd.example"))
    clock.move(2 * HOUR)
    lab_.until(lambda: len(posts(lab, "never", "post-odd.example")) > before, 3)
    assert len(posts(lab, "never", "post-odd.example")) == before
    assert len(told(server, "report-not-sent")) == 5


def test_a_post_is_tried_again_over_a_restart_and_counted(clock, geleit, lab):  # noqa: F811
    answer(lab, 500)
    server = geleit(options=POSTING)
    deliver(server, "post-told.example", "told")
    clock.move(700)
    wait(server, lambda: ("https://told.reports.example/t", "status 500") in told(server, "report-put-off"))
    wait(server, lambda: reports(lab, "post-told.example"))
    server.stop()
    server.start()
    wait(server, lambda: len(posts(lab, "told", "post-told.example")) == 2)
    wait(server, lambda: len(told(server, "report-put-off")) == 2)
    answer(lab, 201)
    clock.move(70)
    wait(server, lambda: told(server, "report-posted"))
    clock.move(3 * HOUR)
    lab_.until(lambda: len(posts(lab, "told", "post-told.example")) > 3, 3)
    all_of_it = posts(lab, "told", "post-told.example")
    assert [p["status"] for p, _ in all_of_it] == [500, 500, 201]
    assert len({d["report-id"] for _, d in all_of_it}) == 1
    assert len(reports(lab, "post-told.example")) == 1, "what was mailed was mailed again"


def test_no_record_leads_inside(clock, geleit, lab):  # noqa: F811
    before = len(lab.posts())
    server = geleit(options={**POSTING, "report.post_inside": False})
    deliver(server, "post.example", "inside")
    clock.move(700)
    wait(server, lambda: told(server, "report-not-sent"))
    (to, why), = told(server, "report-not-sent")
    assert to.startswith("https://good.") and "no address of the Internet" in why
    wait(server, lambda: told(server, "report-queued"))  # the other destination has its mail
    assert len(lab.posts()) == before


def test_mail_that_nobody_takes_is_said(clock, geleit):  # noqa: F811
    server = geleit(options=POSTING)
    deliver(server, "post-lost.example", "lost")
    clock.move(700)
    wait(server, lambda: len(told(server, "report-queued")) == 2)
    lost = {to: why.split()[-1] for to, why in told(server, "report-queued")}  # the ids of the mails

    def said():
        return [re.search(r"id=(\S+)", line)[1] for line in alone.log_lines(server, "report-not-delivered")]
    wait(server, lambda: said() == [lost["mailto:tls@never-rcpt.odd.example"]])
    clock.move(DAY)
    wait(server, lambda: said()[1:] == [lost["mailto:tls@later-rcpt.odd.example"]])
    assert alone.emptied(server)


def test_many_posts_and_a_fetcher_that_dies(clock, geleit, lab):  # noqa: F811
    server = geleit(options={**POSTING, "report.post_timeout": "10s"})
    deliver(server, "post-many.example", "many")
    clock.move(700)
    wait(server, lambda: posts(lab, "slow", "post-many.example"))
    alone.kill(alone.role_pids(server, "fetcher"))
    wait(server, lambda: told(server, "report-put-off"))
    wait(server, lambda: len(states(server, "post-many.example")) == 12, 30)
    wait(server, lambda: alone.log_lines(server, "reports-sent"))
    clock.move(70)
    wait(server, lambda: [s for s, _ in states(server, "post-many.example").values()] == [SENT] * 12, 30)
    arrived = [p["request"].split()[1] for p, _ in posts(lab, "slow", "post-many.example")]
    assert set(arrived) == {f"/{i}" for i in range(12)}
    assert len(told(server, "report-posted")) == 12, "what was noted as posted was posted again"
