"""The rule 二つの値: one quantity, or the value of a run, is printed with two values."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from fpcore.facts import Fact, Finding, Number, Report
from fpcore.statements import (
    LEVEL_ENDS,
    Pair,
    Sentence,
    part_of,
    varies,
)
from fpcore.terms import GAP, METRIC, METRICS, STEP, TERMS, alternatives, family, mention

_ABOUT = alternatives(TERMS["approximate"])
_CHANGED = re.compile(  # a difference may follow: 「差は 1%、他では 2%」, 「低下（1%）」
    rf"(?:{GAP})(?!.*(?:{METRIC.pattern}))"
    rf"|(?:{alternatives(TERMS['changes'])})[しすたる]*\(\s*$",
    re.IGNORECASE,
)


def attributions(
    s: Sentence, report: Report, facts: list[Fact]
) -> tuple[list[Finding], list[Fact]]:
    """Check whose the numbers of a pair are; what names no run leads from the first to the second.

    Only a quantity with a trace can go from A to B within one run.
    """
    findings: list[Finding] = []
    found: list[Fact] = []
    for pair in s.pairs:
        metric = s.metric(pair.ends[0])
        known = s.known(facts, metric, at=pair.first) if metric else []
        if not metric or not any(f.number.agrees(n) for f in known for n in pair.ends):
            continue  # of what the report says nothing else, or of another quantity
        own = [f for f in known if f.run == s.subject]
        if not pair.arrow:
            findings += _unknown(s, pair, known)
        elif not s.reference and any(f.step is not None for f in own):
            findings += _foreign(s, pair, own, known)
        elif _across_runs(s, pair, report, facts, metric):
            values = zip(s.order(report), (pair.first, pair.second), strict=True)
            found += [s.fact(metric, run, n) for run, n in values]
    return findings, found


def across(pair: Pair, s: Sentence, report: Report, facts: list[Fact], metric: str) -> bool:
    """Say whether 「A→B」 leads from the first run to the second, by their values at the end."""
    known = s.known(facts, metric, at=pair.first)
    for run, n in zip(s.order(report), (pair.first, pair.second), strict=True):
        owners = [f for f in known if f.number.agrees(n)]
        if owners and not any(f.run == run and f.step is None for f in owners):
            return False
    return True


def _across_runs(s: Sentence, pair: Pair, report: Report, facts: list[Fact], metric: str) -> bool:
    """Say whether an arrow leads between runs, not between sizes or iterations of one."""
    clear = s.step == mention(STEP, part_of(s.text, pair.first.start))
    return clear and not varies(s) and across(pair, s, report, facts, metric)


def _foreign(s: Sentence, pair: Pair, own: list[Fact], known: list[Fact]) -> Iterator[Finding]:
    for n in (pair.first, pair.second):
        if any(f.number.agrees(n) for f in own):
            continue
        others = [f for f in known if f.number.agrees(n)]
        near = _nearest(n, [f for f in own if others and f.step == others[0].step] or own)
        name = METRICS[near.metric]["name"]
        text = f"{s.line.no} 行: {s.subject} の{name}を「{pair.text}」とするが、{n.text} は"
        text += f" {_where(others[0])}の値で、" if others else "どの値とも合わず、"
        lines = tuple(sorted({s.line.no, near.line, *(f.line for f in others[:1])}))
        yield Finding("二つの値", lines, f"{text}{_where(near)}では {near.number.text} である。")


def _unknown(s: Sentence, pair: Pair, known: list[Fact]) -> Iterator[Finding]:
    for n in (pair.first, pair.second):
        same = [f for f in known if f.number.unit == n.unit]
        if same and not any(f.number.agrees(n) for f in same):
            yield _stranger(s, n, _nearest(n, same))


def _stranger(s: Sentence, n: Number, near: Fact) -> Finding:
    text = (
        f"{s.line.no} 行: {METRICS[near.metric]['name']}の {n.text} は表や推移のどの値とも合わない"
    )
    lines = tuple(sorted({s.line.no, near.line}))
    return Finding("二つの値", lines, f"{text}（近いのは{_where(near)}の {near.number.text}）。")


def _nearest(n: Number, facts: list[Fact]) -> Fact:
    return min(facts, key=lambda f: abs(f.number.value - n.value))


def _where(f: Fact) -> str:
    step = f" の反復 {f.step}" if f.step is not None else ""
    return f"{f.run}{step}（{f.line} 行）"


def levels(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check values that are said of the run named last before them (「v は X を 1% まで」)."""
    for n in s.singles:
        runs = report.names(s.text[: n.start])
        metric = s.metric(n) if METRIC.search(s.text[: n.start]) else None
        vague = re.search(rf"(?:{_ABOUT}|Δ)\s*$", s.text[: n.start]) or n.text[0] == "+"
        if vague or n.points or _CHANGED.search(s.text[: n.start]):
            continue
        if not runs or not metric or not LEVEL_ENDS.match(s.text, n.end):
            continue
        known = [f for f in s.known(facts, metric, runs[-1], n) if f.number.unit == n.unit]
        signed = n.text[0] == "-" and not METRICS[metric].get("signed")
        sure = known and not signed and (n.unit or "." in n.text)
        if sure and not any(f.number.agrees(n) for f in known):
            yield _stranger(s, n, _nearest(n, known))


def conflicts(facts: list[Fact]) -> Iterator[Finding]:
    """Yield one finding for each quantity that is printed with values that cannot both be right."""
    groups: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    for f in facts:
        metric = _member(f, facts)
        key = (metric, f.run, f.step, f.window, f.seed, f.number.unit)
        groups[key].append(replace(f, metric=metric))
    for group in groups.values():
        clash = sorted(_clash(group), key=lambda f: f.line)
        if clash:
            yield _two_values(clash)


def _member(f: Fact, facts: list[Fact]) -> str:
    """Return which metric a short name means: one whose value agrees, else the first."""
    names = family(f.metric)
    peers = [g for g in facts if g.metric in names and g.run == f.run and g.step == f.step]
    return next((g.metric for g in peers if g.number.agrees(f.number)), names[0])


def _clash(group: list[Fact]) -> set[Fact]:
    """Return the facts that disagree; one without a size may be of any size that is printed."""
    sized = [f for f in group if f.size is not None]
    loose = [f for f in group if f.size is None]
    pairs = list(combinations(loose, 2)) if not sized else []
    pairs += [(f, g) for f, g in combinations(sized, 2) if f.size == g.size]
    found = {f for pair in pairs if not pair[0].number.agrees(pair[1].number) for f in pair}
    for f in loose if sized else []:
        if not any(f.number.agrees(g.number) for g in sized):
            found |= {f, min(sized, key=lambda g: g.line)}
    return found


def _two_values(clash: list[Fact]) -> Finding:
    values = {
        f.number.text: sorted({g.line for g in clash if g.number.text == f.number.text})
        for f in clash
    }
    said = "と".join(f"{v}（{'、'.join(map(str, at))} 行）" for v, at in values.items())
    f = next((f for f in clash if f.size is not None), clash[0])
    where = "".join(
        f"（{label} {value}）"
        for label, value in (("反復", f.step), ("ウィンドウ", f.window), ("サイズ", f.size))
        if value is not None and not (label == "サイズ" and METRICS[f.metric].get("spans"))
    )
    text = f"{f.run} の{METRICS[f.metric]['name']}{where}が{said}の異なる値で書かれている。"
    return Finding("二つの値", tuple(sorted({f.line for f in clash})), text)
