"""Records the layers that PEFT puts an adapter on with exclude_modules, layers_to_transform and layers_pattern, on
checkpoints of fixtures/families. Where PEFT refuses the
settings, "layers" is null.

Usage: python peft_choices.py FAMILIES_FOLDER OUT_FILE     (PEFT 0.21, transformers 5.23)
"""

import json
import pathlib
import sys

from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoConfig, AutoModelForCausalLM

LLAMA = ["q_proj", "v_proj", "down_proj"]

CASES = [
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=["v_proj"])),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=["layers.1.self_attn.v_proj", "mlp"])),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=["self_attn"])),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=r".*\.0\.(?P<part>mlp|self_attn)\.[dv].*")),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules="v_proj")),
    ("llama_default", dict(target_modules=r".*\.(q|k)_proj", exclude_modules=["layers.0.self_attn.q_proj"])),
    ("llama_default", dict(target_modules="all-linear", exclude_modules=["gate_proj", "lm_head"])),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=["q_proj"], modules_to_save=["down_proj"])),
    ("llama_default", dict(target_modules=LLAMA, exclude_modules=[], layers_to_transform=[])),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1])),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=0)),
    ("llama_default", dict(target_modules=None, layers_to_transform=[0, 7])),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1], exclude_modules=["down_proj"])),
    ("llama_default", dict(target_modules=LLAMA + ["lm_head"], layers_to_transform=[1])),
    ("llama_default", dict(target_modules=["model.layers.0.self_attn.q_proj", "v_proj"], layers_to_transform=[1])),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1], layers_pattern="layers")),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1], layers_pattern=["h", "lay.*"])),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1], layers_pattern="h|layers")),
    ("llama_default", dict(target_modules=LLAMA, layers_to_transform=[1], layers_pattern="")),
    ("llama_default", dict(target_modules="all-linear", layers_to_transform=[1])),
    ("llama_default", dict(target_modules=r".*\.q_proj", layers_to_transform=[])),
    ("llama_default", dict(target_modules=LLAMA, layers_pattern="layers")),
    ("llama_default", dict(target_modules=r".*\.q_proj", layers_pattern="layers")),
    ("gpt2_by_layer", dict(target_modules=["c_attn", "c_proj"], layers_to_transform=[1], exclude_modules=["mlp.c_proj"])),
    ("gpt_neox", dict(target_modules=None, layers_to_transform=[0])),
    ("gpt_neox", dict(target_modules=["dense"], layers_to_transform=[1], layers_pattern=["layers"])),
    ("opt", dict(target_modules=["fc1", "k_proj"], layers_to_transform=[1])),
    ("opt", dict(target_modules=["fc1", "k_proj"], layers_to_transform=[1], layers_pattern="decoder")),
    ("opt", dict(target_modules=["fc1", "k_proj"], layers_to_transform=[0], layers_pattern="decoder.layers")),
    ("falcon", dict(target_modules=["query_key_value"], layers_to_transform=[1])),
]


def layers(config, settings):
    try:
        lora = LoraConfig(task_type="CAUSAL_LM", **settings)
        model = get_peft_model(AutoModelForCausalLM.from_config(config), lora)
    except ValueError as e:
        print(settings, "->", e)
        return None
    return sorted(n.removeprefix("base_model.model.") for n, m in model.named_modules() if isinstance(m, LoraLayer))


def main():
    lines = []
    for case, settings in CASES:
        config = AutoConfig.from_pretrained(pathlib.Path(sys.argv[1]) / case)
        recorded = {"case": case, "config": settings, "layers": layers(config, settings)}
        lines.append(json.dumps(recorded))
    pathlib.Path(sys.argv[2]).write_text("[" + ",\n ".join(lines) + "]\n")


main()
