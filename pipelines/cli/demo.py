"""`vigie demo`: the whole path on generated data, against what was planted in it."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.engines import EngineName, open_engine
from pipelines.cli.options import AsJson, Lang, Language, language
from pipelines.cli.output import plural, print_json, progress, warn

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.demo.run import Demo

EXCERPTS = 2


def demo(
    seed: Annotated[int, typer.Option("--seed", help="Draws other stores, dates and subjects.")] = 1,
    once: Annotated[bool, typer.Option("--once", help="In a temporary folder: nothing is kept.")] = False,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where the demo's files are kept.")
    ] = Path("demo"),
    texts: Annotated[int, typer.Option("--texts", min=2_000, help="About how many texts to write.")] = 60_000,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", dir_okay=False, help="Draw the story as SVG.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Threads of Beam's Direct runner.")] = 1,
    lang: Language = None,
    as_json: AsJson = False,
) -> None:
    """Write a fictional retailer's year, find its weak signals, and compare with what was planted.

    Generated data: no real customer, agent or company is in it.
    """
    from pipelines.cli.demo_alerts import Mailed, mail_the_story
    from pipelines.demo.run import run_demo

    mailed: list[Mailed] = []
    engine = open_engine(EngineName.BEAM, workers=workers, runner=None, beam_options=(), verbose=False)
    with ExitStack() as stack:
        place = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vigie-demo-"))) if once else folder
        )
        bars = stack.enter_context(progress("events"))
        task = bars.add_task("starting", total=None)
        done = run_demo(
            place,
            seed=seed,
            texts=texts,
            engine=engine,
            stage=lambda words: bars.update(task, description=words),
            progress=lambda events, total: bars.update(task, completed=events, total=total),
            # Mails that are gone with their folder are nobody's.
            use=None
            if once
            else lambda workspace, store: mailed.append(mail_the_story(workspace, store, say=warn)),
        )
        bars.stop()
        if picture is not None:
            picture.write_text(draw(done), "utf-8")
        if as_json:
            print_json(done.as_json())
            return
        _show(done, language(lang))
        if not once:
            typer.echo(f"\nGo on with: vigie signals show ID --settings {place / 'vigie.toml'}")
        for one in mailed:
            typer.echo(
                f"Alerts: {plural(one.mails, 'mail')} to the regions' managers and the head office are in "
                f"{one.folder}: open the .eml files.\n"
                f"Their links are answered by: vigie serve --settings {place / 'vigie.toml'}"
            )
        if not once:
            write_boards(place / "grafana")
            page = why_page(done, place / "why.html", language(lang))
            if page is not None:
                typer.echo(f"\nWhy the first was raised, in full and with pictures: {page}")


def why_page(done: "Demo", file: Path, lang: Lang) -> Path | None:
    """Write all that led to the signal of the first planted situation that was found; None if none was."""
    from pipelines.cli.audit_why import write_why

    found = [one.signals[0] for one in done.comparison.outcomes if one.signals and not one.planted.decoy]
    if not found:
        return None
    write_why(done.workspace, found[0], file, lang)
    return file


def draw(done: "Demo") -> str:
    """The story's twelve weeks as SVG: what was planted, and when it was raised."""
    from textwrap import shorten

    from dashboards.timeline import Line, timeline
    from pipelines.demo.rhythm import LAST_DAY, STORY_DAY, day_date

    lines = [
        Line(
            title=outcome.planted.name.replace("_", " ") + (" (decoy)" if outcome.planted.decoy else ""),
            detail=shorten(outcome.planted.title, 48, placeholder=" …"),
            days=[text.day for text in outcome.planted.texts],
            raised=outcome.first,
            quiet=outcome.planted.decoy,
        )
        for outcome in done.comparison.outcomes
    ]
    return timeline(
        lines,
        first=day_date(STORY_DAY),
        last=LAST_DAY,
        title=f"What was planted among {done.replayed.events:,} generated texts, and when Vigie raised it",
        legend="Dots: planted texts, a day each. Red: the first signal. Decoys must stay without one.",
    )


