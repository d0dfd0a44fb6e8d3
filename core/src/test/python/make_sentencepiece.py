"""Makes fixtures/gguf/sentencepiece.json, the tokenizer of LlamaCppTest: byte pairs of SentencePiece as transformers has them.

    python make_sentencepiece.py FIXTURES

Needs sentencepiece 0.2.3. FIXTURES holds pairs32.jsonl, whose texts it is trained on. Each way to join two pieces to a
third is a merge; merges are sorted by the score of what they make.
"""

import io
import json
import pathlib
import sys

import sentencepiece

SIZE = 480
BLANK = "\u2581"


def main(fixtures):
    rows = [json.loads(line) for line in (fixtures / "pairs32.jsonl").read_text().splitlines()]
    texts = [text.replace("\n", " ") for row in rows for text in strings(row)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=SIZE,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    merges = []
    for piece, i in vocabulary.items():
        for cut in range(1, len(piece)):
            first, second = piece[:cut], piece[cut:]
            if first in vocabulary and second in vocabulary:
                merges.append((-pieces.get_score(i), i, vocabulary[first], vocabulary[second], [first, second]))
    added = [special(i, text) for i, text in enumerate(("<unk>", "<s>", "</s>"))] + [special(SIZE, "<|user|>")]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": BLANK},
                {"type": "Replace", "pattern": {"String": " "}, "content": BLANK},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": BLANK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": [merge[-1] for merge in sorted(merges)],
        },
    }
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (fixtures / "gguf/sentencepiece.json").write_text(text + "\n")


def strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, (list, dict)):
        for part in node.values() if isinstance(node, dict) else node:
            yield from strings(part)


def special(i, text):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": i, "content": text, **flags, "special": True}


main(pathlib.Path(sys.argv[1]))
