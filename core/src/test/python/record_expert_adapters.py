"""Makes adapters with PEFT on experts and routers (target_parameters): fixtures/adapters/experts/NAME.

Usage: python record_expert_adapters.py FIXTURES [NAME ...]
FIXTURES holds families/. Needs peft 0.21.2, transformers 5.23.0, torch 2.10.0.

expected.safetensors has the ids of a sequence, its logits with the adapter, and the gradients of the sum of the
log-probabilities of ids[1:], in fp64.
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

BOTH = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]

# The model, and the settings of the adapter.
CASES = {
    "apart": ("mixtral", dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], target_parameters=BOTH)),
    "joined": (
        "granitemoe",
        dict(
            r=2,
            lora_alpha=2,
            target_modules=[],
            target_parameters=["experts.gate_up_proj", "experts.down_proj"],
            rank_pattern={"experts.down_proj": 3},
            alpha_pattern={"gate_up_proj": 5},
            use_rslora=True,
        ),
    ),
    "interleaved": (
        "gpt_oss",
        dict(r=2, lora_alpha=4, target_modules=["o_proj"], target_parameters=BOTH, layers_to_transform=[0]),
    ),
    "one_of_two": ("qwen2_moe", dict(r=1, lora_alpha=3, target_modules=[], target_parameters=["experts.down_proj"])),
    "one_block": (
        "plain_qwen3_moe",
        dict(r=2, lora_alpha=2, target_modules=["k_proj"], target_parameters=["model.layers.1.mlp.experts.gate_up_proj"]),
    ),
    "routers": (
        "granitemoe",
        dict(
            r=3,
            lora_alpha=2,
            target_modules=["q_proj"],
            target_parameters=["router.weight", "experts.down_proj"],
            rank_pattern={"router.weight": 2},
        ),
    ),
    # PEFT makes names of parameters of it, and twice the rank for gate_up_proj.
    "all_linear": ("plain_qwen3_moe", dict(r=1, lora_alpha=2, target_modules="all-linear")),
}
IDS = [5, 11, 7, 30, 11, 2, 41, 7, 19, 47, 3, 11]


def base(fixtures, name):
    return AutoModelForCausalLM.from_pretrained(
        fixtures / "families" / name, dtype=torch.float32, experts_implementation="eager"
    )


def make(fixtures, folder, name):
    model_name, settings = CASES[name]
    torch.manual_seed(sum(map(ord, name)))
    model = get_peft_model(base(fixtures, model_name), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0, **settings))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "families/" + model_name
    config["target_modules"] = sorted(config["target_modules"])
    config["target_parameters"] = sorted(config["target_parameters"])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))


def record(fixtures, name):
    folder = fixtures / "adapters" / "experts" / name
    if not folder.exists():
        make(fixtures, folder, name)
    model = PeftModel.from_pretrained(base(fixtures, CASES[name][0]), folder, is_trainable=True).double().eval()
    ids = torch.tensor([IDS])
    logits = model(input_ids=ids).logits
    logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).sum().backward()
    gradients = {n.replace(".default", ""): p.grad for n, p in model.named_parameters() if p.requires_grad}
    stored = load_file(folder / "adapter_model.safetensors")
    assert gradients.keys() == stored.keys()
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(parameter.float(), stored[parameter_name.replace(".default", "")])
    tensors = {"ids": ids[0], "logits": logits[0].detach().float()}
    tensors |= {"gradient." + n: g.float().contiguous() for n, g in gradients.items()}
    save_file(tensors, folder / "expected.safetensors")
    merged = model.merge_and_unload()(input_ids=ids).logits
    plain = base(fixtures, CASES[name][0]).double().eval()(input_ids=ids).logits
    print(name, (merged - logits).abs().max(), (plain - logits).abs().max())
    print({n: list(t.shape) for n, t in stored.items()})


for chosen in sys.argv[2:] or CASES:
    record(pathlib.Path(sys.argv[1]), chosen)
