"""Records what transformers leaves of a distribution before it draws the next token.

    python record_sampling.py FILE        the cases of TokenSamplerTest

Needs transformers 5.23. The processors are those that generate() makes of the settings, in its
order; probabilities are the softmax of what they return.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

VOCABULARY = 20
SETTINGS = [
    {},
    {"temperature": 0.7},
    {"top_k": 5},
    {"top_k": 100},
    {"top_p": 0.9},
    {"top_p": 0.05},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"min_p": 0.02, "temperature": 2.0},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.6},
    {"repetition_penalty": 1.3, "temperature": 0.5},
    {"temperature": 1.7, "top_k": 9, "top_p": 0.8},
    {"temperature": 1.7, "top_k": 9, "min_p": 0.15},
    {"temperature": 1.7, "top_p": 0.8, "min_p": 0.15},
    {"temperature": 1.7, "top_k": 12, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.5},
    {"temperature": 0.3, "top_k": 3, "top_p": 0.6, "min_p": 0.3, "repetition_penalty": 2.0},
]


def main(file):
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    model = LlamaForCausalLM(config)
    lines = []
    for settings in SETTINGS:
        logits = torch.randn(1, VOCABULARY) * 3
        earlier = torch.randint(0, VOCABULARY, (1, 12))
        asked = GenerationConfig(**{"do_sample": True, "top_k": 0, "top_p": 1.0, **settings})
        prepared, _ = model._prepare_generation_config(asked)
        model._prepare_special_tokens(prepared, kwargs_has_attention_mask=True)
        processors = model._get_logits_processor(prepared, earlier.shape[1], earlier, None, [])
        left = processors(earlier, logits.clone()).softmax(-1)
        lines.append(
            json.dumps(
                {
                    "settings": settings,
                    "processors": [type(each).__name__ for each in processors],
                    "logits": [round(x, 7) for x in logits[0].tolist()],
                    "earlier": earlier[0].tolist(),
                    "probabilities": left[0].tolist(),
                }
            )
        )
    with open(file, "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
