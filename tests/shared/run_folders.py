"""Run folders as training leaves them, of networks with fresh weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import yaml

from segraft.metrics.scoring import evaluate, summarise
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.models import a_config


def make_run(out: Path, **settings: object) -> Path:
    """A run folder as training leaves it, of a network with fresh weights."""
    torch.manual_seed(len(out.name))
    filters = (2, 2, 4)
    described = {"name": "resunet-tiny", "dim": 8, "filters": filters}
    config = a_config(described, segmentation={"foreground_threshold": 0.0})
    out.mkdir(parents=True)
    checkpoint.save(out / "model.safetensors", create_network("resunet-tiny", 1, 8, filters), config)
    (out / "config.yaml").write_text(yaml.safe_dump({"steps": 20, "monitor": "aji", "weights": {}} | settings))
    truth = np.array([[0, 1], [2, 2]])
    scores = summarise([evaluate(truth, truth)])
    lines = [
        {"step": 10, "seconds": 1.0, "affinity": 0.5, "foreground": 0.4},
        {"step": 10, "seconds": 1.5, "val": scores | {"aji": 0.25}},
        {"step": 20, "seconds": 2.0, "affinity": 0.25, "foreground": 0.2},
        {"step": 20, "seconds": 2.5, "val": scores | {"aji": 0.75}},
        {"step": 30, "seconds": 3.5, "val": scores | {"aji": 0.75}},
    ]
    (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out
