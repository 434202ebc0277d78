"""Pictures of figures: of few colours, and with what is seen in words."""

import base64
import io
from typing import Any

from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fpcore.reports.figures.described import described

__all__ = ["png"]


def png(figure: Figure) -> bytes:
    """Return a figure as a picture for screens, of few colours and with what is seen in words."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    return few_colours(drawn.getvalue(), described(figure))


def few_colours(png: bytes, seen: str) -> bytes:
    """Return a picture with 256 colours, a third of its size, and `seen`, what it shows in words.

    A report and a notebook hold their pictures, and a book all reports.
    """
    about, small = PngInfo(), io.BytesIO()
    if seen:
        about.add_itxt("Description", seen)
    with Image.open(io.BytesIO(png)) as picture:
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    flat.save(small, "PNG", optimize=True, pnginfo=about)
    return small.getvalue()


def show_in(shell: Any) -> None:
    """Let the figures of a notebook have few colours, and the text that stands for them."""
    kind = shell.display_formatter.formatters["image/png"]
    draw = kind.lookup_by_type(Figure)
    if getattr(draw, "says", False):
        return

    def drawn(figure: Figure) -> Any:
        made = draw(figure)
        if made is None:  # a figure without axes
            return None
        image, known = made if isinstance(made, tuple) else (made, {})
        seen = described(figure)
        small = few_colours(base64.b64decode(image), seen)
        return base64.b64encode(small).decode(), known | {"alt": seen}

    drawn.says = True  # type: ignore[attr-defined]
    kind.for_type(Figure, drawn)
