package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Activation;
import org.dpo4j.model.ExpertMatrices;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
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
    return switch (config.storage()) {
      case APART -> apart(router);
      case JOINED -> joined(router);
      case INTERLEAVED -> interleaved(router);
    };
  }

  private Experts experts(
      Linear router,
      Experts.Inputs inputs,
      ExpertMatrices outputs,
      @Nullable Tensor outputBias,
      ExpertSlot slot) {
    return new Experts(
        router,
        config.chosen(),
        config.renormalized(),
        inputs,
        outputs,
        outputBias,
        slot,
        shared(config.shared()));
  }

  private ExpertSlot inputSlot(List<ExpertSlot.Part> parts) {
    return slot("gate_up_proj", hidden, 2L * config.width(), parts);
  }

  private ExpertSlot outputSlot(List<ExpertSlot.Part> parts) {
    return slot("down_proj", config.width(), hidden, parts);
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
    Linear plain =
        linear(prefix + config.router(), Kind.ROUTER, hidden, config.count(), config.routerBias());
    Tensor weight = plain.weight().values();
    return new Linear(
        plain.weight(),
        false,
        plain.bias(),
        parameters.routerSlot(prefix + config.modules().router(), weight));
  }

  private Linear linear(String name, Kind kind, long in, long out, boolean bias) {
    Tensor weight = parameters.take(source, name + ".weight", kind, out, in);
    Tensor shift = bias ? parameters.take(source, name + ".bias", Kind.BIAS, out) : null;
    return new Linear(parameters.matrix(weight), false, shift, null);
  }

  private Linear linear(String name, long in, long out) {
    return linear(name, Kind.MATRIX, in, out, false);
  }

  private Experts apart(Linear router) {
    List<String> names = config.names();
    int width = config.width();
    List<Matrix> gates = new ArrayList<>();
    List<Matrix> ups = new ArrayList<>();
    List<Matrix> downs = new ArrayList<>();
    List<ExpertSlot.Part> inputs = new ArrayList<>();
    List<ExpertSlot.Part> outputs = new ArrayList<>();
    for (int i = 0; i < config.count(); i++) {
      String path = prefix + names.get(0).formatted(i);
      gates.add(linear(path + names.get(1), hidden, width).weight());
      ups.add(linear(path + names.get(2), hidden, width).weight());
      downs.add(linear(path + names.get(3), width, hidden).weight());
      inputs.add(new ExpertSlot.Part(path + names.get(1) + ".weight", i, 0));
      inputs.add(new ExpertSlot.Part(path + names.get(2) + ".weight", i, width));
      outputs.add(new ExpertSlot.Part(path + names.get(3) + ".weight", i, 0));
    }
    return experts(
        router,
        new Experts.Gated(
            ExpertMatrices.apart(gates),
            ExpertMatrices.apart(ups),
            activation,
            width,
            inputSlot(inputs)),
        ExpertMatrices.apart(downs),
        null,
        outputSlot(outputs));
  }

  private Experts joined(Linear router) {
    int width = config.width();
    ExpertMatrices both = stacked(0, 2L * width, hidden, false);
    ExpertMatrices outputs = stacked(1, hidden, width, false);
    return experts(
        router,
        new Experts.Gated(
            both.outputs(0, width),
            both.outputs(width, width),
            activation,
            width,
            inputSlot(all(0))),
        outputs,
        null,
        outputSlot(all(1)));
  }

  private Experts interleaved(Linear router) {
    ExpertConfig.Clamp clamp = config.clamp();
    if (clamp == null) {
      throw new IllegalArgumentException("interleaved experts have a clamped activation");
    }
    long width = 2L * config.width();
    ExpertMatrices both = stacked(0, hidden, width, true);
    Tensor inputBias = bias(0, width);
    ExpertMatrices outputs = stacked(1, config.width(), hidden, true);
    Tensor outputBias = bias(1, hidden);
    return experts(
        router,
        new Experts.Clamped(
            both,
            inputBias,
            new ClampedActivation(clamp.alpha(), clamp.limit()),
            inputSlot(all(0))),
        outputs,
        outputBias,
        outputSlot(all(1)));
  }

  /** The matrices of all experts, shape (experts, rows, columns). */
  private ExpertMatrices stacked(int which, long rows, long columns, boolean transposed) {
    Tensor weight =
        parameters.take(
            source, prefix + config.names().get(which), Kind.MATRIX, config.count(), rows, columns);
    return ExpertMatrices.stacked(parameters.matrix(weight), transposed);
  }

  private Tensor bias(int which, long width) {
    String name = prefix + config.names().get(which) + "_bias";
    return parameters.take(source, name, Kind.BIAS, config.count(), width);
  }

  private List<ExpertSlot.Part> all(int which) {
    return List.of(new ExpertSlot.Part(prefix + config.names().get(which), ExpertSlot.Part.ALL, 0));
  }

  private Experts.@Nullable Shared shared(ExpertConfig.@Nullable Shared shared) {
    if (shared == null) {
      return null;
    }
    String path = prefix + shared.path();
    int width = shared.width();
    Linear gate = linear(path + "gate_proj", hidden, width);
    Linear up = linear(path + "up_proj", hidden, width);
    Linear down = linear(path + "down_proj", width, hidden);
    DenseMlp mlp =
        new DenseMlp(
            new Projections(List.of(gate, up), 1, List.of(width, width)), activation, down);
    return new Experts.Shared(linear(prefix + shared.gate(), Kind.ROUTER, hidden, 1, false), mlp);
  }
}
