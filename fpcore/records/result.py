"""What one seed gave at one size: the rows of a record."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fpcore.records.values import (
    Count,
    Loss,
    Losses,
    Positive,
    Seconds,
    Share,
    Trace,
    Whole,
    Word,
)


class SizeResult(BaseModel):
    """What one seed gave at one size; None where it is not known.

    Ratios (`convergence_rate`, `train_er`, `val_er` as a share of D, `val_acc`) are from 0 to 1.
    Effective ranks are `centred` where the mean context was taken away first, and `clean` for the
    contexts that phase 2 trains on, without phase 1's noise.
    `phase1` and `phase2` hold the traces by column, `val_loss_sums` [conversations] nats (lists to
    `values.DIGITS`) and `val_token_counts` the predicted tokens of each validation conversation.
    `shared_iterations` of phase 1 were taken over from a shorter run; `seconds` count them.
    `chosen` is the learning rate or n-gram order that was taken from several, and `candidates` the
    development loss in nats of those that were tried here; `trained_parameters` are those that
    training changes. `model_digest` is that of the trained model (`runs.models`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    samples: int = Field(ge=1, lt=2**53)
    train_tokens: Count = None
    val_tokens: Count = None
    val_bytes: Count = None
    phase1_iterations: Count = None
    convergence_rate: Share = None
    train_er: Share = None
    val_er: Share = None
    train_er_centred: Share = None
    val_er_centred: Share = None
    train_er_clean: Share = None
    train_er_rows: Count = None
    val_er_rows: Count = None
    train_ppl: Positive = None
    val_ppl: Positive = None
    val_acc: Share = None
    bits_per_byte: Loss | None = None
    unigram_ppl: Positive = None
    best_epoch: Count = None
    epochs_run: Count = None
    val_loss_sums: Losses | None = None
    val_token_counts: list[Annotated[int, Field(ge=1, lt=2**53)]] | None = None
    phase1: Trace = Field(default_factory=dict)
    phase2: Trace = Field(default_factory=dict)
    seconds: dict[Word, Seconds] = Field(default_factory=dict)
    shared_iterations: Whole = 0
    trained_parameters: Count = None
    chosen: float | None = None
    candidates: dict[Word, float] = Field(default_factory=dict)
    model_digest: Word | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        sums, counts = self.val_loss_sums, self.val_token_counts
        if sums is not None and counts is not None and len(sums) != len(counts):
            raise ValueError("val_loss_sums and val_token_counts of different lengths")
        for trace, step in ((self.phase1, "iteration"), (self.phase2, "epoch")):
            if trace and step not in trace:
                raise ValueError(f"a trace without {step}")
        return self
