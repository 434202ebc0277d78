"""The explorer of all records: controls, views, and files that the browser saves from links."""

import base64
import io
from html import escape
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import Javascript, display
from matplotlib.figure import Figure

from fpcore.book.overview import SORTS
from fpcore.book.views import CURVES, USED, VIEWS, Choice, View
from fpcore.errors import RecordError
from fpcore.language import speaking
from fpcore.records.record import RunRecord, load_records
from fpcore.reports import figures, page

# JupyterLab would take arrow keys and letters for itself, even in a list that has the focus.
KEYS_TO_CONTROLS = Javascript(
    "document.addEventListener('focusin', ({target}) => target.closest('.fpcore-controls')"
    " && target.setAttribute('data-lm-suppress-shortcuts', 'true'));"
)
_chosen: dict[str, Any] = {}  # the last choices, for the next time that the cell is run
STYLE = """
.widget-html-content:has(.fpcore) { min-width: 0; }
.fpcore { overflow-x: auto; overflow-wrap: anywhere; font-size: 14px; line-height: 1.6; }
.fpcore .table:has(th:nth-child(8)) { font-size: 12.5px; }
.fpcore a { text-decoration: underline; margin-right: .6em; }
.fpcore h1 { font-size: 1.5em; } .fpcore h2 { font-size: 1.25em; }
.fpcore svg { max-width: 100%; height: auto; background: #fff; }
.fpcore table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.fpcore th, .fpcore td { padding: 3px 7px; border-bottom: 1px solid #d8dee6; white-space: nowrap; }
.fpcore th { white-space: normal; overflow-wrap: normal; word-break: keep-all; }
.fpcore td:first-child { white-space: normal; min-width: 8em; }
.fpcore .verdict { border-radius: 3px; padding: 1px 6px; color: #1d2430; }
.fpcore .wrong { background: #fde3df; } .fpcore .care { background: #fdf1d3; }
.fpcore .fine { background: #e0f2e6; }
"""


class Explorer:
    """The controls by name, and the HTML that they show; `widget` is the whole."""

    def __init__(self, records: list[RunRecord]) -> None:
        self._records = {record.name: record for record in records}
        self.controls = _controls(records)
        self.shown = widgets.HTML(layout={"min_width": "0", "flex": "1 1 30rem"})
        self._names = [*self._records]
        for name, control in self.controls.items():
            _restore(name, control)
        self._narrow(None)
        self.controls["filter"].observe(self._narrow, "value")
        for control in self.controls.values():
            control.observe(self._renew, "value")
        named = [control for name, control in self.controls.items() if name != "view"]
        side = widgets.VBox(named, layout={"flex": "0 1 20rem", "min_width": "0"})
        both = widgets.HBox([side, self.shown], layout={"flex_flow": "row wrap"})
        self.widget = widgets.VBox([self.controls["view"], both])
        self.widget.add_class("fpcore-controls")
        self._renew(None)

    def _narrow(self, _: object) -> None:
        """Offer the runs whose names hold every word of the filter, and those that are chosen."""
        words = self.controls["filter"].value.casefold().split()
        self._found = [n for n in self._names if all(word in n.casefold() for word in words)]
        for name in ("runs", "a", "b", "base"):
            control = self.controls[name]
            chosen = control.value
            kept = {*chosen} if isinstance(chosen, tuple) else {chosen}
            self._narrowing = True  # new options drop the choice for a moment
            control.options = [n for n in self._names if n in self._found or n in kept]
            control.value = chosen
            self._narrowing = False

    def _renew(self, _: object) -> None:
        """Show what the controls choose, and only the controls that bear on it."""
        if self._narrowing:
            return
        _chosen.update({name: control.value for name, control in self.controls.items()})
        for name, control in self.controls.items():
            visible = name == "view" or name in USED[_chosen["view"]]
            control.layout.display = None if visible else "none"
        try:
            with speaking(_chosen["lang"]):
                self.shown.value = shown(VIEWS[_chosen["view"]](self._choice()))
        except RecordError as error:
            self.shown.value = f"<p>{escape(str(error))}</p>"

    def _choice(self) -> Choice:
        values = {name: control.value for name, control in self.controls.items()}
        records = [self._records[name] for name in values["runs"]]
        samples, curve, window = list(values["samples"]), values["curve"], values["window"]
        return Choice(
            records, samples, curve, window, values["a"], values["b"],
            every=[*self._records.values()], filtered=self._found,
            base=values["base"], sort=values["sort"], log=values["log"],
        )  # fmt: skip


