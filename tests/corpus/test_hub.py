"""Data sets from the Hub, without the Hub: `datasets` and the probe are replaced, the rest of the path is real."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import pytest

from embgeom.corpus import DATASETS, load_texts
from embgeom.errors import CorpusError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHOICES = {"text": ["red", "blue"], "label": ["A", "B"]}

# The columns that each data set has on the Hub, and the text that must come of them.
HUB_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "gsm8k": ({"question": "Q?", "answer": "A"}, "Q?"),
    "aqua": ({"question": "Q?", "options": ["A)1", "B)2"], "rationale": "R", "correct": "A"}, "Q? A)1 B)2"),
    "svamp": ({"ID": "1", "Body": "B.", "Question": "Q?", "Equation": "E", "Answer": "1", "Type": "T"}, "B. Q?"),
    "mawps": ({"id": "1", "question": "Q?", "chain": "C", "result": "1", "equation": "E"}, "Q?"),
    "boolq": ({"question": "q", "answer": True, "passage": "P"}, "q"),
    "piqa": ({"goal": "G", "sol1": "S", "sol2": "T", "label": 1}, "G S T"),
    "social_i_qa": (
        {"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "1"},
        "C. Q? a b c",
    ),
    "hellaswag": (
        {"ind": 1, "activity_label": "L", "ctx_a": "x", "ctx_b": "y", "ctx": "x y", "endings": ["1", "2"], "label": ""},
        "x y 1 2",
    ),
    "winogrande": ({"sentence": "S _.", "option1": "a", "option2": "b", "answer": "1"}, "S _. a b"),
    "arc_easy": ({"id": "1", "question": "Q?", "choices": CHOICES, "answerKey": "A"}, "Q? red blue"),
    "arc_challenge": ({"id": "1", "question": "Q?", "choices": CHOICES, "answerKey": "A"}, "Q? red blue"),
    "openbookqa": ({"id": "1", "question_stem": "Q", "choices": CHOICES, "answerKey": "A"}, "Q red blue"),
    "math10k": ({"instruction": "I", "input": "", "output": "O", "answer": "1"}, "I"),
    "commonsense170k": ({"instruction": "I", "input": "", "output": "O", "answer": "true"}, "I"),
}

Calls = list[tuple[str, str | None, str | None, str | None]]


def hub_of(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], splits: tuple[str, ...] = ("test",)) -> Calls:
    """A Hub on which every data set has these rows; returns the record of what was asked of it."""
    calls: Calls = []

    def load_dataset(path: str, name: str | None = None, *, split: str, revision: str | None) -> datasets.Dataset:
        calls.append((path, name, split, revision))
        return datasets.Dataset.from_list(rows)

    probe = SimpleNamespace(sha=COMMIT)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_args, **_options: probe)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda *_args, **_options: list(splits))
    return calls


def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBGEOM_DATA", raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


# --- the paper's data sets -----------------------------------------------------------------------------------------


def test_no_data_set_is_left_out() -> None:
    assert set(HUB_ROWS) == set(DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_each_data_set_of_the_paper_makes_its_texts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    row, text = HUB_ROWS[name]
    calls = hub_of(monkeypatch, [row, row])
    corpus = load_texts(name)
    entry = DATASETS[name]
    assert calls == [(entry.hub_id, entry.config, entry.split, COMMIT)]
    assert corpus.texts == (text, text)
    assert corpus.source == (f"{entry.hub_id}:{entry.config}" if entry.config else entry.hub_id)
    assert (corpus.name, corpus.split, corpus.revision) == (name, entry.split, COMMIT)
    assert corpus.field == " + ".join(entry.fields)


def test_where_the_hub_has_them() -> None:
    places = {name: (entry.hub_id, entry.config, entry.split) for name, entry in DATASETS.items()}
    assert places == {
        "gsm8k": ("openai/gsm8k", "main", "test"),
        "aqua": ("deepmind/aqua_rat", "raw", "test"),
        "svamp": ("ChilleD/SVAMP", None, "test"),
        "mawps": ("MU-NLPC/Calc-mawps", None, "test"),
        "boolq": ("google/boolq", None, "validation"),
        "piqa": ("ybisk/piqa", None, "validation"),
        "social_i_qa": ("lighteval/siqa", None, "validation"),
        "hellaswag": ("Rowan/hellaswag", None, "validation"),
        "winogrande": ("allenai/winogrande", "winogrande_xl", "validation"),
        "arc_easy": ("allenai/ai2_arc", "ARC-Easy", "test"),
        "arc_challenge": ("allenai/ai2_arc", "ARC-Challenge", "test"),
        "openbookqa": ("allenai/openbookqa", "main", "test"),
        "math10k": ("lmms-lab/Math10K", None, "train"),
        "commonsense170k": ("zwhe99/commonsense_170k", None, "train"),
    }
    assert {name for name, entry in DATASETS.items() if entry.revision} == {"piqa"}


def test_piqa_is_asked_for_at_its_parquet_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_of(monkeypatch, [HUB_ROWS["piqa"][0]])
    asked: list[object] = []

    def info(_api: object, hub_id: str, *, revision: str | None, timeout: float) -> SimpleNamespace:
        asked.append((hub_id, revision))
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    load_texts("piqa")
    assert asked == [("ybisk/piqa", "refs/convert/parquet")]


def test_a_named_field_replaces_the_joined_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_of(monkeypatch, [HUB_ROWS["piqa"][0]])
    corpus = load_texts("piqa", field="sol2")
    assert (corpus.texts, corpus.field) == (("T",), "sol2")
    with pytest.raises(
        CorpusError, match="ybisk/piqa: has no field 'question'; its fields are: goal, sol1, sol2, label"
    ):
        load_texts("piqa", field="question")


def test_a_data_root_without_the_data_set_leads_to_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = hub_of(monkeypatch, [{"question": "Q?"}])
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "train.json").write_text('["not the test split"]')
    assert load_texts("gsm8k", data_root=tmp_path).source == "openai/gsm8k:main"
    assert len(calls) == 1


def test_blank_rows_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_of(monkeypatch, [{"question": text} for text in (None, "a", "", "b", "c")])
    assert load_texts("boolq").skipped == 2
    corpus = load_texts("boolq", limit=2)
    assert (corpus.texts, corpus.skipped) == (("a", "b"), 2)


# --- other data sets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        (("train", "validation", "test"), "test"),
        (("train", "validation"), "validation"),
        (("train", "extra"), "train"),
        (("all",), "all"),
    ],
)
def test_another_hub_id_uses_test_else_validation_else_train(
    monkeypatch: pytest.MonkeyPatch, splits: tuple[str, ...], expected: str
) -> None:
    calls = hub_of(monkeypatch, [{"n": 1, "Text": "t"}], splits)
    corpus = load_texts("some-one/my.data_set:cfg")
    assert calls == [("some-one/my.data_set", "cfg", expected, COMMIT)]
    assert (corpus.name, corpus.source, corpus.field) == ("my.data_set", "some-one/my.data_set:cfg", "Text")
    assert corpus.split == expected


def test_a_hub_id_of_the_paper_is_that_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    row, text = HUB_ROWS["arc_easy"]
    calls = hub_of(monkeypatch, [row])
    assert load_texts("allenai/ai2_arc:ARC-Easy").name == "arc_easy"
    assert load_texts("allenai/ai2_arc:ARC-Easy").texts == (text,)
    assert load_texts("allenai/ai2_arc").name == "ai2_arc"  # two of the paper's: taken as it stands
    assert calls[-1] == ("allenai/ai2_arc", None, "test", COMMIT)


def test_an_ambiguous_data_set_lists_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_of(monkeypatch, [{"a": "1", "n": 1, "b": "2"}])
    with pytest.raises(CorpusError, match="some/thing: cannot tell which field holds the text; name one of: a, b"):
        load_texts("some/thing")


# --- failures ------------------------------------------------------------------------------------------------------


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unreachable(monkeypatch)
    message = r"cannot reach the Hugging Face Hub for data set openai/gsm8k \(ConnectionError: Name or .*\); give a .*"
    with pytest.raises(CorpusError, match=message + r"gsm8k/test\.json as --data-root \(data_root=\.\.\.\), or name"):
        load_texts("gsm8k")
    with pytest.raises(CorpusError, match=r"; put gsm8k/test\.json below .*, or name a file$"):
        load_texts("gsm8k", data_root=tmp_path)
    with pytest.raises(CorpusError, match=r"name a local file or folder \(there is none at some/thing\)"):
        load_texts("some/thing")
    assert datasets.config.HF_HUB_OFFLINE is False  # the setting is put back


def test_no_network_but_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = hub_of(monkeypatch, [{"question": "Q?"}])
    unreachable(monkeypatch)
    assert load_texts("gsm8k").revision is None  # which commit the cache holds is not known
    assert calls == [("openai/gsm8k", "main", "test", None)]


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    hub_of(monkeypatch, [{}])
    monkeypatch.setattr(datasets, "load_dataset", fail)


def test_what_the_library_says_is_passed_on_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, RuntimeError("Dataset scripts are no longer supported, but found x.py\nmore"))
    with pytest.raises(CorpusError, match=r"cannot load data set some/x .*\(RuntimeError: .*x\.py\); name a local"):
        load_texts("some/x")
    failing(monkeypatch, ValueError("Config name is missing.\nPlease pick one among: ['a', 'b']\nExample: ..."))
    with pytest.raises(CorpusError, match=r"written some/x:CONFIG \(Config name is missing\. Please .*'b'\]\)$"):
        load_texts("some/x")
    failing(monkeypatch, KeyError())
    with pytest.raises(CorpusError, match=r"\(KeyError\)"):
        load_texts("some/x")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], None]]:
    """A real server in place of the Hub, which answers everything with one status and the Hub's error header."""
    answer: tuple[int, str] = (500, "")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, code = answer
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    def set_answer(status: int, code: str) -> None:
        nonlocal answer
        answer = (status, code)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    use_endpoint(monkeypatch, server.server_port)
    yield set_answer
    server.shutdown()
    thread.join()
    server.server_close()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    create = huggingface_hub.HfApi.__init__

    def init(self: huggingface_hub.HfApi, *_args: object, **_options: object) -> None:
        create(self, endpoint=url)

    monkeypatch.setattr(huggingface_hub.HfApi, "__init__", init)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (401, "GatedRepo", "data set ybisk/piqa is gated: accept its terms at https://.*/ybisk/piqa and log in"),
        (403, "GatedRepo", r"is gated: .* \(hf auth login\), or give a folder with piqa/test\.json"),
        (404, "RepoNotFound", "no data set ybisk/piqa on the Hugging Face Hub .*if it is private, log in"),
        (404, "RevisionNotFound", "ybisk/piqa on the Hugging Face Hub lacks the revision that was asked for"),
        (429, "", "cannot load data set ybisk/piqa from the Hugging Face Hub .*429"),
        (503, "", "cannot load data set ybisk/piqa from the Hugging Face Hub .*503"),
    ],
)
def test_refusals_say_what_to_do(endpoint: Callable[[int, str], None], status: int, code: str, message: str) -> None:
    endpoint(status, code)
    with pytest.raises(CorpusError, match=message) as caught:
        load_texts("piqa")
    assert "\n" not in str(caught.value)


def test_gated_files_behind_an_open_page(monkeypatch: pytest.MonkeyPatch, endpoint: Callable[[int, str], None]) -> None:
    """The page of a gated data set can be read by anyone: the refusal comes from `datasets`, wrapped."""
    endpoint(403, "GatedRepo")
    with pytest.raises(huggingface_hub.errors.GatedRepoError) as refused:
        huggingface_hub.HfApi().dataset_info("some/x")
    wrapped = datasets.exceptions.DatasetNotFoundError("Dataset 'some/x' is a gated dataset on the Hub.")
    wrapped.__cause__ = refused.value
    failing(monkeypatch, wrapped)
    with pytest.raises(CorpusError, match=r"data set some/x is gated: accept its terms at .*/datasets/some/x"):
        load_texts("some/x")


def test_a_hub_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, silent.getsockname()[1])
        monkeypatch.setattr("embgeom.corpus.hub._PROBE_SECONDS", 0.2)
        start = time.perf_counter()
        with pytest.raises(CorpusError, match=r"cannot reach the Hugging Face Hub .*[Tt]ime"):
            load_texts("gsm8k")
        assert time.perf_counter() - start < 5
