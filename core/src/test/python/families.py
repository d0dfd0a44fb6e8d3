"""Makes the tiny checkpoints of fixtures/families, and what transformers computes from them: the logits, and the
gradient of the sum of log-probabilities of all tokens but the first by the embedding table.

Usage: python families.py OUT_FOLDER [CASE ...]     (transformers 5.23, torch 2.10)

Every weight is random, biases and norms too, so that nothing can be left out unseen. The numbers are
those of the folder as it is on disk, read back by transformers in fp32.
"""

import copy
import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

VOCABULARY = 48
TOKENS = 24
PADDING = 7

ROTARY = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": 2,
    "pad_token_id": None,
    "tie_word_embeddings": False,
}
GPT2 = {
    "vocab_size": VOCABULARY,
    "n_embd": 16,
    "n_head": 2,
    "n_layer": 3,
    "n_positions": 32,
    "bos_token_id": None,
    "eos_token_id": 2,
}
OWN_KEYS = ("gpt2", "gptj", "codegen", "gpt_bigcode", "gpt_neo")
HEAD_8 = {"head_dim": 8}  # 4 x 8 is not the hidden size


def rope(kind, theta, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


def older(kind, theta, key="rope_type", **more):
    """As transformers 4 wrote it."""
    return {"rope_theta": theta, "rope_scaling": {key: kind, **more} if kind else None}


LLAMA3 = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"factor": 4.0, "original_max_position_embeddings": 16}

SIGLIP = {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1,
          "image_size": 4, "patch_size": 2}
QWEN_VISION = {"depth": 1, "hidden_size": 16, "num_heads": 1, "patch_size": 2, "spatial_merge_size": 2,
               "temporal_patch_size": 1}
DELTA = {"linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_num_value_heads": 4, "linear_value_head_dim": 6,
         "linear_conv_kernel_dim": 4}
SECTIONS = {"rope_type": "default", "rope_theta": 50.0, "mrope_section": [1, 1, 2]}


def wrapper(vision, text, **more):
    """A model of text and images."""
    return {"vision_config": vision, "text_config": {**ROTARY, **text}, **more}