def show() -> widgets.Widget:
    """Return the explorer of all records; the choices are those of the last time.

    Raises:
        RecordError: there is no readable record.
    """
    records = load_records()
    if not records:
        raise RecordError("There is no readable record in reports/runs yet; run a config first.")
    figures.use_style()
    display(KEYS_TO_CONTROLS)
    return Explorer(records).widget


def _controls(records: list[RunRecord]) -> dict[str, Any]:
    names = [record.name for record in records]
    latest = sorted(records, key=lambda record: (record.started or "", record.name))[-2:]
    recent = sorted(record.name for record in latest)
    sizes = sorted({n for record in records for n in record.sizes})
    wide = {"width": "auto"}
    return {
        "view": widgets.ToggleButtons(options=[*VIEWS], description="表示"),
        "filter": widgets.Text(placeholder="名前の一部", description="絞り込み", layout=wide),
        "runs": widgets.SelectMultiple(
            options=names, value=recent, rows=10, description="実行", layout=wide
        ),
        "samples": widgets.SelectMultiple(
            options=sizes, value=sizes, rows=min(8, len(sizes)), description="サイズ", layout=wide
        ),
        "curve": widgets.Dropdown(options=[*CURVES], description="指標", layout=wide),
        "window": widgets.SelectionRangeSlider(
            options=sizes, index=(0, len(sizes) - 1), description="ウィンドウ", layout=wide
        ),
        "a": widgets.Dropdown(options=names, value=recent[0], description="A", layout=wide),
        "b": widgets.Dropdown(options=names, value=recent[-1], description="B", layout=wide),
        "base": widgets.Dropdown(options=names, value=recent[0], description="基準", layout=wide),
        "sort": widgets.Dropdown(options=SORTS, description="並べ方", layout=wide),
        "log": widgets.Checkbox(description="対数目盛（縦）", layout=wide),
        "lang": widgets.Dropdown(
            options={"日本語": "ja", "English": "en"}, description="図の言語", layout=wide
        ),
    }


def _restore(name: str, control: Any) -> None:
    """Give a control the value that it had, as far as that can still be chosen."""
    value = _chosen.get(name)
    options = getattr(control, "options", None)
    known = [*options.values()] if isinstance(options, dict) else options
    if isinstance(value, tuple) and name != "window":
        value = tuple(item for item in value if item in (known or ())) or None
    wanted = value if isinstance(value, tuple) else (value,)
    if value is not None and (known is None or all(item in known for item in wanted)):
        control.value = value


def shown(view: View) -> str:
    """Return a view as HTML: links to its files, its figure, its text."""
    files = {"table.csv": ("text/csv", csv(view)), "table.md": ("text/markdown", str(view.text))}
    drawing = ""
    links = [_link(name, kind, text.encode()) for name, (kind, text) in files.items()]
    if view.figure is not None:
        drawing = svg(view.figure, view.hints)
        links.append(_link("figure.svg", "image/svg+xml", drawing.encode()))
        links.append(_link("figure.png", "image/png", _saved(view.figure, "png")))
        plt.close(view.figure)
    text = page.rendered(view.text, page.FONT.parent)
    style = f"<style>{STYLE}</style>"
    return f'{style}<div class="fpcore"><p>保存: {" ".join(links)}</p>{drawing}{text}</div>'


def csv(view: View) -> str:
    """Return the numbers of the shown table, unrounded."""
    return view.rows.to_csv(index=False)


def svg(figure: Figure, hints: tuple[str, ...] = ()) -> str:
    """Return a figure as SVG; the point with gid hint-i shows `hints[i]` under the mouse."""
    with plt.rc_context({"svg.fonttype": "path"}):  # shapes: Japanese shows without its font
        text = _saved(figure, "svg").decode()
    text = text[text.index("<svg") :]
    for i, hint in enumerate(hints):
        point = f'<g id="hint-{i}">'
        text = text.replace(point, f"{point}<title>{escape(hint)}</title>")
    return text


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return buffer.getvalue()


def _link(name: str, kind: str, content: bytes) -> str:
    data = base64.b64encode(content).decode()
    return f'<a download="{name}" href="data:{kind};base64,{data}">{name}</a>'
