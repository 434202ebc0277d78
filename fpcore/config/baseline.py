"""The knobs of a baseline; those of the data are RunConfig's own, checked in the same way."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from fpcore.config.checked import MAX_NAME, NAME, Distinct, Real, Whole, read_mapping
from fpcore.config.run_config import RunConfig
from fpcore.errors import ConfigError, quoted, suggestion
from fpcore.paths import PARAMS, shown

FOLDER = PARAMS / "baselines"


def _shared(knob: str) -> Any:
    """Return a knob of RunConfig: its default, its checks and its description."""
    own = RunConfig.model_fields[knob]
    return FieldInfo.merge_field_infos(own, annotation=own.annotation)


class BaselineConfig(BaseModel):
    """What all baselines share: the data, cut and numbered as for the fixed-point model.

    Every description completes the sentence "<knob> must be …".

    Raises:
        ConfigError: for an unknown knob, a wrong type or an impossible value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
    val_samples: Whole = _shared("val_samples")
    select_on: Literal["dev"] = Field(
        "dev", description="dev (what a baseline chooses, it chooses on development)"
    )

    def __init__(self, **knobs: Any) -> None:
        try:
            super().__init__(**knobs)
        except ValidationError as error:
            raise ConfigError(self._sentence(error, knobs)) from None

    @property
    def run_name(self) -> str:
        """The name of the record."""
        return self.name

    def fixed_point(self) -> RunConfig:
        """Return the fixed-point run that this baseline stands beside, for its data and size."""
        shared = set(RunConfig.model_fields) - {"name", "precision"}
        return RunConfig(**self.model_dump(include=shared))

    @classmethod
    def _sentence(cls, error: ValidationError, knobs: dict[str, Any]) -> str:
        fields = cls.model_fields
        wrong = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
        parts = [
            f"{key} must be {fields[key].description}, not {quoted(knobs.get(key))}"
            if key in fields
            else f"{quoted(key)[1:-1]} is not a knob of {cls.__name__}{suggestion(key, fields)}"
            for key in wrong
        ]
        return "; ".join(parts)


class KneserNeyConfig(BaselineConfig):
    """An n-gram model, its order chosen on development."""

    model: Literal["kneser-ney"] = Field("kneser-ney", description="kneser-ney, lstm or gpt")
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

    model: Literal["lstm", "gpt"] = Field(description="kneser-ney, lstm or gpt")
    own_embedding: bool = Field(
        False,
        strict=True,
        description="true or false (whether it learns an embedding, tied to its head, instead of "
        "having the fixed-point model's frozen one)",
    )
    layers: Whole = _shared("layers")
    context_dim: Whole = _shared("context_dim")
    input_tokens: Whole = _shared("input_tokens")
    epochs: Whole = _shared("epochs")
    patience: Whole = _shared("patience")
    streams: Whole = Field(8, ge=1, description="a whole number of at least 1")
    segment: Whole = Field(
        64, ge=2, multiple_of=2, description="an even whole number of at least 2 (tokens)"
    )
    learning_rates: list[Annotated[Real, Field(gt=0)]] = Field(
        [0.002, 0.005, 0.01],
        min_length=1,
        description="a list of numbers above 0, such as [0.002, 0.005, 0.01]",
    )
    seeds: Annotated[list[Annotated[Whole, Field(ge=0, lt=2**31)]], Distinct] = _shared("seeds")
    device: str = _shared("device")
    precision: Literal["float32"] = Field("float32", description="float32")

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
    path = _path(source)
    knobs = read_mapping(path, lambda: _missing(path))
    kind = KneserNeyConfig if knobs.get("model") == "kneser-ney" else NeuralConfig
    try:
        return kind(**{"name": path.stem} | knobs)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None


def _missing(path: Path) -> str:
    near = suggestion(path.stem, (p.stem for p in FOLDER.glob("*.yaml")))
    return f"There is no readable params file {shown(path)}{near}."


def _path(source: str | Path) -> Path:
    path = Path(source).expanduser()
    bare = path.suffix not in {".yaml", ".yml"} and len(path.parts) == 1
    return FOLDER / f"{source}.yaml" if bare else path
