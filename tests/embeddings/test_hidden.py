"""Hidden states are those of the model run on one prompt at a time, however prompts are put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from embgeom.demo import MODEL_DIR
from embgeom.embeddings import EmbeddingScale, as_seen, embedding_scale, hidden_states, load_embeddings
from embgeom.embeddings.network import Network
from embgeom.errors import CorpusError, ModelError, OptionError, PointsError
from tests.embeddings.architectures import build, save

_from_pretrained = transformers.PreTrainedModel.from_pretrained

TEXTS = [
    "Once upon a time there was a dog.",
    "Natalia sold 48 clips. How many clips did she sell altogether in April and May, if she sold half as many in May?",
    "The end",
    "a",
    "There were twelve apples in the basket, and Tom took three of them. How many were left in the basket?",
    "He ran and ran and ran.",
]
IDS = [[5, 9, 3, 9, 30, 7, 8, 11], [4, 6, 5], [12, 13, 14, 15, 16, 17, 18], [20], [5, 9, 3, 9, 31, 7, 8], [21, 22, 23]]


@pytest.fixture(autouse=True)
def no_weights() -> None:
    """Here models are loaded with their weights."""


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save(_build(name), tmp_path_factory.mktemp("small") / name)
        return made[name]

    return folder


def _build(name: str) -> Any:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    sizes |= {"vocab_size": 40, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    others: dict[str, Callable[[], Any]] = {
        "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**sizes, max_position_embeddings=12)),
        "fnet": lambda: transformers.FNetModel(transformers.FNetConfig(**sizes, max_position_embeddings=32)),
        "bloom": lambda: transformers.BloomModel(
            transformers.BloomConfig(
                vocab_size=40, hidden_size=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2, pad_token_id=3
            )
        ),
        "granite": lambda: transformers.GraniteModel(transformers.GraniteConfig(**sizes, embedding_multiplier=12.0)),
        "gemma-24": lambda: transformers.GemmaModel(
            transformers.GemmaConfig(**sizes | {"hidden_size": 24, "num_key_value_heads": 1, "head_dim": 8})
        ).bfloat16(),
        "funnel": lambda: transformers.FunnelModel(
            transformers.FunnelConfig(vocab_size=40, d_model=16, n_head=2, d_head=8, d_inner=16, block_sizes=[1, 1])
        ),
    }
    if name not in others:
        return build(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return others[name]().eval()


def alone(model: Any, prompts: Sequence[Sequence[int]]) -> list[list[np.ndarray]]:
    """The oracle: no batches, no padding, no mask."""
    found = []
    for ids in prompts:
        with torch.no_grad():
            states = model(input_ids=torch.tensor([list(ids)]), output_hidden_states=True).hidden_states
        found.append([state[0].float().numpy() for state in states])
    return found


@pytest.mark.parametrize("name", ["demo", "stories260k", "minilm"])
@pytest.mark.parametrize("tokens", [60, 4096])
def test_trained_models_as_one_prompt_at_a_time(name: str, tokens: int, request: pytest.FixtureRequest) -> None:
    if name == "demo":
        folder = MODEL_DIR
    elif name == "minilm":
        folder = request.getfixturevalue("minilm")
    else:
        folder = request.getfixturevalue("assets") / "models" / name
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompts = [tokenizer(text, truncation=False)["input_ids"] for text in TEXTS]
    stream = hidden_states("demo" if name == "demo" else folder, TEXTS, dtype="float32", device="cpu", tokens=tokens)
    found = list(stream)
    assert (stream.depth, stream.left_out, stream.dtype, len(stream)) == (
        model.config.num_hidden_layers,
        (),
        "float32",
        6,
    )
    assert stream.layers == tuple(range(stream.depth + 1))
    for number, (states, ids, expected) in enumerate(zip(found, prompts, alone(model, prompts), strict=True)):
        assert (states.prompt, states.token_ids.tolist(), str(states.at(0).dtype)) == (number, ids, "float32")
        assert_same(states.states, expected)


def test_the_checkpoints_own_dtype() -> None:
    stream = hidden_states("demo", TEXTS, device="cpu", tokens=1)
    assert stream.dtype == "bfloat16"
    model = _from_pretrained.__func__(transformers.LlamaModel, MODEL_DIR, dtype=torch.bfloat16)
    for states, expected in zip(stream, alone(model, [ids.tolist() for ids in stream.token_ids]), strict=True):
        assert_same(states.states, expected, 0)


ARCHITECTURES = [
    "llama",
    "gpt2",
    "bert-mlm",
    "opt",
    "gemma2",
    "mixtral",
    "roberta",
    "fnet",
    "bloom",
    "llava",
    "qwen2-vl",
]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_padding_changes_no_state(small: Callable[[str], Path], name: str) -> None:
    model = transformers.AutoModel.from_pretrained(small(name))
    stream = hidden_states(small(name), IDS, device="cpu")
    sizes = passes(stream)
    assert max(size[0] for size in sizes) > 1  # prompts did share passes
    for states, expected in zip(stream, alone(model, IDS), strict=True):
        assert_same(states.states, expected)


def assert_same(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float = 1e-5) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


def passes(stream: Any, fail: Callable[[torch.Tensor], None] | None = None) -> list[tuple[int, int]]:
    """Return the shape of every pass of one iteration."""
    shapes = []
    original = Network.states

    def states(network: Network, ids: torch.Tensor, mask: torch.Tensor | None) -> Any:
        shapes.append(tuple(ids.shape))
        if fail is not None:
            fail(ids)
        return original(network, ids, mask)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "states", states)
        list(stream)
    return shapes


def test_of_an_encoder_decoder_the_encoder(small: Callable[[str], Path]) -> None:
    model = transformers.T5EncoderModel.from_pretrained(small("t5"))
    for states, expected in zip(hidden_states(small("t5"), IDS, device="cpu"), alone(model, IDS), strict=True):
        assert_same(states.states, expected)


def test_without_a_mask_only_prompts_of_one_length_share_a_pass(small: Callable[[str], Path]) -> None:
    stream = hidden_states(small("fnet"), IDS, device="cpu")
    assert sorted(passes(stream)) == [(1, 1), (1, 8), (2, 3), (2, 7)]


def test_never_more_tokens_in_memory_than_asked_for(
    small: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    prompts = [rng.integers(3, 40, size=size).tolist() for size in rng.integers(1, 40, size=60)]
    stream = hidden_states(small("llama"), prompts, device="cpu", tokens=100)
    held = {"now": 0, "most": 0, "padded": 0, "real": 0}
    original = Network.states

    def states(network: Network, ids: torch.Tensor, mask: torch.Tensor) -> Any:
        assert ids.numel() <= 100
        held["now"] += int(mask.sum())
        held["padded"] += ids.numel()
        held["real"] += int(mask.sum())
        held["most"] = max(held["most"], held["now"])
        return original(network, ids, mask)

    monkeypatch.setattr(Network, "states", states)
    seen = []
    for item in stream:
        seen.append(item.prompt)
        held["now"] -= len(item.token_ids)
    assert seen == list(range(60))
    assert held["most"] <= 100
    assert held["real"] == sum(map(len, prompts))
    assert held["padded"] < 1.25 * held["real"]


def test_a_prompt_longer_than_a_pass_is_whole(small: Callable[[str], Path]) -> None:
    stream = hidden_states(small("llama"), [list(range(3, 40)), [5, 6]], device="cpu", tokens=10)
    assert [states.at(2).shape for states in stream] == [(37, 16), (2, 16)]


def test_some_layers_in_the_order_asked_for(small: Callable[[str], Path]) -> None:
    whole = list(hidden_states(small("llama"), IDS, device="cpu"))
    stream = hidden_states(small("llama"), IDS, layers=[-1, 0], device="cpu")
    assert stream.layers == (2, 0)
    for some, all_ in zip(stream, whole, strict=True):
        assert_same(some.states, (all_.states[2], all_.states[0]), 0)
        assert np.array_equal(some.at(0), all_.at(0))


def test_out_of_memory_halves_the_passes(small: Callable[[str], Path]) -> None:
    def fail(ids: torch.Tensor) -> None:
        if ids.numel() > 8:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    stream = hidden_states(small("llama"), IDS, device="cpu")
    with pytest.warns(RuntimeWarning, match="out of memory on cpu with 24 tokens in a pass; halved"):
        sizes = passes(stream, fail)
    assert sizes[0] == (3, 8)
    assert all(rows * length <= 8 for rows, length in sizes[2:])
    assert sum(rows for rows, length in sizes if rows * length <= 8) == len(IDS)


def test_out_of_memory_for_one_prompt(small: Callable[[str], Path]) -> None:
    def fail(ids: torch.Tensor) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    stream = hidden_states(small("llama"), [[4, 5, 6]], device="cpu")
    with pytest.raises(OptionError, match="prompt 0 of 3 tokens does not fit into the memory of cpu"):
        passes(stream, fail)


def test_other_errors_are_not_taken_for_it(small: Callable[[str], Path]) -> None:
    def fail(ids: torch.Tensor) -> None:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side assert"):
        passes(hidden_states(small("llama"), IDS, device="cpu"), fail)


@pytest.mark.parametrize(("name", "positions"), [("gpt2", 16), ("roberta", 10)])
def test_prompts_beyond_the_positions_are_left_out(small: Callable[[str], Path], name: str, positions: int) -> None:
    prompts = [[5] * (positions + 1), [6] * positions, [], [7, 8]]
    stream = hidden_states(small(name), prompts, device="cpu")
    assert (stream.longest, stream.left_out, len(stream)) == (positions, (0, 2), 2)
    assert [states.prompt for states in stream] == [1, 3]
    with pytest.raises(
        CorpusError, match=f"each of the 1 prompts has more tokens than model .* has positions .{positions}"
    ):
        hidden_states(small(name), prompts[:1], device="cpu")


@pytest.mark.parametrize(
    ("name", "normed"), [("llama", True), ("gpt2", True), ("gemma2", True), ("bert", False), ("roberta", False)]
)
def test_the_final_norm_is_seen(small: Callable[[str], Path], name: str, normed: bool) -> None:
    assert hidden_states(small(name), IDS, device="cpu").last_is_normed is normed


SCALES = {
    "llama": EmbeddingScale(1.0, False),
    "gpt2": EmbeddingScale(1.0, True),  # position embeddings
    "bert": EmbeddingScale(None, None),  # a norm
    "opt": EmbeddingScale(None, None),  # a projection
    "t5": EmbeddingScale(1.0, False),
    "gemma2": EmbeddingScale(4.0, False),  # √16
    "gemma3-vision": EmbeddingScale(4.0, False),
    "gemma-24": EmbeddingScale(4.90625, False),  # √24 in bfloat16
    "granite": EmbeddingScale(12.0, False),
}


@pytest.mark.parametrize("name", SCALES)
def test_embedding_scale(small: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hidden_states(small(name), IDS, device="cpu").scale == SCALES[name]
    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", None)  # and now without weights
    assert embedding_scale(small(name)) == SCALES[name]


@pytest.mark.parametrize("name", ["gemma2", "gemma-24", "granite", "llama"])
def test_as_seen_is_what_enters_the_first_block(small: Callable[[str], Path], name: str) -> None:
    embeddings = load_embeddings(small(name))
    seen = as_seen(embeddings)
    assert seen.matrix.dtype == embeddings.matrix.dtype
    for states in hidden_states(small(name), IDS, layers=[0], device="cpu"):
        assert np.array_equal(seen.matrix[states.token_ids].float().numpy(), states.at(0))
    assert (seen is embeddings) == (name == "llama")
    assert name == "llama" or seen.tensor == f"{embeddings.tensor} × {SCALES[name].factor:g}"


def test_as_seen_refuses(small: Callable[[str], Path]) -> None:
    with pytest.raises(OptionError, match="normalises or projects its embeddings"):
        as_seen(load_embeddings(small("bert")))
    with pytest.raises(OptionError, match="these are output"):
        as_seen(load_embeddings(small("llama"), layer="output"))


def test_nothing_is_said_and_no_random_state_touched(
    small: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    before = torch.random.get_rng_state()
    list(hidden_states(small("bert-mlm"), IDS, device="cpu"))  # its pooler is missing, its head not used
    embedding_scale(small("bert-mlm"))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")
    list(hidden_states(small("bert-mlm"), IDS, device="cpu", progress=True))
    assert "hidden states of 6 prompts" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [3]}, r"layer 3: model '.*' has the hidden layers 0 to 2"),
        ({"layers": [-4]}, r"layer -4: model"),
        ({"layers": [True]}, r"layer True: model"),
        ({"layers": []}, r"one hidden layer or more, each once, got \[\]"),
        ({"layers": [2, -1]}, r"each once, got \[2, -1\]"),
        ({"layers": "last"}, r"layers must be 'all' or a list of numbers, got 'last'"),
        ({"tokens": 0}, "tokens must be at least 1, got 0"),
        ({"dtype": "int8"}, "unknown dtype 'int8'"),
        ({"device": "nowhere"}, "device 'nowhere' cannot be used here"),
        ({"revision": "main"}, "is local: it has no revisions"),
    ],
)
def test_options_at_fault(small: Callable[[str], Path], options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        hidden_states(small("llama"), IDS, **options)


@pytest.mark.parametrize(
    ("prompts", "error", "message"),
    [
        ([], CorpusError, "there are no prompts"),
        ("to be", CorpusError, "got one text"),
        (
            [[1, 2], "to be"],
            CorpusError,
            "prompt 1: expected a text or a list of token ids, like the others, got 'to be'",
        ),
        ([[1.5, 2.0]], CorpusError, "prompt 0: expected"),
        ([[[1], [2, 3]]], CorpusError, "prompt 0: expected"),
        ([[1, 40]], ModelError, "has 40 token embeddings, and a prompt holds the token id 40"),
        ([[1, -1]], ModelError, "token id -1"),
    ],
)
def test_prompts_at_fault(small: Callable[[str], Path], prompts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hidden_states(small("llama"), prompts, device="cpu")


def test_models_at_fault(small: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json"):
        hidden_states(tmp_path, IDS, device="cpu")
    config = json.loads((small("llama") / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="its weights cannot be loaded"):
        hidden_states(tmp_path, IDS, device="cpu")
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "unheard-of"}), encoding="utf-8")
    with pytest.raises(ModelError, match="unheard-of"):
        hidden_states(tmp_path, IDS, device="cpu")
    with pytest.raises(ModelError, match="has not one hidden state per token in every layer"):
        hidden_states(small("funnel"), IDS, device="cpu")


def test_missing_weights_are_refused(small: Callable[[str], Path], tmp_path: Path) -> None:
    model = transformers.AutoModel.from_pretrained(small("llama"))
    state = {name: tensor for name, tensor in model.state_dict().items() if "layers.1.mlp" not in name}
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(
        ModelError, match=r"3 tensors are not in its checkpoint, the first is .*layers\.1\.mlp\.down_proj"
    ):
        hidden_states(tmp_path, IDS, device="cpu")


def test_states_that_are_not_finite(small: Callable[[str], Path], tmp_path: Path) -> None:
    model = transformers.AutoModel.from_pretrained(small("llama"))
    with torch.no_grad():
        model.embed_tokens.weight[31] = torch.inf
    model.save_pretrained(tmp_path)
    stream = iter(hidden_states(tmp_path, [[5, 6, 7], [8, 31, 9]], layers=[2, 0], device="cpu"))
    assert np.isfinite(next(stream).at(2)).all()
    with pytest.raises(
        PointsError, match="prompt 1, layer 2: 3 of 3 hidden states hold NaN or inf in float32; are the"
    ):
        next(stream)