def write_boards(folder: Path) -> None:
    """Write what a Grafana starts from, opened on the story and the twelve weeks before, and say how to."""
    from datetime import timedelta

    from dashboards.board import Span
    from dashboards.provisioning import write_provisioning
    from pipelines.demo.rhythm import LAST_DAY, STORY_DAY, STORY_WEEKS, day_date

    first = day_date(STORY_DAY) - timedelta(weeks=STORY_WEEKS)
    files = write_provisioning(folder, span=Span(f"{first}T00:00:00Z", f"{LAST_DAY}T23:59:59Z"))
    settings = folder.parent / "vigie.toml"
    typer.echo(
        f"\n{len(files)} files in {folder}: boards in French and English. To see them, with Docker:\n"
        "  1. write the passwords that compose.yaml names to .env, and start it:\n"
        # Compose takes a path that does not begin with a slash or a dot for the name of a volume.
        f"     VIGIE_BOARDS={folder.absolute()} docker compose up -d postgres grafana\n"
        f"  2. set store.dsn in {settings} as compose.yaml says, and load it:\n"
        f"     vigie replay --settings {settings}\n"
        "  3. open http://127.0.0.1:3000/d/vigie-watch-fr (or -en)"
    )


def _show(done: "Demo", lang: Lang) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False)
    accounts = Table(title="Rows of each source (generated data)", title_justify="left")
    for name in ("source", "read", "events", "duplicates", "set aside", "quarantined"):
        accounts.add_column(name, justify="left" if name == "source" else "right")
    for source, account in done.accounts.items():
        plain = account.as_json()
        names = ("read", "events", "duplicates", "set_aside", "quarantined")
        accounts.add_row(source, *(f"{plain[name]:,}" for name in names))
    console.print(accounts)

    by_id = {row["signal_id"]: row for row in done.replayed.signals.signals.to_pylist()}
    for outcome in done.comparison.outcomes:
        for signal in outcome.signals:
            _show_signal(console, done, by_id[signal], f"planted: {outcome.planted.name}", lang)
    for signal in done.comparison.unplanned:
        _show_signal(console, done, by_id[signal], "not planted", lang)

    story = Table(title="\nWhat was planted, and when it was seen", title_justify="left")
    story.add_column("planted", overflow="fold")
    for name in ("starts", "first signal", "texts before", "verdict"):
        story.add_column(name, no_wrap=True)
    for outcome in done.comparison.outcomes:
        planted, first = outcome.planted, outcome.first
        found, missed = ("raised, wrongly", "left alone") if planted.decoy else ("found", "missed")
        story.add_row(
            f"[bold]{planted.name}[/bold]{' (decoy)' if planted.decoy else ''}: {escape(planted.title)}",
            planted.starts.isoformat(),
            first.isoformat() if first else "",
            "" if outcome.texts_before is None else f"{outcome.texts_before} of {len(planted.texts)}",
            Text(found if first else missed, style="red" if planted.decoy == bool(first) else "green"),
        )
    console.print(story)
    unplanned = len(done.comparison.unplanned)
    console.print(
        f"{done.replayed.events:,} events, {plural(len(by_id), 'signal')}, {unplanned} not planted, "
        f"{done.seconds:.0f} s"
    )


def _show_signal(console: "Console", done: "Demo", row: dict[str, Any], title: str, lang: Lang) -> None:
    from rich.markup import escape

    evidence = done.replayed.signals.evidence.to_pylist()
    excerpts = [
        f"  [dim]{entry['occurred_at']:%d/%m} {entry['channel']}[/dim] {escape(entry['excerpt'])}"
        for entry in evidence
        if entry["signal_id"] == row["signal_id"] and entry["excerpt"]
    ]
    console.print(f"\n[bold]{escape(row['label'])}[/bold] [dim]({title}, {row['signal_id'][:8]})[/dim]")
    console.print(escape(row[f"sentence_{lang.value}"]))
    for line in excerpts[:EXCERPTS]:
        console.print(line)
