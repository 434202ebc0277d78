"""What a comparison of models rests on, and what may have favoured one of them."""

from collections.abc import Callable, Iterable

from fpcore.analysis.chance import worse_than_chance
from fpcore.language import ended, listed, said, template
from fpcore.notation import Markdown, number, percent
from fpcore.records.pairs import at_an_end, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports.baselines.pairs import report_level
from fpcore.reports.sentences import level
from fpcore.stats.variance import effective_number

__all__ = ["caveats"]

ONE_SEED = template("{runs}: シードが 1 つで、シードによるばらつきは区間に入っていない")
ON_VAL = template(
    "{runs}: エポックを検証テキスト自身で選んだ（開発テキストで選ぶ他のモデルより有利）"
)
ONE_RATE = template(
    "{runs}: 学習率は候補から選んでいない（ニューラルのベースラインは候補から選んだ）"
)
CUT = template("{runs}: 最良エポックが `epochs` の上限で、Phase 2 が終わっていないので、比べない")
AT_AN_END = template("{runs}: 選ばれた学習率が候補の端で、候補の外がもっとよいかもしれない")


def caveats(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the comparison rests on: conversations, seeds, how epochs were chosen and ended."""
    records = runs + baselines
    lines = [
        *_conversations(records, report_level(runs, baselines)),
        *_of_those(records, lambda r: r.seeds < 2 and r.results[0].seed is not None, ONE_SEED),
        *_of_those(records, lambda r: r.config.get("select_on") == "val", ON_VAL),
        *_of_those(runs, lambda r: not isinstance(r.config.get("phase2_lr", []), list), ONE_RATE),
        *_of_those(records, cut_short, CUT),
        *_of_those(records, at_an_end, AT_AN_END),
        *(said("**注意**　`{run}` の Val PPL は {worse}", run=r.name, worse=worse)
          for r in records if (worse := worse_than_chance(r))),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {ended(line)}" for line in lines))


def _conversations(records: Iterable[RunRecord], share: float) -> list[str]:
    """Say what the intervals rest on, and how unequal the conversations are."""
    counts = {tuple(r.val_token_counts) for x in records for r in x.results if r.val_token_counts}
    return [
        _of_counts([tokens for tokens in counts if len(tokens) == n], share)
        for n in sorted({len(own) for own in counts})
    ]


def _of_counts(counts: list[tuple[int, ...]], share: float) -> str:
    """Say the level of the intervals, and how tokens are spread over so many conversations."""
    return said(
        "区間は {level}（この報告の全比較が同時に 95 %）で、シードと検証会話 n={n} による。"
        "最大の会話は検証トークンの {largest}で、実質の会話数は {effective}",
        level=level(share),
        n=len(counts[0]),
        largest=_span(percent(max(tokens) / sum(tokens), 0) for tokens in counts),
        effective=_span(number(effective_number(tokens), 0) for tokens in counts),
    )


def _span(shown: Iterable[str]) -> str:
    """Return the first and the last of some numbers, once where they are the same."""
    ends = sorted({*shown})
    return "–".join(dict.fromkeys((ends[0], ends[-1])))


def _of_those(
    records: Iterable[RunRecord], holds: Callable[[RunRecord], bool], text: str
) -> list[str]:
    """Say a text of the records of which something holds; nothing of none."""
    names = [f"`{record.name}`" for record in records if holds(record)]
    return [said(text, runs=listed(names))] if names else []
