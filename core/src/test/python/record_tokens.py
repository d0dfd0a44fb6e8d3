"""Makes tokenizers of many kinds, and records the ids that transformers makes of awkward texts.

    python record_tokens.py cases FILE          the cases of TokenizerFilesTest, with expected ids
    python record_tokens.py folders DIR [MORE]  each case as a model folder below DIR, with pairs of
                                                text and of messages and TRL's ids for them; the
                                                model folders MORE are copied and treated likewise
    python record_tokens.py compare DIR DPO4J   runs `DPO4J inspect` on each of these folders and
                                                prints where ids differ, and what was said about it

Needs transformers 5.23 and, for folders, trl 1.16.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.utils import logging

logging.set_verbosity_error()

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps until 12:45.",
    "Water boils at 100 degrees; ice melts at 0 degrees, in 1999 as in 2024.",
    "A preference pair has a prompt, a chosen answer and a rejected answer.",
    "Ein schöner Tag in Köln, une journée à Paris, 良い一日を。 한국어 텍스트",
    "def f(x):\n    return x  # it's fine, isn't it? We'll see; they've gone.",
] * 4
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEXTS = [
    "",
    " ",
    "   ",
    "plain words",
    " leading blank",
    "trailing blank ",
    "  two  between  ",
    "\ttab\tand\ttabs\t\t",
    "\n",
    "\n\n\n",
    "line\nbreak",
    "carriage\r\nreturn\r\n",
    "old mac\rline",
    "mixed \n \r\n\t end \n",
    "no\u00a0break\u00a0space",
    "thin\u2009and\u3000wide spaces",
    "zero\u200bwidth\u200cand\u200djoiners\u2060",
    "\ufeffbyte order mark",
    "soft\u00adhyphen",
    "\u0000\u0001\u0007\u001b[0m\u007f",
    "\u0080\u0085\u009f",
    "line\u2028and\u2029paragraph",
    "emoji 😀 and 👍🏽",
    "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 🇩🇪",
    "keycap 1️⃣ and ☺︎",
    "e\u0301 and é",
    "a\u0308\u0323\u0332 stack",
    "\u0301starts with a mark",
    "Ångström \u212b Å",
    "ﬁ ﬂ ﬀ ligatures",
    "Ⅳ ½ ² ① ㎏",
    "ﾊﾝｶｸ ＦＵＬＬ",
    "İstanbul ıi STRASSE straße ß ẞ",
    "ΣΊΣΥΦΟΣ σίσυφος",
    "שלום עולם",
    "مرحبا بالعالم ١٢٣",
    "\u202eright to left\u202c",
    "नमस्ते दुनिया",
    "ไทยไม่มีช่องว่าง",
    "你好，世界。",
    "良い一日を",
    "한국어",
    "\u1112\u1161\u11ab\u1100\u116e\u11a8",
    "𠮷野家 𝒜𝓁𝑔",
    "\ue000\uf8ff private \U000fffff",
    "\ufffd replacement \ufffe",
    "1234567890",
    "007 1,234.56 -3e10 0x1F",
    "٠١٢ १२३",
    "a1b22c333",
    "it's we'll I'M YOU'RE o'clock ''",
    "don\u2019t \u201cquote\u201d \u2026",
    "!?.,;:-_()[]{}<>/\\|@#$%^&*+=~`",
    "-----....____",
    "http://a.example/x?y=1&z=%20#f",
    "    indented:\n\treturn [x for x in y]\n\n\n",
    "camelCaseAndSNAKE_CASE",
    "x" * 40,
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "<s>begin</s> middle </s>",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|im_end|><|im_end|> <|im_start|>",
    "<|im_en d|> <|im_end| > <|IM_END|> im_end|>",
    "</s",
    "a<new>b <new> c<new >",
    "say <left> x <right> y <both> z <word>d <word>",
    "<norm> <NORM> <plain> <PLAIN>",
    "<a b> <c\u00e4\u4f60> <0x0A> ▁ ▁▁ Ġ <unk>",
]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GPT2_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LEVEL_ONLY = {**GPT2_LEVEL, "use_regex": False}
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def seq(kind, *steps):
    name = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "decoder": "decoders"}[kind]
    return {"type": "Sequence", name: list(steps)}


def split(regex, behavior="Isolated"):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": False}


def added(id, content, special=True, normalized=None, **flags):
    entry = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False}
    entry |= {"normalized": not special if normalized is None else normalized, "special": special}
    return entry | flags


def listed(*tokens):
    """As added_tokens_decoder has it."""
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def template(single, ids):
    def piece(name):
        return (
            {"Sequence": {"id": "A", "type_id": 0}}
            if name == "A"
            else {"SpecialToken": {"id": name, "type_id": 0}}
        )

    tokens = {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in ids.items()}
    return {
        "type": "TemplateProcessing",
        "single": [piece(n) for n in single],
        "pair": [piece("A"), {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": tokens,
    }


def trained(model, trainer, pre):
    t = Tokenizer(model)
    t.pre_tokenizer = pre
    t.train_from_iterator(CORPUS, trainer)
    return json.loads(t.to_str())


def bases():
    """The models by name: vocabulary, merges and special tokens, nothing else."""
    options = {"special_tokens": SPECIAL, "show_progress": False}
    level = trained(
        models.BPE(),
        trainers.BpeTrainer(
            vocab_size=420, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), **options
        ),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    )
    pieces = trained(
        models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer(vocab_size=170, **options),
        pre_tokenizers.Metaspace(),
    )
    for byte in range(256):
        pieces["model"]["vocab"][f"<0x{byte:02X}>"] = len(pieces["model"]["vocab"])
    pieces["model"] |= {"fuse_unk": True, "byte_fallback": True}
    words = trained(
        models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
        trainers.BpeTrainer(vocab_size=170, end_of_word_suffix="</w>", **options),
        pre_tokenizers.BertPreTokenizer(),
    )
    result = {
        "byte_level": level,
        "pieces": pieces,
        "words": words,
        "unigram": trained(
            models.Unigram(),
            trainers.UnigramTrainer(vocab_size=170, unk_token="<unk>", **options),
            pre_tokenizers.Metaspace(),
        ),
        "word_piece": trained(
            models.WordPiece(unk_token="<unk>"),
            trainers.WordPieceTrainer(vocab_size=170, **options),
            pre_tokenizers.BertPreTokenizer(),
        ),
        "word_level": trained(
            models.WordLevel(unk_token="<unk>"),
            trainers.WordLevelTrainer(vocab_size=120, **options),
            pre_tokenizers.Whitespace(),
        ),
    }
    for base in result.values():
        base["pre_tokenizer"] = None
    return result


def make_cases(base):
    """Name to base, changes of tokenizer.json, and the files beside it."""
    n = {name: len(b["model"]["vocab"]) for name, b in base.items()}
    level, pieces = n["byte_level"], n["pieces"]
    byte_decoder = {**GPT2_LEVEL}
    piece_decoder = seq(
        "decoder",
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    )
    prepend = seq(
        "normalizer",
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    )
    bos = template(["<s>", "A"], {"<s>": 1})
    gpt2 = {"pre_tokenizer": GPT2_LEVEL, "decoder": byte_decoder}
    cases = {}

    def case(name, of, parts, type="llama", config=None, **files):
        config = {"eos_token": "<|im_end|>"} | (config or {})
        files = {f.replace("__", "."): content for f, content in files.items()}
        files |= {"tokenizer_config.json": config, "config.json": {"model_type": type, "vocab_size": 1000}}
        cases[name] = {"base": of, "parts": parts, "files": files}

    def regex(*steps):
        return {"pre_tokenizer": seq("pre_tokenizer", *steps, LEVEL_ONLY), "decoder": byte_decoder}

    def metaspace(scheme, split=False):
        return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}

    def klass(name, **more):
        return {"tokenizer_class": name, **more}

    nfc = {"normalizer": {"type": "NFC"}}
    digits = {"type": "Digits", "individual_digits": True}
    spm = {"decoder": piece_decoder, "post_processor": bos}
    old_spm = spm | {"normalizer": prepend}

    case("gpt2", "byte_level", gpt2, "gpt2", klass("GPT2Tokenizer"))
    case("gpt2_digits_by_class", "byte_level",
         {"pre_tokenizer": seq("pre_tokenizer", digits, GPT2_LEVEL), "decoder": byte_decoder},
         config=klass("GPT2Tokenizer"))
    case("gpt2_digits", "byte_level",
         {"pre_tokenizer": seq("pre_tokenizer", digits, GPT2_LEVEL), "decoder": byte_decoder},
         config=klass("PreTrainedTokenizerFast"))
    case("llama3", "byte_level",
         regex(split(LLAMA3)) | {"post_processor": bos, "model": {"ignore_merges": True}},
         config=klass("PreTrainedTokenizerFast"))
    case("o200k", "byte_level", regex(split(O200K)), "phi3", klass("GPT2Tokenizer"))
    case("qwen2", "byte_level", nfc | regex(split(QWEN2)), "qwen2", klass("Qwen2Tokenizer"))
    case("qwen2_other_pattern", "byte_level", gpt2, "qwen2", klass("PreTrainedTokenizerFast"))
    case("qwen3_fast", "byte_level", nfc | regex(split(QWEN2)), "qwen3", klass("PreTrainedTokenizerFast"))
    case("deepseek", "byte_level",
         regex(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"),
               split(r"[!-/:-~]?[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"))
         | {"post_processor": bos},
         config=klass("LlamaTokenizerFast"))
    case("neox_with_bos", "byte_level", nfc | gpt2 | {"post_processor": bos}, config=klass("GPTNeoXTokenizer"))
    case("neox", "byte_level", nfc | gpt2, config=klass("GPTNeoXTokenizerFast"))
    case("llama2", "pieces", old_spm)
    case("llama2_not_legacy", "pieces", old_spm, config=klass("LlamaTokenizer", legacy=False))
    case("llama2_legacy", "pieces", old_spm, config=klass("LlamaTokenizer", legacy=True))
    case("llama2_saved_anew", "pieces", spm | {"pre_tokenizer": metaspace("first")},
         config=klass("LlamaTokenizer", legacy=False))
    case("llama2_saved_anew_legacy", "pieces", spm | {"pre_tokenizer": metaspace("always")},
         config=klass("LlamaTokenizer", legacy=True))
    case("llama2_without_prefix", "pieces",
         spm | {"pre_tokenizer": metaspace("never"),
                "decoder": seq("decoder", *piece_decoder["decoders"][:3])},
         config=klass("LlamaTokenizer", add_prefix_space=False))
    case("mistral", "pieces", old_spm, "mistral", klass("LlamaTokenizer", legacy=False))
    case("phi3", "pieces", old_spm, "phi3", klass("LlamaTokenizer", legacy=False))
    case("gemma", "pieces",
         {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
          "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
          "decoder": seq("decoder", *piece_decoder["decoders"][:3]), "post_processor": bos})
    case("unigram", "unigram",
         {"normalizer": seq("normalizer", {"type": "Nmt"}, {"type": "NFKC"},
                            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
          "pre_tokenizer": metaspace("always", True), "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
          "post_processor": template(["A", "</s>"], {"</s>": 2})})
    case("word_piece", "word_piece",
         {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
          "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}})
    case("word_level", "word_level",
         {"normalizer": seq("normalizer", {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": True, "strip_right": True}),
          "pre_tokenizer": {"type": "Whitespace"}})
    case("words", "words",
         {"normalizer": seq("normalizer", {"type": "NFKD"}, {"type": "Lowercase"}),
          "pre_tokenizer": seq("pre_tokenizer", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": False}),
          "decoder": {"type": "BPEDecoder", "suffix": "</w>"}})
    flags = [
        added(level, "<left>", lstrip=True), added(level + 1, "<right>", rstrip=True),
        added(level + 2, "<both>", lstrip=True, rstrip=True), added(level + 3, "<word>", single_word=True),
        added(level + 4, "<norm>", special=False), added(level + 5, "<plain>", special=False, normalized=False),
        added(level + 6, "<a b>"), added(level + 7, "<cä你>"),
    ]
    own = [added(i, t) for i, t in enumerate(SPECIAL)]
    lower = {"normalizer": seq("normalizer", {"type": "NFC"}, {"type": "Lowercase"})}
    case("flags_inside", "byte_level", lower | gpt2 | {"added_tokens": own + flags})
    case("flags_outside", "byte_level", lower | gpt2, config={"added_tokens_decoder": listed(*own, *flags)})
    case("flags_differ", "byte_level",
         lower | gpt2 | {"added_tokens": own + [added(f["id"], f["content"]) for f in flags]},
         config={"added_tokens_decoder": listed(*own, *flags)})
    case("older_files", "byte_level", gpt2,
         added_tokens__json={"<new>": level, "<left>": level + 1, "<norm>": level + 2},
         special_tokens_map__json={"bos_token": {"content": "<left>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
                                   "pad_token": "<pad>", "additional_special_tokens": ["<new>", "<right>"]})
    case("additional", "byte_level", gpt2, config={"additional_special_tokens": ["<new>", "<|im_end|>"], "pad_token": "<plain>"})
    case("extra_list", "byte_level", gpt2,
         config={"extra_special_tokens": ["<new>", {"__type": "AddedToken", **{k: v for k, v in flags[0].items() if k != "id"}}],
                 "additional_special_tokens": ["<right>"]})
    case("extra_roles", "byte_level", gpt2,
         config={"extra_special_tokens": {"image_token": "<new>"}, "audio_token": "<right>", "add_bos_token": True})
    case("eos_outside", "byte_level", gpt2,
         config={"eos_token": {"__type": "AddedToken", **{k: v for k, v in added(0, "<new>", rstrip=True).items() if k != "id"}},
                 "added_tokens_decoder": listed(*own)})
    case("piece_as_token", "pieces", old_spm, config={"additional_special_tokens": ["▁▁", "<0x0A>", "the"]})
    case("cuts_and_fills", "byte_level",
         gpt2 | {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
                 "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}})
    case("list_lost_by_class", "byte_level", gpt2 | {"added_tokens": own + flags},
         config=klass("GPT2Tokenizer", added_tokens_decoder=listed(*own)))
    return cases


def composed(base, case):
    tokenizer = copy.deepcopy(base[case["base"]])
    for key, value in case["parts"].items():
        if key == "model":
            tokenizer["model"] |= value
        else:
            tokenizer[key] = value
    return tokenizer


def write(folder, tokenizer, files):
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def record(file):
    base = bases()
    cases = make_cases(base)
    for name, case in cases.items():
        with tempfile.TemporaryDirectory() as temp:
            folder = Path(temp) / "model"
            write(folder, composed(base, case), case["files"])
            tokenizer = AutoTokenizer.from_pretrained(folder)
        case["expected"] = [" ".join(map(str, tokenizer(text)["input_ids"])) for text in TEXTS]
    lines = [f'"bases":{json.dumps(base, ensure_ascii=True, separators=(",", ":"))}']
    lines.append(f'"texts":{json.dumps(TEXTS, ensure_ascii=True)}')
    rows = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(case, ensure_ascii=True, separators=(',', ':'))}"
        for name, case in cases.items()
    )
    lines.append(f'"cases":{{\n{rows}}}')
    Path(file).write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def trl_ids(tokenizer, row):
    """As DPOTrainer._prepare_dataset of TRL 1.16."""
    from trl.data_utils import _tokenize, common_prefix_length

    chat = isinstance(row["prompt"], list)
    if not chat:
        row = {k: v if k == "prompt" or v.endswith(tokenizer.eos_token) else v + tokenizer.eos_token for k, v in row.items()}
    header = {"add_generation_prompt": True} if chat else {}
    prompt = _tokenize(tokenizer, row["prompt"], **header)["input_ids"]
    chosen = _tokenize(tokenizer, row["prompt"] + row["chosen"])["input_ids"]
    rejected = _tokenize(tokenizer, row["prompt"] + row["rejected"])["input_ids"]
    n = min(common_prefix_length(prompt, chosen), common_prefix_length(prompt, rejected))
    return [prompt[:n], chosen[n:], rejected[n:]]


def pairs():
    for i, text in enumerate(TEXTS):
        after = TEXTS[(i + 1) % len(TEXTS)]
        yield "text", {"prompt": text, "chosen": after + "yes", "rejected": after + " no"}
        yield "chat", {
            "prompt": [{"role": "user", "content": text}],
            "chosen": [{"role": "assistant", "content": after + "yes"}],
            "rejected": [{"role": "assistant", "content": after + " no"}],
        }


def folders(out, more):
    base = bases()
    for name, case in make_cases(base).items():
        write(Path(out) / name / "model", composed(base, case), case["files"])
        (Path(out) / name / "model" / "chat_template.jinja").write_text(TEMPLATE)
    for folder in more:
        shutil.copytree(folder, Path(out) / Path(folder).name / "model")
    for folder in sorted(Path(out).iterdir()):
        tokenizer = AutoTokenizer.from_pretrained(folder / "model")
        rows = {"text": ([], []), "chat": ([], [])}
        for kind, row in pairs():
            try:
                ids = trl_ids(tokenizer, row)
            except Exception as e:  # a template that refuses the row
                ids = str(e)
            rows[kind][0].append(json.dumps(row))
            rows[kind][1].append(json.dumps(ids))
        for kind, (given, expected) in rows.items():
            (folder / f"{kind}.jsonl").write_text("\n".join(given) + "\n", encoding="utf-8")
            (folder / f"{kind}.expected").write_text("\n".join(expected) + "\n", encoding="utf-8")


def compare(out, dpo4j):
    for folder in sorted(Path(out).iterdir()):
        for kind in ("text", "chat"):
            result = folder / f"{kind}.out.jsonl"
            result.unlink(missing_ok=True)
            run = subprocess.run(
                [dpo4j, "inspect", "--model", folder / "model", "--data_file", folder / f"{kind}.jsonl", "--output", result,
                 "--on_bad_row", "skip", "--max_length", "100000"],
                capture_output=True, text=True,
            )
            said = [line for line in run.stderr.split("\n") if line.startswith(("warning:", "error:"))]
            if not result.exists():
                print(f"{folder.name:26} {kind}: FAILED {said or run.stderr[-300:]}")
                continue
            got = [json.loads(line) for line in result.read_text(encoding="utf-8").rstrip("\n").split("\n")]
            want = [json.loads(line) for line in (folder / f"{kind}.expected").read_text(encoding="utf-8").rstrip("\n").split("\n")]
            equal, bad, differ = 0, 0, []
            for i, (g, w) in enumerate(zip(got, want, strict=True)):
                if "prompt_ids" not in g:
                    bad += 1
                    if not isinstance(w, str) and w[1] != w[2] and w[1] and w[2]:
                        differ.append((i, g.get("reason")))
                elif [g["prompt_ids"], g["chosen_ids"], g["rejected_ids"]] == w:
                    equal += 1
                else:
                    differ.append((i, ""))
            print(f"{folder.name:26} {kind}: {equal} equal, {bad} bad rows, {len(differ)} differ {differ[:3] if differ else ''} {said}")


if __name__ == "__main__":
    if sys.argv[1] == "cases":
        record(sys.argv[2])
    elif sys.argv[1] == "folders":
        folders(sys.argv[2], sys.argv[3:])
    else:
        compare(sys.argv[2], sys.argv[3])
