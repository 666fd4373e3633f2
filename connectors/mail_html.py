"""HTML mail to text, without the containers in which mail programs put quoted mail and signatures."""

import re
from html import unescape

from lxml import etree, html

_MAX_CHARS = 2**20
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")
_TAG = re.compile(r"<[^<>]*>")
_SPACES = re.compile(r"[ \t\r\n\f]+")

# A soft break ends a line unless it is ended already; a hard one always does, as `br`.
_SOFT, _HARD = "\r", "\n"
_SOFT_RUN = re.compile(r" *\n? *(?:\r *)+")

_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "hr", "pre"})
_BLOCKS = frozenset(
    {"div", "li", "tr", "body", "section", "article", "header", "footer", "center", "dd", "dt"}
)
# What stands inside frames is markup in place of what no mail program loads, and is parsed as text.
_HIDDEN = frozenset(
    {"head", "script", "style", "title", "template", "blockquote", "iframe", "noframes", "noembed"}
)
_QUOTE_CLASSES = frozenset(
    {"gmail_quote", "ecxgmail_quote", "yahoo_quoted", "moz-cite-prefix", "moz-forward-container"}
    | {"protonmail_quote", "tutanota_quote", "zmail_extra"}
    | {"gmail_signature", "moz-signature", "protonmail_signature_block"}
)
_QUOTE_IDS = frozenset(
    {"OLK_SRC_BODY_SECTION", "mail-editor-reference-message-container"}
    | {"Signature", "ms-outlook-mobile-signature"}
)
# Everything after one of these is the quoted message, wherever it stands in the tree.
_LAST_IDS = frozenset({"appendonsend", "divRplyFwdMsg", "stopSpelling", "zwchr"})
# Outlook's header block stands under a rule, drawn as a border of one of its greys.
_LAST_STYLE = re.compile(r"border-top(?:-color)?:\s*(?:solid #(?:B5C4DF|E1E1E1)|rgb\(229, 229, 229\))", re.I)


def html_to_text(source: str) -> str:
    """Visible text of an HTML body, quoted mail and signature containers left out. Never raises.

    Only the first 2^20 characters are read. Markup too broken to parse has its tags cut out instead.

    >>> html_to_text('<p>Merci.</p><div class="gmail_quote">Le 3 mai, SAV a écrit :</div>')
    'Merci.'
    """
    source = _XML_DECLARATION.sub("", source[:_MAX_CHARS].replace("\0", ""))
    if not source.strip():
        return ""
    try:
        text = "".join(_pieces(html.document_fromstring(source)))
    except (etree.LxmlError, ValueError):
        text = unescape(_TAG.sub(" ", source))
    lines = _SOFT_RUN.sub("\n", text).split("\n")
    return "\n".join(line.strip() for line in lines).strip()


def _pieces(tree: html.HtmlElement) -> list[str]:
    pieces: list[str] = []
    preformatted = 0
    walker = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, node in walker:
        if event == "start":
            if _is_last(node):
                break
            preformatted += node.tag == "pre"
            pieces.append(_before(node.tag))
            if _is_hidden(node):
                walker.skip_subtree()
            elif node.text:
                pieces.append(node.text if preformatted else _SPACES.sub(" ", node.text))
            continue
        preformatted -= node.tag == "pre"
        pieces.append(_after(node.tag))
        if node.tail:
            pieces.append(node.tail if preformatted else _SPACES.sub(" ", node.tail))
    return pieces


def _before(tag: object) -> str:
    if tag in _PARAGRAPHS:
        return _SOFT + _HARD + _SOFT
    if tag in _BLOCKS:
        return _SOFT
    return {"br": _HARD, "td": " ", "th": " "}.get(str(tag), "")


def _after(tag: object) -> str:
    return _SOFT if tag in _BLOCKS or tag in _PARAGRAPHS else ""


def _is_hidden(node: html.HtmlElement) -> bool:
    if node.tag in _HIDDEN:
        return True
    attributes = node.attrib
    if not attributes:
        return False
    return (
        attributes.get("id") in _QUOTE_IDS
        or "data-signatureblock" in attributes
        or not _QUOTE_CLASSES.isdisjoint(attributes.get("class", "").split())
    )


def _is_last(node: html.HtmlElement) -> bool:
    attributes = node.attrib
    if not attributes:
        return False
    return attributes.get("id") in _LAST_IDS or _LAST_STYLE.search(attributes.get("style", "")) is not None
