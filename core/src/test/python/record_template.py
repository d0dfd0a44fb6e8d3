"""Records the ids that TRL makes of pairs with a chat template and variables of the user's own, and what transformers
saves of the template.

Usage: python record_template.py TINY_CHAT OUT_FILE     (TRL 1.16, transformers 5.23)
"""

import json
import pathlib
import sys
import tempfile

from transformers import AutoTokenizer
from trl.trainer.dpo_trainer import _tokenize

# Python reads line breaks of Windows as \n.
TEMPLATE = (
    "{% if style is defined %}[{{ style }}{% if loud %}!{% endif %}{{ limit|default(0) + 1 }}"
    "{% for word in words %} {{ word }}{{ word is string }}{% endfor %}]\r\n{% endif %}"
    "{%- for message in messages %}{{ '<|im_start|>' + message['role'] }}\r\n{{ message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}\r\n{% endif %}"
)
VARIABLES = {"style": "plain, \"old\"", "loud": True, "limit": 4, "words": ["no", 7, "7"]}
ROWS = [
    {"prompt": "What is a tide?", "chosen": "The sea rising and falling.", "rejected": "No."},
    {"prompt": "Hi", "chosen": "Hello!", "rejected": "Go away", "chat_template_kwargs": {"style": "new", "loud": False}},
]


def turns(row):
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return row | {name: [{"role": role, "content": row[name]}] for name, role in roles.items()}


def ids(tokenizer, row, variables):
    prompt = _tokenize(tokenizer, row["prompt"], add_generation_prompt=True, **variables)["input_ids"]
    record = {"prompt_ids": prompt}
    for side in ["chosen", "rejected"]:
        whole = _tokenize(tokenizer, row["prompt"] + row[side], **variables)["input_ids"]
        assert whole[: len(prompt)] == prompt
        record[side + "_ids"] = whole[len(prompt) :]
    return record


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "template.jinja").write_bytes(TEMPLATE.encode())
        # As SFTTrainer takes chat_template_path.
        with open(folder / "template.jinja", encoding="utf-8") as file:
            tokenizer.chat_template = file.read()
        tokenizer.save_pretrained(folder / "saved")
        saved = (folder / "saved" / "chat_template.jinja").read_bytes().decode()
        assert "chat_template" not in json.loads((folder / "saved" / "tokenizer_config.json").read_text())
    rows = [turns(row) for row in ROWS]
    record = {
        "template": TEMPLATE,
        "saved": saved,
        "variables": VARIABLES,
        "rows": rows,
        "ids": [ids(tokenizer, row, VARIABLES | row.get("chat_template_kwargs", {})) for row in rows],
        "ids_without_variables": [ids(tokenizer, row, {}) for row in rows[:1]],
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()]
    pathlib.Path(sys.argv[2]).write_text("{" + ",\n ".join(lines) + "}\n")


main()
