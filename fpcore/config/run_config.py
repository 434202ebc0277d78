"""Every knob of a run, checked once, at the door."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from fpcore.config.checked import BREAKS, MAX_NAME, NAME, Checked, Distinct, Real, Whole, short
from fpcore.config.knob import Knob
from fpcore.errors import quoted
from fpcore.language import template
from fpcore.paths import PARAMS

DATA, MEASURING = template("データ"), template("測定と環境")
MODEL = Knob(("phase 1", "phase 2"), template("モデル"))
PHASE1 = Knob(("phase 1",), "Phase 1")
PHASE2 = Knob(("phase 2",), "Phase 2")


class RunConfig(Checked):
    """The knobs of one run; the defaults are the small setting, `params/v5-small.yaml`.

    Every description below completes the sentence "<knob> must be …", so it is both the
    documentation and the error message; `Knob` holds what else is known of a knob.

    Raises:
        ConfigError: for an unknown knob, a wrong type or an impossible value.
    """

    name: Annotated[str, Knob(("name",), factor=False, in_study=False)] = Field(
        "",
        pattern=rf"^({NAME})?$",
        description=f"ASCII letters, digits and . _ + - (at most {MAX_NAME}, beginning with a "
        "letter or digit), or empty for a name made from what differs from the defaults",
    )
    corpus: Annotated[str, Knob(("text",), DATA, in_study=False)] = Field(
        "chitchat",
        pattern=rf"^(chitchat|ultrachat|[^{BREAKS}]+\.[A-Za-z0-9]+)$",
        description="chitchat, ultrachat, or the path of a file such as chats.jsonl",
    )
    tokenizer: Annotated[str, Knob(("text",), DATA, tied=True, in_study=False)] = Field(
        "bpe-4096",
        pattern=r"^(gpt2|bpe-(25[7-9]|2[6-9]\d|[3-9]\d\d|[1-9]\d{3,4}))$",
        description="gpt2, or bpe-N for a byte-level BPE of N types (257 to 99999) trained on the "
        "corpus, such as bpe-4096",
    )
    embedding: Annotated[str, Knob(("data",), DATA, tied=True)] = Field(
        "ppmi-frequency",
        pattern=rf"^(ppmi|ppmi-frequency|gpt2|random|[^{BREAKS}]+\.(?i:safetensors))$",
        description="ppmi-frequency (its last column says how often a type occurs), ppmi, gpt2, "
        "random, or the path of a .safetensors file that holds wte.weight",
    )
    embed_dim: Annotated[Whole, Knob(("data",), DATA, tied=True)] = Field(
        128, ge=1, description="a whole number of at least 1"
    )
    samples: Annotated[
        list[Annotated[Whole, Field(ge=1)]],
        Distinct,
        Knob(("data",), resolved=True, factor=False, in_study=False),
    ] = Field(
        [12, 25, 50, 100, 200],
        min_length=1,
        description="a list of different whole numbers of at least 1 (training conversations), "
        "such as [25, 50]",
    )
    val_samples: Annotated[Whole | None, Knob(("text", "measuring"), DATA, in_study=False)] = Field(
        None,
        ge=1,
        description="a whole number of at least 1 (conversations reserved for validation, and "
        "as many again for development), or null for 200, or a tenth of a corpus of fewer than "
        "2000",
    )
    val_tokens: Annotated[Whole | None, Knob(("text", "measuring"), DATA, in_study=False)] = Field(
        1000,
        ge=2,
        description="a whole number of at least 2 (the first tokens of each validation "
        "conversation that count, so that no conversation dominates), or null for all",
    )
    dev_tokens: Annotated[Whole | None, Knob(("phase 2",), DATA, in_study=False)] = Field(
        100,
        ge=2,
        description="a whole number of at least 2 (as val_tokens, of each development "
        "conversation, which is read in every epoch), or null for all",
    )
    built_from: Annotated[
        Literal["pool", "training"], Knob(("text", "data"), DATA, in_study=False)
    ] = Field(
        "pool",
        description="pool (tokenizer and embedding know all training conversations of the corpus, "
        "as pretrained ones would) or training (only those of the largest of samples)",
    )
    data_seed: Annotated[Whole, Knob(("data",), DATA)] = Field(
        0,
        ge=0,
        lt=2**31,
        description="a whole number from 0 to 2147483647; 0 takes the training conversations as "
        "they stand, any other draws which ones",
    )
    layers: Annotated[Whole, MODEL] = Field(1, ge=1, description="a whole number of at least 1")
    context_dim: Annotated[Whole, MODEL] = Field(
        181, ge=2, description="a whole number of at least 2"
    )
    input_tokens: Annotated[Whole, MODEL] = Field(
        1, ge=1, description="a whole number of at least 1"
    )
    contexts: Annotated[
        Literal["trained", "untrained", "zero"],
        Knob(("phase 1", "phase 2")),
    ] = Field(
        "trained",
        description="trained (phase 1), untrained (the ContextBlock as it is drawn) or zero; the "
        "last two are controls, which run no phase 1",
    )
    max_iter: Annotated[Whole, Knob(("phase 1",), "Phase 1", "no iteration")] = Field(
        60,
        ge=2,
        description="a whole number of at least 2 (iteration 1 only draws the first contexts)",
    )
    gradient_clip: Annotated[Real, Knob(("phase 1",), "Phase 1", "some iterations")] = Field(
        1.0, gt=0, description="a number above 0"
    )
    dist_reg_weight: Annotated[Real, PHASE1] = Field(
        0.9, ge=0, le=1, description="a number from 0 to 1"
    )
    context_noise: Annotated[Real, PHASE1] = Field(
        0.1, ge=0, le=1e6, description="a number from 0 to 1000000"
    )
    convergence_threshold: Annotated[Real, PHASE1] = Field(
        0.03, gt=0, description="a number above 0"
    )
    min_converged_ratio: Annotated[Real, Knob(("phase 1",), "Phase 1", "no iteration")] = Field(
        0.99, gt=0, le=1, description="a number above 0, at most 1"
    )
    phase1_lr: Annotated[Real, PHASE1] = Field(0.002, gt=0, description="a number above 0")
    phase1_batch: Annotated[Whole, PHASE1] = Field(
        5000, ge=2, description="a whole number of at least 2 (tokens per chunk; part of the loss)"
    )
    epochs: Annotated[Whole, PHASE2] = Field(80, ge=1, description="a whole number of at least 1")
    patience: Annotated[Whole, PHASE2] = Field(3, ge=1, description="a whole number of at least 1")
    phase2_lr: Annotated[
        Annotated[Real, Field(gt=0)]
        | Annotated[list[Annotated[Real, Field(gt=0)]], Distinct, Field(min_length=1)],
        PHASE2,
    ] = Field(
        0.005,
        description="a number above 0, or a list of different ones such as [0.001, 0.002], of "
        "which development chooses at every size, with the first seed (select_on: dev)",
    )
    phase2_batch: Annotated[Whole, PHASE2] = Field(
        512, ge=1, description="a whole number of at least 1"
    )
    output_bias: Annotated[Literal["none", "unigram"], PHASE2] = Field(
        "none",
        description="none, or unigram (a trained bias of the head that starts from the logarithms "
        "of the training text's frequencies)",
    )
    select_on: Annotated[
        Literal["dev", "val"],
        Knob(("phase 2",), "Phase 2", in_study=False),
    ] = Field("val", description="dev or val")
    er_rows: Annotated[Whole | None, Knob(("measuring",), MEASURING)] = Field(
        10_000, ge=2, description="a whole number of at least 2, or null for all rows"
    )
    seeds: Annotated[
        list[Annotated[Whole, Field(ge=0, lt=2**31)]],
        Distinct,
        Knob(("phase 1", "phase 2", "measuring"), MEASURING, resolved=True, in_study=False),
    ] = Field(
        [42],
        min_length=1,
        description="a list of different whole numbers from 0 to 2147483647, such as [42]",
    )
    device: Annotated[str, Knob(("machine",), MEASURING, resolved=True, factor=False)] = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)$",
        description="auto, cpu, cuda or cuda:N",
    )
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float64"],
        Knob(("machine",), MEASURING, resolved=True),
    ] = Field(
        "auto",
        description="auto (bfloat16 products where the device has them, otherwise float32), "
        "float32, bfloat16 or float64",
    )
    bfloat16_contexts: Annotated[bool, Strict(), Knob(("machine",))] = Field(
        False,
        description="true or false (whether phase 1 stores its contexts in bfloat16; only with "
        "bfloat16 products)",
    )
    keep_models: Annotated[bool, Strict(), Knob(("disk",), factor=False, in_study=False)] = Field(
        True,
        description="true or false (whether every trained model stays in .cache/models/, for "
        "fpcore.load_model)",
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if isinstance(self.phase2_lr, list) and self.select_on != "dev":
            raise ValueError(
                "phase2_lr must be one number where select_on is val, as development chooses "
                f"from a list, not {quoted(self.phase2_lr)}; set select_on to dev"
            )
        if self.embedding == "ppmi-frequency" and self.embed_dim < 2:
            raise ValueError(
                "embed_dim must be at least 2 for the embedding ppmi-frequency, "
                f"not {self.embed_dim}"
            )
        return self

    @classmethod
    def folder(cls) -> Path:
        """Return `params/`."""
        return PARAMS

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates of phase 2 that are tried."""
        return tuple(self.phase2_lr) if isinstance(self.phase2_lr, list) else (self.phase2_lr,)

    @property
    def label(self) -> str:
        """The architecture in short, for example `1L_1085d_1tok`."""
        return f"{self.layers}L_{self.context_dim}d_{self.input_tokens}tok"

    @property
    def run_name(self) -> str:
        """`name`, or where that is empty one made from what differs from the defaults."""
        return self.name or _made_name(self)

    def varied(self, /, **knobs: Any) -> "RunConfig":
        """Return this config with some knobs changed, called after it and what then differs.

        Raises:
            ConfigError: an unknown knob or a bad value.
        """
        varied = RunConfig(**self.model_dump() | knobs)
        own = self.knobs()
        changed = {key: value for key, value in varied.knobs().items() if value != own[key]}
        return varied.model_copy(update={"name": _named(self.run_name, changed, varied)})

    def knobs(self) -> dict[str, Any]:
        """Return every knob that decides a number, as plain data: what makes two runs the same."""
        return self.model_dump(exclude={*IDLE})


