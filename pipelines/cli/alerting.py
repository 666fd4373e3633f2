"""What the commands about alerts share: subscriptions, links, the courier and the desk of a workspace."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connectors.alerts.courier import Channel, Courier, Delivered
from connectors.alerts.links import Links
from connectors.alerts.mailers import Mailbox, SmtpMailer, SmtpServer
from connectors.alerts.notifier import Notifier
from connectors.alerts.subscription import EMAIL, Sealer
from connectors.alerts.subscriptions import Subscriptions
from connectors.errors import AlertError, VigieError
from connectors.store import Store
from dashboards.desk.compose import Composer
from dashboards.desk.pictures import Pictures
from dashboards.desk.shown import Organisation
from pipelines.cli.explain_plot import AFTER, draw, draw_compact, judged
from pipelines.cli.options import Lang
from pipelines.cli.signal_text import name_of
from pipelines.subscribing import Known
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.why import Why


class Alerting:
    """Alerts of a workspace, over its open store. say: receives lines about what went wrong."""

    def __init__(self, workspace: Workspace, store: Store, *, say: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._store = store
        self._say = say
        self._settings = workspace.settings.alerts

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """Those in the store."""
        return Subscriptions(self._store, sealer(self._workspace))

    def courier(self) -> Courier:
        """Plans and delivers. AlertError where an e-mail is subscribed to and no way is set for mail."""
        channels = [one.subscription.channel for one in self.subscriptions.in_force()]
        return Courier(
            self._store,
            self.subscriptions,
            mail=self._mail(needed=EMAIL in channels),
            notifier=Notifier(),
            min_authors=self._workspace.settings.privacy.min_authors,
            now=self._workspace.now,
            say=self._say,
        )

    def round(self, courier: Courier, *, pictures: bool, digests_now: bool = False) -> Delivered:
        """Plan, draw the pictures that are needed, and attempt every message that is due."""
        courier.plan(digests_now=digests_now)
        if pictures:
            self.illustrate(courier)
        composer = Composer(
            self._store,
            links(self._workspace),
            organisation(self._workspace),
            link_days=self._settings.link_days,
        )
        return courier.deliver(composer.compose)

    def illustrate(self, courier: Courier) -> None:
        """Draw what the messages that are due show and the store has no picture of; one reading of the log.

        A signal that the log no longer raises, with today's settings, gets none.
        """
        wanted = []
        for message in courier.due():
            kept = self.subscriptions.get(message.subscription_id)
            if kept is not None:
                wanted += [(signal_id, kept.subscription.lang) for signal_id, _ in message.signals]
        keeper = Pictures(self._store)
        missing = keeper.missing(wanted)
        signals = {
            signal_id: signal
            for signal_id in {signal_id for signal_id, _ in missing}
            if (signal := self._store.signal(signal_id)) is not None
        }
        if not signals:
            return
        try:
            told = self._why(list(signals.values()))
        except VigieError as error:
            # Alerts do not wait for pictures.
            self._say(f"no pictures: {error}")
            return
        for signal_id, one in told.items():
            keeper.keep_days(signal_id, judged(one))
        # After their days: killed between, the pictures are still missing, and both are made again.
        for signal_id, lang in missing:
            if signal_id in told:
                one, tongue = told[signal_id], Lang(lang)
                keeper.keep(
                    signals[signal_id],
                    lang,
                    whole=draw(one, tongue),
                    compact=draw_compact(one, tongue),
                )

    def _why(self, signals: Sequence[Mapping[str, Any]]) -> "dict[str, Why]":
        """Why signals were raised, by id; those alone that the log raises with today's settings."""
        from pipelines.plain import PlainEngine
        from pipelines.why import asked_of, last_day_of, why

        workspace = self._workspace
        zone = workspace.settings.organisation.timezone
        asked = {signal["signal_id"]: asked_of(signal) for signal in signals}
        probed = workspace.probe(
            PlainEngine(),
            list(dict.fromkeys(one for several in asked.values() for one in several)),
            until=max(last_day_of(signal, zone) for signal in signals) + AFTER,
        )
        told = {}
        for signal in signals:
            one = why(
                signal,
                self._store.evidence(signal["signal_id"]),
                probed.of(asked[signal["signal_id"]]),
                workspace.settings,
                place=name_of(signal["explanation"]["judged_at"], workspace.names),
            )
            if any(day.raised and day.day == one.grounds.raised for day in one.days):
                told[signal["signal_id"]] = one
        return told

    def _mail(self, *, needed: bool) -> Channel:
        alerts, now = self._settings, self._workspace.now
        if alerts.mailbox is not None:
            return Mailbox(self._workspace.settings.path(alerts.mailbox), sender=alerts.sender, now=now)
        if needed and not alerts.smtp_host:
            raise AlertError(
                "no mail can leave: name the server in alerts.smtp_host, or a folder for trying things out "
                "in alerts.mailbox"
            )
        server = SmtpServer(
            alerts.smtp_host,
            alerts.smtp_port,
            alerts.smtp_security,
            alerts.smtp_user,
            _password(self._workspace),
        )
        return SmtpMailer(server, sender=alerts.sender, now=now)


def sealer(workspace: Workspace) -> Sealer:
    """What seals destinations."""
    return Sealer(workspace.secret)


def links(workspace: Workspace) -> Links:
    """What makes and reads the links in messages."""
    alerts = workspace.settings.alerts
    return Links(workspace.secret, base=alerts.url, days=alerts.link_days, now=workspace.now)


def organisation(workspace: Workspace) -> Organisation:
    """What the desk knows besides the store."""
    return Organisation(
        name=workspace.settings.organisation.name,
        min_authors=workspace.settings.privacy.min_authors,
        themes={
            key: {"fr": theme.label_fr, "en": theme.label_en}
            for key, theme in workspace.lexicons.themes.items()
        },
    )


def known(workspace: Workspace) -> Known:
    """What subscriptions may name, and what holds where they say nothing."""
    settings = workspace.settings
    languages = settings.organisation.languages
    return Known(
        tree=workspace.tree,
        themes=list(workspace.lexicons.themes.values()),
        defaults={
            "lang": "en" if languages[0] == "en" else "fr",
            "timezone": settings.organisation.timezone,
            "weekly_cap": settings.alerts.weekly_cap,
        },
    )


def _password(workspace: Workspace) -> str:
    """The mail server's password; AlertError where its file cannot be read, or others may read it."""
    name = workspace.settings.alerts.smtp_password_file
    if name is None:
        return ""
    path = workspace.settings.path(name)
    try:
        mode, content = path.stat().st_mode, path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AlertError(f"the password of the mail server cannot be read from {path}: {error}") from None
    if mode & 0o077:
        raise AlertError(
            f"the password file {path} has mode {mode & 0o777:04o}: only its owner may read it; "
            f"run chmod 600 {path}"
        )
    return content.strip()
