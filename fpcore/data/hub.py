"""Files of the Hugging Face hub, each at one fixed revision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fpcore.errors import CorpusError


@dataclass(frozen=True)
class Source:
    """Files of a repository whose names match `pattern`, at the commit `revision`."""

    repository: str
    kind: Literal["model", "dataset"]
    revision: str
    pattern: str


def fetch(source: Source, wanted_by: str, instead: str) -> Path:
    """Return the first of the files: from the cache, or downloaded into it.

    A download that broke off goes on where it stopped. `HF_HUB_OFFLINE=1` takes the cache alone,
    `HF_ENDPOINT` another address than the hub's.

    Raises:
        CorpusError: they cannot be had; the text says who wanted them and what to do instead.
    """
    folder = _cached(source)
    if folder is None:
        try:
            folder = Path(_snapshot(source))
        except Exception as error:  # the hub library raises many kinds; all mean "not to be had"
            raise CorpusError(
                f"{wanted_by} needs {source.repository} from the Hugging Face hub, which could not "
                f"be reached or read ({type(error).__name__}); check the network and "
                f"HF_HUB_OFFLINE, or {instead}."
            ) from None
    found = sorted(folder.glob(source.pattern))
    if not found:
        raise CorpusError(
            f"{wanted_by} needs {source.pattern} of {source.repository}, which its revision "
            f"{source.revision[:8]} does not have there; check HF_ENDPOINT, or {instead}."
        )
    return found[0]


def _cached(source: Source) -> Path | None:
    """Return the folder where the files are already: a revision never changes."""
    try:
        folder = Path(_snapshot(source, local_files_only=True))
    except Exception:  # as in `fetch`: they are not in the cache
        return None
    return folder if any(folder.glob(source.pattern)) else None


def _snapshot(source: Source, local_files_only: bool = False) -> str:
    from huggingface_hub import snapshot_download

    return snapshot_download(
        source.repository,
        repo_type=source.kind,
        revision=source.revision,
        allow_patterns=source.pattern,
        local_files_only=local_files_only,
    )
