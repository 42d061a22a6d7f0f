"""Where a model's files are: a local folder or a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from embgeom.demo import MODEL_DIR
from embgeom.errors import ModelError, first_line

__all__ = ["HubRepository", "LocalFolder", "Source", "find_source"]

# What the Hub accepts as a repository id: "name" or "owner/name".
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# Seconds to wait for the Hub's first answer.
_PATIENCE = 6.0


class Source(Protocol):
    """A place that hands out a model's files by name."""

    model: str

    @property
    def revision(self) -> str | None:
        """The commit that the files come from; None where there is no such thing."""

    def find(self, filename: str) -> Path | None:
        """Return the local path of ``filename``, fetched if need be; None if the model has no such file."""


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
        config = self.find("config.json")
        return None if config is None else config.parent.name

    @cached_property
    def _commit(self) -> str | None:
        """The commit that the Hub names; None if it cannot be reached."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            return HfApi().model_info(self.model, revision=self.requested_revision, timeout=_PATIENCE).sha
        except HfHubHTTPError as error:
            raise self._explain(error) from None
        except Exception:  # no network, offline mode: requests, httpx or httpx2 exceptions, by the library's version
            return None

    def find(self, filename: str) -> Path | None:
        """Return the cached path of ``filename``, downloading it first if need be.

        Raises
        ------
        ModelError
            If the repository does not exist, is gated, or cannot be reached.
        """
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

        commit = self._commit
        try:
            return Path(
                hf_hub_download(
                    self.model, filename, revision=commit or self.requested_revision, local_files_only=commit is None
                )
            )
        except LocalEntryNotFoundError:  # before EntryNotFoundError, of which it is a kind
            if commit is None and filename != "config.json" and self.find("config.json") is not None:
                return None  # cached while there was a connection, so that what is missing may not exist
            raise ModelError(
                f"model {self.model!r} is no local folder, and {filename} is not in the local cache and the Hub cannot "
                "be reached: check the network, or give a local folder"
            ) from None
        except EntryNotFoundError:
            return None
        except (HfHubHTTPError, OSError) as error:
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
            problem = f"cannot be fetched from the Hub ({filename}): {first_line(error)}"
        return ModelError(f"model {self.model!r} {problem}")


def find_source(model: str, *, revision: str | None = None) -> Source:
    """Return where ``model`` is: ``demo``, a local folder, or a Hub id.

    Raises
    ------
    ModelError
        If it is none of the three.
    """
    if model == "demo":
        return LocalFolder("demo", MODEL_DIR)
    path = Path(model).expanduser()
    if path.is_dir():
        return LocalFolder(model, path)
    if path.is_file():
        raise ModelError(f"model {model!r} is a file; give the folder that holds config.json and the weights")
    if not _HUB_ID.fullmatch(model):
        raise ModelError(f"model {model!r}: there is no such folder (and it is no Hub id of the form owner/name)")
    return HubRepository(model, revision)
