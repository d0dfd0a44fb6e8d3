package org.dpo4j.loss;

import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * Several losses at once: the sum of weight x loss. {@code sigmoid, bco_pair, sft} is MPO: Wang et
 * al. 2024, arXiv 2411.10442.
 *
 * @param parts at least one, all of one beta
 */
public record CombinedLoss(List<Part> parts) implements PreferenceLoss {

  /**
   * One of the losses.
   *
   * @param loss itself no combination
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

  /** Needed where one part needs it; kept for rewards where no part is made to do without. */
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
  public boolean keepsPairs() {
    return parts.stream().allMatch(part -> part.loss().keepsPairs());
  }

  @Override
  public boolean separable() {
    return parts.stream().allMatch(part -> part.loss().separable());
  }

  /** As the first part that is made to do without a reference. */
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
