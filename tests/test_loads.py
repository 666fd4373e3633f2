"""What the log's notes tell of loads: written and read back, and what one load left out at most."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from connectors.contract import Accounting
from connectors.events import EVENT
from connectors.loads import accounts_of, load_note, most_told, session_note
from connectors.log import EventLog, LogWriter

T0 = datetime(2024, 3, 1, tzinfo=UTC)
AVIS = Accounting(9, 3, 1, {"bounce": 2, "newsletter": 1}, {"bad_date": 2})
MAIL = Accounting(read=2, set_aside={"bounce": 2})


def test_an_accounting_comes_back_from_the_log_as_it_was() -> None:
    assert AVIS.closes()
    assert accounts_of(load_note("avis", "k", AVIS)) == {"avis": AVIS}
    assert accounts_of(load_note("avis", "k")) == {}
    idle = Accounting()
    assert accounts_of(session_note("k", "s", {"avis": AVIS, "mail": MAIL, "idle": idle})) == {
        "avis": AVIS,
        "mail": MAIL,
    }


def test_the_segments_of_a_session_are_one_load(tmp_path: Path) -> None:
    notes = [
        load_note("mail", "k", MAIL),
        session_note("k", "morning", {"mail": MAIL, "avis": AVIS}),
        session_note("k", "morning", {"mail": MAIL}),
        session_note("k", "noon", {"mail": Accounting(read=1, set_aside={"bounce": 1})}, {"mail": "morning"}),
        session_note("k", "evening", {"mail": Accounting(read=3, set_aside={"bounce": 1, "empty": 2})}),
    ]
    with LogWriter(tmp_path / "log", now=lambda: T0) as log:
        for note in notes:
            log.append_live(EVENT.empty_table(), note=note)
    assert most_told(EventLog(tmp_path / "log")) == {
        "mail": Counter({("set aside", "bounce"): 5, ("set aside", "empty"): 2}),
        "avis": Counter(
            {("set aside", "bounce"): 2, ("set aside", "newsletter"): 1, ("quarantined", "bad_date"): 2}
        ),
    }
