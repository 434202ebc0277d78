"""What trained models make of the beginning of a text, beside the baselines of the same text."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fpcore.errors import ModelError
from fpcore.records.record import load_records
from fpcore.runs import networks_kept
from fpcore.runs.language_model import LanguageModel
from fpcore.runs.networks_kept import Network
from fpcore.stats.draws import generator
from fpcore.trainers.kneser_ney import KneserNey
from fpcore.trainers.networks import BODIES

MADE = 40  # tokens
ORDER = 3  # of the n-grams that samples are drawn from
COLUMNS = ["source", "kind", "prompt", "text"]


def made(models: list[LanguageModel], prompt: Tensor, train: Tensor) -> pd.DataFrame:
    """Let every model, and baselines of the same training text, continue a text `prompt` [N].

    `train` [M] is the training text of the first model. The columns are `source`, `kind` (run,
    network or n-gram), `prompt` and `text`.
    """
    first = models[0]
    text = first.tokenizer.decode(prompt.tolist())
    rows = [(model.config.run_name, "run", text, model.generate(text, MADE)) for model in models]
    for network in networks(first):
        found = network.continued(prompt.tolist(), MADE)
        rows.append((network.config.name, "network", text, network.tokenizer.decode(found)))
    ngrams = f"Kneser-Ney ({ORDER}-gram)"
    rows.append((ngrams, "n-gram", text, _by_ngrams(first, prompt, train)))
    return pd.DataFrame(rows, columns=COLUMNS)


def networks(model: LanguageModel) -> Iterator[Network]:
    """Yield the kept networks of the tokenizer, training text and, where they have it, seed.

    One that is not kept, or is damaged, is left out.
    """
    own = model.kept.recipe
    for record in load_records():
        same = record.digests.get("vocabulary") == own.vocabulary
        if not same or record.config.get("model") not in BODIES:
            continue
        results = [r for r in record.at(own.samples) if r.model_digest is not None]
        results.sort(key=lambda r: r.seed != own.seed)
        try:
            yield from (networks_kept.load(record, result) for result in results[:1])
        except ModelError:
            continue


def _by_ngrams(model: LanguageModel, prompt: Tensor, train: Tensor) -> str:
    counts = KneserNey(train.numpy(), model.tokenizer.get_vocab_size(), ORDER)
    source, ids = generator(0, "generated tokens"), prompt.tolist()
    for _ in range(MADE):
        p = counts.probabilities(np.array([([-1] * ORDER + ids)[1 - ORDER :]]))[0]
        ids.append(int(torch.from_numpy(p).multinomial(1, generator=source)))
    return str(model.tokenizer.decode(ids[len(prompt) :]))
