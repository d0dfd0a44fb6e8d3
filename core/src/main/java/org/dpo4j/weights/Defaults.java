package org.dpo4j.weights;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.dpo4j.model.CausalLm;

/**
 * What holds for a {@code model_type} where its config says nothing: the values of transformers'
 * config class, its own names of keys, and names of weights. Initially those of Llama.
 */
final class Defaults {
  /** A negative number is the number of query heads. */
  int keyValueHeads = -1;

  /** 0 for the hidden size divided by the heads. */
  int headDim;

  /** Whether the width of a head is always the hidden size divided by the heads. */
  boolean fixedHeadDim;

  int maxPositions = 2048;

  /** The original context that the family's config class has beside the rotary section; 0: none. */
  int originalPositions;

  double epsilon = 1e-6;
  double theta = 1e4;

  /** Keys beside the section of the rotary embedding. */
  String thetaKey = "rope_theta";

  String rotatedKey = "partial_rotary_factor";

  /** Types of changes of the rotary frequencies; empty for all. */
  Set<String> ropeTypes = Set.of();

  /** Whether neighbouring channels are rotated as pairs. */
  boolean interleaved;

  /** Part of the channels of a head that is rotated; 0 if the family rotates whole heads only. */
  double rotated;

  /**
   * Whether positions may have several coordinates, of which all are equal in text ({@code
   * mrope_section}).
   */
  boolean severalPositions;

  /** The section of the rotary embedding where a config has none, as JSON; empty for none. */
  String rope = "";

  boolean tied;
  int padding = CausalLm.EmbeddingTable.NONE;
  String activation = "silu";

  /** Coefficient of the routers' loss. */
  double routerLoss = 0.001;

  /** Another name of the head's matrix in files; empty for none. */
  String otherHead = "";

  /** Prefix of names that files may lack. */
  String prefix = "model.";

  /** Pattern of tensors that hold no weights, without the prefix. */
  String buffers = "(layers\\.\\d+\\.self_attn\\.)?rotary_emb\\.inv_freq";

  /** Beginnings of the names of tensors that transformers does not load. */
  Set<String> otherParts = Set.of();

  private final Map<String, String> ownKeys = new HashMap<>();
  private final Set<String> notRead = new HashSet<>();

  /** Sets the family's own name of a common key. */
  void key(String common, String own) {
    ownKeys.put(common, own);
  }

  /** Sets the family's name of a key whose common name it does not read. */
  void own(String common, String own) {
    ownKeys.put(common, own);
    notRead.add(common);
  }

  /** The name under which a config gives a common key; if it gives both, transformers uses this. */
  String key(HuggingFaceConfig config, String common) {
    String own = ownKeys.getOrDefault(common, common);
    config.given(own); // read either way
    return config.given(common) && !notRead.contains(common) ? common : own;
  }
}
