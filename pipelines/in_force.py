"""What signals depend on besides the events, as the log's decisions keep it, and as it was at an instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connectors.errors import LogError, SettingsError
from connectors.log import EventLog, LogWriter
from connectors.log.as_of import known_at
from connectors.log.decisions import SETTINGS
from connectors.log.layout import MODELS, to_iso
from connectors.log.models import keep_model, read_model
from connectors.perimeters import Perimeter, PerimeterTree
from pipelines.code_version import code_version
from pipelines.lexicon import Lexicons, content_of, from_content
from pipelines.occasions import from_plain
from pipelines.settings import DetectionSettings, Organisation, Privacy, Settings, Understanding
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.sealing import Seals
    from pipelines.weights import Weights


def payload_of(workspace: Workspace) -> dict[str, Any]:
    """The payload of a decision that puts a workspace's settings in force."""
    tree = workspace.tree
    return {
        "version": workspace.settings_version,
        **workspace.settings.relevant,
        "lexicon": workspace.lexicons.version,
        "tree": workspace.names,
        # Words of names that were given are never terms; those of paths met are.
        "listed": workspace.settings.organisation.tree is not None,
        **({"moves": tree.moves} if tree.moves else {}),
        "code": code_version(),
    }


def put_in_force(workspace: Workspace, log: LogWriter) -> None:
    """Decide on the settings of a workspace if others are in force, and keep in the log what they name."""
    lexicons, weights = workspace.lexicons, workspace.settings.understanding.sentiment
    keep_model(log.path, _lexicon_file(lexicons.version), content_of(lexicons.languages, lexicons.themes))
    if weights is not None:
        keep_model(log.path, Path(weights).name, workspace.settings.path(weights).read_bytes())
    decided = [
        one.decision.payload for one in log.chain.manifests if one.decision and one.decision.kind == SETTINGS
    ]
    wanted = payload_of(workspace)
    if not decided or decided[-1] != wanted:
        log.decide(SETTINGS, wanted)


_ALTERED = "{}: models/{}: is not what its name says: restore it from a copy of the log"


def _lexicon_file(version: str) -> str:
    return f"lexicon-{version}.json"


@dataclass(frozen=True, kw_only=True)
class PastWorkspace(Workspace):
    """A workspace as it was at an instant, for questions: it reads the log as it was, and writes nothing.

    settings: those of then where signals depend on them, today's places. log: as of the instant. decided:
    payload of the decision that was in force. today: the workspace as it is now.
    """

    log: EventLog
    decided: Mapping[str, Any]
    today: Workspace

    @cached_property
    def tree(self) -> PerimeterTree:
        """The perimeters of then."""
        root, names = self.settings.organisation.root, self.decided["tree"]
        if self.settings.organisation.tree is None:
            return PerimeterTree(root)
        old: dict[str, list[str]] = {}
        for before, after in self.decided.get("moves", {}).items():
            old.setdefault(after, []).append(before)
        return PerimeterTree(
            root,
            {path: Perimeter(path, name, (), tuple(old.get(path, ()))) for path, name in names.items()},
        )

    @cached_property
    def lexicons(self) -> Lexicons:
        """The lexicons of then; LogError where they are neither kept in the log nor today's."""
        wanted = self.decided["lexicon"]
        name = _lexicon_file(wanted)
        content = read_model(self.log.location, name)
        if content is None:
            if self.today.lexicons.version == wanted:
                return self.today.lexicons
            raise LogError(
                f"{self.log.location}: the lexicons then in force, {wanted}, are not kept in the log: an "
                "older version of Vigie wrote it; replay with that version"
            )
        try:
            found = from_content(content)
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(_ALTERED.format(self.log.location, name)) from error
        if found.version != wanted:
            raise LogError(_ALTERED.format(self.log.location, name))
        return found

    @cached_property
    def weights(self) -> "Weights | None":
        """The learned weights of then; LogError where they are nowhere any more."""
        from pipelines.weights import read_weights, weights_in

        name = self.decided.get("sentiment")
        if name is None:
            return None
        content = read_model(self.log.location, name)
        if content is not None:
            return weights_in(content, where=f"{self.log.location}/{MODELS}/{name}", name=name)
        today = self.today.settings.understanding.sentiment
        if today is not None and Path(today).name == name:
            return read_weights(self.settings.path(today))
        raise LogError(
            f"{self.log.location}: the weights then in force, {name}, are not kept in the log: a version of "
            f"Vigie that did not keep them wrote it; put the file into {self.log.location}/{MODELS}"
        )

    @property
    def settings_version(self) -> str:
        """As it was decided."""
        return str(self.decided["version"])

    @cached_property
    def seals(self) -> "Seals":  # type: ignore[override]
        """Those of today: texts that were erased since cannot be read as they could be then."""
        from pipelines.sealing import seals_of

        return seals_of(self.today.open_log())

    @property
    def verdicts(self) -> None:
        """Nobody judges in the past."""
        return

    def open_log(self) -> EventLog:
        """The log as it was."""
        return self.log


