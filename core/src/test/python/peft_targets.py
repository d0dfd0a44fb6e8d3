"""Records the layers that PEFT puts an adapter on, for one checkpoint of fixtures/families of each model_type: those of
its defaults (null where it has none) and those of all-linear. Numbers of layers are #.

Usage: python peft_targets.py FAMILIES_FOLDER OUT_FILE     (PEFT 0.21, transformers 5.23)
"""

import json
import pathlib
import re
import sys

from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoConfig, AutoModelForCausalLM


def layers(config, targets):
    model = AutoModelForCausalLM.from_config(config)
    try:
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=targets))
    except ValueError as e:
        if "No `target_modules` passed" in str(e) or "Please specify `target_modules`" in str(e):
            return None
        raise
    paths = [n.removeprefix("base_model.model.") for n, m in model.named_modules() if isinstance(m, LoraLayer)]
    return sorted({re.sub(r"\.\d+\.", ".#.", path) for path in paths})


def main():
    recorded = {}
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        config = AutoConfig.from_pretrained(folder)
        if config.model_type not in recorded:
            recorded[config.model_type] = {
                "case": folder.name,
                "default": layers(config, None),
                "all-linear": layers(config, "all-linear"),
            }
    lines = [f'"{name}": {json.dumps(value)}' for name, value in recorded.items()]
    pathlib.Path(sys.argv[2]).write_text("{" + ",\n ".join(lines) + "}\n")


main()
