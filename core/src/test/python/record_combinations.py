"""Records TRL 1.16 on combinations of settings that no other fixture has.

Usage: python record_combinations.py FIXTURES WORK
FIXTURES holds models/llama and pairs32.jsonl; trajectories/combined_*.json are written there.
WORK is a scratch folder. Needs trl 1.16.0, transformers 5.23.0, torch 2.10.0.
"""

import json
import pathlib
import sys

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

RUNS = {
    "exo_js": {"loss_type": ["exo_pair"], "label_smoothing": 0.05, "f_divergence_type": "js_divergence"},
    "hinge_alpha": {
        "loss_type": ["hinge"],
        "f_divergence_type": "alpha_divergence",
        "f_alpha_divergence_coef": 0.3,
    },
    "ipo_wpo": {"loss_type": ["ipo"], "use_weighting": True},
    "sft_sigmoid_ld": {"loss_type": ["sigmoid", "sft"], "loss_weights": [0.7, 0.3], "ld_alpha": 0.4},
    "aot_ld_sync": {
        "loss_type": ["aot", "aot_unpaired"],
        "label_smoothing": 0.1,
        "ld_alpha": 0.5,
        "sync_ref_model": True,
        "ref_model_sync_steps": 3,
        "ref_model_mixup_alpha": 0.3,
    },
    "norm_forward_ld": {
        "loss_type": ["sigmoid_norm", "discopop"],
        "f_divergence_type": "forward_kl",
        "ld_alpha": 0.0,
        "discopop_tau": 0.2,
    },
}
COMMON = {
    "per_device_train_batch_size": 4,
    "max_steps": 8,
    "max_length": 256,
    "learning_rate": 0.001,
    "bf16": False,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "lr_scheduler_type": "linear",
    "warmup_steps": 2,
    "seed": 0,
}


class InOrder(DPOTrainer):
    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def final_logps(trainer):
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    trainer.ld_alpha = None
    trainer.ref_model = None
    with torch.no_grad():
        chosen, rejected = trainer.compute_ref_log_probs(trainer.model, batch)
    return [[c.item(), r.item()] for c, r in zip(chosen, rejected)]


def record(name, settings, fixtures, work):
    model = fixtures / "models/llama"
    config = COMMON | settings
    trainer = InOrder(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        ref_model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=DPOConfig(output_dir=str(work), report_to=[], save_strategy="no", use_cpu=True, **config),
        processing_class=AutoTokenizer.from_pretrained(model),
        train_dataset=load_dataset("json", data_files=str(fixtures / "pairs32.jsonl"), split="train"),
    )
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    for entry in steps:
        entry.pop("step")
    result = {
        "produced_by": "trl 1.16.0, transformers 5.23.0, torch 2.10.0, fp32 CPU, sequential order",
        "setup": {
            "model": "models/llama",
            "data": "pairs32.jsonl in file order, no shuffling",
            "reference": "start: a frozen copy of the model",
            "adapter": None,
        },
        "config": config,
        "log": steps,
        "final_logps_first4": final_logps(trainer),
    }
    path = fixtures / "trajectories" / f"combined_{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.name, steps[-1]["loss"])


for run, chosen_settings in RUNS.items():
    record(run, chosen_settings, pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