KNOBS: dict[str, Knob] = {
    name: next(fact for fact in field.metadata if isinstance(fact, Knob))
    for name, field in RunConfig.model_fields.items()
}


def knobs_where(holds: Callable[[Knob], bool]) -> frozenset[str]:
    """Return the names of the knobs of which something holds."""
    return frozenset(name for name, knob in KNOBS.items() if holds(knob))


def knob_table() -> str:
    """Return every knob as a Markdown table: its default, what it must be, what it acts on."""
    lines = ["| knob | default | it must be | it acts on |", "|---|---|---|---|"]
    for name, field in RunConfig.model_fields.items():
        described = str(field.description).replace("|", "\\|")
        acts = ", ".join(KNOBS[name].acts_on)
        lines.append(f"| `{name}` | `{json.dumps(field.default)}` | {described} | {acts} |")
    return "\n".join(lines)


# What decides no number.
IDLE = knobs_where(lambda knob: {*knob.acts_on} <= {"name", "disk"})
# Runs that differ in these alone take the same path of phase 1; `max_iter` only says how far.
OFF_THE_PATH = knobs_where(lambda knob: {*knob.acts_on} <= {"phase 2", "measuring", "disk"}) | {
    "max_iter"
}


def _made_name(config: RunConfig) -> str:
    """Join the label and each knob that differs from its default."""
    fields = RunConfig.model_fields
    changed = {
        key: value
        for key, value in config.knobs().items()
        if key not in {"layers", "context_dim", "input_tokens"} and value != fields[key].default
    }
    return _named(config.label, changed, config)


def _named(head: str, changed: dict[str, Any], config: RunConfig) -> str:
    """Join a name and knobs with their values; a digest where it is too long or text is lost."""
    name = "-".join([head, *(key + short(value) for key, value in changed.items())])
    lossy = any(
        short(changed[key]) != changed[key] for key in ("corpus", "embedding") if key in changed
    )
    if lossy or len(name) > MAX_NAME:
        text = json.dumps(config.knobs(), sort_keys=True)
        name = f"{name[: MAX_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return name
