"""Makes adapters with PEFT and records TRL on them: fixtures/adapters/NAME and fixtures/trajectories/lora_RUN.json.

Usage: python record_adapters.py FIXTURES WORK [RUN ...]
FIXTURES holds models/ and pairs32.jsonl; WORK is a scratch folder. Needs trl 1.16.0, peft 0.21.2, transformers 5.23.0,
torch 2.10.0.

TRL refuses sync_ref_model with an adapter. It keeps a second adapter, "ref", beside one that is trained further; here
the arithmetic of its SyncRefModelCallback is done on the weights of the two. PEFT allows one adapter with biases, and
TRL copies no factors of an embedding table into "ref", so with these the reference is a second model with its own
adapter.
"""

import json
import pathlib
import sys

import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer
from trl.trainer.callbacks import SyncRefModelCallback

# The model, and the settings of an adapter that is made; None for one that is there.
ADAPTERS = {
    "llama-r8": ("llama", None),
    "gpt2-bias": ("gpt2", dict(r=4, lora_alpha=8, target_modules=["c_attn"], bias="all")),
    "gpt2-bias-only": ("gpt2", dict(r=2, lora_alpha=8, target_modules=["c_attn"], bias="lora_only")),
    "llama-dora": (
        "llama",
        dict(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], use_dora=True),
    ),
    "qwen3-embedding": ("qwen3", dict(r=2, lora_alpha=4, target_modules=["embed_tokens", "q_proj"])),
    "gpt2-dora": ("gpt2", dict(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], use_dora=True)),
}
RUNS = {
    "sync": ("llama-r8", {"ref_model_sync_steps": 3, "ref_model_mixup_alpha": 0.3, "sync_ref_model": True}),
    "bias": ("gpt2-bias", {}),
    "bias_only": ("gpt2-bias-only", {"weight_decay": 0.1}),
    "dora": ("llama-dora", {}),
    "embedding": ("qwen3-embedding", {"weight_decay": 0.1}),
    "dora_gpt2": ("gpt2-dora", {"weight_decay": 0.1}),
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


class Weights:
    """Those of one adapter, as the callback wants them."""

    def __init__(self, model, adapter):
        self.all = [p for name, p in model.named_parameters() if f".{adapter}." in name]

    def parameters(self):
        return self.all


class Sync(TrainerCallback):
    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step % args.ref_model_sync_steps == 0:
            SyncRefModelCallback._sync_target_model(
                Weights(model, "default"), Weights(model, "ref"), args.ref_model_mixup_alpha
            )


def base(fixtures, name):
    return AutoModelForCausalLM.from_pretrained(fixtures / "models" / name, dtype=torch.float32)


def make(fixtures, name):
    model_name, settings = ADAPTERS[name]
    folder = fixtures / "adapters" / name
    if settings is None or folder.exists():
        return
    torch.manual_seed(sum(map(ord, name)))
    model = get_peft_model(base(fixtures, model_name), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                # Of magnitudes a few percent: they are norms of rows.
                parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "models/" + model_name
    config["target_modules"] = sorted(config["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))


def adapted(fixtures, name, **kwargs):
    return PeftModel.from_pretrained(base(fixtures, ADAPTERS[name][0]), fixtures / "adapters" / name, **kwargs)


def final_logps(trainer):
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    trainer.ref_model = trainer.model
    if "ref" in trainer.model.peft_config:
        trainer.model.delete_adapter("ref")
    with torch.no_grad():
        chosen, rejected = log_probs(trainer.model, trainer, batch)
    return [[c.item(), r.item()] for c, r in zip(chosen, rejected)]


def log_probs(model, trainer, batch):
    model.eval()
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    targets = batch["input_ids"][:, 1:]
    tokens = logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)
    sums = (tokens * batch["completion_mask"][:, 1:]).sum(1)
    return sums.chunk(2)


def record(run, fixtures, work):
    name, settings = RUNS[run]
    make(fixtures, name)
    config = COMMON | settings
    apart = "bias" in name or "embedding" in name
    reference = adapted(fixtures, name).get_base_model() if apart else None
    trainer = InOrder(
        model=adapted(fixtures, name, is_trainable=True),
        ref_model=reference,
        args=DPOConfig(
            output_dir=str(work),
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            **{key: value for key, value in config.items() if key != "sync_ref_model"},
        ),
        processing_class=AutoTokenizer.from_pretrained(fixtures / "models/llama"),
        train_dataset=load_dataset("json", data_files=str(fixtures / "pairs32.jsonl"), split="train"),
        callbacks=[Sync()] if config.get("sync_ref_model") else [],
    )
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    for entry in steps:
        entry.pop("step")
    result = {
        "produced_by": "trl 1.16.0, peft 0.21.2, transformers 5.23.0, torch 2.10.0, fp32 CPU, sequential order",
        "setup": {
            "model": "models/" + ADAPTERS[name][0],
            "data": "pairs32.jsonl in file order, no shuffling",
            "reference": "start: the model with a copy of the adapter",
            "adapter": "adapters/" + name,
        },
        "config": config,
        "log": steps,
        "final_logps_first4": final_logps(trainer),
    }
    path = fixtures / "trajectories" / f"lora_{run}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path.name, [round(s["loss"], 4) for s in steps], result["final_logps_first4"][0])


for chosen_run in sys.argv[3:] or RUNS:
    record(chosen_run, pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
