"""Records steps of transformers' Adafactor as its Trainer sets it up for optim: adafactor.

    python record_adafactor.py FILE        the case of OptimizerTest

Needs transformers 5.23. Weights and gradients are in float64 and drawn by numpy.
"""

import json
import sys

import numpy as np
import torch
from transformers.optimization import Adafactor

SHAPES = {"bias": [5], "matrix": [4, 6], "norm": [6], "embedding": [7, 3], "experts": [2, 3, 4]}
DECAYING = {"matrix", "embedding", "experts"}
STEPS = 6
DECAY = 0.1

random = np.random.default_rng(11)
weights = {n: torch.nn.Parameter(torch.tensor(random.normal(size=s))) for n, s in SHAPES.items()}
groups = [
    {"params": [w for n, w in weights.items() if n in DECAYING], "weight_decay": DECAY},
    {"params": [w for n, w in weights.items() if n not in DECAYING], "weight_decay": 0.0},
]
optimizer = Adafactor(groups, lr=0.01, scale_parameter=False, relative_step=False)
recorded = {
    "weight_decay": DECAY,
    "shapes": SHAPES,
    "start": {n: w.detach().flatten().tolist() for n, w in weights.items()},
    "steps": [],
}
for step in range(STEPS):
    rate = 0.01 * (step + 1)
    gradients = {}
    for name, weight in weights.items():
        # The sizes differ by step, so that updates are clipped in some and not in others.
        gradient = random.normal(size=SHAPES[name]) * 10.0 ** (step % 3 - 1)
        weight.grad = torch.tensor(gradient)
        gradients[name] = gradient.flatten().tolist()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    recorded["steps"].append(
        {
            "rate": rate,
            "gradients": gradients,
            "weights": {n: w.detach().flatten().tolist() for n, w in weights.items()},
        }
    )
with open(sys.argv[1], "w") as file:
    json.dump(recorded, file)
