import numpy as np
import pytest
import torch
from helpers import by_hand
from helpers.toy import Build, Toy

from fpcore import RunConfig
from fpcore.model.blocks import ContextBlock, FixedPointModel, TokenBlock


def test_parameter_counts_of_the_seed_configuration() -> None:
    config = RunConfig(embed_dim=768, context_dim=1085)
    counts = FixedPointModel(torch.zeros(50257, 768), config, 42).parameter_counts()
    assert counts == {
        "context_block": 2013760,
        "token_block": 1425408,
        "embedding": 38597376,
        "input_norm": 1536,
        "total": 42038080,
    }


@pytest.mark.parametrize(
    ("layers", "tokens", "widths"),
    [
        (1, 1, [16, 16]),
        (2, 1, [16, 16, 16]),
        (1, 3, [48, 16]),
        (2, 3, [48, 32, 16]),
        (3, 2, [32, 27, 22, 16]),  # 32 - ⌊16·1/3⌋, 32 - ⌊16·2/3⌋
    ],
)
def test_token_block_narrows_linearly(layers: int, tokens: int, widths: list[int]) -> None:
    shapes = {
        name: tuple(value.shape)
        for name, value in TokenBlock(layers, 24, 16, tokens).named_parameters()
    }
    for n in range(layers):
        old, new = widths[n], widths[n + 1]
        assert shapes.pop(f"linears.{n}.weight") == (new, 24 + old)
        assert shapes.pop(f"linears.{n}.bias") == (new,)
        assert shapes.pop(f"norms.{n}.weight") == shapes.pop(f"norms.{n}.bias") == (new,)
        if old != new:
            assert shapes.pop(f"residuals.{n}.weight") == (new, old)
            assert shapes.pop(f"residuals.{n}.bias") == (new,)
    assert not shapes


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("tokens", [1, 3])
def test_blocks_by_hand(build: Build, toy: Toy, layers: int, tokens: int) -> None:
    model, ids = build(toy(layers=layers, input_tokens=tokens, precision="float64"), 12)
    inputs = model.inputs(ids)
    x = by_hand.inputs(by_hand.array(model.embedding.weight), ids.tolist(), tokens)
    np.testing.assert_allclose(inputs.vectors().numpy(), x, atol=1e-12)
    c = torch.randn(12, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        contexts = model.context_block(c, model.context_block.terms(inputs.table), inputs.index)
        h = model.token_block(contexts, inputs.vectors())
    expected = by_hand.context_block(by_hand.parameters(model.context_block), c.numpy(), x)
    assert len(contexts) == layers
    for got, want in zip(contexts, expected, strict=True):
        np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    want = by_hand.token_block(by_hand.parameters(model.token_block), expected, x)
    np.testing.assert_allclose(h.numpy(), want, atol=1e-12)


def test_what_a_residual_multiplies_lies_in_one_piece(build: Build, toy: Toy) -> None:
    """It is a part of the joined rows, where a library may add up in another order."""
    model, ids = build(toy(layers=2, input_tokens=3), 12)
    seen = list[bool]()
    for residual in model.token_block.residuals:
        residual.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous()))
    model.token_block([torch.ones(12, 24)] * 2, model.inputs(ids).vectors())
    assert seen == [True] * 2


def test_input_windows_are_oldest_first_with_zeros_before_the_start() -> None:
    weights = torch.tensor([[1.0, 2.0], [5.0, 3.0], [0.0, 9.0]], dtype=torch.float64)
    config = RunConfig(embed_dim=2, context_dim=4, input_tokens=3, precision="float64")
    rows = FixedPointModel(weights, config, 42).inputs(torch.tensor([0, 1, 2, 1])).vectors()
    # Two values around their mean: LayerNorm makes them -1 and 1 (less what eps takes).
    up, down, zero = [-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]
    expected = [zero + zero + up, zero + up + down, up + down + up, down + up + down]
    torch.testing.assert_close(rows.tolist(), expected, atol=1e-4, rtol=0)


def test_initial_weights_follow_the_spec() -> None:
    config = RunConfig(embed_dim=128, context_dim=181, layers=2, input_tokens=2)
    model = FixedPointModel(torch.zeros(300, 128), config, 42)
    linears = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert len(linears) == 6  # 2 of the ContextBlock, 2 of the TokenBlock with a projection each
    for linear in linears:
        assert linear.weight.std().item() == pytest.approx(0.1, rel=0.05)
        assert linear.weight.mean().item() == pytest.approx(0, abs=0.003)
        assert linear.bias.std().item() == pytest.approx(0.01, rel=0.25)
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)):
        assert norm.eps == 1e-5
        assert bool((norm.weight == 1).all())
        assert bool((norm.bias == 0).all())


def test_initial_weights_depend_on_the_seed_alone(build: Build, toy: Toy) -> None:
    states = [build(toy(), 5, seed)[0].state_dict() for seed in (42, 42, 43)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
    name = "context_block.linears.0.weight"
    assert not torch.equal(states[0][name], states[2][name])
    first = states[0]
    assert not torch.equal(
        first["context_block.linears.0.weight"].flatten()[:100],
        first["token_block.linears.0.weight"].flatten()[:100],
    )


def test_embedding_and_input_norm_are_frozen(build: Build, toy: Toy) -> None:
    model, _ = build(toy(), 5)
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"context_block", "token_block"}


def test_terms_of_a_type_that_stands_before_the_start_are_zero_but_for_the_bias() -> None:
    block = ContextBlock(1, 4, 6)
    slots = block.terms(torch.cat([torch.ones(2, 3), torch.zeros(1, 3)]))[0]
    assert slots[0][-1].tolist() == [0, 0, 0, 0]
    assert torch.equal(slots[1][-1], block.get_parameter("linears.0.bias"))
