"""Measure the memory of a process that holds a model whole, or in parts by FSDP or ZeRO-3; on two processes of a CPU.

    export MALLOC_MMAP_THRESHOLD_=65536  # or memory that was let go of counts on
    for way in whole fsdp zero3; do torchrun --nproc_per_node 2 benchmarks/speed/parts.py $way; done

The model is a Llama of random weights: 12 blocks, float32. What is counted is memory that is the process's own
(RssAnon), held after loading, and sampled while a step of two rows runs; with `checkpointing` behind the way, a block
computes its inner states twice.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.distributed import ReduceOp, all_reduce, barrier, destroy_process_group, get_rank, init_process_group
from torch.distributed.device_mesh import init_device_mesh
from transformers import LlamaConfig, LlamaForCausalLM

from softbridge.backbones import sharding
from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.loading import load
from softbridge.batch import Rows
from softbridge.injection import Injection
from tests import pico

SIZES = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 12, "num_attention_heads": 16}


def own() -> float:
    """Return this process's own memory, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def peak(act: Callable[[], object]) -> float:
    """Return the most memory that is held while something is done, in MB."""
    seen, done = [own()], threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            seen.append(own())

    watcher = threading.Thread(target=watch)
    watcher.start()
    act()
    done.set()
    watcher.join()
    return max(seen)


def step(backbone: Backbone) -> None:
    """Compute the gradient of one soft prompt over two rows."""
    tokens = torch.randn(1, 20, backbone.space().table.shape[1]).requires_grad_()
    batch = backbone.batch(Rows(backbone.tokenise(["w1 good w2", "bad w3 w4"]), [0, 1]))
    prompt = Injection(tokens=tokens.expand(2, -1, -1), member=torch.zeros(2, dtype=torch.long))
    backbone.score(batch, prompt).sum().backward()


def main(way: str, checkpointing: bool) -> None:
    """Load, step three times, and tell of the first process."""
    init_process_group("gloo")
    folder = Path(tempfile.gettempdir()) / "softbridge-parts"
    if get_rank() == 0 and not (folder / "made").exists():
        pico.save_backbone(folder, "causal")
        config = LlamaConfig.from_pretrained(folder)
        config.update(SIZES | {"num_key_value_heads": 16, "head_dim": 64})
        LlamaForCausalLM(config).save_pretrained(folder)
        (folder / "made").touch()
    barrier()
    ways = {
        "whole": lambda model: sharding.move((*model.parameters(), *model.buffers()), "cpu"),
        "fsdp": partial(sharding.fsdp, mesh=init_device_mesh("cpu", (2,))),
        "zero3": partial(sharding.zero3, device=torch.device("cpu")),
    }
    told = {"precision": "float32", "attention": "sdpa", "device": "cpu", "checkpointing": checkpointing}
    before = own()
    loading = []
    top = peak(lambda: loading.append(load(BackboneSpec(str(folder), kind="causal", **told), shard=ways[way])))
    backbone = loading[0]
    backbone.bind(["negative", "positive"])
    if way != "whole":
        sharding.begin(backbone)
    held = own() - before
    most = max(peak(partial(step, backbone)) for _ in range(3)) - before
    seen = torch.tensor([held, top - before, most])
    all_reduce(seen, ReduceOp.MAX)
    if get_rank() == 0:
        weights = backbone.describe()["parameters"]
        again = ", checkpointing" if checkpointing else ""
        print(
            f"{way}{again}: {weights / 1e6:.0f} million weights, {weights * 4 / 2**20:.0f} MB; of the larger process",
            end=" ",
        )
        print("held {:.0f} MB, at most {:.0f} while loading and {:.0f} in a step".format(*seen.tolist()))
    destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], "checkpointing" in sys.argv)
