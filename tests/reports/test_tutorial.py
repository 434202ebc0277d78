"""The tutorial's model is the real one: its contexts settle, and end at the true recurrence."""

import re

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.toy import WORDS

from fpcore import CorpusError
from fpcore.errors import ConfigError
from fpcore.paths import NOTEBOOKS
from fpcore.reports import figures, tutorial
from fpcore.runs.lessons import FROZEN_STEPS, Lesson
from fpcore.runs.lessons import lesson as taught
from fpcore.trainers.contexts import sequential_contexts

CELLS = jupytext.read(NOTEBOOKS / "tutorial.py").cells


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    """The lesson of the notebook's own parameters."""
    given: dict[str, object] = {}
    exec(next(c.source for c in CELLS if c.metadata.get("tags") == ["parameters"]), given)
    del given["__builtins__"]
    return taught(**given)  # type: ignore[arg-type]


def test_phase_1_settles_and_every_iteration_is_kept(lesson: Lesson) -> None:
    assert len(lesson.history) == 1 + len(lesson.trace)
    assert lesson.trace[0]["convergence_rate"] < 0.1 < 0.99 <= lesson.trace[-1]["convergence_rate"]
    moved = tutorial.residuals(lesson.history[1:])
    assert moved.shape == (len(lesson.words), len(lesson.history) - 2)
    assert moved[:, -1].mean() < moved[:, 0].mean() / 4
    gap = (lesson.history[3] - lesson.history[2]).norm(dim=1) / lesson.history[3].norm(dim=1)
    assert moved[:, 1] == pytest.approx(gap.numpy())


def test_frozen_contexts_end_at_the_true_recurrence(lesson: Lesson) -> None:
    true = sequential_contexts(lesson.model.context_block, lesson.inputs)[-1]
    first, last = lesson.frozen[0] - true, lesson.frozen[-1] - true
    assert last.norm() < 1e-4 * first.norm()
    still = tutorial.residuals(lesson.frozen)
    for token in range(20):  # token i stands exactly still from step i + 2 on
        assert (still[token, token + 1 :] == 0).all()
    shown = tutorial.fixed_point(lesson)
    assert f"{float(last.norm() / true.norm()):.1e}" in shown


def test_tables_and_figures_speak_of_the_text(lesson: Lesson) -> None:
    figures.use_style()
    assert "| 0        |          The |" in tutorial.words_table(lesson)
    assert f"| {lesson.trace[-1]['iteration']} " in tutorial.phase1_table(lesson)
    ax = tutorial.heat_map(lesson, lesson.frozen, "凍結後", tutorial.axes(len(lesson.words)))
    assert [t.get_text() for t in ax.get_yticklabels()] == lesson.words
    assert ax.images[0].get_array().shape == (len(lesson.words), FROZEN_STEPS)  # type: ignore[union-attr]
    ax, other = (tutorial.paths(lesson, figures.axes()) for _ in range(2))
    assert len(ax.lines) == 8 and len(ax.lines[0].get_xdata()) == len(lesson.history)  # type: ignore[arg-type]
    drawn = [np.asarray(axes.lines[7].get_xdata()) for axes in (ax, other)]
    assert (drawn[0] == drawn[1]).all()  # nothing is drawn by chance
    named = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert named == [f"{i} {word}" for i, word in enumerate(lesson.words[:8])]
    plt.close("all")


def test_phase_2_learns_the_text(lesson: Lesson) -> None:
    said = tutorial.next_words(lesson)
    first, best = (float(number) for number in re.findall(r"で (\d+\.\d)", said)[:2])
    assert best < first / 3 and "17）" in said


def test_a_knob_is_checked_and_a_text_too_short_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_iter must be a whole number"):
        taught("The cat sat.", max_iter="many")
    with pytest.raises(CorpusError, match="different tokens; it needs more than 12"):
        taught("The cat sat.")
    other = taught(" ".join(WORDS), max_iter=6)
    assert len(other.history) == 6


def test_the_notebook_ends_with_a_knob_to_change() -> None:
    assert "つまみを 1 つ変える" in CELLS[-1].source


SENTENCES = "猫がマットの上に座った。犬は猫を見て、戸口まで走った。"


@pytest.mark.parametrize("more", ["", "鬱蒼とした森😀。", "naïve café — 50 °C"])
def test_a_japanese_text_has_no_broken_characters(more: str) -> None:
    """Tokens that are a part of a character say which one, and figures lack no glyph."""
    figures.use_style()
    made = taught(SENTENCES + more, max_iter=6, epochs=1)
    read = "".join(word.partition(" ")[0] for word in made.words if not re.search(r" [2-9]/", word))
    assert read == (SENTENCES + more).replace(" ", "")
    shown = tutorial.words_table(made, 99) + tutorial.next_words(made, 99)
    assert "\ufffd" not in shown and "猫" in shown
    ax = tutorial.heat_map(made, made.frozen, "凍結後", tutorial.axes(len(made.words)))
    ax.figure.canvas.draw()  # a missing glyph is a warning, which is an error
    tutorial.paths(made, figures.axes()).figure.canvas.draw()
    plt.close("all")
