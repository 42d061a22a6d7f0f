"""Threads over chunks of work: dynamic, interruptible, and independent of how many threads there are.

The kernels release the GIL and run for a fraction of a second at most, so plain threads that draw the next chunk from a
shared counter balance the load, let Ctrl-C in between the chunks, and need no threading layer of numba (whose
``prange`` is static, and whose simplest layer aborts the process when two Python threads enter it at once). They are
started by ``_thread``: ``threading.Thread.start`` waits until the new thread runs, which can take as long as the work
of a small cloud.
"""

from __future__ import annotations

import _thread
import itertools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import numba

from embgeom.progress import OnProgress

__all__ = ["breathe", "run_chunks", "thread_count"]

Result = TypeVar("Result")

_current = threading.local()  # .board: whose chunk this thread is doing


class _StoppedError(Exception):
    """Another thread has failed or was interrupted."""


def thread_count() -> int:
    """Return how many threads the kernels use: the cores of this process, or ``NUMBA_NUM_THREADS``."""
    return int(numba.config.NUMBA_NUM_THREADS)


def breathe() -> None:
    """Report progress, and stop if another thread was stopped; for long chunks to call between two kernel calls."""
    _current.board.breathe()


class _Board(Generic[Result]):
    """What the threads share: the next chunk to do, the results so far, and the first error."""

    def __init__(self, task: Callable[[int], Result], n_chunks: int, on_progress: OnProgress | None) -> None:
        self.task = task
        self.n_chunks = n_chunks
        self.results: dict[int, Result] = {}
        self.error: BaseException | None = None
        self._on_progress = on_progress
        self._caller = threading.get_ident()
        self._next = itertools.count()

    def breathe(self) -> None:
        """Stop if there was an error; report progress if this is the caller's thread."""
        if self.error is not None:
            raise _StoppedError
        if self._on_progress is not None and threading.get_ident() == self._caller:
            self._on_progress(len(self.results) / self.n_chunks)

    def work(self) -> None:
        """Do chunks until none is left."""
        outer = getattr(_current, "board", None)
        _current.board = self
        try:
            # One call of C code draws a number: atomic under the GIL, and locked without one.
            while (index := next(self._next)) < self.n_chunks:
                self.results[index] = self.task(index)
                self.breathe()
        finally:
            _current.board = outer

    def help(self, left: _thread.LockType) -> None:
        """Work in another thread; keep an error for the caller's; release ``left`` at the end."""
        try:
            self.work()
        except _StoppedError:
            pass
        except BaseException as error:
            self.error = self.error or error
        finally:
            left.release()

    @property
    def complete(self) -> bool:
        """Whether every chunk has its result, so that no thread is at work on one."""
        return len(self.results) == self.n_chunks


def run_chunks(
    task: Callable[[int], Result], n_chunks: int, *, on_progress: OnProgress | None = None, threads: int | None = None
) -> list[Result]:
    """Return ``[task(0), ..., task(n_chunks − 1)]``, computed by several threads, the calling one among them.

    Parameters
    ----------
    task
        Does one chunk. It should release the GIL and return, or call :func:`breathe`, within about 0.3 s, because
        Ctrl-C waits for it. What it raises stops every thread at its next breath and is raised here.
    n_chunks
        Number of chunks. They are started in order, so the largest had better come first.
    on_progress
        Called in the calling thread after each of its chunks and at each breath, with the fraction of chunks done.
    threads
        Threads to use; all cores if not given. One runs the chunks without starting a thread.
    """
    board = _Board(task, n_chunks, on_progress)
    extra = min(thread_count() if threads is None else threads, n_chunks) - 1
    helpers: list[_thread.LockType] = []
    try:
        for _ in range(extra):
            left = _thread.allocate_lock()
            left.acquire()
            _thread.start_new_thread(board.help, (left,))
            helpers.append(left)
        board.work()
        _wait(board, helpers)
    except _StoppedError:
        pass
    except BaseException as error:
        board.error = error
        raise
    finally:
        _wait(board, helpers)
    if board.error is not None:
        raise board.error
    if on_progress is not None and n_chunks > 0:
        on_progress(1.0)
    return [board.results[index] for index in range(n_chunks)]


def _wait(board: _Board[Result], helpers: list[_thread.LockType]) -> None:
    """Wait for the helpers; one that comes when all is done finds nothing to do, and nobody waits for it."""
    for helper in helpers:
        if board.complete:
            return
        with helper:
            pass
