"""The desk's pages, over a real store: what is shown to whom, what is kept, and what is refused."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from connectors.alerts.actions import LONGEST_COMMENT, Actions
from connectors.alerts.links import UNSUBSCRIBE_DAYS, LinkError, Links
from connectors.alerts.subscriptions import Subscriptions
from connectors.alerts.verdicts import Verdicts
from connectors.errors import AlertError, LogError
from connectors.log import About, LogWriter, inbox
from connectors.log.decisions import verdict_of
from connectors.secret import Secret
from connectors.store import Store, open_store
from dashboards.desk.app import Desk, make_app
from dashboards.desk.pictures import Pictures
from dashboards.desk.shown import Organisation
from dashboards.desk.words import typeset, words_of

BASE = "http://testserver"
ORGANISATION = Organisation("Enseigne <&> fils", 3, {})


class Opened:
    """The desk of a store, a browser, a clock, and subscriptions."""

    def __init__(self, store: Store, dsn: str, alerts: ModuleType) -> None:
        self.clock = alerts.Clock()
        self.links = Links(alerts.SECRET, base=BASE, days=60, now=self.clock)
        self.subscriptions = Subscriptions(store, alerts.SEALER)
        self.desk = Desk(
            open_store=lambda: open_store(dsn, data=Path("unused")),
            sealer=alerts.SEALER,
            links=self.links,
            organisation=ORGANISATION,
            redact=lambda text: text.replace("Jean", "[name]"),
            now=self.clock,
            verdicts=None,
        )
        self.browser = TestClient(make_app(self.desk), follow_redirects=False)
        self._wants = alerts.subscription

    def subscribe(self, **wishes: Any) -> str:
        return self.subscriptions.subscribe([self._wants(**wishes)], now=self.clock())[0]

    def link(self, subscription_id: str, number: int = 1) -> str:
        return self.links.signal(subscription_id, f"{number:032x}").removeprefix(BASE)


@pytest.fixture
def desk(store: Store, store_dsn: str, alerts: ModuleType) -> Iterator[Opened]:
    opened = Opened(store, store_dsn, alerts)
    with opened.browser:
        yield opened


@pytest.fixture
def told(store: Store, made: ModuleType, alerts: ModuleType) -> Callable[..., None]:
    def fill(*signals: dict[str, Any], **values: Any) -> None:
        alerts.fill(store, made, *(signals or (alerts.told_of(made, **values),)))

    return fill


def test_get_shows_and_changes_nothing(desk: Opened, told: Any, store: Store) -> None:
    told()
    link = desk.link(desk.subscribe())
    for address in (link, f"{link}?do=dismiss", f"{link}?do=nonsense&said=nonsense"):
        page = desk.browser.get(address)
        assert page.status_code == 200
        assert "le badge est refusé 1" in page.text
        assert "Sept personnes parlent" in page.text
    assert desk.browser.head(link).status_code == 200
    assert Actions(store).of(f"{1:032x}") == []


def test_post_acts_once_and_leads_back(desk: Opened, told: Any, store: Store) -> None:
    told()
    mine = desk.subscribe()
    link = desk.link(mine)
    form = {"action": "acknowledge", "comment": "vu avec Jean"}
    for said in ("saved", "repeated"):
        answer = desk.browser.post(link, data=form)
        assert answer.status_code == 303
        back = desk.browser.get(f"/s/{answer.headers['location'].split('#')[0]}")
        assert words_of("fr")[f"page.{said}"] in unescape(back.text)
    desk.clock.pass_by(days=1)
    assert desk.browser.post(link, data={"action": "dismiss", "comment": ""}).status_code == 303
    history = Actions(store).of(f"{1:032x}")
    assert [(row["action"], row["comment"], row["actor"], row["via"]) for row in history] == [
        ("acknowledge", "vu avec [name]", "Direction Nord", "link"),
        ("dismiss", None, "Direction Nord", "link"),
    ]
    assert history[1]["acted_at"] - history[0]["acted_at"] == timedelta(days=1)
    page = desk.browser.get(link).text
    assert "vu avec [name]" in page
    assert "écarté" in page
    assert Actions(store).dismissed() == {f"{1:032x}"}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"action": "comment", "comment": "  "}, 422),
        ({"action": "delete", "comment": "x"}, 422),
        ({}, 422),
        ({"action": "comment", "comment": "x" * (LONGEST_COMMENT + 1)}, 422),
        ({"action": "comment", "comment": "x" * 20_000}, 413),
    ],
)
def test_a_form_that_says_nothing_or_too_much_is_refused(
    desk: Opened, told: Any, store: Store, form: dict[str, str], status: int
) -> None:
    told()
    assert desk.browser.post(desk.link(desk.subscribe()), data=form).status_code == status
    assert Actions(store).of(f"{1:032x}") == []


def test_a_link_shows_the_perimeters_of_its_subscription_and_no_more(
    desk: Opened, told: Any, made: ModuleType, alerts: ModuleType, store: Store
) -> None:
    elsewhere = alerts.told_of(made, 2, perimeter="enseigne/sud/nice", label="autre affaire")
    told(alerts.told_of(made), elsewhere, alerts.told_of(made, 3, perimeter=alerts.LENS))
    nord, lens = desk.subscribe(), desk.subscribe(perimeters=(alerts.LENS,))
    pictured = store.signal(f"{2:032x}")
    assert pictured is not None
    Pictures(store).keep(pictured, "fr", whole="<svg/>", compact="<svg/>")
    assert desk.browser.get(desk.link(nord)).status_code == 200
    for link in (desk.link(nord, 2), desk.link(lens, 1), desk.link(nord, 9)):
        for answer in (
            desk.browser.get(link),
            desk.browser.get(f"{link}/whole.svg"),
            desk.browser.post(link, data={"action": "confirm"}),
        ):
            assert answer.status_code == 404
            assert "autre affaire" not in answer.text
    assert Actions(store).states() == {}


def test_fewer_people_than_the_minimum_of_today_are_not_shown(desk: Opened, told: Any) -> None:
    told(distinct_authors=7, voices='{"customer": 7, "field": 2}', channels='{"email": 5, "survey": 2}')
    link = desk.link(desk.subscribe())
    page = desk.browser.get(link).text
    assert "e-mail, enquête (effectifs non montrés" in page
    assert not re.search(r"e-mail 5|enquête 2", page)
    for least, status in ((7, 200), (8, 404)):
        strict = replace(desk.desk, organisation=replace(ORGANISATION, min_authors=least))
        with TestClient(make_app(strict)) as browser:
            assert browser.get(link).status_code == status
            assert browser.post(link, data={"action": "confirm"}, follow_redirects=False).status_code == (
                303 if status == 200 else 404
            )


def test_excerpts_of_a_voice_under_the_minimum_are_not_shown(
    desk: Opened, raw: psycopg.Connection, told: Any
) -> None:
    told(voices='{"customer": 6, "field": 3}')
    # As if the minimum had been lower when it was stored.
    raw.execute("UPDATE vigie.signal_evidence SET voice = 'field' WHERE excerpt LIKE '%% 1'")
    raw.execute("""UPDATE vigie.signal SET voices = '{"customer": 6, "field": 2}'""")
    page = desk.browser.get(desk.link(desk.subscribe())).text
    assert "refusé 2" in page
    assert "refusé 1" not in page


def test_what_people_wrote_is_shown_as_text(
    desk: Opened, store: Store, made: ModuleType, alerts: ModuleType
) -> None:
    alerts.fill(store, made, alerts.told_of(made), excerpt="<script>alert(1)</script> badge & co")
    link = desk.link(desk.subscribe(subscriber="<b>Direction</b>"))
    desk.browser.post(link, data={"action": "comment", "comment": "<img src=x>"})
    page = desk.browser.get(link).text
    assert "<script" not in page
    assert "<img src=x>" not in page
    assert "<b>Direction</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; badge &amp; co" in page
    assert "Enseigne &lt;&amp;&gt; fils" in page


def test_links_are_signed_expire_and_end_with_the_subscription(desk: Opened, told: Any) -> None:
    told()
    mine = desk.subscribe()
    link = desk.link(mine)
    token = link.removeprefix("/s/")
    swapped = token[:5] + ("A" if token[5] != "A" else "B") + token[6:]
    forged = Links(Secret(bytes(32)), base=BASE, days=60, now=desk.clock).signal(mine, f"{1:032x}")
    end = desk.links.unsubscribe(mine).removeprefix(BASE)
    for bad in (f"/s/{swapped}", forged.removeprefix(BASE), end.replace("/u/", "/s/"), "/s/x"):
        assert desk.browser.get(bad).status_code == 403
        assert desk.browser.post(bad, data={"action": "confirm"}).status_code == 403
    assert desk.browser.get(link.replace("/s/", "/u/")).status_code == 403
    desk.clock.pass_by(days=60)
    assert desk.browser.get(link).status_code == 200
    desk.clock.pass_by(seconds=1)
    expired = desk.browser.get(link, headers={"accept-language": "en-GB,en"})
    assert expired.status_code == 410
    assert "The link has expired" in expired.text
    # Who finds an old message can still unsubscribe.
    assert desk.browser.get(end).status_code == 200
    fresh = desk.link(mine)
    assert desk.browser.get(fresh).status_code == 200
    desk.subscriptions.end(mine, now=desk.clock())
    assert desk.browser.get(fresh).status_code == 410
    desk.clock.pass_by(days=UNSUBSCRIBE_DAYS + 1)
    with pytest.raises(LinkError, match="expired"):
        desk.links.read_unsubscribe(end.removeprefix("/u/"))


def test_unsubscribing_takes_one_post_and_a_get_only_asks(desk: Opened) -> None:
    mine, other = desk.subscribe(), desk.subscribe(to="autre@exemple.test")
    end = desk.links.unsubscribe(mine).removeprefix(BASE)
    assert "Arrêter les messages" in desk.browser.get(end).text
    assert len(desk.subscriptions.in_force()) == 2
    for _ in range(2):
        # RFC 8058, section 3.2.
        done = desk.browser.post(end, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
        assert typeset(words_of("fr")["unsubscribe.done"], "fr") in unescape(done.text)
    assert [one.id for one in desk.subscriptions.in_force()] == [other]


def test_every_answer_carries_the_headers_that_keep_a_link_private(desk: Opened, told: Any) -> None:
    told()
    link = desk.link(desk.subscribe())
    for answer in (
        desk.browser.get(link),
        desk.browser.post(link, data={"action": "confirm"}),
        desk.browser.get("/s/x"),
        desk.browser.get("/nothing"),
        desk.browser.get("/"),
        desk.browser.delete(link),
    ):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    assert desk.browser.delete(link).status_code == 405
    assert desk.browser.get("/health").text == "ok"
    assert desk.browser.get("/style.css").headers["content-type"].startswith("text/css")


def test_a_page_needs_nothing_from_elsewhere_and_no_script(desk: Opened, told: Any) -> None:
    told()
    page = desk.browser.get(desk.link(desk.subscribe())).text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"<script|style=| on[a-z]+=", page)
    assert 'name="viewport"' in page
    assert '<html lang="fr">' in page


def test_a_subscriber_reads_their_language(desk: Opened, told: Any) -> None:
    told()
    page = desk.browser.get(desk.link(desk.subscribe(lang="en"))).text
    assert "Seven people mention" in page
    assert '<html lang="en">' in page
    assert "Observé" not in page


def test_a_picture_is_shown_to_those_who_may_see_its_signal(desk: Opened, told: Any, store: Store) -> None:
    told()
    link = desk.link(desk.subscribe())
    assert "whole.svg" not in desk.browser.get(link).text
    signal = store.signal(f"{1:032x}")
    assert signal is not None
    pictures = Pictures(store)
    assert pictures.missing([(signal["signal_id"], "fr"), ("f" * 32, "fr")]) == [(signal["signal_id"], "fr")]
    pictures.keep(signal, "fr", whole="<svg>whole</svg>", compact="<svg>compact</svg>")
    assert pictures.missing([(signal["signal_id"], "fr")]) == []
    assert "whole.svg" in desk.browser.get(link).text
    for size in ("whole", "compact"):
        answer = desk.browser.get(f"{link}/{size}.svg")
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert answer.text == f"<svg>{size}</svg>"
    told(distinct_authors=9)
    assert pictures.missing([(signal["signal_id"], "fr")]) == [(signal["signal_id"], "fr")]


def test_a_store_that_is_gone_is_said_without_a_trace(desk: Opened) -> None:
    broken = replace(desk.desk, open_store=lambda: open_store("host=127.0.0.1 port=1", data=Path("unused")))
    with TestClient(make_app(broken)) as browser:
        answer = browser.get(desk.link("1" * 16))
    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


def test_a_verdict_goes_to_the_logs_inbox_without_a_name_and_nothing_is_kept_where_it_cannot(
    store: Store, alerts: ModuleType, tmp_path: Path
) -> None:
    def act(log: Path, action: str) -> bool:
        actions = Actions(store, Verdicts(log, alerts.SECRET))
        return actions.act("a" * 32, action, actor="Zoé Lenoir", comment=None, via="command", now=alerts.NOW)

    for action in ("acknowledge", "dismiss", "dismiss", "confirm", "resolve"):
        act(tmp_path, action)
    asked = [json.loads(file.read_text("utf-8")) for file in (tmp_path / "inbox").iterdir()]
    assert sorted(one["payload"]["judgement"] for one in asked) == ["confirm", "dismiss"]
    assert {one["payload"]["signal_id"] for one in asked} == {"a" * 32}
    assert "Zoé" not in json.dumps(asked, ensure_ascii=False)
    assert len({one["payload"]["by"] for one in asked}) == 1
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LogError):
        act(tmp_path / "file", "dismiss")
    assert [row["action"] for row in Actions(store).of("a" * 32)] == [
        "acknowledge",
        "dismiss",
        "confirm",
        "resolve",
    ]


def test_a_verdict_says_what_the_signal_was_about_and_the_page_what_it_taught(
    desk: Opened, told: Any, store: Store, alerts: ModuleType, tmp_path: Path
) -> None:
    subjects = ("00000000000000ab", "00000000000000ff")
    taught = {"dismissed": 3, "confirmed": 0, "times": 4.0, "since": "2024-03-12"}
    told(explained={"subjects": subjects, "taught": taught})
    page = unescape(desk.browser.get(desk.link(desk.subscribe())).text)
    assert "Écarté 3 fois ici\u00a0: il faut 4 fois plus de preuves depuis le 12/03/2024." in page
    actions = Actions(store, Verdicts(tmp_path, alerts.SECRET))
    actions.act(f"{1:032x}", "dismiss", actor="Zoé", comment=None, via="command", now=alerts.NOW)
    with LogWriter(tmp_path, now=lambda: alerts.NOW) as log:
        (decided,) = inbox.answer(log, lambda _: None)
    assert decided.decision is not None
    verdict = verdict_of(decided.decision)
    assert verdict is not None
    assert verdict.about == About(alerts.LILLE, "emergence", subjects)
    assert verdict.judged_at == alerts.NOW


def test_actions_are_added_and_never_changed(
    store: Store, raw: psycopg.Connection, alerts: ModuleType
) -> None:
    actions = Actions(store)

    def act(action: str, who: str = "Zoé", comment: str | None = None) -> bool:
        return actions.act("a" * 32, action, actor=who, comment=comment, via="command", now=alerts.NOW)

    assert act("acknowledge")
    assert not act("acknowledge")
    assert act("comment", comment="en cours")
    assert act("confirm", "Ali")
    assert act("resolve")
    (state,) = actions.states().values()
    assert (state["state"], state["verdict"], state["comments"]) == ("resolved", "confirmed", 1)
    assert state["acknowledged_at"] == state["resolved_at"] == alerts.NOW
    assert actions.dismissed() == frozenset()
    for statement in (
        "UPDATE vigie.actions SET actor = 'x'",
        "DELETE FROM vigie.actions",
        "TRUNCATE vigie.actions",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            raw.execute(statement.encode())
    assert len(actions.of("a" * 32)) == 4
    for action, who, comment, rule in (
        ("comment", "x", " ", "empty"),
        ("erase", "x", None, "acknowledge, comment"),
        ("confirm", " ", None, "who and when"),
        ("confirm", "x", "y" * (LONGEST_COMMENT + 1), "2000"),
    ):
        with pytest.raises(AlertError, match=rule):
            act(action, who, comment)
