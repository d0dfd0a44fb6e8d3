"""Records how TRL's collator cuts pairs with truncation_mode keep_start and keep_end.

    python record_truncation.py FILE       the cases of TruncationTest

Needs TRL 1.16.
"""

import json
import sys

from trl.trainer.dpo_trainer import DataCollatorForPreference

# lengths of prompt, chosen and rejected completion
LENGTHS = [(3, 2, 2), (5, 4, 4), (5, 4, 2), (6, 1, 9), (2, 9, 12), (9, 8, 8), (0, 7, 9), (12, 1, 2)]
MAX_LENGTH = 8
PAD = 99

cases = []
for mode in ("keep_start", "keep_end"):
    for prompt, chosen, rejected in LENGTHS:
        example = {
            "prompt_ids": list(range(10, 10 + prompt)),
            "chosen_ids": list(range(30, 30 + chosen)),
            "rejected_ids": list(range(60, 60 + rejected)),
        }
        collator = DataCollatorForPreference(
            pad_token_id=PAD, max_length=MAX_LENGTH, truncation_mode=mode
        )
        batch = collator([example])
        sides = []
        for ids, attention, scored in zip(
            batch["input_ids"], batch["attention_mask"], batch["completion_mask"]
        ):
            real = int(attention.sum())
            sides.append({"ids": ids[:real].tolist(), "scored": scored[:real].tolist()})
        cases.append({"mode": mode, "example": example, "sides": sides})
with open(sys.argv[1], "w") as file:
    file.write(json.dumps({"max_length": MAX_LENGTH, "cases": cases}))
    file.write("\n")
