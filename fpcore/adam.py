"""The state of a block under Adam as named tensors, to store and to go on from."""

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def tensors(block: nn.Module, adam: torch.optim.Adam) -> dict[str, Tensor]:
    """Return the parameters and Adam's state, by name; they share memory with the training."""
    found = {}
    for name, parameter in block.named_parameters():
        found[f"parameter/{name}"] = parameter.data
        found |= {f"{key}/{name}": value for key, value in adam.state[parameter].items()}
    return found


def restore(block: nn.Module, adam: torch.optim.Adam, stored: dict[str, Tensor]) -> None:
    """Take parameters and Adam's state from what `tensors` returned; nothing from nothing."""
    for name, parameter in block.named_parameters() if stored else []:
        parameter.data.copy_(stored[f"parameter/{name}"])
        known = {key: stored[f"{key}/{name}"] for key in MOMENTS if f"{key}/{name}" in stored}
        adam.state[parameter] = {k: v.to(parameter.device) for k, v in known.items()}
