"""Writes the other files of this folder. Run in it; needs pyarrow, datasets and the zstd command."""
import json
import subprocess

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

USER = "What is 2 + 2?"
text = [{"prompt": f"p{i} é", "chosen": f" w{i}\n\"q\", x", "rejected": f" l{i % 3}"} for i in range(7)]
chat = [
    {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": f"{USER} {i}"}],
        "chosen": [{"role": "assistant", "content": "4", "tool_calls": None}],
        "rejected": [{"role": "assistant", "content": None, "tool_calls": [{"id": i, "args": {"a": [1, 2]}}]}],
    }
    for i in range(5)
]
ids = [{"prompt_ids": [1, i], "chosen_ids": [2] * (i + 1), "rejected_ids": [3, 9]} for i in range(6)]


def jsonl(name, rows):
    with open(name, "w") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def bare(value):
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if v is not None}
    return [bare(v) for v in value] if isinstance(value, list) else value


jsonl("text.jsonl", text)
jsonl("chat.jsonl", [bare(row) for row in chat])
jsonl("ids.jsonl", ids)

plain = pa.Table.from_pylist(text)
for codec in ["none", "snappy", "gzip", "zstd", "lz4"]:
    pq.write_table(plain, f"text-{codec}.parquet", compression=codec, row_group_size=3)
pq.write_table(plain, "text-brotli.parquet", compression="brotli")
pq.write_table(plain, "text-v2.parquet", data_page_version="2.0", compression="snappy", data_page_size=1)
pq.write_table(plain, "text-plain.parquet", use_dictionary=False, write_statistics=False)
pq.write_table(
    plain, "text-delta.parquet", use_dictionary=False,
    column_encoding={"prompt": "DELTA_BYTE_ARRAY", "chosen": "DELTA_LENGTH_BYTE_ARRAY", "rejected": "PLAIN"},
)
large = pa.schema([(name, pa.large_string()) for name in ("prompt", "chosen", "rejected")])
pq.write_table(plain.cast(large), "text-large.parquet")
datasets.Dataset.from_list(text).to_parquet("text-datasets.parquet")
pq.write_table(pa.Table.from_pylist(chat), "chat-snappy.parquet", row_group_size=2)
pq.write_table(pa.Table.from_pylist(chat), "chat-v2.parquet", data_page_version="2.0", compression="zstd", use_compliant_nested_type=False)
datasets.Dataset.from_list(chat).to_parquet("chat-datasets.parquet")
for width in (pa.int32(), pa.int64()):
    schema = pa.schema([(name, pa.list_(width)) for name in ("prompt_ids", "chosen_ids", "rejected_ids")])
    pq.write_table(pa.Table.from_pylist(ids, schema=schema), f"ids-{width}.parquet")
extra = [
    {"prompt": "p", "chosen": "w", "rejected": "l", "ok": True, "f": 0.5, "d": 1e300, "n": None,
     "big": 2**40, "blob": b"\xff\xfe", "m": [("a", 1), ("b", None)], "deep": [[1, None], [], None]},
    {"prompt": "p2", "chosen": "w2", "rejected": "l2", "ok": None, "f": None, "d": None, "n": None,
     "big": None, "blob": None, "m": None, "deep": None},
]
schema = pa.schema([
    ("prompt", pa.string()), ("chosen", pa.string()), ("rejected", pa.string()), ("ok", pa.bool_()),
    ("f", pa.float32()), ("d", pa.float64()), ("n", pa.null()), ("big", pa.int64()), ("blob", pa.binary()),
    ("m", pa.map_(pa.string(), pa.int32())), ("deep", pa.list_(pa.list_(pa.int32()))),
])
pq.write_table(pa.Table.from_pylist(extra, schema=schema), "extra.parquet")

# Two frames, as two packed files put together have.
with open("text.jsonl.zst", "wb") as out:
    for part in (text[:3], text[3:]):
        jsonl("part.jsonl", part)
        out.write(subprocess.run(["zstd", "-19", "-c", "part.jsonl"], check=True, capture_output=True).stdout)
subprocess.run(["rm", "part.jsonl"], check=True)
