"""YAML of params files: plain data, and nothing that hides or unfolds."""

from pathlib import Path

import pytest

from fpcore import RunConfig
from fpcore.config.checked import parse


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "a is given twice"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        ("a: [", "expected"),
        ("a: 2020-13-45", "month must be"),
    ],
)
def test_yaml_is_plain_data(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert parse("a: [1, 2.5, x]\nb: {c: null}") == {"a": [1, 2.5, "x"], "b": {"c": None}}


def test_a_byte_order_mark_is_no_part_of_a_params_file(tmp_path: Path) -> None:
    (tmp_path / "marked.yaml").write_text("max_iter: 7\n", "utf-8-sig")
    assert RunConfig.load(tmp_path / "marked.yaml").max_iter == 7
