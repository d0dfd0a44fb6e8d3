"""Asks a current llama.cpp (xllamacpp from PyPI) about GGUF files.

Usage: python llama_cpp.py < JOBS     (xllamacpp 2026.10)

Each line of JOBS is a JSON object: "model", and optionally "lora", "prompts" (lists of token ids), "tokens" (how many
to generate greedily after each), "top" (how many log-probabilities of the first of them to give) and "texts" (to be
tokenized). For each, one line comes back: "ids" and "logprobs" of each prompt, and "tokenized". Keys and values are kept
in fp32 and attention is not fused, since both would round to 16 bits.
"""

import json
import sys
import urllib.request

import xllamacpp as x


def server(job):
    params = x.CommonParams()
    params.model.path = job["model"]
    params.n_ctx = job.get("context", 64)
    params.cpuparams.n_threads = 1
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.cache_type_k = params.cache_type_v = x.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = x.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if job.get("lora"):
        params.lora_adapters = [x.CommonAdapterLoraInfo(job["lora"], 1.0)]
    return x.Server(params)


def complete(llama, prompt, tokens, top):
    answer = llama.handle_completions(
        {"prompt": prompt, "n_predict": tokens, "temperature": 0, "top_k": 1, "n_probs": top,
         "post_sampling_probs": False, "cache_prompt": False})
    steps = answer["choices"][0]["logprobs"]["content"]
    return [step["id"] for step in steps], {t["id"]: t["logprob"] for t in steps[0]["top_logprobs"]}


def tokenize(llama, text):
    request = urllib.request.Request(
        llama.listening_address + "/tokenize",
        json.dumps({"content": text, "add_special": False, "parse_special": True}).encode(),
        {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["tokens"]


for line in sys.stdin:
    job = json.loads(line)
    llama = server(job)
    answers = [complete(llama, prompt, job.get("tokens", 1), job.get("top", 1)) for prompt in job.get("prompts", [])]
    print(json.dumps({
        "ids": [ids for ids, _ in answers],
        "logprobs": [logprobs for _, logprobs in answers],
        "tokenized": [tokenize(llama, text) for text in job.get("texts", [])],
    }), flush=True)
    del llama
