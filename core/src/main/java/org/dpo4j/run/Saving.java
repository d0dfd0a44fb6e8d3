package org.dpo4j.run;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.OptionText;
import org.dpo4j.config.SaveDtype;
import org.dpo4j.report.RunOutput;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.Rounding;

/**
 * The element type of the saved weights. Whether 16 bits preserve the update is known only after
 * the last step; the weights are then rounded in memory, so that the final evaluation measures the
 * weights in the file.
 */
final class Saving implements AutoCloseable {

  /** The share of an update that rounding may lose before {@code auto} takes float32. */
  static final double ALLOWED = 0.05;

  private final SaveDtype asked;
  private final ModelBundle inputs;
  private final ElementType candidate;
  private final Map<String, Tensor> adapterStart;
  private ElementType type;
  private String words;

  /** Created before the first step, since the initial weights of an adapter are in no file. */
  Saving(SaveDtype asked, ModelBundle inputs) {
    this.asked = asked;
    this.inputs = inputs;
    // An adapter is small, so by default nothing of it is lost.
    this.candidate =
        asked.elementType(
            inputs.adapter().isPresent() ? ElementType.F32 : inputs.loaded().checkpoint().dtype());
    this.type = candidate;
    this.words = candidate.torchName();
    this.adapterStart =
        inputs.adapter().isPresent() && rounds()
            ? Rounding.copies(inputs.adapter().get().model().trained())
            : Map.of();
  }

  private boolean rounds() {
    return candidate.bytes() < ElementType.F32.bytes();
  }

  /** The expected type, for the header. */
  String plan() {
    return rounds() && asked == SaveDtype.AUTO
        ? "%1$s, or as float32 if %1$s would lose more than %2$s of the update"
            .formatted(candidate.torchName(), percent(ALLOWED))
        : candidate.torchName();
  }

  /** Largest disk space of the result. */
  DiskNeed disk() {
    Checkpoint checkpoint = inputs.loaded().checkpoint();
    ElementType largest = largest(asked, candidate);
    return inputs
        .adapter()
        .map(adapter -> DiskNeed.of(checkpoint, adapter.model().trained().count(), largest))
        .orElseGet(() -> DiskNeed.ofModel(checkpoint, largest));
  }

  /** The largest type that the weights may be saved in. */
  static ElementType largest(SaveDtype asked, ElementType candidate) {
    return asked == SaveDtype.AUTO && candidate.bytes() < ElementType.F32.bytes()
        ? ElementType.F32
        : candidate;
  }

  /**
   * Decides after the last step, and rounds the weights if they are saved in 16 bits.
   *
   * @return whether the weights were rounded
   */
  boolean finish(RunOutput output) {
    if (!rounds()) {
      return false;
    }
    Rounding rounding =
        inputs
            .adapter()
            .map(adapter -> Rounding.of(adapterStart, adapter.model(), candidate))
            .orElseGet(() -> Rounding.of(inputs.loaded(), inputs.model(), candidate));
    type = choose(asked, candidate, rounding);
    words = words(type, candidate, rounding, "the update");
    if (type == candidate) {
      Rounding.round(inputs.model().trained(), type);
      inputs.model().weightsChanged();
      if (rounding.share() > ALLOWED) {
        output.warn(
            OptionText.of(
                "%s; pass {save_dtype} float32 to keep all of it",
                loss(candidate, rounding, "the update")));
      }
    }
    return type == candidate;
  }

  /** The type of the file; known after {@link #finish}. */
  ElementType type() {
    return type;
  }

  /** The type of the file and the reason for it; known after {@link #finish}. */
  String words() {
    return words;
  }

  /** {@code auto} takes float32 if 16 bits would lose too much. */
  static ElementType choose(SaveDtype asked, ElementType candidate, Rounding rounding) {
    return asked == SaveDtype.AUTO && rounding.share() > ALLOWED ? ElementType.F32 : candidate;
  }

  /** The type that was chosen and why. */
  static String words(ElementType type, ElementType candidate, Rounding rounding, String update) {
    return type == candidate
        ? "%s (%s)".formatted(type.torchName(), loss(candidate, rounding, update))
        : "%s (%s would lose %s of %s)"
            .formatted(type.torchName(), candidate.torchName(), percent(rounding.share()), update);
  }

  /** What rounding lost. */
  static String loss(ElementType type, Rounding rounding, String update) {
    return "rounding to %s lost %s of %s"
        .formatted(type.torchName(), percent(rounding.share()), update);
  }

  /** Two digits: 5 %, 0.31 %, 97 %. */
  private static String percent(double share) {
    if (share > 1) {
      return "more than all";
    }
    BigDecimal percent = BigDecimal.valueOf(100 * share).round(new MathContext(2));
    return percent.stripTrailingZeros().toPlainString() + " %";
  }

  @Override
  public void close() {
    adapterStart.values().forEach(Tensors::free);
  }
}
