"""Check a Markdown report against itself: `check_report`, or `python -m fpcore.claims FILE`.

Four rules: 算術 (what is computed follows from its operands), 方向 (direction words agree with
their numbers), 二つの値 (one quantity has one value), 順序 (superlatives, counts, bounds, ranges
and bold type agree with the tables beside them, in a conclusion with any table). A printed number
stands for the interval that its rounding allows, and a finding is only what no reading of the
report allows: a condition that no table has, another section, a rerun, a setting that was varied
are readings. The words are in `terms.yaml`. Not checked, because no precise rule was found:
predictions and fits (R², RSS), step time × steps against a total in prose, Train beside Val,
differences across conditions, two metrics in one cell, and numbers that a sentence prints without
saying of what.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
