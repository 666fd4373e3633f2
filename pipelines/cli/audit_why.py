"""`vigie audit why` and `why-not`: the whole derivation of a signal, or of its absence."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import LogError
from pipelines.cli.audit_report import (
    Ground,
    Trail,
    budget_section,
    days_section,
    ground_section,
    print_sections,
    sections_of,
)
from pipelines.cli.audit_words import words
from pipelines.cli.explain import ask
from pipelines.cli.options import (
    DEFAULT_SETTINGS,
    AsJson,
    Lang,
    Language,
    SettingsFile,
    language,
    open_workspace,
)
from pipelines.cli.output import notice, print_json, progress, shown
from pipelines.cli.signal_text import ID_LENGTH, name_of
from pipelines.cli.signals import SignalId, has_store, path_of

if TYPE_CHECKING:
    from dashboards.report import Section
    from pipelines.derivation import Derivation
    from pipelines.stages.corroborate import Placed
    from pipelines.why import Why
    from pipelines.why_not import WhyNot
    from pipelines.workspace import Workspace

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", dir_okay=False, help="Write it as one page, with pictures."),
]


def why_signal(
    signal_id: SignalId,
    settings: SettingsFile = DEFAULT_SETTINGS,
    html: Html = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Tell all that led to a signal, and what became of it.

    Counts, baseline, evidence day by day, the threshold and the budget it comes from, what was merged, whose
    it is, who was told when, and who did what. Reads the log again; nothing is changed.
    """
    _check_folder(html)
    workspace, tongue = open_workspace(settings), language(lang)
    told, derived, trail = examine(workspace, signal_id, tongue)
    ground = _ground(workspace, f"vigie audit why {told.signal['signal_id']}")
    if html is not None:
        _write(html, page_of(workspace, told, derived, trail, ground, tongue))
        notice(f"{html}: written")
    if as_json:
        print_json(
            {
                **told.as_json(),
                "derivation": derived.as_json() if derived else None,
                "part_of": told.signal["explanation"]["part_of"],
                "alerts": trail.alerts,
                "actions": trail.actions,
                "verdicts": [{"seq": seq, "at": at, "judgement": one} for seq, at, one in trail.verdicts],
                "rests_on": asdict(ground),
            }
        )
    else:
        typer.echo(shown(told.signal[f"sentence_{tongue}"]))
        print_sections(sections_of(told, derived, trail, ground, workspace.names, tongue))


