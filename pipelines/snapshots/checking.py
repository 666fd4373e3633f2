"""Whether snapshots are what was written and, judged again, what the log gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from connectors.log import Finding
from pipelines.code_version import code_version
from pipelines.plain import PlainEngine
from pipelines.replay import Standing
from pipelines.snapshots.folder import Snapshot, SnapshotError, Snapshots
from pipelines.snapshots.journal import Journal, JournalKeeper, differing
from pipelines.snapshots.keeping import Keeping
from pipelines.snapshots.opening import keeping_of, snapshots_of
from pipelines.steps import Plan
from pipelines.workspace import Workspace

_ADVICE = "`vigie snapshots remove` lets go of it, and nothing is lost"


@dataclass(slots=True)
class Checked:
    """looked_at: snapshots that are there."""

    looked_at: int
    faults: list[Finding] = field(default_factory=list)


def check_snapshots(
    workspace: Workspace, *, again: bool, progress: Callable[[int, int], None] | None = None
) -> Checked | None:
    """Look at the files of a workspace's snapshots; None where it has none.

    again: replay the log, and compare what was found with what those of today's settings and code hold.
    """
    snapshots = snapshots_of(workspace)
    if snapshots is None or not snapshots.folder.is_dir():
        return None
    there = snapshots.all()
    checked = Checked(
        len(there), [Finding(file, f"{fault}; {_ADVICE}") for file, fault in snapshots.faults()]
    )
    now = workspace.settings_version, code_version()
    mine = [one for one in there if (one.settings, one.code) == now]
    keeping = keeping_of(workspace, lambda _: None) if again and mine and not checked.faults else None
    if keeping is not None:
        checked.faults += _derived(workspace, snapshots, mine, keeping, progress)
    return checked


def _derived(
    workspace: Workspace,
    snapshots: Snapshots,
    mine: list[Snapshot],
    keeping: Keeping,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Finding]:
    """Faults of snapshots against a replay of the whole log, as far as it holds what they were made from."""
    journal, plans = Journal(), list[Plan]()

    def end(plan: Plan, standing: Standing, _: int) -> None:
        assert isinstance(standing.chronicle, JournalKeeper)
        journal.parts = standing.chronicle.journal.parts
        plans.append(plan)

    workspace.replay(PlainEngine(), use=None, progress=progress, begin=keeping.at_first, end=end)
    days = keeping.days_of(plans[0])
    for one in mine:
        until = one.days.alike(days)
        if until is None:
            continue
        try:
            names = list(differing(snapshots.journal(one).until(until), journal.until(until)))
        except (SnapshotError, FileNotFoundError) as error:
            yield Finding(str(snapshots.folder / one.name), f"{error}; {_ADVICE}")
            continue
        if names:
            yield Finding(
                str(snapshots.folder / one.name),
                f"its {' and '.join(names)} are not what the log gives; {_ADVICE}",
            )
