"""One of several processes that train a tiny model together; run by test_distributed."""

from __future__ import annotations

import sys
import warnings

import torch
import torch.distributed as dist
from peft import PeftModel
from peft.utils.other import fsdp_auto_wrap_policy
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecision, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from hyplora import HypLoraLinear
from tests.hyplora import tiny

STEPS = 2
# Older versions of FSDP2 record events, which their streams on a CPU have not.
FSDP2 = ("fsdp2", "fsdp2-leaves") if hasattr(torch.cpu.Stream, "record_event") else ()


def model_of(form: str, learn: bool) -> PeftModel:
    return tiny.adapted(form=form, learn_curvature=learn, curvature=0.6).train()


def batch(rank: int, step: int) -> torch.Tensor:
    return tiny.tokens(2, seed=10 * step + rank)


def train(model: nn.Module, ranks: list[int]) -> list[float]:
    """Train on the batches of ``ranks`` together; the losses of the first of them."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        for rank in ranks:
            loss = model(input_ids=batch(rank, step), labels=batch(rank, step)).loss
            (loss / len(ranks)).backward()
            if rank == ranks[0]:
                losses.append(loss.item())
        optimizer.step()
    return losses


def wrapped(model: PeftModel, kind: str) -> nn.Module:
    if kind == "ddp":
        return DistributedDataParallel(model)
    if kind == "fsdp2":
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for module in model.modules():
            if isinstance(module, LlamaDecoderLayer):
                fully_shard(module, mesh=mesh)
        return fully_shard(model, mesh=mesh)
    if kind == "fsdp2-leaves":  # every factor on its own: what is read must outlive the call that gathers it
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in tiny.layers(model).values():
            for modules in (layer.lora_A, layer.lora_B, layer.lora_curvature, layer.lora_norm_scale):
                if any(p.requires_grad for p in modules.parameters()):
                    fully_shard(modules["default"], mesh=mesh)
        return fully_shard(model, mesh=mesh)
    low = torch.bfloat16
    precision = MixedPrecision(param_dtype=low, reduce_dtype=low, buffer_dtype=low) if "bf16" in kind else None
    policy = fsdp_auto_wrap_policy(model) if "leaves" in kind else _blocks
    return FullyShardedDataParallel(
        model,
        auto_wrap_policy=policy,
        use_orig_params="orig" in kind,
        mixed_precision=precision,
        device_id=torch.device("cpu"),
    )


def _blocks(module: nn.Module, recurse: bool, nonwrapped_numel: int) -> bool:
    return recurse or isinstance(module, LlamaDecoderLayer)


def main(rank: int, size: int, meeting: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    kinds = ["ddp", "fsdp1-leaves", "fsdp1-leaves-orig", "fsdp1-orig", "fsdp1-leaves-bf16", *FSDP2]
    for form, learn in (("space", True), ("time", False)):
        alone = model_of(form, learn)
        ranks = [rank, *(other for other in range(size) if other != rank)]
        expected = train(alone, ranks)
        for kind in kinds if learn else ("ddp", "fsdp1-leaves", *FSDP2[:1]):
            model = wrapped(model_of(form, learn), kind)
            tolerance = 0.05 if "bf16" in kind else 1e-4
            losses = train(model, [rank])
            close = all(abs(one - other) < tolerance for one, other in zip(losses, expected, strict=True))
            assert close, (kind, form, losses, expected)
            if kind == "ddp":
                for (name, one), other in zip(alone.named_parameters(), model.module.parameters(), strict=True):
                    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)
            if "fsdp2" in kind:
                for (name, one), other in zip(alone.named_parameters(), model.parameters(), strict=True):
                    whole = other.full_tensor() if isinstance(other, DTensor) else other
                    torch.testing.assert_close(one, whole, rtol=1e-4, atol=1e-5, msg=name)
            assert any(isinstance(module, HypLoraLinear) for module in model.modules())
            if rank == 0:
                sys.stdout.write(f"{kind} {form} ok\n")
            dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
