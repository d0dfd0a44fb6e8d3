"""Records what the Python package gguf 0.19 writes: fixtures/gguf/small.gguf and fixtures/gguf/types.json.

    python record_gguf.py FOLDER        the cases of GgufFileTest and GgufTypeTest

small.gguf has a value of every type that dpo4j writes, and tensors of every type, one of them with a size that is no
multiple of the alignment. types.json has rows of floats, as their bits, and the bytes of each in every other type.
"""

import json
import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

TYPES = [getattr(GGMLQuantizationType, name) for name in ("F16", "BF16", "Q8_0")]


def floats(*bits):
    return np.array(bits, dtype=np.uint32).view(np.float32)


def small(path):
    writer = GGUFWriter(path, "llama")
    writer.add_string("text", "a \N{PILE OF POO} \u2581")
    writer.add_uint32("number", 4_000)
    writer.add_float32("real", -1.5e-5)
    writer.add_bool("flag.true", True)
    writer.add_bool("flag.false", False)
    writer.add_array("texts", ["", "b", "\u00e9"])
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("reals", [0.5, -1.0])
    counted = np.arange(3, dtype=np.float32)
    writer.add_tensor("vector", counted)
    matrix = (np.arange(128, dtype=np.float32).reshape(2, 64) - 40) / 8
    for kind in TYPES:
        writer.add_tensor("matrix." + kind.name, quantize(matrix, kind), raw_dtype=kind)
    writer.add_tensor("cube", np.arange(12, dtype=np.float32).reshape(2, 3, 2))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rows():
    random = np.random.default_rng(0)
    below = np.nextafter(np.float32(0.5), np.float32(0))
    ones = np.ones(31, dtype=np.float32)
    yield "zeros", np.zeros(32, dtype=np.float32)
    yield "negative zeros", -np.zeros(32, dtype=np.float32)
    yield "normal numbers", random.standard_normal(96).astype(np.float32)
    yield "of many sizes", (random.standard_normal(96) * 10.0 ** random.integers(-7, 4, 96)).astype(np.float32)
    yield "a block of zeros beside one of numbers", np.concatenate([np.zeros(32), np.arange(32)]).astype(np.float32)
    # With a largest magnitude of 127 the multiples are the elements.
    ties = np.array([127, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, below, -below, 126.5, -126.5, 0.25, -0.25], dtype=np.float32)
    yield "ties of Q8_0", np.concatenate([ties, ones[: 32 - len(ties)]])
    # Halfway between two numbers of fp16 and of bf16, and beside that.
    yield "ties of F16", np.resize(floats(0x3F801000, 0x3F803000, 0x3F800FFF, 0x3F801001, 0xBF801000, 0x33000000), 32)
    yield "ties of BF16", np.resize(floats(0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0xBF808000), 32)
    yield "subnormal in F16", np.resize(np.array([2.0**-24, 2.0**-25, 3 * 2.0**-26, -(2.0**-15), 1e-6], np.float32), 32)
    yield "subnormal", np.resize(floats(1, 0x80000001, 0x007FFFFF, 0x00008000, 0x00018000, 0x00800000), 32)
    yield "largest of F16", np.resize(np.array([65504, -65504, 65519.996], dtype=np.float32), 32)
    yield "largest of Q8_0", np.resize(np.array([65504 * 127, -65504 * 126], dtype=np.float32), 32)
    yield "largest of BF16", np.resize(floats(0x7F7F0000, 0xFF7F0000, 0x7F7F7FFF), 32)


def fits(row, kind):
    largest = np.abs(row).max()
    if kind == GGMLQuantizationType.F16:
        return largest < 65520
    if kind == GGMLQuantizationType.Q8_0:
        # Below, the multiples have no number in fp32: 1 / scale is infinite.
        return largest <= 65504 * 127 and not 0 < largest < 1e-30
    return True


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    small(folder / "small.gguf")
    cases = []
    for name, row in rows():
        case = {"name": name, "bits": [int(b) for b in row.view(np.int32)]}
        for kind in TYPES:
            if fits(row, kind):
                case[kind.name] = quantize(row.reshape(1, -1), kind).tobytes().hex()
        cases.append(case)
    text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
    (folder / "types.json").write_text(text)


main(pathlib.Path(sys.argv[1]))
