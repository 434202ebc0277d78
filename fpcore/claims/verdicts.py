"""The findings that several rules word alike: a contradiction, and what does not follow."""

from fpcore.claims.arithmetic import Kind, shown
from fpcore.claims.document import Report, Sentence
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.names import Clause
from fpcore.claims.quantities import Number
from fpcore.claims.terms import METRICS

Pair = tuple[Fact, Fact]


def contradiction(report: Report, c: Clause, word: str, pair: Pair) -> Finding:
    """Return the finding that a direction word is against the values of two runs."""
    x, y = pair
    name, at = METRICS[x.metric]["name"], c.sentence.line
    text = report.say(
        f"{name}の「{word}」は数値と逆である（{x.run} は {x.number.text}、{x.line} 行。{y.run} は "
        f"{y.number.text}、{y.line} 行）。",
        f"'{word}' contradicts {name}: {x.run} has {x.number.text} (line {x.line}), {y.run} "
        f"{y.number.text} (line {y.line}).",
    )
    return Finding("方向", (at, x.line, y.line), text)


def misfit(report: Report, c: Clause, d: Number, kind: Kind, pair: Pair) -> Finding:
    """Return the finding that a number does not follow from the values of two runs."""
    x, y = pair
    due, name = shown(kind, x.number, y.number, d), METRICS[x.metric]["name"]
    text = report.say(
        f"{name}の「{d.text}」は、{x.run} の {x.number.text}（{x.line} 行）と {y.run} の "
        f"{y.number.text}（{y.line} 行）から出る {due} と合わない。",
        f"'{d.text}' of {name} does not follow from {x.number.text} of {x.run} (line {x.line}) "
        f"and {y.number.text} of {y.run} (line {y.line}): {due}.",
    )
    return Finding("算術", (c.sentence.line, x.line, y.line), text)


def unborne(
    report: Report, s: Sentence, d: Number, kind: Kind, pair: tuple[Number, Number]
) -> Finding:
    """Return the finding that a number does not follow from two others in its sentence."""
    a, b = pair
    due = shown(kind, a, b, d)
    text = report.say(
        f"「{d.text}」は、同じ文の {a.text} と {b.text}（{s.line} 行）"
        f"から出る {due}（{kind.formula}）と合わない。",
        f"'{d.text}' does not follow from {a.text} and {b.text} in the same sentence (line "
        f"{s.line}): {kind.formula} = {due}.",
    )
    return Finding("算術", (s.line,), text)
