"""Subscribing, delivering and answering by command, over a small shop whose signal is known."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connectors.log import EventLog
from connectors.store import open_store

ALERTS = """
[alerts]
url = "http://127.0.0.1:8321"
sender = "vigie@exemple.test"
mailbox = "mailbox"
"""
CSV = """\
subscriber;to;perimeters;rhythm;quiet;history;min_evidence
Lille;lille@exemple.test;Lille centre;;20:00-07:30;oui;0,5
Nord;nord@exemple.test;mag/nord|Lens;weekly;;non;
"""
PLANTED = ("--perimeter", "mag", "--kind", "emergence", "--history", "--weekly-cap", "1")
"""Asks for the signal of the stuck gate: should there be others, it is the strongest."""
BAD = """\
subscriber,to,perimeters,rhythm,quiet,themes,weekly_cap,digest_at
,lille,Lille centre,immediate,,,,
Nord,nosuch://canari-token,Paris,hourly,20:00,rainbow,0,25:00
Nord,nord@exemple.test,Lens,weekly,,,,,,too,many
"""


@pytest.fixture(scope="module")
def settings(shop: ModuleType) -> Iterator[Path]:
    """A shop that was ingested and replayed, its store kept open so that commands find the server running."""
    folder = Path(tempfile.mkdtemp(prefix="vigie-alerts-"))
    file: Path = shop.write_shop(folder)
    file.write_text(shop.SETTINGS.replace("\n[[source]]", f"{ALERTS}\n[[source]]", 1), "utf-8")
    assert shop.run("ingest", "--settings", file).exit_code == 0
    with open_store(None, data=folder / "store"):
        assert shop.run("replay", "--engine", "plain", "--settings", file).exit_code == 0
        yield file
    shutil.rmtree(folder)


@pytest.fixture
def vigie(settings: Path, shop: ModuleType) -> Any:
    def run(*arguments: str, code: int = 0) -> Any:
        result = shop.run(*arguments, "--settings", settings)
        assert result.exit_code == code, result.stderr
        return result

    return run


def as_json(result: Any) -> Any:
    return json.loads(result.stdout)


def mails(settings: Path) -> list[EmailMessage]:
    files = sorted((settings.parent / "mailbox").glob("*.eml"))
    read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [mail for mail in read if isinstance(mail, EmailMessage)]


def test_subscriptions_of_a_csv_are_kept_all_or_none_and_once(vigie: Any, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(CSV, "utf-8")
    bad.write_text(BAD, "utf-8")
    refused = vigie("subscribe", "--import", str(bad), code=9).stderr
    faults = refused.splitlines()
    for line, words in (
        (2, "subscriber: is missing"),
        (2, "to: must be an e-mail address"),
        (3, "perimeters has 'Paris'"),
        (3, "rhythm is 'hourly'; must be 'immediate', 'daily' or 'weekly'"),
        (3, "quiet is '20:00'; must be two times of day"),
        (3, "themes has 'rainbow'; must be of "),
        (3, "weekly_cap is '0'; must be 1 at least"),
        (3, "digest_at is '25:00'; must be a time of day"),
        (4, "has more values than the file has columns"),
    ):
        assert any(f"{bad}:{line}: {words}" in fault for fault in faults), (line, words, faults)
    assert "canari" not in refused
    assert as_json(vigie("subscriptions", "--json")) == []
    ids = [
        [one["subscription_id"] for one in as_json(vigie("subscribe", "--import", str(good), "--json"))]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    lille, nord = as_json(vigie("subscriptions", "--json"))
    assert (lille["perimeters"], lille["quiet_from"], lille["min_evidence"]) == (
        ["mag/nord/lille"],
        "20:00:00",
        0.5,
    )
    assert (nord["perimeters"], nord["rhythm"]) == (["mag/nord", "mag/nord/lens"], "weekly")
    for one in ids[0]:
        vigie("unsubscribe", one[:6])
    assert "had ended already" in vigie("unsubscribe", ids[0][0]).stderr
    assert as_json(vigie("subscriptions", "--json")) == []
    assert len(as_json(vigie("subscriptions", "--ended", "--json"))) == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"subscriber,to\n", ":1: there is no column perimeters"),
        (b"subscriber,to,perimeters,colour\nx,y,z,a\n", ":1: column 'colour' is unknown"),
        (b"subscriber,to,perimeters,to\nx,y,z,a\n", ":1: column to stands twice"),
        (b"subscriber,to,perimeters\n", "holds no subscription"),
        (b"\xff\xfe", "is not UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_csv_that_is_none_is_told_as_such(
    vigie: Any, tmp_path: Path, content: bytes | None, fault: str
) -> None:
    file = tmp_path / "subscriptions.csv"
    if content is not None:
        file.write_bytes(content)
    assert fault in vigie("subscribe", "--import", str(file), code=9).stderr


def test_options_are_read_like_a_csv(vigie: Any, tmp_path: Path) -> None:
    address = tmp_path / "hook"
    address.write_text("json://127.0.0.1/canari-token\n", "utf-8")
    made = vigie(
        *("subscribe", "--subscriber", "Siège", "--to-file", str(address), "--perimeter", "mag"),
        *("--dimension", "trust", "--dimension", "conformity", "--kind", "silence", "--no-descendants"),
        *("--lang", "en", "--rhythm", "daily", "--digest-at", "7:15", "--weekly-cap", "2", "--json"),
    )
    (one,) = as_json(made)
    assert one["to"] == "json://..."
    assert (one["dimensions"], one["kinds"], one["descendants"]) == (
        ["trust", "conformity"],
        ["silence"],
        False,
    )
    assert (one["digest_at"], one["weekly_cap"], one["timezone"]) == ("07:15:00", 2, "Europe/Paris")
    assert "canari" not in made.stdout + vigie("subscriptions").stdout
    vigie("unsubscribe", one["subscription_id"])
    refused = vigie("subscribe", "--subscriber", "x", code=9).stderr
    assert "to: is missing" in refused
    assert "perimeters: is missing" in refused
    assert "no subscription begins with 'ffff'" in vigie("unsubscribe", "ffff", code=9).stderr


def check_days(settings: Path, signal_id: str) -> None:
    """What boards show of it day by day: counts that grow by the minimum, evidence that crosses its bar."""
    with open_store(None, data=settings.parent / "store") as store:
        least = store.signals()[0]["min_authors"]
        days = store.connection.execute(
            "SELECT at, observed, evidence, threshold FROM vigie_boards.signal_day"
            " WHERE signal_id = %s ORDER BY at",
            (signal_id,),
        ).fetchall()
        (raised_at,) = store.connection.execute(
            "SELECT raised_at FROM vigie_boards.signal WHERE signal_id = %s", (signal_id,)
        ).fetchone() or (None,)
    counts = [observed for _, observed, _, _ in days if observed]
    assert counts == sorted(counts)
    assert counts
    assert all(count % least == 0 for count in counts)
    crossed = [at for at, _, evidence, threshold in days if evidence is not None and evidence >= threshold]
    assert crossed[0] == raised_at


def test_a_signal_is_delivered_with_its_picture_and_answered(settings: Path, vigie: Any) -> None:
    vigie("subscribe", "--subscriber", "Direction", "--to", "direction@exemple.test", *PLANTED)
    assert as_json(vigie("deliver", "--json")) == {"sent": 1, "failed": 0, "dead": 0, "withdrawn": 0}
    assert "0 messages sent" in vigie("deliver").stderr
    (mail,) = mails(settings)
    assert mail["To"] == "direction@exemple.test"
    assert "portillon" in mail["Subject"]
    assert [part.get_content_type() for part in mail.walk()].count("image/png") == 1
    (sent,) = as_json(vigie("outbox", "--json"))
    raised = sent["signals"][0]["signal_id"]
    assert sent["state"] == "sent"
    check_days(settings, raised)
    assert sent["message_id"][:8] in vigie("outbox").stdout
    assert as_json(vigie("outbox", "--state", "dead", "--json")) == []
    assert "no message that was given up" in vigie("outbox", "retry", "abc", code=9).stderr
    assert as_json(vigie("outbox", "retry", "--json")) == {"due": 0}
    said = ("--by", "Zoé", "--comment", "appelez le 06 12 34 56 78")
    assert "is acknowledged" in vigie("signals", "acknowledge", raised[:8], *said).stderr
    assert as_json(vigie("signals", "acknowledge", raised, *said, "--json"))["kept"] is False
    vigie("signals", "comment", raised, "--by", "Zoé", "--comment", "vu sur place")
    vigie("signals", "dismiss", raised, "--by", "Ali")
    vigie("signals", "confirm", raised, "--by", "Ali")
    assert as_json(vigie("signals", "resolve", raised, "--by", "Zoé", "--json"))["state"] == "resolved"
    (listed,) = [row for row in as_json(vigie("signals", "--json")) if row["signal_id"] == raised]
    assert listed["state"] == "resolved"
    assert "resolved" in vigie("signals").stdout
    shown = as_json(vigie("signals", "show", raised, "--json"))
    assert [done["action"] for done in shown["actions"]] == [
        "acknowledge",
        "comment",
        "dismiss",
        "confirm",
        "resolve",
    ]
    assert shown["actions"][0]["comment"] == "appelez le [phone]"
    assert "Zoé, comment: vu sur place" in vigie("signals", "show", raised).stdout
    assert (
        "the comment is empty"
        in vigie("signals", "comment", raised, "--by", "x", "--comment", " ", code=9).stderr
    )


def test_verdicts_become_decisions_of_the_log(settings: Path, vigie: Any) -> None:
    (acted,) = [row for row in as_json(vigie("signals", "--json")) if row["state"] != "open"]
    vigie("ingest")
    chain = EventLog(settings.parent / "log").decisions()
    decided = [manifest.decision for manifest in chain if manifest.decision is not None]
    verdicts = [dict(one.payload) for one in decided if one.kind == "verdict"]
    assert [(one["signal_id"], one["judgement"]) for one in verdicts] == [
        (acted["signal_id"], "dismiss"),
        (acted["signal_id"], "confirm"),
    ]
    assert "Ali" not in json.dumps(verdicts)
    assert list((settings.parent / "log" / "inbox").iterdir()) == []


def test_the_links_are_answered_by_serve(settings: Path, vigie: Any) -> None:
    text = mails(settings)[0].get_body(("plain",))
    assert text is not None
    links = re.findall(r"http://127\.0\.0\.1:8321(/[su]/\S+)", text.get_content())
    command = [sys.executable, "-m", "pipelines", "serve", "--port", "0", "--settings", str(settings)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    ) as server:
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            found = re.match(r"listening on (http://127\.0\.0\.1:\d+); links begin with http", line)
            assert found is not None, line
            with urllib.request.urlopen(found[1] + links[0], timeout=30) as page:
                assert "portillon" in page.read().decode()
            with urllib.request.urlopen(found[1] + links[1], data=b"List-Unsubscribe=One-Click", timeout=30):
                pass
            with pytest.raises(urllib.error.HTTPError) as gone:
                urllib.request.urlopen(found[1] + links[0], timeout=30)
            assert gone.value.code == 410
            gone.value.close()
        finally:
            server.terminate()
            rest = server.stderr.read() if server.stderr else ""
            assert server.wait(timeout=60) == 0
    # The addresses are what lets somebody act: they are not logged.
    assert links[0].split("/")[2] not in line + rest
    assert as_json(vigie("subscriptions", "--json")) == []


def test_without_a_way_for_mail_nothing_is_attempted(settings: Path, vigie: Any, shop: ModuleType) -> None:
    plain = settings.with_name("plain.toml")
    plain.write_text(settings.read_text("utf-8").replace('mailbox = "mailbox"', ""), "utf-8")
    vigie("subscribe", "--subscriber", "x", "--to", "x@exemple.test", *PLANTED)
    result = shop.run("deliver", "--settings", plain)
    assert result.exit_code == 9
    assert "alerts.smtp_host" in result.stderr
    secret = settings.with_name("smtp-password")
    secret.write_text("canari", "utf-8")
    secret.chmod(0o644)
    plain.write_text(
        plain.read_text("utf-8").replace(
            "[alerts]", '[alerts]\nsmtp_host = "127.0.0.1"\nsmtp_password_file = "smtp-password"'
        ),
        "utf-8",
    )
    result = shop.run("deliver", "--settings", plain)
    assert result.exit_code == 9
    assert "mode 0644" in result.stderr
    secret.chmod(0o600)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        plain.write_text(
            plain.read_text("utf-8").replace(
                "[alerts]", f"[alerts]\nsmtp_port = {taken.getsockname()[1]}\nsmtp_security = 'none'"
            ),
            "utf-8",
        )
        result = shop.run("deliver", "--no-pictures", "--settings", plain)
    assert result.exit_code == 0
    assert "1 message could not leave and will be tried again" in result.stderr
    assert "ConnectionRefusedError" in result.stderr
    assert "canari" not in result.stderr + result.stdout


def test_following_delivers_what_comes_until_interrupted(settings: Path, vigie: Any) -> None:
    (one,) = as_json(vigie("subscriptions", "--json"))
    vigie("unsubscribe", one["subscription_id"])
    command = [sys.executable, "-m", "pipelines", "deliver", "--follow", "--every", "1", "--no-pictures"]
    here = Path(__file__).parents[1]
    with subprocess.Popen(
        [*command, "--settings", str(settings)], stderr=subprocess.PIPE, text=True, cwd=here
    ) as following:
        try:
            assert following.stderr is not None
            vigie("subscribe", "--subscriber", "y", "--to", "y@exemple.test", *PLANTED)
            # Subscribed after it began: it looks again.
            assert following.stderr.readline() == "1 message sent\n"
            assert "by another process" in vigie("deliver", code=9).stderr
            following.send_signal(signal.SIGINT)
            assert following.wait(timeout=60) == 130
        finally:
            following.kill()
    assert [mail["To"] for mail in mails(settings)].count("y@exemple.test") == 1


def test_a_place_that_is_taken_is_told(vigie: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert (
            f"cannot listen on 127.0.0.1:{port}: Address already in use"
            in vigie("serve", "--port", port, code=9).stderr
        )
