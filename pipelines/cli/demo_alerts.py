"""The demo's subscribers: each region's manager at once, the head office in a digest; all generated."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connectors.alerts.subscription import Subscription
from connectors.store import Store
from pipelines.cli.alerting import Alerting
from pipelines.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Mailed:
    """What was written. folder: of the mails."""

    mails: int
    folder: Path


def mail_the_story(workspace: Workspace, store: Store, *, say: Callable[[str], None]) -> Mailed:
    """Subscribe the generated managers, and write what they are told into the demo's mailbox."""
    tree = workspace.tree
    domain = f"{tree.root}.example"
    regions = [path for path in tree.paths if path.count("/") == 1]
    wanted = [
        Subscription(
            subscriber=f"Direction {tree.name(path)}",
            to=f"{path.rpartition('/')[2]}@{domain}",
            perimeters=(path,),
            history=True,
        )
        for path in regions
    ]
    wanted.append(
        Subscription(
            subscriber="Siège", to=f"siege@{domain}", perimeters=(tree.root,), rhythm="weekly", history=True
        )
    )
    alerting = Alerting(workspace, store, say=say)
    alerting.subscriptions.subscribe(wanted, now=workspace.now())
    done = alerting.round(alerting.courier(), pictures=True, digests_now=True)
    folder = workspace.settings.path(workspace.settings.alerts.mailbox or "")
    return Mailed(done.sent, folder)
