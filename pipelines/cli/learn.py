"""`vigie learn`: weights of words from the scored texts of the log, and what they would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.options import DEFAULT_SETTINGS, AsJson, SettingsFile, open_workspace
from pipelines.cli.output import notice, plural, print_json, print_table, progress

if TYPE_CHECKING:
    from pipelines.learn import Agreement, Lesson

SHOWN = 10
"""Changed words of each sign that are shown as text."""


def learn(
    settings: SettingsFile = DEFAULT_SETTINGS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write no file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn the mood of words from scored texts.

    Writes the weights beside the settings, and says what they would change. They are used once the settings
    name them.
    """
    from pipelines.weights import write_weights

    workspace = open_workspace(settings)
    with progress("events") as bars:
        task = bars.add_task("learning", total=None)
        lesson = workspace.learn(progress=lambda done, total: bars.update(task, completed=done, total=total))
    file = None if dry_run else write_weights(workspace.settings.base, lesson.weights)
    in_force = workspace.settings.understanding.sentiment
    if as_json:
        print_json(_as_json(lesson, file, in_force))
    else:
        _show(lesson, file, in_force)


def _as_json(lesson: "Lesson", file: Path | None, in_force: str | None) -> dict[str, Any]:
    return {
        "sentiment": lesson.weights.file_name,
        "in_force": in_force,
        "written": file is not None,
        "languages": [
            {
                "language": one.language,
                "scored": one.learned.texts,
                "words": one.words,
                "lexicon": _agreement(one.lexicon),
                "learned": _agreement(one.learned),
                "texts": one.texts,
                "moved": one.moved,
            }
            for one in lesson.languages
        ],
        "left": dict(lesson.left),
        "changes": [
            {
                "language": change.language,
                "word": change.word,
                "before": round(change.before, 3),
                "after": round(change.after, 3),
            }
            for change in lesson.changes
        ],
    }


def _agreement(given: "Agreement") -> dict[str, float]:
    return {"macro_f1": round(given.macro_f1, 4), "share": round(given.share, 4)}


def _show(lesson: "Lesson", file: Path | None, in_force: str | None) -> None:
    print_table(
        {
            "language": "left",
            "scored texts": "right",
            "words": "right",
            "lexicon": "right",
            "learned": "right",
            "moods that change sign": "right",
        },
        [
            (
                one.language,
                f"{one.learned.texts:,}",
                f"{one.words:,}",
                f"{one.lexicon.macro_f1:.2f}",
                f"{one.learned.macro_f1:.2f}",
                f"{one.moved / max(1, one.texts):.0%} of {one.texts:,}",
            )
            for one in lesson.languages
        ],
    )
    notice("lexicon, learned: agreement of mood and score (macro-F1), each text read before it was learned")
    for rises, what in ((True, "better"), (False, "worse")):
        words = [one.word for one in lesson.changes if (one.rise > 0) == rises][:SHOWN]
        if words:
            typer.echo(f"now read as {what}: {', '.join(words)}")
    for language, texts in lesson.left.items():
        notice(f"{language}: {plural(texts, 'scored text')} are too few to learn from; the lexicon stays")
    if lesson.weights.file_name == Path(in_force or "").name:
        notice("nothing would change: these weights are in force")
    elif file is not None:
        notice(f'wrote {file}; to use it, put sentiment = "{file.name}" under [understanding]')