def why_not(
    perimeter: Annotated[str, typer.Option("--perimeter", help="Where: its path or name.")],
    bucket: Annotated[datetime, typer.Option("--bucket", formats=["%Y-%m-%d"], help="The day.")],
    term: Annotated[
        str, typer.Option("--term", metavar="WORDS", help="A word, two words in a row, or a theme's key.")
    ],
    settings: SettingsFile = DEFAULT_SETTINGS,
    html: Html = None,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Tell why there was no signal of a term, somewhere, on a day.

    Or which signal tells of it. Reads the log again; nothing is changed.
    """
    _check_folder(html)
    workspace, tongue = open_workspace(settings), language(lang)
    path, day = path_of(workspace, perimeter), bucket.date()
    answer = _ask_why_not(workspace, path, day, term)
    ground = _ground(workspace, f'vigie audit why-not --perimeter {path} --bucket {day} --term "{term}"')
    sentence = _sentence(answer, workspace, tongue)
    sections: list[Section] = []
    if answer.day is not None and answer.budget is not None:
        least = workspace.settings.privacy.min_authors
        sections = [
            days_section(answer.days, least, tongue, until=day, counted=True),
            budget_section(answer.budget, tongue),
        ]
    sections.append(ground_section(ground, tongue))
    place = name_of(path, workspace.names)
    title = words("why_not_title", tongue, term=term, place=place, day=day)
    if html is not None:
        from dashboards.report import report

        _write(html, report(title, sentence, _about(workspace, tongue), sections, lang=tongue.value))
        notice(f"{html}: written")
    if as_json:
        print_json({**asdict(answer), "sentence": sentence, "rests_on": asdict(ground)})
    else:
        typer.echo(f"{shown(title)}\n{shown(sentence)}")
        print_sections(sections)


def examine(workspace: "Workspace", signal_id: str, lang: Lang) -> "tuple[Why, Derivation | None, Trail]":
    """Why a signal was raised, how it came to be, and what became of it."""
    from pipelines.derivation import derivation, terms_of

    placed: list[Placed] = []
    told, probed = ask(workspace, signal_id, placed)
    signal, derived = told.signal, None
    alarm = (told.grounds.raised - date(1970, 1, 1)).days
    at_alarm = next((row for row in probed.features.to_pylist() if row["bucket"] == alarm), None)
    if at_alarm is not None:
        mine = [one for one in placed if one.story and one.story.story_id == signal["signal_id"]]
        telling = workspace.telling()
        terms = terms_of(mine, workspace.open_log(), telling.reader, telling.themes, lang.value)
        derived = derivation(at_alarm, mine, terms, workspace.settings.stages)
    return told, derived, _trail(workspace, signal["signal_id"])


def page_of(
    workspace: "Workspace",
    told: "Why",
    derived: "Derivation | None",
    trail: Trail,
    ground: Ground,
    lang: Lang,
) -> str:
    """All that is known of a signal as one HTML page."""
    from dashboards.report import report

    signal: Mapping[str, Any] = told.signal
    sections = sections_of(told, derived, trail, ground, workspace.names, lang)
    title = f"{signal['label']} - {name_of(signal['perimeter'], workspace.names)}, {signal['bucket']}"
    lead = signal[f"sentence_{lang}"]
    return report(title, lead, _about(workspace, lang), sections, lang=lang.value)


def write_why(workspace: "Workspace", signal_id: str, file: Path, lang: Lang) -> None:
    """Write the page of one signal."""
    told, derived, trail = examine(workspace, signal_id, lang)
    ground = _ground(workspace, f"vigie audit why {told.signal['signal_id']}")
    _write(file, page_of(workspace, told, derived, trail, ground, lang))


def _ask_why_not(workspace: "Workspace", path: str, day: date, term: str) -> "WhyNot":
    from pipelines.plain import PlainEngine
    from pipelines.replay import last_closed_bucket
    from pipelines.stages.probe import Probe
    from pipelines.why_not import feature_of, why_not

    log, telling = workspace.open_log(), workspace.telling()
    themes = {feature: theme.key for feature, theme in telling.themes.items()}
    feature = feature_of(term, telling.reader, themes)
    bucket, closed = (day - date(1970, 1, 1)).days, log.closed_until()
    if closed is None or bucket > last_closed_bucket(log, closed, telling.reader.zone):
        until = (
            "the log holds no event yet"
            if closed is None
            else f"it is closed until {closed:%Y-%m-%d %H:%M} UTC"
        )
        raise LogError(f"{log.location}: {day} is not judged yet: {until}")
    placed: list[Placed] = []
    with progress("events") as bars:
        task = bars.add_task("reading the log", total=None)
        probed = workspace.probe(
            PlainEngine(),
            [Probe(path, feature)],
            until=bucket,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
            placed=placed,
        )
    rows = probed.features.to_pylist()
    return why_not(rows, placed, workspace.settings.stages, perimeter=path, term=term, day=day)


def _sentence(answer: "WhyNot", workspace: "Workspace", lang: Lang) -> str:
    if answer.reason == "told":
        assert answer.signal_id is not None
        assert answer.owner is not None
        owner = name_of(answer.owner, workspace.names)
        said = words("is_told", lang, id=answer.signal_id[:ID_LENGTH], owner=owner)
        if answer.part_of is not None:
            said += " " + words("part_of", lang, id=answer.part_of[:ID_LENGTH])
        return said
    return words(
        answer.reason,
        lang,
        least=workspace.settings.privacy.min_authors,
        history=answer.history,
        warm_up=workspace.settings.stages.warm_up,
    )


def _trail(workspace: "Workspace", signal_id: str) -> Trail:
    from connectors.alerts.actions import Actions
    from connectors.alerts.trail import alerts_of
    from connectors.log.decisions import VERDICT

    verdicts = [
        (one.seq, one.written_at, str(one.decision.payload["judgement"]))
        for one in workspace.open_log().decisions()
        if one.decision and one.decision.kind == VERDICT and one.decision.payload["signal_id"] == signal_id
    ]
    if not has_store(workspace):
        return Trail(None, None, verdicts)
    with workspace.open_store() as store:
        return Trail(alerts_of(store, signal_id), Actions(store).of(signal_id), verdicts)


def _ground(workspace: "Workspace", command: str) -> Ground:
    from connectors.log.decisions import SETTINGS
    from pipelines.code_version import code_version

    log, version = workspace.open_log(), workspace.settings_version
    decided = [
        (one.seq, one.written_at)
        for one in log.decisions()
        if one.decision and one.decision.kind == SETTINGS and one.decision.payload.get("version") == version
    ]
    return Ground(
        log.head_hash or "",
        version,
        decided[-1] if decided else None,
        workspace.lexicons.version,
        code_version(),
        command,
    )


def _about(workspace: "Workspace", lang: Lang) -> str:
    return words("about", lang, least=workspace.settings.privacy.min_authors)


def _check_folder(html: Path | None) -> None:
    if html is not None and not html.parent.is_dir():
        raise typer.BadParameter(f"--html: there is no folder {html.parent}")


def _write(file: Path, content: str) -> None:
    from connectors.log.durable import write_content

    write_content(file, content.encode())
