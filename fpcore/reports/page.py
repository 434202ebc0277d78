"""A report as files: Markdown, figures, and an HTML page that needs nothing beside it."""

import base64
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import matplotlib_fontja
from bs4 import BeautifulSoup
from fontTools import subset
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from matplotlib.figure import Figure
from PIL import Image

from fpcore.language import said, spoken, template
from fpcore.paths import file_content, write_atomically
from fpcore.reports import coloured, figures
from fpcore.reports.markup import clean, policy

CSS = Path(__file__).with_name("page.css").read_text("utf-8") + coloured.STYLE
FONT = Path(matplotlib_fontja.__file__).with_name("fonts") / "ipaexg.ttf"
FIGURE = r"[A-Za-z0-9][A-Za-z0-9_.+-]*\.png"  # the name of one
PNG = b"\x89PNG\r\n\x1a\n"  # how such a file begins
VERDICTS = {
    template("誤り"): "wrong",
    template("注意"): "care",
    template("問題なし"): "fine",
}


def page(markdown: str, folder: Path) -> str:
    """Return the page; images of the Markdown are read from `folder`."""
    title = html.escape(markdown.partition("\n")[0].lstrip("# "))
    body, contents = _contents(rendered(markdown, folder))
    head, rest = body.split("</h1>", 1) if "</h1>" in body else ("", body)
    style = f"\n{font_face(markdown)}\n{CSS}"
    return (
        f'<!doctype html>\n<html lang="{spoken()}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(style)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{head}</h1>\n{contents}{rest}</body>\n</html>\n"
    )


def rendered(markdown: str, folder: Path) -> str:
    """Return the HTML of a Markdown text; figures are read from `folder`."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("fence", _fence)
    body = reader.render(markdown)
    figure = r'<p><img src="([^"]+)" alt="([^"]*)"(?: title="[^"]*")? ?/></p>'
    return decorated(re.sub(figure, lambda m: _figure(folder, *m.groups()), body))


def _fence(
    renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType
) -> str:
    """Return the HTML of a fenced block: coloured tokens, or code."""
    if tokens[place].info.strip() == coloured.KIND:
        return coloured.html(tokens[place].content.splitlines())
    return renderer.fence(tokens, place, options, env)


def decorated(body: str) -> str:
    """Return an HTML text cleaned, its wide tables scrolling, the verdicts of its 検証 coloured."""
    body = re.sub("<table[^>]*>", '<div class="table"><table>', body)
    body = body.replace("</table>", "</table></div>")
    for verdict, name in VERDICTS.items():
        word = said(verdict)
        seen, shown = f"<strong>{word}</strong>", f'<strong class="verdict {name}">{word}</strong> '
        body = re.sub(rf"{seen}(\u3000| · )", shown, body)
    return scoped(clean(body))


def scoped(body: str) -> str:
    """Return an HTML text whose table heads say what they are the heads of."""
    cell, head = r"<th(?=[\s>])", r"<thead>.*?</thead>"
    body = re.sub(r'(<th\s[^>]*?)\s*scope="[^"]*"', r"\1", body)
    body = re.sub(head, lambda m: re.sub(cell, '<th scope="col"', m[0]), body, flags=re.DOTALL)
    return re.sub(r"<th(?=[\s>])(?! scope=)", '<th scope="row"', body)


def _figure(folder: Path, source: str, caption: str) -> str:
    """Return a figure that lies in the folder itself; any other image has its caption alone."""
    content = _png(folder, source)
    if content is None:
        text = said("図: {caption}（この報告のフォルダーにないので載せない）", caption=caption)
        return f"<p>{text}</p>"
    data, seen = base64.b64encode(content).decode(), html.escape(_described(content)) or caption
    image = f'<img src="data:image/png;base64,{data}" alt="{seen}">'
    below = said("図: {caption}", caption=caption)
    return f"<figure>{image}<figcaption>{below}</figcaption></figure>"


def _png(folder: Path, source: str) -> bytes | None:
    """Return the picture that a folder holds under a plain name, None where it holds none."""
    path = folder / source
    if not re.fullmatch(FIGURE, source) or path.resolve().parent != folder.resolve():
        return None
    with suppress(OSError):
        content = file_content(path)
        return content if content.startswith(PNG) else None
    return None


def _described(content: bytes) -> str:
    """Return what a picture says of itself; nothing where it does not."""
    with suppress(OSError, SyntaxError, ValueError), Image.open(io.BytesIO(content)) as picture:
        return str(picture.info.get("Description", ""))
    return ""


def _contents(body: str) -> tuple[str, str]:
    """Give every h2 an anchor, and return the body and a folded list of links to them."""
    soup = BeautifulSoup(body, "html.parser")
    items = ""
    for number, heading in enumerate(soup.find_all("h2")):
        heading["id"] = f"s{number}"
        items += f'<li><a href="#s{number}">{heading.decode_contents()}</a></li>'
    head = f"<summary>{said('目次')}</summary>"
    return str(soup), f"<nav><details>{head}<ul>{items}</ul></details></nav>\n"


def font_face(text: str) -> str:
    """Return the CSS of the figures' font, cut down to the characters of the text."""
    source = f'url("{font_data(text)}") format("woff")'
    return f'@font-face {{ font-family: "Book Gothic"; src: {source}; }}'


def font_data(text: str) -> str:
    """Return the figures' font, cut down to the characters of the text, as a data: address."""
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True, hinting=False)
    options.drop_tables += ["vhea", "vmtx"]
    font = subset.load_font(str(FONT), options)
    cutter = subset.Subsetter(options)
    cutter.populate(text=text + said("目次図:"))
    cutter.subset(font)
    font["head"].modified = 0  # the same text gives the same bytes
    font.recalcTimestamp = False
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    font.close()
    return f"data:font/woff;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def publish(target: Path, text: str, drawn: Mapping[str, Callable[[], object]]) -> Path:
    """Write `report.md`, `<name>.png` and `.svg` of every figure, and `report.html` to a folder.

    `drawn` maps names to functions that draw on the current figure, in the language that is
    spoken. Returns the path of `report.md`.
    """
    target.mkdir(parents=True, exist_ok=True)
    figures.set_style()
    for name, draw in drawn.items():
        draw()
        _save(plt.gcf(), target / name)
        plt.close()
    write_atomically(target / "report.html", page(text, target).encode())
    write_atomically(target / "report.md", text.encode())
    return target / "report.md"


def _save(figure: Figure, path: Path) -> None:
    """Save a figure for screens, with what is seen in words, and for print, as shapes alone.

    The same figure gives the same bytes.
    """
    seen = figures.described(figure)
    write_atomically(path.with_suffix(".png"), figures.png(figure))
    with plt.rc_context({"svg.fonttype": "path", "svg.hashsalt": "fpcore"}):
        about = {"Date": None, "Creator": None, "Description": seen}
        figure.savefig(path.with_suffix(".svg"), metadata=about)
