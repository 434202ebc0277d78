"""What an HTML page may hold: text, tables and pictures, and nothing that runs or loads anything.

Records, reports and notebooks are exchanged between people, so what they hold is cleaned where it
becomes HTML; the policy of a page forbids the rest once more.
"""

import base64
import hashlib
import re

import nh3

TAGS = set(
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 "
    "h5 h6 hr i img kbd li mark ol p pre s small span strong sub summary sup table tbody td tfoot "
    "th thead tr u ul".split()
)
CLASSED = ("code", "details", "div", "pre", "span", "strong")
CELLS = ("td", "th")
ATTRIBUTES = (
    {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "ol": {"start"}}
    | {tag: {"colspan", "rowspan", "scope"} for tag in CELLS}
    | {tag: {"class"} for tag in CLASSED}
    | {"span": {"class", "title"}}
)
ALIGNED = {tag: {"align": {"left", "center", "right"}} for tag in CELLS}
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
BESIDE = re.compile(r"(?![/\\])[^\s\\:\x00-\x1f]*")  # a path from the page's folder, or an anchor


def clean(body: str) -> str:
    """Return an HTML text without all that could run, load or lead away from the page.

    Pictures are kept where the text holds them as data, links where they lead to files beside the
    page. Styles of tables' cells become their alignment.
    """
    body = re.sub(r'style="text-align: ?(left|center|right);?"', r'align="\1"', body)
    return nh3.clean(
        body,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=_kept,
        tag_attribute_values=ALIGNED,
        url_schemes={"data"},
        link_rel=None,
    )


def policy(style: str, script: str = "") -> str:
    """Return the Content-Security-Policy of a page with one inline style and at most one script.

    That script may load others of its own (search indices), which no text of the page can.
    """
    scripts = f"{_digest(script)} 'strict-dynamic'" if script else "'none'"
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; font-src data:; "
        f"style-src {_digest(style)}; script-src {scripts}"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Return the value that an attribute keeps, None where it has to go."""
    if attribute == "src":
        return value if PICTURE.fullmatch(value) else None
    if attribute == "href":
        return value if BESIDE.fullmatch(value) else None
    return value
