from .conclusions import (
    checked,
    findings,
    influence,
    next_steps,
    params_file,
    recommended,
)
from .report import (
    folder,
    headlines,
    render,
    write,
)
from .sections import (
    alpha,
    common,
    conditions,
    convergence,
    effective_rank,
    er_ppl,
    perplexity,
    progression,
    raw,
    summary,
)

__all__ = [
    "alpha",
    "checked",
    "common",
    "conditions",
    "convergence",
    "effective_rank",
    "er_ppl",
    "findings",
    "folder",
    "headlines",
    "influence",
    "next_steps",
    "params_file",
    "perplexity",
    "progression",
    "raw",
    "recommended",
    "render",
    "summary",
    "write",
]
