package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Activation;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Takes the weights of a block's experts. Adapters can be on the chosen experts, by PEFT's {@code
 * target_parameters}, and on the router; a shared expert has no slots.
 */
final class ExpertParts {

  private final Parameters parameters;
  private final ParameterSource source;
  private final ExpertConfig config;
  private final Activation activation;
  private final int hidden;
  private final String prefix;
  private final List<ExpertSlot.Part> inputs = new ArrayList<>();
  private final List<ExpertSlot.Part> outputs = new ArrayList<>();

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
    Linear router = router();
    List<Experts.Expert> experts =
        switch (config.storage()) {
          case APART -> apart();
          case JOINED -> joined();
          case INTERLEAVED -> interleaved();
        };
    return new Experts(
        router,
        config.chosen(),
        config.renormalized(),
        slot("gate_up_proj", hidden, 2L * config.width(), inputs),
        slot("down_proj", config.width(), hidden, outputs),
        experts,
        shared(config.shared()));
  }

  private ExpertSlot slot(String name, long in, long out, List<ExpertSlot.Part> parts) {
    return parameters.expertSlot(
        new ExpertSlot(
            prefix + config.modules().experts() + "." + name,
            config.count(),
            in,
            out,
            config.storage() == ExpertConfig.Storage.INTERLEAVED,
            parts));
  }

  private Linear router() {
    Linear plain = linear(prefix + config.router(), hidden, config.count(), config.routerBias());
    Tensor weight = plain.weight().values();
    return new Linear(
        plain.weight(),
        false,
        plain.bias(),
        parameters.routerSlot(prefix + config.modules().router(), weight));
  }

  private Linear linear(String name, long in, long out, boolean bias) {
    Tensor weight = parameters.take(source, name + ".weight", Kind.MATRIX, out, in);
    Tensor shift = bias ? parameters.take(source, name + ".bias", Kind.BIAS, out) : null;
    return new Linear(parameters.matrix(weight), false, shift, null);
  }

  private List<Experts.Expert> apart() {
    List<String> names = config.names();
    int width = config.width();
    List<Experts.Expert> experts = new ArrayList<>();
    for (int i = 0; i < config.count(); i++) {
      int number = i;
      String path = prefix + names.get(0).formatted(i);
      Linear gate = linear(path + names.get(1), hidden, width, false);
      Linear up = linear(path + names.get(2), hidden, width, false);
      Linear down = linear(path + names.get(3), width, hidden, false);
      inputs.add(new ExpertSlot.Part(path + names.get(1) + ".weight", i, 0));
      inputs.add(new ExpertSlot.Part(path + names.get(2) + ".weight", i, width));
      outputs.add(new ExpertSlot.Part(path + names.get(3) + ".weight", i, 0));
      experts.add(
          (x, toInputs, toOutputs) -> {
            Tensor g = gate.apply(Node.of(x)).value();
            Tensor u = up.apply(Node.of(x)).value();
            Tensor both = toInputs.of(number, x);
            if (both != null) {
              g = g.add(both.narrow(1, 0, width));
              u = u.add(both.narrow(1, width, width));
            }
            Node inner = activation.gated(Node.of(g), Node.of(u));
            Tensor output = down.apply(inner).value();
            return sum(output, toOutputs.of(number, inner.value()));
          });
    }
    return experts;
  }

  private static Tensor sum(Tensor output, @Nullable Tensor product) {
    return product == null ? output : output.add(product);
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

  private List<Experts.Expert> joined() {
    List<String> names = config.names();
    int width = config.width();
    Tensor in =
        parameters.take(
            source, prefix + names.get(0), Kind.MATRIX, config.count(), 2L * width, hidden);
    Tensor out =
        parameters.take(source, prefix + names.get(1), Kind.MATRIX, config.count(), hidden, width);
    addJoined(names);
    List<Experts.Expert> experts = new ArrayList<>();
    for (int i = 0; i < config.count(); i++) {
      int number = i;
      experts.add(
          (x, toInputs, toOutputs) -> {
            Tensor both = sum(expert(in, number).times(x, true), toInputs.of(number, x));
            Node gate = Node.of(both.narrow(1, 0, width));
            Node up = Node.of(both.narrow(1, width, width));
            Tensor inner = activation.gated(gate, up).value();
            return sum(expert(out, number).times(inner, true), toOutputs.of(number, inner));
          });
    }
    return experts;
  }

  private List<Experts.Expert> interleaved() {
    List<String> names = config.names();
    int width = config.width();
    int count = config.count();
    ExpertConfig.Clamp clamp = config.clamp();
    if (clamp == null) {
      throw new IllegalArgumentException("interleaved experts have a clamped activation");
    }
    Tensor in =
        parameters.take(source, prefix + names.get(0), Kind.MATRIX, count, hidden, 2L * width);
    Tensor inputBias =
        parameters.take(source, prefix + names.get(0) + "_bias", Kind.BIAS, count, 2L * width);
    Tensor out = parameters.take(source, prefix + names.get(1), Kind.MATRIX, count, width, hidden);
    Tensor outputBias =
        parameters.take(source, prefix + names.get(1) + "_bias", Kind.BIAS, count, hidden);
    addJoined(names);
    List<Experts.Expert> experts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i;
      experts.add(
          (x, toInputs, toOutputs) -> {
            Tensor both = expert(in, number).times(x, false).add(inputBias.select(0, number));
            Tensor pairs = sum(both, toInputs.of(number, x)).view(-1, width, 2);
            Tensor inner = clamped(clamp, pairs.select(2, 0), pairs.select(2, 1));
            Tensor output = expert(out, number).times(inner, false);
            return sum(output.add(outputBias.select(0, number)), toOutputs.of(number, inner));
          });
    }
    return experts;
  }

  private void addJoined(List<String> names) {
    inputs.add(new ExpertSlot.Part(prefix + names.get(0), ExpertSlot.Part.ALL, 0));
    outputs.add(new ExpertSlot.Part(prefix + names.get(1), ExpertSlot.Part.ALL, 0));
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
