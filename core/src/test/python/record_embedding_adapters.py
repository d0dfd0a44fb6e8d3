"""Makes adapters with PEFT on embedding tables and heads: fixtures/adapters/embeddings/NAME.

Usage: python record_embedding_adapters.py FIXTURES [NAME ...]
FIXTURES holds families/. Needs peft 0.21.2, transformers 5.23.0, torch 2.10.0.

expected.safetensors has the ids of a sequence, its logits with the adapter, and the gradients of the sum of the
log-probabilities of ids[1:], in fp64. Where PEFT ties the adapter of the head to that of the table, each of the two has
gradients of its own in PEFT; the sums are recorded, under the names of the table.
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

# The model, and the settings of the adapter.
CASES = {
    "table": ("llama_default", dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "q_proj"])),
    "table_scaled": (
        "gemma3_text_switches",
        dict(r=3, lora_alpha=2, target_modules=["embed_tokens", "v_proj"], use_rslora=True),
    ),
    "table_and_head_autograd": ("gemma2", dict(r=2, lora_alpha=4, target_modules=["embed_tokens", "lm_head"])),
    "saved_tied": (
        "llama_padding_tied",
        dict(r=2, lora_alpha=4, target_modules=["q_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True),
    ),
    "saved_tied_scaled": (
        "gemma3_text",
        dict(r=2, lora_alpha=4, target_modules=["q_proj"], modules_to_save=["lm_head"], ensure_weight_tying=True),
    ),
    "tied": (
        "llama_padding_tied",
        dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "q_proj"], ensure_weight_tying=True),
    ),
    "tied_scaled": (
        "gemma3_text",
        dict(
            r=3,
            lora_alpha=6,
            target_modules=["lm_head", "v_proj"],
            ensure_weight_tying=True,
            alpha_pattern={"lm_head": 2},
        ),
    ),
    "tied_gpt2": (
        "gpt2_gelu_fast",
        dict(r=2, lora_alpha=4, target_modules=["lm_head", "c_attn"], ensure_weight_tying=True),
    ),
    "table_alone": ("llama_padding_tied", dict(r=3, lora_alpha=6, target_modules=["embed_tokens"])),
    "head_alone": ("llama_padding_tied", dict(r=3, lora_alpha=6, target_modules=["lm_head", "q_proj"])),
    "both_apart": ("llama_padding_tied", dict(r=2, lora_alpha=6, target_modules=["lm_head", "embed_tokens"])),
}
IDS = [5, 11, 7, 30, 11, 2, 41, 7, 19, 47, 3, 11]


def base(fixtures, name):
    return AutoModelForCausalLM.from_pretrained(fixtures / "families" / name, dtype=torch.float32)


def make(fixtures, folder, name):
    model_name, settings = CASES[name]
    torch.manual_seed(sum(map(ord, name)))
    model = get_peft_model(base(fixtures, model_name), LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "families/" + model_name
    config["target_modules"] = sorted(config["target_modules"])
    if name == "tied_gpt2":
        # PEFT writes transformer.wte in place of lm_head, and would tie nothing when it reads that.
        config["target_modules"] = sorted(CASES[name][1]["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))


def record(fixtures, name):
    folder = fixtures / "adapters" / "embeddings" / name
    if not folder.exists():
        make(fixtures, folder, name)
    model = PeftModel.from_pretrained(base(fixtures, CASES[name][0]), folder, is_trainable=True).double().eval()
    ids = torch.tensor([IDS])
    logits = model(input_ids=ids).logits
    logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).sum().backward()
    gradients = {}
    stored = load_file(folder / "adapter_model.safetensors")
    for parameter_name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        plain = parameter_name.replace(".default", "").replace(".modules_to_save", "")
        gradient = parameter.grad
        if CASES[name][1].get("ensure_weight_tying") and "lm_head.lora_" in plain:
            table = next(n for n in stored if n.endswith("lora_embedding_" + ("B" if "lora_A" in plain else "A")))
            plain, gradient = table, gradient.t()
        gradients[plain] = gradients.get(plain, 0) + gradient
    tensors = {"ids": ids[0], "logits": logits[0].detach().float()}
    tensors |= {"gradient." + n: g.float().contiguous() for n, g in gradients.items()}
    save_file(tensors, folder / "expected.safetensors")
    print(name, {n: list(t.shape) for n, t in stored.items()}, list(gradients))


for chosen in sys.argv[2:] or CASES:
    record(pathlib.Path(sys.argv[1]), chosen)