# name: (model_type, config, dtype of the file, keys to remove, and objects with keys to write; "flat" moves the
# text's keys to the top)
CASES = {
    "llama_default": ("llama", {**HEAD_8, **rope("default", 50.0)}, "float32", []),
    "llama_biases_tied": (
        "llama",
        {**older(None, 50.0), "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True,
         "rms_norm_eps": 0.05},
        "float16",
        ["rope_parameters", "head_dim"],
    ),
    "llama_all_heads_gelu": (
        "llama", {"hidden_act": "gelu", "num_key_value_heads": 4, **older(None, 50.0)}, "float64",
        ["num_key_value_heads", "head_dim", "rope_parameters"]),
    "llama_linear_4": ("llama", older("linear", 50.0, "type", factor=3.0), "bfloat16", ["rope_parameters"]),
    "llama_linear_5": ("llama", {**HEAD_8, **rope("linear", 50.0, factor=2.5)}, "bfloat16", []),
    "llama_dynamic_4": ("llama", older("dynamic", 50.0, factor=2.0), "bfloat16", ["rope_parameters"]),
    "llama_llama3_4": ("llama", {**HEAD_8, **older("llama3", 100.0, **LLAMA3)}, "bfloat16", ["rope_parameters"]),
    "llama_llama3_5": ("llama", {**HEAD_8, **rope("llama3", 100.0, **LLAMA3)}, "bfloat16", []),
    "llama_llama3_original_outside": (
        "llama",
        {**HEAD_8, **older("llama3", 100.0, **LLAMA3), "original_max_position_embeddings": 12},
        "bfloat16", ["rope_parameters"]),
    "llama_yarn_4": ("llama", {**HEAD_8, **older("yarn", 10.0, "type", **YARN)}, "bfloat16", ["rope_parameters"]),
    "llama_yarn_mscale": (
        "llama", {**HEAD_8, **rope("yarn", 10.0, mscale=0.7, mscale_all_dim=1.3, **YARN)}, "bfloat16", []),
    "llama_yarn_all_keys": (
        "llama",
        {**HEAD_8,
         **rope("yarn", 10.0, attention_factor=1.4, beta_fast=1.2, beta_slow=0.3, truncate=False, **YARN)},
        "bfloat16", []),
    "llama_yarn_own_context": ("llama", {**HEAD_8, **rope("yarn", 10.0, factor=2.0)}, "bfloat16", []),
    "mistral_window_4": (
        "mistral", {**older(None, 50.0), "sliding_window": 5}, "bfloat16", ["rope_parameters", "head_dim"]),
    "mistral_window_5": ("mistral", {**HEAD_8, **rope("default", 50.0), "sliding_window": 1}, "bfloat16", []),
    "mistral_no_window": ("mistral", {**rope("default", 50.0), "sliding_window": None}, "bfloat16", []),
    "mistral_default_heads": (
        "mistral",
        {**rope("default", 50.0), "hidden_size": 32, "num_attention_heads": 16, "num_key_value_heads": 8,
         "sliding_window": 4096},
        "bfloat16", ["num_key_value_heads", "sliding_window", "rms_norm_eps"]),
    "qwen2_window_4": (
        "qwen2",
        {**older(None, 50.0), "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1,
         "num_hidden_layers": 3, "tie_word_embeddings": True},
        "bfloat16", ["rope_parameters", "layer_types"]),
    "qwen2_layer_types": (
        "qwen2",
        {**HEAD_8, **rope("yarn", 10.0, **YARN), "use_sliding_window": True, "sliding_window": 6,
         "max_window_layers": 0, "num_hidden_layers": 3,
         "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        "bfloat16", []),
    "qwen2_unused_window": (
        "qwen2", {**older(None, 50.0), "use_sliding_window": False, "max_window_layers": 0},
        "bfloat16", ["rope_parameters", "layer_types"]),
    "qwen3_biases": ("qwen3", {**HEAD_8, **rope("default", 50.0), "attention_bias": True}, "bfloat16", []),
    "qwen3_window": (
        "qwen3",
        {**HEAD_8, **older("yarn", 10.0, **YARN), "use_sliding_window": True, "sliding_window": 4,
         "max_window_layers": 1, "tie_word_embeddings": True},
        "bfloat16", ["rope_parameters", "layer_types"]),
    "smollm3_interval": (
        "smollm3",
        {"num_hidden_layers": 4, "no_rope_layer_interval": 3, **rope("default", 50.0),
         "tie_word_embeddings": True},
        "bfloat16", ["no_rope_layers", "layer_types", "tie_word_embeddings"]),
    "smollm3_window": (
        "smollm3",
        {"num_hidden_layers": 3, "no_rope_layers": [0, 1, 0], **rope("linear", 50.0, factor=2.0),
         "attention_bias": True, "mlp_bias": True, "use_sliding_window": True, "sliding_window": 7},
        "bfloat16", ["layer_types"]),
    "smollm3_default_theta": ("smollm3", {}, "bfloat16", ["rope_parameters", "no_rope_layers", "layer_types"]),
    "phi3": ("phi3", {**rope("default", 50.0)}, "bfloat16", []),
    "phi3_window_4": (
        "phi3", {**older(None, 50.0), "sliding_window": 5, "num_key_value_heads": 4},
        "bfloat16", ["rope_parameters", "rms_norm_eps", "num_key_value_heads"]),
    "gpt2_by_layer": (
        "gpt2", {**GPT2, "scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}, "bfloat16", []),
    "gpt2_unscaled": (
        "gpt2", {**GPT2, "scale_attn_weights": False, "n_inner": 24, "layer_norm_epsilon": 0.1}, "float16", []),
    "gpt2_unscaled_by_layer_untied": (
        "gpt2",
        {**GPT2, "scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True, "n_layer": 2,
         "tie_word_embeddings": False, "n_inner": 20},
        "bfloat16", []),
    **{
        f"gpt2_{name}": ("gpt2", {**GPT2, "activation_function": name, "n_layer": 1, "n_inner": 20}, "bfloat16", [])
        for name in ["gelu_fast", "quick_gelu", "silu", "tanh", "gelu_python"]
    },
    "sharded": ("llama", {**HEAD_8, **rope("default", 50.0)}, "bfloat16", []),
    # The token stands inside of the sequence; a head that is tied gives its row a gradient all the same.
    "llama_padding_tied": (
        "llama", {**rope("default", 50.0), "pad_token_id": PADDING, "tie_word_embeddings": True}, "bfloat16", []),
    "mistral_padding": ("mistral", {**rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", []),
    "qwen2_padding": ("qwen2", {**rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", []),
    "qwen3_padding": ("qwen3", {**HEAD_8, **rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", []),
    "smollm3_padding": ("smollm3", {**rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", []),
    "phi3_padding": ("phi3", {**rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", []),
    "llama_padding_from_the_end": (
        "llama", {**rope("default", 50.0), "pad_token_id": PADDING - VOCABULARY}, "bfloat16", []),
    "gpt2_padding": ("gpt2", {**GPT2, "pad_token_id": PADDING, "n_layer": 1}, "bfloat16", []),
    # One case with the defaults of the config class where they fit a tiny model, and one with other switches.
    "internlm3": ("internlm3", {**HEAD_8, "attention_bias": True, "mlp_bias": True}, "bfloat16", ["rope_parameters"]),
    "iquestcoder": ("iquestcoder", {**HEAD_8, "mlp_bias": True}, "bfloat16", ["rope_parameters", "attention_bias"]),
    "seed_oss": ("seed_oss", {**HEAD_8, "pad_token_id": PADDING}, "bfloat16", ["attention_bias"]),
    "seed_oss_biases": (
        "seed_oss", {**HEAD_8, "attention_bias": False, "attention_out_bias": True, "mlp_bias": True}, "bfloat16", []),
    "ministral": ("ministral", {**HEAD_8, "sliding_window": 5}, "bfloat16", ["layer_types"]),
    "ministral_types": (
        "ministral",
        {**HEAD_8, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"]}, "bfloat16", []),
    "ministral3": (
        "ministral3",
        {**HEAD_8, "sliding_window": 7,
         **rope("default", 50.0, llama_4_scaling_beta=0.3, original_max_position_embeddings=5)}, "bfloat16", []),
    "ministral3_default_rope": ("ministral3", {**HEAD_8}, "bfloat16", ["rope_parameters", "sliding_window"]),
    "cwm": ("cwm", {**HEAD_8, "sliding_window": 5, "mlp_bias": True, "bos_token_id": 1}, "bfloat16", ["rope_parameters", "layer_types"]),
    "arcee": ("arcee", {"attention_bias": True, "mlp_bias": True}, "bfloat16", ["hidden_act"]),
    "helium": (
        "helium", {"head_dim": 4, "attention_bias": True, "pad_token_id": PADDING}, "bfloat16",
        ["rope_parameters", "rms_norm_eps"]),
    "phi3_longrope": (
        "phi3",
        {**rope("longrope", 50.0, short_factor=[1.3], long_factor=[2.0], partial_rotary_factor=0.5),
         "original_max_position_embeddings": 32}, "bfloat16", []),
    "olmo": ("olmo", {"clip_qkv": 0.4, "attention_bias": True, "pad_token_id": PADDING}, "bfloat16", []),
    "olmo2": ("olmo2", {**rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", ["rms_norm_eps"]),
    "olmo2_biases": ("olmo2", {"attention_bias": True, "rms_norm_eps": 0.05, "hidden_act": "gelu"}, "bfloat16", []),
    "olmo3": ("olmo3", {"sliding_window": 5, "num_hidden_layers": 4}, "bfloat16", ["rope_parameters", "layer_types"]),
    "olmo3_ropes": (
        "olmo3",
        {"sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"],
         "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 40.0},
                             "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 60.0}}},
        "bfloat16", []),
    "exaone4": ("exaone4", {"sliding_window": 5, "num_hidden_layers": 4, **rope("default", 50.0)}, "bfloat16",
                ["layer_types", "sliding_window_pattern"]),
    "exaone4_no_window": (
        "exaone4", {"sliding_window": None, "layer_types": ["full_attention"] * 2, **rope("default", 50.0)},
        "bfloat16", []),
    "granite": (
        "granite",
        {"embedding_multiplier": 3.0, "residual_multiplier": 0.6, "attention_multiplier": 0.2, "logits_scaling": 4.0,
         "attention_bias": True, "mlp_bias": True, **rope("default", 50.0)}, "bfloat16", []),
    "granite_defaults": (
        "granite", {**rope("default", 50.0)}, "bfloat16",
        ["embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"]),
    "granitemoehybrid": (
        "granitemoehybrid",
        {"layer_types": ["attention"] * 2, "num_local_experts": 0, "position_embedding_type": "rope",
         "shared_intermediate_size": 20, "embedding_multiplier": 3.0, "residual_multiplier": 0.6,
         "attention_multiplier": 0.2, "logits_scaling": 4.0, "mamba_n_heads": 4, "tie_word_embeddings": True},
        "bfloat16", []),
    "granitemoehybrid_no_positions": (
        "granitemoehybrid",
        {"layer_types": ["attention"] * 2, "num_local_experts": 0, "shared_intermediate_size": 20,
         "attention_bias": True, "mamba_n_heads": 4}, "bfloat16", ["position_embedding_type"]),
    "hyperclovax": (
        "hyperclovax",
        {"embedding_multiplier": 3.0, "residual_multiplier": 0.6, "attention_multiplier": 0.2, "logits_scaling": 0.5,
         **rope("default", 50.0)}, "bfloat16", ["use_post_norm"]),
    "hyperclovax_no_post_norm": (
        "hyperclovax", {"use_post_norm": False, "attention_bias": True, "mlp_bias": True}, "bfloat16",
        ["attention_multiplier"]),
    "hunyuan": (
        "hunyuan_v1_dense", {**HEAD_8, **rope("dynamic", 50.0, alpha=3.0, factor=1.0), "attention_bias": True},
        "bfloat16", []),
    "gemma": ("gemma", {**HEAD_8, "pad_token_id": PADDING, "tie_word_embeddings": True}, "bfloat16", ["hidden_act", "tie_word_embeddings"]),
    "gemma_biases": (
        "gemma", {**HEAD_8, "attention_bias": True, "hidden_act": "gelu", "rms_norm_eps": 0.05}, "bfloat16", []),
    "gemma2": (
        "gemma2", {**HEAD_8, "sliding_window": 5, "pad_token_id": PADDING, "attn_logit_softcapping": 1.5,
                   "final_logit_softcapping": 2.0, "query_pre_attn_scalar": 3}, "bfloat16", ["layer_types"]),
    "gemma2_no_caps": (
        "gemma2", {**HEAD_8, "sliding_window": 5, "attn_logit_softcapping": None, "final_logit_softcapping": None,
                   "attention_bias": True}, "bfloat16", ["query_pre_attn_scalar"]),
    "gemma3_text": (
        "gemma3_text", {**HEAD_8, "sliding_window": 5, "num_hidden_layers": 7, "pad_token_id": PADDING,
                        "tie_word_embeddings": True},
        "bfloat16", ["rope_parameters", "layer_types", "tie_word_embeddings", "query_pre_attn_scalar"]),
    "gemma3_text_switches": (
        "gemma3_text",
        {**HEAD_8, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"], "attention_bias": True,
         "query_pre_attn_scalar": 3, "hidden_activation": "silu",
         "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 40.0},
                             "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 60.0}}},
        "bfloat16", []),
    "vaultgemma": (
        "vaultgemma", {**HEAD_8, "sliding_window": 5, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0},
        "bfloat16", []),
    "phi": ("phi", {**rope("default", 50.0)}, "bfloat16", ["hidden_act"]),
    "phi_norms": (
        "phi", {"hidden_size": 32, "num_attention_heads": 2, **rope("default", 50.0, partial_rotary_factor=1.0),
                "qk_layernorm": True, "hidden_act": "relu",
                "tie_word_embeddings": True}, "bfloat16", []),
    "gpt_neox": (
        "gpt_neox", {"hidden_size": 32, "num_key_value_heads": None, **rope("default", 50.0)}, "bfloat16", []),
    "gpt_neox_sequential": (
        "gpt_neox",
        {"use_parallel_residual": False, "attention_bias": False, "hidden_act": "gelu_fast",
         **rope("default", 50.0, partial_rotary_factor=0.5)}, "bfloat16", []),
    "stablelm": ("stablelm", {"hidden_size": 32, **rope("default", 50.0)}, "bfloat16", []),
    "stablelm_parallel": (
        "stablelm", {"use_parallel_residual": True, "use_qkv_bias": True,
                     **rope("default", 50.0, partial_rotary_factor=0.5)}, "bfloat16", []),
    "starcoder2": ("starcoder2", {**rope("default", 50.0), "sliding_window": 5}, "bfloat16", ["hidden_act"]),
    "starcoder2_no_bias": ("starcoder2", {"use_bias": False, "norm_epsilon": 0.05}, "bfloat16", ["sliding_window"]),
    "glm": ("glm", {**HEAD_8, **rope("default", 50.0), "pad_token_id": PADDING}, "bfloat16", ["attention_bias"]),
    "glm4": ("glm4", {**HEAD_8, "attention_bias": False, **rope("default", 50.0, partial_rotary_factor=1.0)},
             "bfloat16", []),
    "cohere": ("cohere", {"pad_token_id": PADDING}, "bfloat16", ["rope_parameters", "logit_scale"]),
    "cohere_switches": (
        "cohere", {**rope("linear", 50.0, factor=2.0), "attention_bias": True, "logit_scale": 0.5,
                   "tie_word_embeddings": False}, "bfloat16", []),
    "cohere2": ("cohere2", {"sliding_window": 5, "num_hidden_layers": 4, **rope("default", 50.0)}, "bfloat16", []),
    "nemotron": ("nemotron", {**rope("default", 50.0)}, "bfloat16", ["hidden_act"]),
    "nemotron_biases": (
        "nemotron", {**rope("default", 50.0, partial_rotary_factor=1.0), "attention_bias": True, "mlp_bias": True},
        "bfloat16", []),
    "falcon": ("falcon", {"num_key_value_heads": None, **rope("default", 50.0)}, "bfloat16", []),
    "falcon_sequential": (
        "falcon", {"parallel_attn": False, "multi_query": False, "bias": True, "ffn_hidden_size": 20}, "bfloat16", []),
    "falcon_new": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}, "bfloat16", []),
    "falcon_new_one_norm": (
        "falcon", {"new_decoder_architecture": True, "num_kv_heads": 4, "num_ln_in_parallel_attn": 1,
                   "tie_word_embeddings": False}, "bfloat16", []),
    "gptj": ("gptj", {**GPT2, "rotary_dim": 4}, "bfloat16", []),
    "gptj_whole": ("gptj", {**GPT2, "rotary_dim": 8, "n_inner": 20, "tie_word_embeddings": True}, "bfloat16", []),
    "ernie4_5": ("ernie4_5", {**HEAD_8, "pad_token_id": PADDING, "use_bias": True}, "bfloat16", ["rope_parameters"]),
    "persimmon": ("persimmon", {"hidden_size": 32, "num_attention_heads": 2, **rope("default", 50.0)}, "bfloat16", ["qk_layernorm"]),
    "persimmon_no_norms": ("persimmon", {"qk_layernorm": False, "hidden_act": "silu"}, "bfloat16", []),
    "jais2": ("jais2", {**rope("default", 50.0)}, "bfloat16", ["attention_bias", "mlp_bias"]),
    "jais2_no_biases": ("jais2", {"attention_bias": False, "mlp_bias": False, "hidden_act": "relu"}, "bfloat16", []),
    "gpt_bigcode": ("gpt_bigcode", {**GPT2, "n_layer": 2}, "bfloat16", []),
    "gpt_bigcode_heads": (
        "gpt_bigcode", {**GPT2, "n_layer": 2, "multi_query": False, "scale_attn_weights": False, "n_inner": 20},
        "bfloat16", []),
    "gpt_neo": (
        "gpt_neo",
        {"vocab_size": VOCABULARY, "hidden_size": 16, "num_heads": 2, "num_layers": 2, "max_position_embeddings": 32,
         "attention_types": [[["global", "local"], 1]], "window_size": 5, "bos_token_id": None, "eos_token_id": 2},
        "bfloat16", []),
    "opt": ("opt", {"ffn_dim": 20, "pad_token_id": PADDING, "num_key_value_heads": None}, "bfloat16", []),
    "opt_plain": (
        "opt", {"ffn_dim": 20, "enable_bias": False, "layer_norm_elementwise_affine": False, "activation_function": "gelu"},
        "bfloat16", []),
    "mixtral": ("mixtral", {"num_local_experts": 4, **rope("default", 50.0), "sliding_window": 7}, "bfloat16", []),
    "qwen3_moe": (
        "qwen3_moe",
        {**HEAD_8, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "norm_topk_prob": True,
         "num_hidden_layers": 3, "mlp_only_layers": [1], **rope("default", 50.0)}, "bfloat16", []),
    "qwen3_moe_softmax_over_all": (
        "qwen3_moe",
        {"num_experts": 4, "num_experts_per_tok": 3, "moe_intermediate_size": 12, "attention_bias": True,
         "decoder_sparse_step": 2, "pad_token_id": PADDING, "tie_word_embeddings": True, "use_sliding_window": True,
         "sliding_window": 5}, "bfloat16", ["norm_topk_prob"]),
    "qwen2_moe": (
        "qwen2_moe",
        {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "shared_expert_intermediate_size": 8,
         **rope("default", 50.0)}, "bfloat16", ["layer_types"]),
    "olmoe": ("olmoe", {"num_experts": 4, "num_experts_per_tok": 2, "attention_bias": True, "norm_topk_prob": True},
              "bfloat16", []),
    "granitemoe": (
        "granitemoe",
        {"num_local_experts": 4, "num_experts_per_tok": 2, "embedding_multiplier": 3.0, "residual_multiplier": 0.6,
         "attention_multiplier": 0.2, "logits_scaling": 4.0}, "bfloat16", []),
    "gpt_oss": (
        "gpt_oss", {**HEAD_8, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 5,
                    "swiglu_limit": 0.5}, "bfloat16", ["rope_parameters", "layer_types"]),
    "gemma3": (
        "gemma3",
        wrapper({**SIGLIP, "model_type": "siglip_vision_model"},
                {**HEAD_8, "sliding_window": 5, "num_hidden_layers": 3, "pad_token_id": PADDING,
                 "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                 "final_logit_softcapping": 0.5},
                mm_tokens_per_image=1),
        "bfloat16", ["tie_word_embeddings"]),
    "mistral3": (
        "mistral3",
        wrapper({**SIGLIP, "model_type": "pixtral", "head_dim": 4},
                {**HEAD_8, "model_type": "ministral3", "sliding_window": None,
                 **rope("default", 50.0, llama_4_scaling_beta=0.3, original_max_position_embeddings=5)}),
        "bfloat16", []),
    "mistral3_head_in_file": (
        "mistral3",
        wrapper({**SIGLIP, "model_type": "pixtral", "head_dim": 4}, {**HEAD_8, "model_type": "mistral"},
                tie_word_embeddings=False),
        "float16", ["tie_word_embeddings"]),
    "llava": (
        "llava",
        wrapper({**SIGLIP, "model_type": "clip_vision_model", "projection_dim": 4},
                {**HEAD_8, "model_type": "qwen2", **rope("default", 50.0), "tie_word_embeddings": True}),
        "bfloat16", ["tie_word_embeddings"]),
    "internvl": (
        "internvl",
        wrapper({**SIGLIP, "model_type": "internvl_vision", "image_size": [4, 4], "patch_size": [2, 2]},
                {**HEAD_8, "model_type": "qwen3", **rope("default", 50.0)}),
        "bfloat16", []),
    "qwen2_vl": (
        "qwen2_vl",
        wrapper({**QWEN_VISION, "embed_dim": 4, "mlp_ratio": 1},
                {"hidden_size": 32, "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1,
                 "rope_parameters": SECTIONS}),
        "bfloat16", []),
    "qwen2_vl_flat_tied": (
        "qwen2_vl",
        wrapper({**QWEN_VISION, "embed_dim": 4, "mlp_ratio": 1},
                {"hidden_size": 32, "rope_parameters": SECTIONS}, tie_word_embeddings=True),
        "bfloat16", ["flat"]),
    "qwen2_5_vl": (
        "qwen2_5_vl",
        wrapper({**QWEN_VISION, "hidden_size": 4, "intermediate_size": 4, "out_hidden_size": 32, "window_size": 4,
                 "fullatt_block_indexes": [0]},
                {"hidden_size": 32, "rope_parameters": SECTIONS}),
        "bfloat16", []),
    "qwen3_vl": (
        "qwen3_vl",
        wrapper({**QWEN_VISION, "hidden_size": 4, "intermediate_size": 4, "out_hidden_size": 16,
                 "num_position_embeddings": 4, "deepstack_visual_indexes": [0]},
                {**HEAD_8, "attention_bias": True, "rope_parameters": {**SECTIONS, "mrope_interleaved": True}}),
        "bfloat16", []),
    "smolvlm": (
        "smolvlm",
        wrapper(SIGLIP, {**HEAD_8, "model_type": "llama", **rope("default", 50.0), "pad_token_id": PADDING},
                scale_factor=1),
        "bfloat16", []),
    "idefics3": (
        "idefics3",
        wrapper(SIGLIP, {"model_type": "llama", "mlp_bias": True}, scale_factor=1, tie_word_embeddings=True),
        "bfloat16", []),
    # As published models have it; the cases above have the rarer values.
    "plain_arcee": ("arcee", {**rope("default", 50.0)}, "bfloat16", []),
    "plain_cohere": ("cohere", {"logit_scale": 0.25, "tie_word_embeddings": True}, "bfloat16", []),
    "plain_cohere2": (
        "cohere2", {"sliding_window": 5, "num_hidden_layers": 4, "logit_scale": 0.25, "tie_word_embeddings": True,
                    **rope("default", 50.0)}, "bfloat16", []),
    "plain_gemma2": (
        "gemma2", {**HEAD_8, "sliding_window": 5, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 1.5,
                   "final_logit_softcapping": 2.0, "tie_word_embeddings": True}, "bfloat16", []),
    "plain_gemma3_text": (
        "gemma3_text", {**HEAD_8, "sliding_window": 5, "num_hidden_layers": 6, "query_pre_attn_scalar": 8,
                        "rms_norm_eps": 10.0,
                        "tie_word_embeddings": True}, "bfloat16", []),
    "plain_glm": ("glm", {"head_dim": 4, "attention_bias": True, **rope("default", 50.0)}, "bfloat16", []),
    "plain_hunyuan": ("hunyuan_v1_dense", {"hidden_size": 32, "head_dim": 8, **rope("dynamic", 50.0, alpha=3.0, factor=1.0)}, "bfloat16", []),
    "plain_olmo": ("olmo", {"clip_qkv": 0.5, **rope("default", 50.0)}, "bfloat16", []),
    "plain_olmoe": ("olmoe", {"num_key_value_heads": 4, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": False,
                              **rope("default", 50.0)}, "bfloat16", []),
    "plain_qwen3_moe": (
        "qwen3_moe", {**HEAD_8, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
                      "norm_topk_prob": True, **rope("default", 50.0)}, "bfloat16", []),
    "qwen2_yarn_magnitude": (
        "qwen2", {**rope("yarn", 50.0, attention_factor=1.5, **YARN)}, "bfloat16", []),
    "lfm2": (
        "lfm2", {**rope("default", 50.0), "num_hidden_layers": 3, "layer_types": ["conv", "full_attention", "conv"],
                 "conv_bias": True, "block_multiple_of": 4, "block_ffn_dim_multiplier": 1.5, "pad_token_id": PADDING},
        "bfloat16", []),
    "lfm2_published": (
        "lfm2", {**older(None, 50.0), "num_hidden_layers": 3, "full_attn_idxs": [2], "intermediate_size": 24,
                 "block_multiple_of": 3, "tie_word_embeddings": True, "conv_L_cache": 4, "norm_eps": 0.05},
        "float16",
        ["rope_parameters", "layer_types", "intermediate_size", "tie_word_embeddings",
         {"block_ff_dim": 24, "tie_embedding": True, "conv_dim": 16, "use_pos_enc": True}]),
    "lfm2_own_width": (
        "lfm2", {**HEAD_8, **rope("yarn", 10.0, **YARN), "full_attn_idxs": [], "conv_L_cache": 1,
                 "block_auto_adjust_ff_dim": False, "tie_word_embeddings": True},
        "float32", ["layer_types", "tie_word_embeddings", {"full_attn_idxs": []}]),
    "lfm2_attention": (
        "lfm2", {**HEAD_8, **rope("default", 50.0), "block_multiple_of": 4},
        "bfloat16", ["layer_types", "full_attn_idxs"]),
    "qwen3_5_text": (
        "qwen3_5_text",
        {**HEAD_8, **DELTA, "num_hidden_layers": 4, "full_attention_interval": 2, "rms_norm_eps": 2.0,
         **rope("default", 50.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 0], mrope_interleaved=True)},
        "bfloat16", ["layer_types", {"full_attention_interval": 2}]),
    "qwen3_5_text_switches": (
        "qwen3_5_text",
        {**HEAD_8, **DELTA, **rope("yarn", 10.0, **YARN), "num_hidden_layers": 3, "attention_bias": True,
         "linear_num_key_heads": 4, "linear_conv_kernel_dim": 1, "hidden_act": "gelu", "rms_norm_eps": 2.0,
         "layer_types": ["full_attention", "linear_attention", "linear_attention"], "tie_word_embeddings": True,
         "pad_token_id": PADDING},
        "float32", []),
    "qwen3_5_text_defaults": (
        "qwen3_5_text", {**DELTA, "head_dim": 256, "num_hidden_layers": 4, "num_attention_heads": 1,
                         "num_key_value_heads": 1, "rms_norm_eps": 2.0},
        "bfloat16", ["layer_types", "rope_parameters", "head_dim", "linear_conv_kernel_dim"]),
    "qwen3_5_text_epsilon": (
        "qwen3_5_text", {**HEAD_8, **DELTA, "layer_types": ["linear_attention", "full_attention"],
                         "linear_key_head_dim": 16, **rope("default", 50.0)},
        "float32", ["rms_norm_eps"]),
    "codegen": (
        "codegen",
        {"vocab_size": VOCABULARY, "n_embd": 32, "n_head": 8, "n_layer": 2, "n_positions": 32, "rotary_dim": 2,
         "n_inner": 20, "bos_token_id": None, "eos_token_id": 2},
        "bfloat16", []),
    "codegen_tied": (
        "codegen",
        {"vocab_size": VOCABULARY, "n_embd": 16, "n_head": 4, "n_layer": 2, "n_positions": 32, "rotary_dim": 4,
         "bos_token_id": None, "eos_token_id": 2, "tie_word_embeddings": True, "activation_function": "relu",
         "layer_norm_epsilon": 0.05},
        "float32", ["n_inner"]),
    "biogpt": (
        "biogpt", {"num_hidden_layers": 2, "layer_norm_eps": 0.5, "pad_token_id": PADDING,
                   "tie_word_embeddings": True},
        "bfloat16", ["tie_word_embeddings"]),
    "biogpt_untied": (
        "biogpt", {"scale_embedding": False, "hidden_act": "relu"}, "float32", ["pad_token_id"]),
    "qwen3_5_moe_text": (
        "qwen3_5_moe_text",
        {**HEAD_8, **DELTA, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
         "shared_expert_intermediate_size": 8, "layer_types": ["linear_attention", "full_attention"],
         "rms_norm_eps": 2.0, **rope("default", 50.0, partial_rotary_factor=0.5)},
        "bfloat16", []),
    "granite_swa": (
        "granite_swa",
        {**HEAD_8, **rope("default", 50.0), "num_hidden_layers": 5, "sliding_window": 5, "attention_bias": True,
         "mlp_bias": True, "layer_rope_theta": [50.0, 0, 20.0, 50, 0.0], "embedding_multiplier": 3.0,
         "residual_multiplier": 0.5, "attention_multiplier": 0.3, "logits_scaling": 2.0},
        "bfloat16", ["layer_types"]),
    "granite_swa_types": (
        "granite_swa",
        {**rope("yarn", 10.0, **YARN), "num_key_value_heads": 4, "sliding_window": 4, "tie_word_embeddings": True,
         "layer_types": ["sliding_attention", "full_attention"]},
        "float32", ["num_key_value_heads", "layer_rope_theta", "tie_word_embeddings", "rms_norm_eps"]),
    "qwen3_5": (
        "qwen3_5",
        wrapper({**QWEN_VISION, "hidden_size": 4, "intermediate_size": 4, "out_hidden_size": 16,
                 "num_position_embeddings": 4},
                {**HEAD_8, **DELTA, "layer_types": ["linear_attention", "full_attention"], "rms_norm_eps": 2.0,
                 **rope("default", 50.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 0])}),
        "bfloat16", []),
    # GPT-2 does not have these two keys of other families.
    "gpt2_foreign_keys": (
        "gpt2", {**GPT2, "n_layer": 1, "n_inner": 20, "intermediate_size": 28, "hidden_act": "relu"}, "bfloat16", []),
    "gemma_gelu_python": ("gemma", {**HEAD_8, "hidden_act": "gelu_python"}, "bfloat16", []),
    "qwen3_moe_dense": (
        "qwen3_moe", {**HEAD_8, "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12,
                      "mlp_only_layers": [0, 1], **rope("default", 50.0)}, "bfloat16", []),
    # Llama does not read layer types, and Mistral is Ministral with them.
    "llama_layer_types": (
        "llama", {**HEAD_8, **rope("default", 50.0)}, "bfloat16",
        [{"layer_types": ["sliding_attention", "sliding_attention"], "sliding_window": 5}]),
    "mistral_layer_types": (
        "ministral",
        {**HEAD_8, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"]}, "bfloat16",
        [{"model_type": "mistral"}]),
    # The original context of the rotary section counts unless there is one beside it, which Phi-3 always has and
    # sections by type of layer do not read.
    "phi3_longrope_original_inside": (
        "phi3",
        {**rope("longrope", 50.0, short_factor=[1.3, 1.7], long_factor=[2.0, 3.0],
                original_max_position_embeddings=32)}, "bfloat16",
        ["original_max_position_embeddings"]),
    "olmo3_original_beside": (
        "olmo3",
        {"sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"],
         "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 40.0},
                             "full_attention": {"rope_theta": 60.0, "rope_type": "yarn", **YARN}}},
        "bfloat16", [{"original_max_position_embeddings": 6}]),
    "gemma3_text_original_beside": (
        "gemma3_text",
        {**HEAD_8, "sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"],
         "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 40.0},
                             "full_attention": {"rope_theta": 60.0, "rope_type": "yarn", **YARN}}},
        "bfloat16", [{"original_max_position_embeddings": 6}]),
}


def randomize(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.25)
            if "norm" in name and name.endswith("weight") or ".ln_" in name and name.endswith("weight"):
                parameter.add_(1)


def make(folder, seed, model_type, changes, dtype, removed):
    torch.manual_seed(seed)
    towers = "text_config" in changes
    auto = AutoModelForImageTextToText if towers else AutoModelForCausalLM
    base = {} if towers or model_type in OWN_KEYS else ROTARY
    config = CONFIG_MAPPING[model_type](**copy.deepcopy({**base, **changes}))
    model = auto.from_config(config)
    randomize(model)
    model = model.to(getattr(torch, dtype))
    if folder.name == "sharded":
        model.save_pretrained(folder, max_shard_size="3KB")
    else:
        model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)

    path = folder / "config.json"
    written = json.loads(path.read_text())
    for key in removed:
        if isinstance(key, dict):
            written.update(key)
        else:
            written.pop(key, None)
    if "rope_parameters" in removed:  # the layout of transformers 4
        written.update({k: v for k, v in changes.items() if k in ("rope_theta", "rope_scaling")})
        written["torch_dtype"] = written.pop("dtype")
    if "flat" in removed:  # as Qwen2-VL was published
        text = written.pop("text_config")
        rotary = text.pop("rope_parameters")
        written.update({k: v for k, v in text.items() if k not in ("model_type", "layer_types", "tie_word_embeddings")})
        written["rope_theta"] = rotary["rope_theta"]
        written["rope_scaling"] = {"type": "mrope", "mrope_section": rotary["mrope_section"]}
        written["torch_dtype"] = written.pop("dtype")
    path.write_text(json.dumps(written, indent=1) + "\n")

    changes = changes.get("text_config", changes)
    ids = torch.randint(0, VOCABULARY, (1, TOKENS))
    if changes.get("pad_token_id") is not None:
        ids[0, 3] = ids[0, 11] = PADDING
    read = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    logits = read(ids, use_cache=False).logits[0]
    logits[:-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum().backward()
    save_file(
        {
            "input_ids": ids[0],
            "logits": logits.detach().contiguous(),
            "embedding_gradient": read.get_input_embeddings().weight.grad,
        },
        folder / "expected.safetensors",
    )


def main():
    out = pathlib.Path(sys.argv[1])
    for seed, (name, case) in enumerate(CASES.items()):
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, seed, *case)


main()