def workspace_as_of(workspace: Workspace, instant: datetime) -> PastWorkspace:
    """The workspace as it was at an instant, aware: what was committed and decided by then.

    Raises LogError for an instant at which nothing was known, for a log that does not say what was in force
    then, and SettingsError where that no longer parses.
    """
    log = workspace.open_log().as_of(instant)
    decided = log.in_force(instant).settings
    if not log.rows:
        raise LogError(f"{log.location}: no event was known at {to_iso(instant)}: {_first_load(workspace)}")
    if decided is None:
        raise LogError(
            f"{log.location}: the log does not say which settings were in force at {to_iso(instant)}: an "
            "older version of Vigie wrote it; `vigie replay` without --as-of judges it with today's"
        )
    settings = settings_of(decided, workspace.settings, where=f"{log.location}, at {to_iso(instant)}")
    return PastWorkspace(settings, workspace.say, workspace.now, log=log, decided=decided, today=workspace)


def workspace_of_version(workspace: Workspace, version: str, log: EventLog) -> Workspace | None:
    """The workspace under settings of a version, to judge a log; None where the log did not decide on them.

    Raises as `workspace_as_of`.
    """
    if version == workspace.settings_version:
        return workspace
    decided = [
        one.decision.payload for one in log.decisions() if one.decision and one.decision.kind == SETTINGS
    ]
    known = next((one for one in reversed(decided) if one.get("version") == version), None)
    if known is None:
        return None
    settings = settings_of(known, workspace.settings, where=f"{log.location}, settings {version}")
    return PastWorkspace(settings, workspace.say, workspace.now, log=log, decided=known, today=workspace)


def settings_of(decided: Mapping[str, Any], today: Settings, *, where: str) -> Settings:
    """Today's settings, with those of a decision where signals depend on them.

    Raises SettingsError, naming `where`, if this version does not know them any more.
    """
    try:
        parts = {
            "organisation": Organisation.model_validate(
                {
                    **today.organisation.model_dump(exclude={"country", "subdivisions", "school_holidays"}),
                    **decided["organisation"],
                    "tree": _tree_of(decided),
                }
            ),
            # Holidays are among them, as they were known then.
            "occasion": from_plain(decided.get("occasions", {})),
            "privacy": Privacy.model_validate(
                {**today.privacy.model_dump(), "min_authors": decided["min_authors"]}
            ),
            "understanding": Understanding.model_validate({"sentiment": decided.get("sentiment")}),
            "detection": DetectionSettings.model_validate(
                # Where no looks are taken, decisions do not speak of them.
                {"early_look_minutes": 0, **decided["detection"], "lexicon": today.detection.lexicon}
            ),
        }
        _ = decided["version"], decided["lexicon"], decided["tree"]
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, (error.title, *fault["loc"])))
        raise SettingsError(
            f"{where}: the settings then in force no longer parse: {place}: {fault['msg']}; replay with the "
            "version of Vigie that wrote them"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{where}: the settings then in force are not complete: an older version of Vigie wrote them; "
            "replay with that version"
        ) from error
    # Made anew, not copied: a copy would keep what today's settings have worked out.
    then = Settings(**{**{name: getattr(today, name) for name in Settings.model_fields}, **parts})
    then._base = today.base
    return then


def _tree_of(decided: Mapping[str, Any]) -> str | None:
    """What stands for the file of the tree that was; None where paths that were met made the tree."""
    return f"tree of {decided['version']}" if decided.get("listed", len(decided["tree"]) > 1) else None


def _first_load(workspace: Workspace) -> str:
    manifests = list(workspace.open_log().manifests())
    times = zip(manifests, known_at(manifests), strict=True)
    first = next((at for manifest, at in times if manifest.rows), None)
    return "the log holds none yet" if first is None else f"the first were loaded at {to_iso(first)}"
