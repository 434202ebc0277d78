"""A view of the explorer as HTML, and as files that the browser saves from links."""

import base64
import io
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fpcore import page
from fpcore.explore_views import View


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


STYLE = """
.widget-html-content:has(.fpcore) { min-width: 0; }
.fpcore { overflow-x: auto; overflow-wrap: anywhere; font-size: 14px; line-height: 1.6; }
.fpcore a { text-decoration: underline; margin-right: .6em; }
.fpcore h1 { font-size: 1.5em; } .fpcore h2 { font-size: 1.25em; }
.fpcore svg { max-width: 100%; height: auto; background: #fff; }
.fpcore table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.fpcore th, .fpcore td { padding: 3px 10px; border-bottom: 1px solid #d8dee6; white-space: nowrap; }
.fpcore .verdict { border-radius: 3px; padding: 1px 6px; color: #1d2430; }
.fpcore .wrong { background: #fde3df; } .fpcore .care { background: #fdf1d3; }
.fpcore .fine { background: #e0f2e6; }
"""
