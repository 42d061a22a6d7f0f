"""Data sets from the Hugging Face Hub, with failures that come fast and say what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from embgeom.corpus.fields import find_field
from embgeom.errors import CorpusError

__all__ = ["HubRecords", "records_from_hub"]

_PROBE_SECONDS = 6.0
_SPLITS = ("test", "validation", "train")


class HubRecords(NamedTuple):
    """Records of one split, and the commit they are of (None when read from a cache without network).

    ``read`` begins at the first record each time it is called; the data stay on disk. ``fields`` hold the text.
    """

    read: Callable[[], Iterator[tuple[str, object]]]
    fields: tuple[str, ...]
    split: str
    revision: str | None


def records_from_hub(
    hub_id: str,
    config: str | None,
    *,
    split: str | None = None,
    fields: tuple[str, ...] = (),
    revision: str | None = None,
    advice: str = "name a file instead",
) -> HubRecords:
    """Load a data set through ``datasets``.

    Parameters
    ----------
    hub_id, config, revision
        What to load.
    split
        None: test, else validation, else train, else the first there is.
    fields
        What makes up a text, joined by one space; empty: found as in a file.
    advice
        What to do without the Hub, for the error.

    Raises
    ------
    CorpusError
        No network and nothing in the cache; no such data set, config or field; gated; unreadable.
    """
    source = f"{hub_id}:{config}" if config else hub_id
    commit, trouble = _probe(hub_id, revision, advice)
    try:
        split, dataset = _load(hub_id, config, split, commit or revision, offline=bool(trouble))
    except Exception as error:  # the library raises a dozen unrelated classes; all mean: nothing was loaded
        raise CorpusError(trouble or _explain(error, hub_id, advice)) from error
    fields = fields or (find_field({name: _is_text(kind) for name, kind in dataset.features.items()}, source),)
    for field in fields:
        if field not in dataset.column_names:
            raise CorpusError(f"{source}: has no field {field!r}; its fields are: {', '.join(dataset.column_names)}")
    rows = dataset.select_columns(list(fields))  # never decode an image or audio column beside the text

    def read() -> Iterator[tuple[str, object]]:
        return ((f"record {number}", row) for number, row in enumerate(rows, start=1))

    return HubRecords(read, fields, split, commit)


def _probe(hub_id: str, revision: str | None, advice: str) -> tuple[str | None, str]:
    """Ask the Hub once for the commit: (commit, "") or, where the Hub is out of reach, (None, what to report).

    Without this question ``datasets`` retries an unreachable Hub for half a minute, and more behind a firewall that
    drops packets.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return HfApi().dataset_info(hub_id, revision=revision, timeout=_PROBE_SECONDS).sha, ""
    except (HfHubHTTPError, ValueError) as error:  # it answered, or the id was refused as ill-formed
        raise CorpusError(_explain(error, hub_id, advice)) from error
    except Exception as error:  # the transport's exceptions: requests, httpx or httpx2, by the library's version
        return None, f"cannot reach the Hugging Face Hub for data set {hub_id} ({_brief(error)}); {advice}"


def _load(
    hub_id: str, config: str | None, split: str | None, revision: str | None, *, offline: bool
) -> tuple[str, Any]:
    import datasets

    with _cache_only(datasets.config) if offline else _as_it_is():
        if split is None:
            names = datasets.get_dataset_split_names(hub_id, config, revision=revision)
            split = next((name for name in _SPLITS if name in names), names[0])
        return split, datasets.load_dataset(hub_id, config, split=split, revision=revision)


@contextmanager
def _cache_only(config: Any) -> Iterator[None]:
    """Let ``datasets`` look in its cache only, at once; it has no argument for that, only this setting."""
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _explain(error: BaseException, hub_id: str, advice: str) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    link: BaseException | None = error
    while link is not None:  # `datasets` wraps what the Hub said
        if isinstance(link, GatedRepoError):
            page = f"https://huggingface.co/datasets/{hub_id}"
            return f"data set {hub_id} is gated: accept its terms at {page} and log in (hf auth login), or {advice}"
        if isinstance(link, RevisionNotFoundError):
            return f"data set {hub_id} on the Hugging Face Hub lacks the revision that was asked for; {advice}"
        if isinstance(link, RepositoryNotFoundError):
            return f"no data set {hub_id} on the Hugging Face Hub (if it is private, log in: hf auth login); {advice}"
        link = link.__cause__ or link.__context__
    if isinstance(error, ValueError) and "config" in str(error).lower():  # none was named of several, or a wrong one
        text = " ".join(str(error).splitlines()[:2])
        return f"data set {hub_id} needs one of its configs, written {hub_id}:CONFIG ({text})"
    return f"cannot load data set {hub_id} from the Hugging Face Hub ({_brief(error)}); {advice}"


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _is_text(kind: Any) -> bool:
    return getattr(kind, "dtype", None) in ("string", "large_string")
