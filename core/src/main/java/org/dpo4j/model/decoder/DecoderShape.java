package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;
import org.jspecify.annotations.Nullable;

/** Reads a model's sizes off its parts. */
final class DecoderShape {

  private DecoderShape() {}

  static ModelShape of(DecoderConfig config) {
    try (Decoder model = new Decoder(config, ParameterSource.placeholders())) {
      return shape(config, model);
    }
  }

  private static ModelShape shape(DecoderConfig config, Decoder model) {
    List<List<ModelShape.LinearShape>> linears = new ArrayList<>();
    config.layers().forEach(layer -> linears.add(new ArrayList<>()));
    String blocks = config.blocks() + ".";
    for (AdapterSlot slot : model.parameters().slots()) {
      if (slot.path().startsWith(blocks)) {
        int dot = slot.path().indexOf('.', blocks.length());
        int block = Integer.parseInt(slot.path(), blocks.length(), dot, 10);
        linears.get(block).add(linear(slot, dot + 1));
      }
    }
    AttentionConfig attention = config.attention();
    return new ModelShape(
        config.vocabSize(),
        config.hiddenSize(),
        attention.heads(),
        attention.keyValueHeads(),
        attention.headDim(),
        config.mlp().width(),
        new ModelShape.Switches(
            config.mlp().gated(),
            attention.norms() != null,
            attention.clip() != 0,
            config.parallel(),
            config.norms().afterAttention() != null,
            config.norms().afterMlp() != null),
        config.head().tied(),
        config.layers().stream().map(layer -> layer.recurrent() ? 0 : layer.window()).toList(),
        config.blocks(),
        config.embedding().path(),
        config.head().name(),
        linears,
        IntStream.range(0, config.layers().size())
            .filter(i -> config.layers().get(i).sparse())
            .boxed()
            .collect(Collectors.toSet()),
        experts(config),
        parameterShapes(config, model),
        model.parameters().count());
  }

  private static ModelShape.@Nullable Experts experts(DecoderConfig config) {
    ExpertConfig experts = config.experts();
    if (experts == null) {
      return null;
    }
    ExpertConfig.Shared shared = experts.shared();
    return new ModelShape.Experts(
        experts.count(),
        experts.chosen(),
        experts.width(),
        experts.storage() == ExpertConfig.Storage.INTERLEAVED,
        shared == null ? 0 : shared.width(),
        experts.lossCoefficient() != 0);
  }

  private static List<ModelShape.ParameterShape> parameterShapes(
      DecoderConfig config, Decoder model) {
    List<ModelShape.ParameterShape> shapes = new ArrayList<>();
    for (AdapterSlot router : model.parameters().routerSlots()) {
      shapes.add(
          new ModelShape.ParameterShape(
              router.path() + ".weight", 1, 1, router.in(), router.out()));
    }
    for (ExpertSlot slot : model.parameters().expertSlots()) {
      int chosen = Objects.requireNonNull(config.experts()).chosen();
      shapes.add(
          new ModelShape.ParameterShape(
              slot.path(), slot.experts(), chosen, slot.in(), slot.out()));
    }
    return shapes;
  }

  private static ModelShape.LinearShape linear(AdapterSlot slot, int prefix) {
    return new ModelShape.LinearShape(slot.path().substring(prefix), slot.in(), slot.out());
  }
}
