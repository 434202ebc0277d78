"""What a stored state must be, so that the training goes on from nothing else.

A file that is whole can still be of another version, or edited; a tensor of another shape would
only be met in a kernel.
"""

from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from fpcore.config.run_config import RunConfig
from fpcore.model.blocks import FixedPointModel
from fpcore.model.optimiser import MOMENTS
from fpcore.runs.trial import Trial

Form = dict[str, tuple[torch.Size, torch.dtype]]  # of tensors, by name
Seconds = Annotated[float, Field(ge=0)]
Row = dict[str, bool | int | float]
BLOCKS = ("context_block.", "token_block.")  # how the names of a model's trained tensors begin


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Said1(_Strict):
    """What is said about a state of phase 1."""

    trace: list[Row]
    seconds: Seconds
    shared: Annotated[int, Field(ge=0)]


class Said2(_Strict):
    """What is said about a state of phase 2."""

    epoch: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=0)]
    loss_sum: float
    trace: list[Row]
    best_epoch: Annotated[int, Field(ge=0)]
    seconds: Seconds


def check1(
    said: dict[str, Any], contexts: Tensor, tensors: dict[str, Tensor], trial: Trial
) -> None:
    """Check a state of phase 1.

    Raises:
        ValueError: it is none of this trial.
    """
    known = Said1.model_validate(said)
    _check_trace(known.trace, "iteration", 2)
    shape = (len(trial.ids), trial.config.context_dim)
    if contexts.shape != shape or contexts.dtype != trial.precision.contexts:
        raise ValueError("other contexts")
    _check_training(tensors, _model(trial).context_block)


def check2(
    said: dict[str, Any], tensors: dict[str, Tensor], best: dict[str, Tensor], trial: Trial
) -> None:
    """Check a state of phase 2, whose `best` are the parameters after the best epoch.

    Raises:
        ValueError: it is none of this trial.
    """
    known, block = Said2.model_validate(said), _model(trial).token_block
    _check_trace(known.trace, "epoch", 1)
    ends = known.position < len(trial.ids) and known.epoch == len(known.trace) + 1
    if not ends or known.best_epoch > len(known.trace):
        raise ValueError("a place that is none")
    _check_training(tensors, block)
    expected = _parameters(block) if known.best_epoch else {}
    if _form(best) != expected:
        raise ValueError("other parameters")


def check_blocks(tensors: dict[str, Tensor], weights: Tensor, config: RunConfig) -> None:
    """Check the trained blocks of a model around an embedding `weights` [V, E], by their names.

    Raises:
        ValueError: they are none of this config.
    """
    if weights.ndim != 2 or weights.shape[1] != config.embed_dim:
        raise ValueError("its embedding has another shape")
    whole = _form(_empty(weights, config, 0).state_dict())
    if _form(tensors) != {k: part for k, part in whole.items() if k.startswith(BLOCKS)}:
        raise ValueError("its blocks have another shape")


def _check_trace(trace: list[Row], count: str, first: int) -> None:
    if [row.get(count) for row in trace] != list(range(first, first + len(trace))):
        raise ValueError("rows that do not follow one another")


def _check_training(tensors: dict[str, Tensor], block: nn.Module) -> None:
    """Check that there are all of a block's parameters and moments, or none before the first."""
    form = {f"parameter/{name}": part for name, part in _parameters(block).items()}
    for name, part in _parameters(block).items():
        step = (torch.Size(), torch.float32)
        form |= dict(zip((f"{key}/{name}" for key in MOMENTS), (step, part, part), strict=True))
    if _form(tensors) not in ({}, form):
        raise ValueError("other tensors")


def _form(tensors: dict[str, Tensor]) -> Form:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _parameters(block: nn.Module) -> Form:
    return _form(dict(block.named_parameters()))


def _model(trial: Trial) -> FixedPointModel:
    """Return the model that a trial trains, without its values."""
    return _empty(trial.data.weights, trial.config, trial.seed)


def _empty(weights: Tensor, config: RunConfig, seed: int) -> FixedPointModel:
    """Return the model of a config around an embedding [V, E], without its values."""
    with torch.device("meta"):
        return FixedPointModel(weights.to("meta"), config, seed)
