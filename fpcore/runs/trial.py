"""One trial of a run: one seed at one size."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from fpcore.config.run_config import RunConfig
from fpcore.data.dataset import Data
from fpcore.data.embedding import tensor_digest
from fpcore.model.precision import Precision, resolve
from fpcore.runs.provenance import code_digests, device_name, roles_of


@dataclass(frozen=True)
class Trial:
    """One seed at one size (`samples` training conversations) of a run, on a device.

    `rate` is the learning rate of phase 2 that the first seed chose at this size.
    """

    config: RunConfig
    data: Data
    seed: int
    samples: int
    device: torch.device
    rate: float | None = None

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates of phase 2 that are tried."""
        return self.config.rates if self.rate is None else (self.rate,)

    @property
    def title(self) -> str:
        """What progress calls it."""
        return f"{self.config.run_name} seed {self.seed} size {self.samples}"

    @cached_property
    def ids(self) -> Tensor:
        """The training text, token ids [N] on the device."""
        return self.data.training_ids(self.samples).to(self.device)

    @cached_property
    def precision(self) -> Precision:
        """The number formats."""
        return resolve(self.config, self.device)

    def fingerprint(self, ignored: set[str], **more: Any) -> str:
        """Return a digest of all that decides the numbers, but for the knobs `ignored`.

        The last bits depend on the model of a GPU, the threads and the version of PyTorch, too.
        """
        key = self.config.model_dump(exclude=ignored) | {
            "seed": self.seed,
            "ids": tensor_digest(self.ids.cpu()),
            "embedding": tensor_digest(self.data.weights),
            "code": code_digests(roles_of(self.config)),
            "precision": self.precision.name,
            "device": device_name(self.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            **more,
        }
        return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
