"""Records the learning rates of transformers' schedules, and the settings that it refuses.

    python record_schedules.py FILE        the cases of LrSchedulerTypeTest

Needs transformers 5.23. The rates are those that the optimizer has in each step of a run, as the
trainer sets them; a case is refused when the scheduler fails before the end of the run.
"""

import json
import os
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import get_scheduler

warnings.filterwarnings("ignore")

RUNS = [  # peak, warm-up steps, steps
    (1e-6, 0, 12),
    (5e-4, 3, 20),
    (0.1, 1, 7),
    (2e-5, 9, 10),
    (3e-5, 40, 15),  # the run ends within its warm-up
]
SETTINGS = {
    "linear": [{}],
    "constant": [{}, {"ignored": 1}],
    "constant_with_warmup": [{}, {"ignored": 1}],
    "cosine": [{}, {"num_cycles": 0.25}, {"num_cycles": 1}, {"num_cycles": 2.5}, {"num_cycles": 0}],
    "cosine_with_restarts": [{}, {"num_cycles": 2}, {"num_cycles": 3}, {"num_cycles": 1.5}],
    "polynomial": [
        {"lr_end": 0},
        {"lr_end": 2e-7},
        {"lr_end": 1e-8, "power": 2},
        {"lr_end": 0, "power": 0.5},
        {"lr_end": 0.0, "power": 0},
    ],
    "inverse_sqrt": [{}, {"timescale": 1}, {"timescale": 5}, {"timescale": 100}],
    "cosine_with_min_lr": [
        {"min_lr_rate": 0.1},
        {"min_lr": 2e-7},
        {"min_lr": 0},
        {"min_lr_rate": 0.25, "num_cycles": 1.5},
        {"min_lr_rate": 1.5},
    ],
    "cosine_warmup_with_min_lr": [
        {"min_lr_rate": 0.1},
        {"min_lr": 2e-7},
        {"min_lr": 0},
        {"min_lr_rate": 0.25, "num_cycles": 1.5},
        {"min_lr_rate": 0.1, "warmup_lr_rate": 0.01},
        {"min_lr_rate": 0, "warmup_lr_rate": 0},
    ],
    "warmup_stable_decay": [
        {"num_decay_steps": 4},
        {"num_decay_steps": 0},
        {"num_decay_steps": 50},  # more than there are steps after the warm-up
        {"num_decay_steps": 4, "num_stable_steps": 2},
        {"num_decay_steps": 4, "num_stable_steps": 100},
        {"num_decay_steps": 5, "min_lr_ratio": 0.1},
        {"num_decay_steps": 5, "num_stable_steps": 0, "decay_type": "linear", "min_lr_ratio": 0.2},
        {"num_decay_steps": 6, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"},
        {"num_decay_steps": 6, "warmup_type": "cosine", "min_lr_ratio": 0.05},
        {"num_decay_steps": 6, "decay_type": "cosine", "num_cycles": 1.5},
    ],
}
POLYNOMIAL_DEFAULT = [(5e-4, 3, 20), (2e-5, 9, 10)]  # the default lr_end is 1e-7
REFUSED = [  # type, settings, peak
    ("linear", {"num_cycles": 1}, 1e-4),
    ("cosine", {"min_lr": 1e-5}, 1e-4),
    ("cosine", {"num_cycles": "many"}, 1e-4),
    ("cosine_with_restarts", {"num_cycle": 2}, 1e-4),
    ("polynomial", {"lr_end": 1e-4}, 1e-4),
    ("polynomial", {}, 1e-8),
    ("polynomial", {"power": -1}, 1e-4),
    ("polynomial", {"power": "two"}, 1e-4),
    ("inverse_sqrt", {"timescale": 0}, 1e-4),
    ("inverse_sqrt", {"num_cycles": 2}, 1e-4),
    ("cosine_with_min_lr", {}, 1e-4),
    ("cosine_with_min_lr", {"num_cycles": 0.5}, 1e-4),
    ("cosine_with_min_lr", {"min_lr": 1e-5, "min_lr_rate": 0.1}, 1e-4),
    ("cosine_with_min_lr", {"min_lr": 1e-5}, 0.0),
    ("cosine_with_min_lr", {"min_lr": [1e-5, 1e-6]}, 1e-4),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1, "warmup_lr_rate": 0.1}, 1e-4),
    ("cosine_warmup_with_min_lr", {"warmup_lr_rate": 0.1}, 1e-4),
    ("cosine_warmup_with_min_lr", {"min_lr": 1e-5, "min_lr_rate": 0.1}, 1e-4),
    ("warmup_stable_decay", {}, 1e-4),
    ("warmup_stable_decay", {"num_stable_steps": 3}, 1e-4),
    ("warmup_stable_decay", {"num_decay_steps": 3, "decay_type": "sqrt"}, 1e-4),
    ("warmup_stable_decay", {"num_decay_steps": 3, "warmup_type": "Linear"}, 1e-4),
    ("warmup_stable_decay", {"num_decay_steps": 3, "min_lr_rate": 0.1}, 1e-4),
    ("warmup_stable_decay", {"num_decay_steps": 3, "num_training_steps": 9}, 1e-4),
]


def rates(name, settings, peak, warmup, total):
    """The learning rate of each step; the scheduler also moves after the last one."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = get_scheduler(name, optimizer, warmup, total, dict(settings))
    result = []
    for _ in range(total):
        result.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return result


def case(name, settings, run):
    peak, warmup, total = run
    return {
        "type": name,
        "kwargs": settings,
        "peak": peak,
        "warmup": warmup,
        "total": total,
        "rates": rates(name, settings, peak, warmup, total),
    }


def refusal(name, settings, peak):
    try:
        rates(name, settings, peak, 2, 8)
    except Exception as error:
        return {"type": name, "kwargs": settings, "peak": peak, "error": type(error).__name__}
    raise AssertionError(f"{name} takes {settings}")


def main(file):
    cases = [
        case(name, settings, run)
        for name, several in SETTINGS.items()
        for settings in several
        for run in RUNS
    ]
    cases += [case("polynomial", {}, run) for run in POLYNOMIAL_DEFAULT]
    lines = {
        "cases": [json.dumps(entry) for entry in cases],
        "refused": [json.dumps(refusal(*entry)) for entry in REFUSED],
    }
    with open(file, "w", encoding="utf-8") as out:
        out.write("{\n")
        out.write(
            ",\n".join(
                f'"{key}": [\n' + ",\n".join(values) + "\n]" for key, values in lines.items()
            )
        )
        out.write("\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
