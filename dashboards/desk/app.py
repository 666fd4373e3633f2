"""The web application that answers the links in messages.

GET shows, POST acts: programmes that look at mails for viruses follow every link. A link is a signed token
in the address, which a POST needs as much as a GET and no cookie stands for: no other site can forge one.
Every page is looked up again: the subscription must be in force and the signal in its perimeters.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.alerts.actions import ACTIONS, LONGEST_COMMENT, Actions
from connectors.alerts.links import LinkError, Links
from connectors.alerts.plan import may_be_shown
from connectors.alerts.subscription import Sealer
from connectors.alerts.subscriptions import Kept, Subscriptions
from connectors.alerts.verdicts import Verdicts
from connectors.errors import VigieError
from connectors.store import Store
from dashboards.desk.compose import reason
from dashboards.desk.pictures import Pictures
from dashboards.desk.render import render
from dashboards.desk.shown import Organisation, show
from dashboards.desk.words import Words, words_of

PAGE_EXCERPTS = 10
_MOST_BYTES = 16_384
_STYLE = Path(__file__).with_name("style.css")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class RefusedError(Exception):
    """A page that is not shown. key: of the words that say why."""

    def __init__(self, status: int, key: str, *values: object) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


@dataclass(frozen=True)
class Desk:
    """What the application works with. redact: takes personal data out of a comment; now: the wall clock.
    verdicts: where confirmations and dismissals go besides the store.
    """

    open_store: Callable[[], AbstractContextManager[Store]]
    sealer: Sealer
    links: Links
    organisation: Organisation
    redact: Callable[[str], str]
    now: Callable[[], datetime]
    verdicts: Verdicts | None

    def page(self, token: str, *, doing: str | None, said: str | None) -> str:
        """The page of a signal. doing: the action that the link proposes; said: key of what was just done."""
        with self.open_store() as store:
            kept, signal_id = self._whose(store, token)
            words = words_of(kept.subscription.lang)
            actions = Actions(store)
            shown = show(
                store.signal(signal_id),
                store.evidence(signal_id),
                actions.of(signal_id),
                wanted=kept.subscription,
                names={row["path"]: row["name"] for row in store.perimeters()},
                organisation=self.organisation,
                words=words,
                excerpts=PAGE_EXCERPTS,
            )
            if shown is None:
                raise RefusedError(404, "errors.gone")
            pictured = Pictures(store).whole(signal_id, kept.subscription.lang) is not None
        return render(
            "signal.html",
            w=words,
            organisation=self.organisation.name,
            s=shown,
            token=token,
            subscriber=kept.subscription.subscriber,
            pictured=pictured,
            answers=[action for action in ACTIONS if action != "comment"],
            doing=doing if doing in ACTIONS else None,
            said=words[f"page.{said}"] if said in ("saved", "repeated") else None,
            longest=LONGEST_COMMENT,
        )

    def picture(self, token: str, *, compact: bool) -> str:
        """The picture of a signal, as SVG."""
        with self.open_store() as store:
            kept, signal_id = self._whose(store, token)
            pictures, lang = Pictures(store), kept.subscription.lang
            self._check_theirs(store, kept, signal_id)
            svg = pictures.compact(signal_id, lang) if compact else pictures.whole(signal_id, lang)
        if svg is None:
            raise RefusedError(404, "errors.gone")
        return svg

    def act(self, token: str, form: Mapping[str, str]) -> bool:
        """Keep what a form says; whether it was not kept already."""
        with self.open_store() as store:
            kept, signal_id = self._whose(store, token)
            self._check_theirs(store, kept, signal_id)
            action, comment = form.get("action", ""), form.get("comment", "").strip()
            if len(comment) > LONGEST_COMMENT:
                raise RefusedError(422, "errors.long", LONGEST_COMMENT)
            if action not in ACTIONS or (action == "comment" and not comment):
                raise RefusedError(422, "errors.empty")
            return Actions(store, self.verdicts).act(
                signal_id,
                action,
                actor=kept.subscription.subscriber,
                comment=self.redact(comment) if comment else None,
                via="link",
                subscription_id=kept.id,
                now=self.now(),
            )

    def ask_to_end(self, token: str) -> str:
        """The page that asks whether to end a subscription."""
        with self.open_store() as store:
            kept = self._whose_end(store, token)
            words = words_of(kept.subscription.lang)
            names = {row["path"]: row["name"] for row in store.perimeters()}
        return self._ending(kept, words, names, ended=kept.ended_at is not None)

    def end(self, token: str) -> str:
        """End a subscription, and say so; ending it again says the same."""
        with self.open_store() as store:
            kept = self._whose_end(store, token)
            self._subscriptions(store).end(kept.id, now=self.now())
        return self._ending(kept, words_of(kept.subscription.lang), {}, ended=True)

    def _ending(self, kept: Kept, words: Words, names: Mapping[str, str], *, ended: bool) -> str:
        return render(
            "unsubscribe.html",
            w=words,
            organisation=self.organisation.name,
            reason=reason(kept.subscription, names, words),
            ended=ended,
        )

    def _whose(self, store: Store, token: str) -> tuple[Kept, str]:
        subscription_id, signal_id = self.links.read_signal(token)
        kept = self._subscriptions(store).get(subscription_id)
        if kept is None or kept.ended_at is not None:
            raise RefusedError(410, "errors.ended")
        return kept, signal_id

    def _whose_end(self, store: Store, token: str) -> Kept:
        kept = self._subscriptions(store).get(self.links.read_unsubscribe(token))
        if kept is None:
            raise RefusedError(410, "errors.ended")
        return kept

    def _check_theirs(self, store: Store, kept: Kept, signal_id: str) -> None:
        signal = store.signal(signal_id)
        if (
            signal is None
            or not kept.subscription.watches(signal["perimeter"])
            or not may_be_shown(signal, self.organisation.min_authors)
        ):
            raise RefusedError(404, "errors.gone")

    def _subscriptions(self, store: Store) -> Subscriptions:
        return Subscriptions(store, self.sealer)


def make_app(desk: Desk) -> Starlette:
    """The application; see the module."""

    async def signal(request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            form = await _form(request)
            kept = await run_in_threadpool(desk.act, token, form)
            # Seen again, the page is a GET: loading it anew does not send the form twice.
            return RedirectResponse(f"{token}?said={'saved' if kept else 'repeated'}#history", 303)
        query = request.query_params
        html = await run_in_threadpool(desk.page, token, doing=query.get("do"), said=query.get("said"))
        return HTMLResponse(html)

    async def picture(request: Request) -> Response:
        token, compact = request.path_params["token"], request.path_params["size"] == "compact"
        svg = await run_in_threadpool(desk.picture, token, compact=compact)
        return Response(svg, media_type="image/svg+xml")

    async def unsubscribe(request: Request) -> Response:
        # RFC 8058: the POST of a mail programme says no more than that it is one click.
        does = desk.end if request.method == "POST" else desk.ask_to_end
        return HTMLResponse(await run_in_threadpool(does, request.path_params["token"]))

    async def style(_: Request) -> Response:
        return Response(_STYLE.read_bytes(), media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def root(request: Request) -> Response:
        return _said(desk, request, 200, "page.root")

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def refused(request: Request, error: Exception) -> Response:
        match error:
            case RefusedError():
                return _said(desk, request, error.status, error.key, *error.values)
            case LinkError(expired=True):
                return _said(desk, request, 410, "errors.expired")
            case LinkError():
                return _said(desk, request, 403, "errors.invalid")
            case HTTPException(status_code=status):
                key = "errors.long" if status == 413 else "errors.unknown"
                return _said(desk, request, status, key, LONGEST_COMMENT)
        return _said(desk, request, 503, "errors.busy")

    return Starlette(
        routes=[
            Route("/", root),
            Route("/health", health),
            Route("/style.css", style),
            Route("/s/{token}", signal, methods=["GET", "POST"]),
            Route("/s/{token}/{size}.svg", picture),
            Route("/u/{token}", unsubscribe, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(_SecurityHeaders)],
        exception_handlers=dict.fromkeys((RefusedError, LinkError, HTTPException, VigieError), refused),
    )


class _SecurityHeaders:
    """Gives every answer the headers of _HEADERS that it does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with if scope["type"] == "http" else send)


async def _form(request: Request) -> dict[str, str]:
    """Fields of a form, of at most _MOST_BYTES."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HTTPException(413)
    fields = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


def _said(desk: Desk, request: Request, status: int, key: str, *values: Any) -> Response:
    """A page with one sentence, in the reader's language: there is no subscription to tell it."""
    tongue = request.headers.get("accept-language", "fr").strip().lower()
    words = words_of("en" if tongue.startswith("en") else "fr")
    html = render(
        "said.html",
        w=words,
        organisation=desk.organisation.name,
        title=words["product"] if status == 200 else words["errors.title"],
        sentence=words.fill(key, *values),
    )
    return HTMLResponse(html, status)
