"""Templates filled in, and pictures as PNG: mail programmes show no SVG."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from dashboards.desk.words import typeset

_FONTS = ("Roboto-Regular.ttf", "Roboto-Medium.ttf", "Roboto-Bold.ttf")
_FONT = "Roboto"


@pass_context
def _typeset(context: Context, value: Any) -> Any:
    """Words that stand in a page; what is markup stays as it is."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    if not plain or "w" not in context or not str(context.name).endswith(".html"):
        return value
    return typeset(value, context["w"].lang)


@cache
def _templates() -> Environment:
    return Environment(
        finalize=_typeset,
        loader=PackageLoader("dashboards.desk", "templates"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """A template of `templates/` filled in; values are escaped in HTML."""
    return _templates().get_template(template).render(**values)


def as_png(svg: str, *, width: int) -> bytes:
    """An SVG as PNG, so many pixels wide. The font comes along: a server may have none."""
    import resvg_py

    png: bytes = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=width,
        skip_system_fonts=True,
        font_files=[str(file) for file in _font_files()],
        font_family=_FONT,
        sans_serif_family=_FONT,
    )
    return png


@cache
def _font_files() -> tuple[Path, ...]:
    # The package is located, not imported: importing it only lists its files.
    package = find_spec("font_roboto")
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "files"
    return tuple(folder / name for name in _FONTS)
