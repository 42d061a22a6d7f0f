"""Where a model's files are: a local folder or a repository on the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from embgeom.demo import MODEL_DIR
from embgeom.embeddings.messages import quote
from embgeom.errors import ModelError, OptionError

__all__ = ["HubRepository", "LocalFolder", "Source", "find_source"]

# Seconds to wait for the Hub's first answer.
_PATIENCE = 6.0


class Source(Protocol):
    """A place that hands out a model's files by name."""

    @property
    def model(self) -> str:
        """The model as the caller named it."""

    @property
    def revision(self) -> str | None:
        """The commit that the files come from; None where there is no such thing."""

    def find(self, filename: str) -> Path | None:
        """Return the local path of ``filename``, fetched if need be; None if there is no such file."""

    def lacks(self, what: str) -> ModelError:
        """Return the error for a file that the model should have, and that is not to be found."""


@dataclass(frozen=True)
class LocalFolder:
    """A folder as ``save_pretrained`` writes it."""

    model: str
    path: Path
    revision: str | None = None

    def find(self, filename: str) -> Path | None:
        """Return the path of ``filename`` in the folder, or None."""
        path = self.path / filename
        return path if path.is_file() else None

    def lacks(self, what: str) -> ModelError:
        """Return the error for a file that is not in the folder."""
        return ModelError(f"model {self.model!r} has no {what}")


@dataclass(frozen=True)
class HubRepository:
    """A repository on the Hub, read through the local cache of ``huggingface_hub``.

    The Hub is asked once for the commit that the revision stands for, and every file is of that commit. Where it cannot
    be reached the cache alone is used, without the half-minute of retries that a download would spend.
    """

    model: str
    requested_revision: str | None = None

    @property
    def revision(self) -> str | None:
        """The commit hash; without a connection, that of the cached files."""
        if self.online:
            return self._state[0]
        config = self._cached("config.json", self.requested_revision)
        return None if config is None else config.parent.name

    @property
    def online(self) -> bool:
        """Whether the Hub answered when it was first asked."""
        return self._state[0] is not None

    @cached_property
    def _state(self) -> tuple[str | None, str]:
        """The commit that the Hub names, or None and the reason why it cannot be reached."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            info = HfApi().model_info(self.model, revision=self.requested_revision, timeout=_PATIENCE)
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code >= 500:
                return None, quote(error)
            raise self._explain(error) from None
        except Exception as error:  # no network, offline mode: of requests, httpx or httpx2, by the library's version
            return None, quote(error)
        config = self._cached("config.json", self.requested_revision)
        if config is None or config.parent.name != info.sha:
            # By the name of the revision, so that the cache remembers, for want of a network, what it stands for.
            config = self._fetch("config.json", self.requested_revision)
        return (info.sha if config is None else config.parent.name), ""

    def find(self, filename: str) -> Path | None:
        """Return the cached path of ``filename``, downloading it first if need be.

        Raises
        ------
        ModelError
            If the repository does not exist, is gated, or cannot be fetched from.
        """
        commit, _ = self._state
        cached = self._cached(filename, commit or self.requested_revision)
        if cached is not None or commit is None or self._known_absent(filename, commit):
            return cached
        return self._fetch(filename, commit)

    def lacks(self, what: str) -> ModelError:
        """Return the error for a file that is not in the repository, or, without a connection, not in the cache."""
        commit, reason = self._state
        if commit is not None:
            return ModelError(f"model {self.model!r} has no {what}")
        return ModelError(
            f"model {self.model!r} is no local folder, the Hub cannot be reached, and the local cache has no {what}: "
            f"check the network, or give a local folder ({reason})"
        )

    def _cached(self, filename: str, revision: str | None) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(self.model, filename, revision=revision)
        return Path(cached) if isinstance(cached, str) else None

    def _known_absent(self, filename: str, commit: str) -> bool:
        """Whether the Hub has said before, and the cache remembers, that the commit has no such file."""
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        return try_to_load_from_cache(self.model, filename, revision=commit) is _CACHED_NO_EXIST

    def _fetch(self, filename: str, revision: str | None) -> Path | None:
        from huggingface_hub import hf_hub_download, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            get_session,
            hf_raise_for_status,
        )

        try:
            # A download that cannot start is tried again for half a minute; this asks once.
            url = hf_hub_url(self.model, filename, revision=revision)
            response = get_session().head(url, headers=build_hf_headers(), timeout=_PATIENCE)
            if response.status_code >= 400 and response.status_code != 404:  # which the download notes in the cache
                hf_raise_for_status(response)
            return Path(hf_hub_download(self.model, filename, revision=revision))
        except LocalEntryNotFoundError as error:  # before EntryNotFoundError, of which it is a kind: no connection
            raise self._explain(error, filename) from None
        except EntryNotFoundError:
            return None
        except Exception as error:  # HTTP errors, connections lost half-way, a full disk
            raise self._explain(error, filename) from None

    def _explain(self, error: Exception, filename: str = "its description") -> ModelError:
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

        if isinstance(error, GatedRepoError):  # before RepositoryNotFoundError, of which it is a kind
            problem = f"is gated: accept its terms at https://huggingface.co/{self.model}, then `hf auth login`"
        elif isinstance(error, RevisionNotFoundError):
            problem = f"has no revision {self.requested_revision!r} on the Hub"
        elif isinstance(error, RepositoryNotFoundError):
            problem = "is neither a local folder nor a repository on the Hub (if it is private: `hf auth login`)"
        else:
            problem = f"cannot be fetched from the Hub ({filename}): {quote(error)}"
        return ModelError(f"model {self.model!r} {problem}")


def find_source(model: str, *, revision: str | None = None) -> Source:
    """Return where ``model`` is: ``demo``, a local folder, or a Hub id.

    Raises
    ------
    ModelError
        If it is none of the three.
    OptionError
        If a revision is asked for of what is not on the Hub.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    if model == "demo":
        return _local(LocalFolder("demo", MODEL_DIR), revision)
    try:
        path = Path(model).expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError) as error:  # not permitted, too long a name, the home of an unknown user
        raise ModelError(f"model {model!r}: the path cannot be read: {quote(error)}") from None
    if is_folder and model:
        return _local(LocalFolder(model, path), revision)
    if is_file:
        raise ModelError(f"model {model!r} is a file; give the folder that holds config.json and the weights")
    try:
        validate_repo_id(model)
    except HFValidationError:
        raise ModelError(
            f"model {model!r}: there is no such folder (and it is no Hub id of the form owner/name)"
        ) from None
    return HubRepository(model, revision)


def _local(folder: LocalFolder, revision: str | None) -> LocalFolder:
    if revision is not None:
        raise OptionError(
            f"revision {revision!r} was asked for, and model {folder.model!r} is local: it has no revisions"
        )
    return folder
