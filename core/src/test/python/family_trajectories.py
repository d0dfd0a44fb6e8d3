"""Makes fixtures/family_trajectories: five steps of TRL's DPOTrainer on a tiny model of each of sixteen families.

Usage: python family_trajectories.py OUT_FOLDER [MODEL_TYPE ...]     (TRL 1.16, transformers 5.23, torch 2.10)

OUT_FOLDER holds tokenizer.json and pairs.jsonl. MODEL_TYPE/ is the checkpoint before training (fp32, every weight
random, biases and norms too), MODEL_TYPE.json what TRL logged. The switches of a family that other families lack
are on, and the windows are shorter than the pairs.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["WANDB_DISABLED"] = "true"

import torch
import transformers
import trl
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def rope(theta, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


SIZES = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": 258,
}
ALL_HEADS = {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
TYPES = ["sliding_attention", "full_attention"]

CASES = {
    "gemma3_text": {
        **SIZES, "head_dim": 12, "query_pre_attn_scalar": 10, "sliding_window": 8, "layer_types": TYPES,
        "tie_word_embeddings": True, "pad_token_id": 32,
        "rope_parameters": {
            "sliding_attention": rope(100.0),
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 10000.0},
        },
    },
    "olmo2": {**SIZES, "attention_bias": True, "tie_word_embeddings": False, "pad_token_id": 32,
              "rope_parameters": rope(500.0)},
    "granite": {**SIZES, "tie_word_embeddings": True, "pad_token_id": None, "embedding_multiplier": 3.0,
                "residual_multiplier": 0.4, "attention_multiplier": 0.2, "logits_scaling": 1.7,
                "rope_parameters": rope(500.0)},
    "phi": {**SIZES, "qk_layernorm": True, "tie_word_embeddings": False,
            "rope_parameters": rope(500.0, partial_rotary_factor=0.5)},
    "gpt_neox": {**ALL_HEADS, "num_attention_heads": 2, "tie_word_embeddings": False, "use_parallel_residual": True,
                 "rope_parameters": rope(500.0, partial_rotary_factor=0.25)},
    "gemma2": {**SIZES, "head_dim": 12, "query_pre_attn_scalar": 10, "sliding_window": 8,
               "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "tie_word_embeddings": True,
               "pad_token_id": 0, "rope_parameters": rope(500.0)},
    "cohere2": {**SIZES, "sliding_window": 8, "layer_types": TYPES, "logit_scale": 0.7, "tie_word_embeddings": True,
                "pad_token_id": 0, "rope_parameters": rope(500.0)},
    "nemotron": {**SIZES, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False,
                 "rope_parameters": rope(500.0, partial_rotary_factor=0.5)},
    "falcon": {
        "vocab_size": 260, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_kv_heads": 2,
        "new_decoder_architecture": True, "bias": True, "ffn_hidden_size": 48, "max_position_embeddings": 128,
        "bos_token_id": None, "eos_token_id": 258, "rope_parameters": rope(500.0),
    },
    "gptj": {"vocab_size": 260, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "rotary_dim": 4,
             "n_inner": 48, "bos_token_id": None, "eos_token_id": 258},
    # TRL adds the routers' loss times the coefficient.
    "qwen3_moe": {**SIZES, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
                  "norm_topk_prob": True, "router_aux_loss_coef": 0.02, "rope_parameters": rope(500.0)},
    "qwen2_moe": {**SIZES, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
                  "shared_expert_intermediate_size": 24, "router_aux_loss_coef": 0.0, "rope_parameters": rope(500.0)},
    "mixtral": {**SIZES, "intermediate_size": 16, "num_local_experts": 4, "rope_parameters": rope(500.0)},
    "gpt_oss": {**SIZES, "intermediate_size": 16, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2,
                "sliding_window": 8, "layer_types": TYPES, "router_aux_loss_coef": 0.02,
                "rope_parameters": rope(500.0)},
    "lfm2": {**SIZES, "layer_types": ["conv", "full_attention"], "conv_bias": True, "block_auto_adjust_ff_dim": False,
             "pad_token_id": None, "rope_parameters": rope(500.0)},
    "qwen3_5_text": {**SIZES, "head_dim": 8, "layer_types": ["linear_attention", "full_attention"],
                     "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_num_value_heads": 4,
                     "linear_value_head_dim": 8, "rope_parameters": rope(500.0, partial_rotary_factor=0.5)},
}

# Options of the run; our defaults are TRL's for the rest.
OPTIONS = {
    "per_device_train_batch_size": 2,
    "max_steps": 5,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0,
    "beta": 0.1,
    "max_length": 128,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "bf16": False,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "seed": 0,
}


class InFileOrder(DPOTrainer):
    def _get_train_sampler(self, *arguments, **named):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def write_model(model_type, folder, tokenizer):
    torch.manual_seed(sum(map(ord, model_type)))
    config = AutoConfig.for_model(model_type, **CASES[model_type])
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0, 0.13)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.json").unlink()  # all have the same


def sums(model, rows):
    """Log-probabilities of both completions of each row."""
    model.eval()
    values = []
    for row in rows:
        pair = []
        for side in ("chosen_ids", "rejected_ids"):
            ids = torch.tensor([row["prompt_ids"] + row[side]])
            with torch.no_grad():
                logits = type(model).forward(model, input_ids=ids, use_cache=False).logits[0, :-1]
            tokens = logits.log_softmax(-1).gather(1, ids[0, 1:, None])[len(row["prompt_ids"]) - 1 :, 0]
            pair.append(tokens.double().sum().item())
        values.append(pair)
    return values


def main():
    out = pathlib.Path(sys.argv[1])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(out / "tokenizer.json"), eos_token="<|eos|>", pad_token="<|pad|>")
    pairs = [json.loads(line) for line in (out / "pairs.jsonl").read_text().splitlines()]
    for model_type in sys.argv[2:] or CASES:
        folder = out / model_type
        write_model(model_type, folder, tokenizer)

        def load():
            return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")

        with tempfile.TemporaryDirectory() as work:
            trainer = InFileOrder(
                model=load(),
                ref_model=load(),
                args=DPOConfig(output_dir=work, use_cpu=True, save_strategy="no", report_to=[], disable_tqdm=True,
                               **OPTIONS),
                train_dataset=Dataset.from_list(pairs),
                processing_class=tokenizer,
            )
            rows = list(trainer.train_dataset)
            trainer.train()
        log = [
            {k: v for k, v in entry.items() if k not in ("step", "total_flos", "aux_loss")}
            for entry in trainer.state.log_history
            if "loss" in entry
        ]
        fixture = {
            "produced_by": f"trl {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__},"
                           " fp32 CPU, eager attention, sequential order",
            "setup": {
                "model": f"family_trajectories/{model_type}",
                "tokenizer": "family_trajectories/tokenizer.json",
                "data": "pairs.jsonl",
                "reference": "start: a frozen copy of the model",
                "adapter": None,
            },
            "config": OPTIONS,
            "log": log,
            "final_logps_first4": sums(trainer.model, rows[:4]),
        }
        (out / f"{model_type}.json").write_text(json.dumps(fixture, indent=1) + "\n")
        print(model_type, [round(entry["loss"], 4) for entry in log], flush=True)


main()
