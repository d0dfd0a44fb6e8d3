"""Makes the tiny reward checkpoints of fixtures/reward, and the scores that transformers gives: to sequences of ids,
some of which end in padding, and to answers rendered by the template of examples/tiny-chat.

Usage: python reward.py OUT_FOLDER TINY_CHAT     (transformers 5.23, torch 2.10)

Every weight is random. The scores are those of the folder as it is on disk, read back by transformers in fp32.
"""

import json
import pathlib
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SIZES = {
    "vocab_size": 4096,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": 2,
    "num_labels": 1,
}
PADDING = {"llama": 7, "qwen2": None}
CHATS = [
    ["What is 7 times 12?", "84."],
    ["What is 7 times 12?", "Seven times twelve is about seventy."],
    ["Hello", ""],
]


def sequences(padding):
    generator = torch.Generator().manual_seed(11)
    made = [torch.randint(10, 4096, (length,), generator=generator).tolist() for length in (1, 5, 40)]
    return made + ([] if padding is None else [made[1] + [padding] * 3, [20, padding, 30, padding]])


def main(out, tiny_chat):
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat)
    for seed, (family, padding) in enumerate(PADDING.items()):
        torch.manual_seed(seed)
        config = CONFIG_MAPPING[family](**SIZES, pad_token_id=padding)
        model = AutoModelForSequenceClassification.from_config(config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.normal_(1.0 if "norm" in name else 0.0, 0.4)
        folder = pathlib.Path(out) / family
        model.save_pretrained(folder)
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()

        def score(ids):
            with torch.no_grad():
                return model(torch.tensor([ids])).logits[0, 0].item()

        def rendered(question, answer):
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            return tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]

        expected = {
            "ids": [{"ids": ids, "score": score(ids)} for ids in sequences(padding)],
            "chats": [{"prompt": q, "completion": a, "score": score(rendered(q, a))} for q, a in CHATS],
        }
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        print(family, expected)


if __name__ == "__main__":
    main(*sys.argv[1:])
