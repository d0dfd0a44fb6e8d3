package org.dpo4j.loss;

import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * A weighted sum of losses. {@code sigmoid, bco_pair, sft} is MPO: Wang et al. 2024, arXiv
 * 2411.10442.
 *
 * @param parts at least one, all with the same beta
 */
public record CombinedLoss(List<Part> parts) implements PreferenceLoss {

  /**
   * A loss and its weight.
   *
   * @param loss not a combination itself
   * @param weight positive and finite
   */
  public record Part(PreferenceLoss loss, double weight) {
    public Part {
      PreferenceLoss.requirePositive("loss_weights", weight);
    }
  }

  public CombinedLoss {
    parts = List.copyOf(parts);
    if (parts.stream().mapToDouble(part -> part.loss().beta()).distinct().count() != 1) {
      throw new IllegalArgumentException("there must be losses, of one beta, but were " + parts);
    }
  }

  @Override
  public Tensor of(LossInputs pairs) {
    return parts.stream()
        .map(part -> part.loss().of(pairs).mul(Tensors.scalar(part.weight())))
        .reduce(Tensor::add)
        .orElseThrow();
  }

  @Override
  public double beta() {
    return parts.get(0).loss().beta();
  }

  @Override
  public String name() {
    return parts.stream().map(part -> part.loss().name()).collect(Collectors.joining(","));
  }

  @Override
  public OptionalDouble valueAtZero() {
    double sum = 0;
    for (Part part : parts) {
      OptionalDouble value = part.loss().valueAtZero();
      if (value.isEmpty()) {
        return value;
      }
      sum += part.weight() * value.getAsDouble();
    }
    return OptionalDouble.of(sum);
  }

  /**
   * {@code LOSS} if a part compares with the reference; {@code REWARDS} if no part excludes one.
   */
  @Override
  public ReferenceUse reference() {
    List<ReferenceUse> needs = parts.stream().map(part -> part.loss().reference()).toList();
    if (needs.contains(ReferenceUse.LOSS)) {
      return ReferenceUse.LOSS;
    }
    return needs.contains(ReferenceUse.NONE) ? ReferenceUse.NONE : ReferenceUse.REWARDS;
  }

  @Override
  public boolean usesScores() {
    return parts.stream().anyMatch(part -> part.loss().usesScores());
  }

  @Override
  public boolean usesMargins() {
    return parts.stream().anyMatch(part -> part.loss().usesMargins());
  }

  @Override
  public boolean keepsExamples() {
    return parts.stream().allMatch(part -> part.loss().keepsExamples());
  }

  @Override
  public boolean separable() {
    return parts.stream().allMatch(part -> part.loss().separable());
  }

  /** As in the first part that excludes a reference. */
  @Override
  public boolean averagesRewards() {
    return parts.stream()
        .map(Part::loss)
        .filter(loss -> loss.reference() == ReferenceUse.NONE)
        .findFirst()
        .map(PreferenceLoss::averagesRewards)
        .orElse(false);
  }
}
