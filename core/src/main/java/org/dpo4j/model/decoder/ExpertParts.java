package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Activation;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/** Takes the weights of a block's experts. They have no slots for adapters, as in PEFT. */
final class ExpertParts {

  private final Parameters parameters;
  private final ParameterSource source;
  private final ExpertConfig config;
  private final Activation activation;
  private final int hidden;
  private final String prefix;

  private ExpertParts(
      Parameters parameters,
      ParameterSource source,
      ExpertConfig config,
      Activation activation,
      int hidden,
      String prefix) {
    this.parameters = parameters;
    this.source = source;
    this.config = config;
    this.activation = activation;
    this.hidden = hidden;
    this.prefix = prefix;
  }

  /** The experts of the block whose names begin with the prefix. */
  static Experts take(
      Parameters parameters,
      ParameterSource source,
      ExpertConfig config,
      Activation activation,
      int hidden,
      String prefix) {
    return new ExpertParts(parameters, source, config, activation, hidden, prefix).take();
  }

  private Experts take() {
    Linear router = linear(prefix + config.router(), hidden, config.count(), config.routerBias());
    List<UnaryOperator<Tensor>> experts =
        switch (config.storage()) {
          case APART -> apart();
          case JOINED -> joined();
          case INTERLEAVED -> interleaved();
        };
    return new Experts(
        router, config.chosen(), config.renormalized(), experts, shared(config.shared()));
  }

  private Linear linear(String name, long in, long out, boolean bias) {
    Tensor weight = parameters.take(source, name + ".weight", Kind.MATRIX, out, in);
    Tensor shift = bias ? parameters.take(source, name + ".bias", Kind.BIAS, out) : null;
    return new Linear(parameters.matrix(weight), false, shift, null);
  }

  private List<UnaryOperator<Tensor>> apart() {
    List<String> names = config.names();
    List<UnaryOperator<Tensor>> experts = new ArrayList<>();
    for (int i = 0; i < config.count(); i++) {
      String path = prefix + names.get(0).formatted(i);
      experts.add(
          gated(path + names.get(1), path + names.get(2), path + names.get(3), config.width()));
    }
    return experts;
  }

  private UnaryOperator<Tensor> gated(String gate, String up, String down, int width) {
    Linear g = linear(gate, hidden, width, false);
    Linear u = linear(up, hidden, width, false);
    Linear d = linear(down, width, hidden, false);
    return x -> {
      Node input = Node.of(x);
      return d.apply(activation.gated(g.apply(input), u.apply(input))).value();
    };
  }

  private List<UnaryOperator<Tensor>> joined() {
    List<String> names = config.names();
    int width = config.width();
    Tensor inputs =
        parameters.take(
            source, prefix + names.get(0), Kind.MATRIX, config.count(), 2L * width, hidden);
    Tensor outputs =
        parameters.take(source, prefix + names.get(1), Kind.MATRIX, config.count(), hidden, width);
    List<UnaryOperator<Tensor>> experts = new ArrayList<>();
    for (int i = 0; i < config.count(); i++) {
      int number = i;
      experts.add(
          x -> {
            Tensor both = expert(inputs, number).times(x, true);
            Node gate = Node.of(both.narrow(1, 0, width));
            Node up = Node.of(both.narrow(1, width, width));
            return expert(outputs, number).times(activation.gated(gate, up).value(), true);
          });
    }
    return experts;
  }

  private List<UnaryOperator<Tensor>> interleaved() {
    List<String> names = config.names();
    int width = config.width();
    int count = config.count();
    ExpertConfig.Clamp clamp = config.clamp();
    if (clamp == null) {
      throw new IllegalArgumentException("interleaved experts have a clamped activation");
    }
    Tensor inputs =
        parameters.take(source, prefix + names.get(0), Kind.MATRIX, count, hidden, 2L * width);
    Tensor inputBias =
        parameters.take(source, prefix + names.get(0) + "_bias", Kind.BIAS, count, 2L * width);
    Tensor outputs =
        parameters.take(source, prefix + names.get(1), Kind.MATRIX, count, width, hidden);
    Tensor outputBias =
        parameters.take(source, prefix + names.get(1) + "_bias", Kind.BIAS, count, hidden);
    List<UnaryOperator<Tensor>> experts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i;
      experts.add(
          x -> {
            Tensor both = expert(inputs, number).times(x, false).add(inputBias.select(0, number));
            Tensor pairs = both.view(-1, width, 2);
            Tensor inner = clamped(clamp, pairs.select(2, 0), pairs.select(2, 1));
            return expert(outputs, number).times(inner, false).add(outputBias.select(0, number));
          });
    }
    return experts;
  }

  /** The matrix of one of the experts whose matrices are stored together. */
  private static Matrix expert(Tensor matrices, int number) {
    return new Matrix(matrices.select(0, number));
  }

  private static Tensor clamped(ExpertConfig.Clamp clamp, Tensor gate, Tensor up) {
    Tensor g = gate.clamp_max(Tensors.scalar(clamp.limit()));
    Tensor u =
        up.clamp(Tensors.optionalScalar(-clamp.limit()), Tensors.optionalScalar(clamp.limit()));
    return g.mul(g.mul(Tensors.scalar(clamp.alpha())).sigmoid()).mul(u.add(Tensors.scalar(1.0)));
  }

  private @Nullable UnaryOperator<Tensor> shared(ExpertConfig.@Nullable Shared shared) {
    if (shared == null) {
      return null;
    }
    String path = prefix + shared.path();
    UnaryOperator<Tensor> expert =
        gated(path + "gate_proj", path + "up_proj", path + "down_proj", shared.width());
    Linear gate = linear(prefix + shared.gate(), hidden, 1, false);
    return x -> expert.apply(x).mul(gate.apply(Node.of(x)).value().sigmoid());
  }
}
