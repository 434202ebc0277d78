"""What is known of a knob beside its name, its values and its default."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["name", "text", "data", "phase 1", "phase 2", "measuring", "machine", "disk"]


@dataclass(frozen=True)
class Knob:
    """What is known of a knob beside its values; everything that tells knobs apart reads it here.

    `acts_on` names the parts of a run that the knob decides: `text` is the validation text and its
    tokens, `data` the rest of what is read, `disk` what stays there. `group` is the heading of the
    report under which the knob is listed among those that runs share; a knob without one is not
    listed.

    `in_trace` says in which iterations of phase 1 another value would show in the trace: one that
    only ends phase 1 shows in none. `resolved` knobs come to a single training in another form:
    one of the seeds, one of the sizes, the device that `auto` stands for. A knob that is no
    `factor` makes no difference between runs that a comparison could be about. `tied` knobs can
    only change together. A knob that is not `in_study` cannot be varied by a study.
    """

    acts_on: tuple[Part, ...]
    group: str = ""
    in_trace: Literal["every iteration", "some iterations", "no iteration"] = "every iteration"
    resolved: bool = False
    factor: bool = True
    tied: bool = False
    in_study: bool = True
