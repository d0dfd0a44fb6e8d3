package org.dpo4j.demo;

import java.util.Collections;
import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm.EmbeddingTable;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.EmbeddingConfig;
import org.dpo4j.model.decoder.HeadConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;

/**
 * The small decoder-only model of the demo: learned positions, layer norm before attention and MLP,
 * GELU (exact), no dropout, a head of its own.
 */
public final class TinyGptModel {

  private static final double EPSILON = 1e-5;

  private TinyGptModel() {}

  /** The model with weights from a source. */
  public static Decoder create(TinyGptConfig config, ParameterSource source) {
    return new Decoder(decoder(config), source);
  }

  private static DecoderConfig decoder(TinyGptConfig config) {
    int headDim = config.hidden() / config.heads();
    return new DecoderConfig(
        config.vocabSize(),
        config.hidden(),
        config.maxPositions(),
        new EmbeddingConfig(
            "tok.weight", 1, EmbeddingTable.NONE, new EmbeddingConfig.Positions("pos.weight", 0)),
        new NormConfig(NormConfig.Kind.LAYER, EPSILON, "ln1", null, "ln2", null, "ln_f"),
        new AttentionConfig(
            config.heads(),
            config.heads(),
            headDim,
            AttentionConfig.Layout.JOINED,
            List.of("attn.qkv"),
            false,
            "attn.out",
            false,
            null,
            0,
            0,
            null,
            false),
        new MlpConfig(
            4 * config.hidden(), Activation.GELU, false, List.of("fc1"), true, "fc2", true),
        null,
        null,
        new HeadConfig("head", false, false, 1, 0),
        false,
        1,
        false,
        "blocks",
        Collections.nCopies(
            config.depth(), new LayerConfig(null, AttentionLayer.ALL, 1 / Math.sqrt(headDim))));
  }
}
