"""The knobs of a baseline; those of the data are RunConfig's own, checked in the same way."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, Strict
from pydantic.fields import FieldInfo

from fpcore.config.checked import MAX_NAME, NAME, Checked, Distinct, Real, Whole
from fpcore.config.run_config import RunConfig
from fpcore.paths import PARAMS


def _shared(knob: str) -> Any:
    """Return a knob of RunConfig: its default, its checks and its description."""
    own = RunConfig.model_fields[knob]
    return FieldInfo.merge_field_infos(own, annotation=own.annotation)


class BaselineConfig(Checked):
    """What all baselines share: the data, cut and numbered as for the fixed-point model.

    Raises:
        ConfigError: for an unknown knob, a wrong type or an impossible value.
    """

    name: str = Field(
        pattern=rf"^{NAME}$",
        description=f"ASCII letters, digits and . _ + - (at most {MAX_NAME}, beginning with a "
        "letter or digit)",
    )
    corpus: str = _shared("corpus")
    tokenizer: str = _shared("tokenizer")
    embedding: str = _shared("embedding")
    embed_dim: Whole = _shared("embed_dim")
    samples: Annotated[list[Annotated[Whole, Field(ge=1)]], Distinct] = _shared("samples")
    val_samples: Whole | None = _shared("val_samples")
    val_tokens: Whole | None = _shared("val_tokens")
    dev_tokens: Whole | None = _shared("dev_tokens")
    built_from: Literal["pool", "training"] = _shared("built_from")
    data_seed: Whole = _shared("data_seed")
    select_on: Literal["dev"] = Field(
        "dev", description="dev (what a baseline chooses, it chooses on development)"
    )

    @classmethod
    def folder(cls) -> Path:
        """Return `params/baselines/`."""
        return PARAMS / "baselines"

    @classmethod
    def _made(cls, name: str, given: dict[str, Any]) -> Self:
        """Return a baseline of the kind that `model` names."""
        kind = KneserNeyConfig if given.get("model") == "kneser-ney" else NeuralConfig
        return cast(Self, kind(**{"name": name} | given))

    @property
    def run_name(self) -> str:
        """The name of the record."""
        return self.name

    def fixed_point(self) -> RunConfig:
        """Return the fixed-point run that this baseline stands beside, for its data and size."""
        shared = set(RunConfig.model_fields) - {"name", "precision"}
        return RunConfig(**self.model_dump(include=shared))


class KneserNeyConfig(BaselineConfig):
    """An n-gram model, its order chosen on development."""

    model: Literal["kneser-ney"] = Field("kneser-ney", description="kneser-ney")
    counts: Literal["training", "pool"] = Field(
        "training",
        description="training (n-grams of the training text of each size) or pool (of all training "
        "conversations of the corpus, which tokenizer and embedding know)",
    )
    orders: Annotated[list[Annotated[Whole, Field(ge=1)]], Distinct] = Field(
        [3, 4, 5],
        min_length=1,
        description="a list of different whole numbers of at least 1, such as [3, 4, 5]",
    )

    @property
    def label(self) -> str:
        """The kind of model, as records call the architecture."""
        return self.model


class NeuralConfig(BaselineConfig):
    """An LSTM or a GPT with as many trained parameters as the fixed-point model.

    `layers`, `context_dim` and `input_tokens` are the fixed-point model's, whose number of trained
    parameters is matched. A batch is `streams` stretches of the text, `segment` tokens of each.
    """

    model: str = Field(
        pattern=rf"^{NAME}$", description="kneser-ney, or the name of a network such as lstm"
    )
    own_embedding: Annotated[bool, Strict()] = Field(
        False,
        description="true or false (whether it learns an embedding, tied to its head, instead of "
        "having the fixed-point model's frozen one)",
    )
    output_bias: Literal["none", "unigram"] = _shared("output_bias")
    layers: Whole = _shared("layers")
    context_dim: Whole = _shared("context_dim")
    input_tokens: Whole = _shared("input_tokens")
    epochs: Whole = _shared("epochs")
    patience: Whole = _shared("patience")
    streams: Whole = Field(8, ge=1, description="a whole number of at least 1")
    segment: Whole = Field(
        64, ge=2, multiple_of=2, description="an even whole number of at least 2 (tokens)"
    )
    learning_rates: Annotated[list[Annotated[Real, Field(gt=0)]], Distinct] = Field(
        [0.002, 0.005, 0.01],
        min_length=1,
        description="a list of different numbers above 0, such as [0.002, 0.005, 0.01]",
    )
    seeds: Annotated[list[Annotated[Whole, Field(ge=0, lt=2**31)]], Distinct] = _shared("seeds")
    device: str = _shared("device")
    precision: Literal["float32"] = Field("float32", description="float32")
    keep_models: bool = _shared("keep_models")

    @property
    def label(self) -> str:
        """The kind of model, as records call the architecture."""
        return self.model


def load_baseline(source: str | Path) -> KneserNeyConfig | NeuralConfig:
    """Read `params/baselines/<source>.yaml`, or the YAML file at the path `source`.

    A file that gives no `name` takes the file's own.

    Raises:
        ConfigError: no such file, no mapping of knobs in it, or a bad knob.
    """
    return cast(KneserNeyConfig | NeuralConfig, BaselineConfig.load(source))
