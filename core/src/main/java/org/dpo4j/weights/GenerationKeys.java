package org.dpo4j.weights;

import java.util.Set;
import java.util.stream.Stream;

/**
 * Keys that transformers reads for generation: in {@code generation_config.json}, and in older
 * configs, where transformers 5 ignores them.
 */
final class GenerationKeys {

  /** Keys that change the generated text, except token ids. */
  static final Set<String> CHANGE_ANSWERS =
      Set.of(
          "bad_words_ids",
          "begin_suppress_tokens",
          "diversity_penalty",
          "do_sample",
          "encoder_no_repeat_ngram_size",
          "encoder_repetition_penalty",
          "epsilon_cutoff",
          "eta_cutoff",
          "exponential_decay_length_penalty",
          "forced_bos_token_id",
          "forced_eos_token_id",
          "guidance_scale",
          "length_penalty",
          "max_length",
          "max_new_tokens",
          "min_length",
          "min_new_tokens",
          "min_p",
          "no_repeat_ngram_size",
          "num_beam_groups",
          "num_beams",
          "penalty_alpha",
          "remove_invalid_values",
          "renormalize_logits",
          "repetition_penalty",
          "sequence_bias",
          "stop_strings",
          "suppress_tokens",
          "temperature",
          "top_h",
          "top_k",
          "top_p",
          "typical_p",
          "watermarking_config");

  /** All keys, including those that do not change the generated text. */
  static final Set<String> ALL =
      Set.copyOf(
          Stream.concat(
                  CHANGE_ANSWERS.stream(),
                  Stream.of(
                      "constraints",
                      "early_stopping",
                      "force_words_ids",
                      "num_return_sequences",
                      "output_attentions",
                      "output_hidden_states",
                      "output_logits",
                      "output_scores",
                      "return_dict_in_generate"))
              .toList());

  private GenerationKeys() {}
}
