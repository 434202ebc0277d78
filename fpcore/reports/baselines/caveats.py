"""What a comparison of models rests on, and what may have favoured one of them."""

from collections.abc import Callable, Iterable

from fpcore.analysis.chance import worse_than_chance
from fpcore.notation import Markdown, number, percent
from fpcore.records.pairs import CUT_SHORT, cut_short
from fpcore.records.record import RunRecord
from fpcore.reports.baselines.pairs import report_level
from fpcore.reports.sentences import level
from fpcore.stats.variance import effective_number

__all__ = ["caveats"]


def caveats(runs: list[RunRecord], baselines: list[RunRecord]) -> Markdown:
    """Say what the comparison rests on: conversations, seeds, how epochs were chosen and ended."""
    records = runs + baselines
    said = [
        *_conversations(records, report_level(runs, baselines)),
        *_said(records, lambda r: r.seeds < 2 and r.results[0].seed is not None,
               "シードが 1 つで、シードによるばらつきは区間に入っていない"),
        *_said(records, lambda r: r.config.get("select_on") == "val",
               "エポックを検証テキスト自身で選んだ（開発テキストで選ぶ他のモデルより有利）"),
        *_said(runs, lambda r: not isinstance(r.config.get("phase2_lr", []), list),
               "学習率は候補から選んでいない（ニューラルのベースラインは候補から選んだ）"),
        *_said(records, cut_short, f"{CUT_SHORT}ので、比べない"),
        *_said(records, at_an_end, "選ばれた学習率が候補の端で、候補の外がもっとよいかもしれない"),
        *(f"**注意**　`{r.name}` の Val PPL は {worse}" for r in records
          if (worse := worse_than_chance(r))),
    ]  # fmt: skip
    return Markdown("\n".join(f"- {line}。" for line in said))


def at_an_end(record: RunRecord) -> bool:
    tried = record.config.get("learning_rates") or record.config.get("phase2_lr") or []
    tried = tried if isinstance(tried, list) else [tried]
    chosen = {r.chosen for r in record.results}
    return len(tried) > 1 and bool(chosen & {min(tried), max(tried)})


def _conversations(records: Iterable[RunRecord], share: float) -> list[str]:
    """Say what the intervals rest on, and how unequal the conversations are."""
    counts = {tuple(r.val_token_counts) for x in records for r in x.results if r.val_token_counts}
    said = []
    for n in sorted({len(own) for own in counts}):
        own = [tokens for tokens in counts if len(tokens) == n]
        largest = _span(percent(max(tokens) / sum(tokens), 0) for tokens in own)
        effective = _span(number(effective_number(tokens), 0) for tokens in own)
        said.append(
            f"区間は {level(share)}（この報告の全比較が同時に 95 %）で、シードと検証会話 n={n} "
            f"による。最大の会話は検証トークンの {largest}で、実質の会話数は {effective}"
        )
    return said


def _span(shown: Iterable[str]) -> str:
    """Return the first and the last of some numbers, once where they are the same."""
    ends = sorted({*shown})
    return "–".join(dict.fromkeys((ends[0], ends[-1])))


def _said(records: Iterable[RunRecord], holds: Callable[[RunRecord], bool], text: str) -> list[str]:
    names = [f"`{record.name}`" for record in records if holds(record)]
    return [f"{'、'.join(names)}: {text}"] if names else []
