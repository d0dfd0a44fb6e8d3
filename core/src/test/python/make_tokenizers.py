"""Makes small tokenizers of every kind and what Python's tokenizers library encodes with them.

Run with the tokenizers library: python make_tokenizers.py OUTPUT_FOLDER
"""

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

OUT = Path(sys.argv[1])
CORPUS = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps.",
    "Water boils at 100 degrees; ice melts at 0 degrees.",
    "A preference pair has a prompt, a chosen answer and a rejected answer.",
    "Ein schöner Tag in Köln, une journée à Paris, 良い一日を。",
] * 4
TEXTS = [
    "",
    " ",
    "The quick brown fox",
    "  two  spaces\n\nand lines\t.",
    "unseen: Zyzzyva 12345 ünïcödé",
    "emoji 😀👩\u200d🚀 and 良い天気",
    "<s>begin</s> middle </s>\n<pad>",
    "e\u0301 and é; ﬁne Ⅳ",
    "\u0000\u007f\u00a0\u200b|",
]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
VOCABULARY = 400


def byte_level_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return t


def metaspace_bpe_with_byte_fallback():
    """As Llama 2 and Mistral have it."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=VOCABULARY - 256, special_tokens=SPECIAL, show_progress=False),
    )
    model = json.loads(trained.to_str())["model"]
    vocab = dict(model["vocab"])
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    t = Tokenizer(
        models.BPE(
            vocab,
            [tuple(m) for m in model["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    t.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    t.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    t.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    bos = vocab["<s>"]
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", bos)]
    )
    return t


def unigram():
    """As SentencePiece has it."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=200, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        ),
    )
    eos = t.token_to_id("</s>")
    t.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", eos)]
    )
    return t


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="<unk>"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(
        CORPUS,
        trainers.WordPieceTrainer(
            vocab_size=200, special_tokens=SPECIAL, show_progress=False
        ),
    )
    return t


for make in (byte_level_bpe, metaspace_bpe_with_byte_fallback, unigram, word_piece):
    folder = OUT / make.__name__
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make()
    # What is set here must not reach the ids: neither program may cut or pad.
    data = json.loads(tokenizer.to_str())
    data["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(
        json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
    )
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        rows.append(
            {
                "text": text,
                "ids": ids,
                "ids_with_special": tokenizer.encode(text).ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            }
        )
    lines = ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows)
    (folder / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
