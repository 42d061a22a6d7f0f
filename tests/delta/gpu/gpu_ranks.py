"""One rank of the sharding test: searches and samples with the others and writes what it got."""

import json
import os
import sys

import torch
import torch.distributed as dist
from gpu_oracle import clouds

from embgeom.delta.gpu import sharded
from embgeom.delta.gpu.search import Tiling

store, out = sys.argv[1:]
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
device = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
distances = torch.from_numpy(clouds(12, seed=2)["normal"]).to(device)
found = sharded.four_point(distances, tiling=Tiling(4, 8, 2))
sampled = sharded.sample(distances, 5_001, seed=4)
result = {
    "witness": found.witness,
    "two_delta": found.two_delta,
    "certificate": found.certificate,
    "work": found.work,
    "count": sampled.count,
    "total": sampled.total,
    "histogram": sampled.histogram.tolist(),
    "largest": [sampled.largest.two_delta, *sampled.largest.witness],
}
with open(out, "w") as file:
    json.dump(result, file)
dist.destroy_process_group()
