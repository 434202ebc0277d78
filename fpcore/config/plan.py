"""What every file that plans several runs of one base config has, and how it is refused."""

from abc import abstractmethod
from typing import Any, Self

from pydantic import Field, ValidationError

from fpcore.config.checked import NAME, Checked
from fpcore.errors import quoted, suggestion


class Plan(Checked):
    """A question that runs which differ from `base` shall answer, as a YAML file asks it.

    Raises:
        ConfigError: an unknown field or knob, a wrong type, or an impossible value.
    """

    name: str = Field(
        pattern=rf"^{NAME}$",
        description="ASCII letters, digits and . _ + -, as its file is called",
    )
    title: str = Field(min_length=1, description="a text, the heading of the report")
    question: str = Field(min_length=1, description="a text, what the runs shall answer")
    base: str = Field(description="the name of a config in params/, or the path of a YAML file")

    @classmethod
    def _made(cls, name: str, given: dict[str, Any]) -> Self:
        plan = cls(**given | {"name": name})
        plan._check()
        return plan

    @classmethod
    def _sentence(cls, error: ValidationError, given: dict[str, Any]) -> str:
        return f"{super()._sentence(error, given)}."

    @classmethod
    def _refusal(cls, key: str, given: dict[str, Any]) -> str:
        """Say what a field must be; what it was is as long as the file."""
        if key in cls.model_fields:
            return f"{key} must be {cls.model_fields[key].description}"
        near = suggestion(key, cls.model_fields)
        return f"{quoted(key)[1:-1]} is not a field of a {cls.file}{near}"

    @abstractmethod
    def _check(self) -> None:
        """Refuse what no report could compare.

        Raises:
            ConfigError: the text says what.
        """
