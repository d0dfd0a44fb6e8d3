package org.dpo4j.weights;

import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The loss from rounding trained weights w, which were w0 before training, to an element type: the
 * Euclidean norms |round(w) - w| and |w - w0| over all weights. A change of a weight below half a
 * rounding step is lost entirely.
 *
 * <p>For an adapter, w is its update of the model's weights, s B A per layer, and the modules
 * stored in full: the factors are rounded and their products compared.
 *
 * @param lost |round(w) - w|; infinite if a value exceeds the type's range
 * @param update |w - w0|
 */
public record Rounding(double lost, double update) {

  /** For a type that represents every value. */
  public static final Rounding NONE = new Rounding(0, 1);

  /**
   * The loss from rounding a whole model.
   *
   * @param original the model that training started from; its files are read again
   * @param model the trained model, or one with an adapter
   */
  public static Rounding of(LoadedModel original, CausalLm model, ElementType type) {
    double lost = 0;
    double update = 0;
    for (Parameters.Parameter parameter : model.parameters().all()) {
      String name = original.names().inFile().get(parameter.name());
      if (name == null) {
        throw new IllegalArgumentException("no weight " + parameter.name() + " was loaded");
      }
      SafetensorsFile file = original.checkpoint().file(name);
      try (TensorScope whole = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        Tensor after = model.effective(parameter).contiguous().view(-1);
        long total = after.numel();
        for (long done = 0; done < total; done += SafetensorsWriter.PIECE) {
          long piece = Math.min(SafetensorsWriter.PIECE, total - done);
          try (TensorScope scope = TensorScope.open()) {
            Tensor before = Tensors.empty(ElementType.F32, piece);
            file.copyPart(name, done, before);
            Tensor now = after.narrow(0, done, piece).cpu().to(ElementType.F32.scalarType());
            lost += squares(rounded(now, type).sub(now));
            update += squares(now.sub(before));
          }
        }
      }
    }
    return new Rounding(Math.sqrt(lost), Math.sqrt(update));
  }

  /**
   * The loss from rounding an adapter.
   *
   * @param start the adapter's weights before training, from {@link #copies}
   */
  public static Rounding of(Map<String, Tensor> start, LoraModel model, ElementType type) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Map<String, Tensor> now = new TreeMap<>();
      Map<String, Tensor> saved = new TreeMap<>();
      for (Parameters.Parameter parameter : model.trained().all()) {
        now.put(parameter.name(), parameter.tensor());
        saved.put(parameter.name(), rounded(parameter.tensor(), type));
      }
      return new Rounding(model.distance(saved, now), model.distance(now, start));
    }
  }

  /** Copies of weights by name, to be freed by the caller. */
  public static Map<String, Tensor> copies(Parameters parameters) {
    Map<String, Tensor> copies = new TreeMap<>();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      parameters
          .all()
          .forEach(p -> copies.put(p.name(), scope.disown(p.tensor().detach().clone())));
    }
    return copies;
  }

  /**
   * Rounds weights in place to the values that a file of this type stores. The caller tells the
   * model ({@link CausalLm#weightsChanged}).
   *
   * @throws DpoException if a weight is not finite in {@code type}
   */
  public static void round(Parameters parameters, ElementType type) {
    for (Parameters.Parameter parameter : parameters.all()) {
      long total = parameter.tensor().numel();
      for (long done = 0; done < total; done += SafetensorsWriter.PIECE) {
        try (TensorScope scope = TensorScope.open();
            NoGrad noGrad = NoGrad.open()) {
          long piece = Math.min(SafetensorsWriter.PIECE, total - done);
          Tensor part = parameter.tensor().view(-1).narrow(0, done, piece);
          part.copy_(rounded(part, type));
          if (!Tensors.finite(part)) {
            throw new DpoException(
                OptionText.of(
                    "%s has values that are infinite as %s; pass {save_dtype} bfloat16 or float32",
                    parameter.name(), type.torchName()));
          }
        }
      }
    }
  }

  /** The share of the update that is lost: 0 for nothing, 1 for as much as was learned, or more. */
  public double share() {
    return lost == 0 ? 0 : lost / update;
  }

  private static Tensor rounded(Tensor tensor, ElementType type) {
    return tensor.to(type.scalarType()).to(ElementType.F32.scalarType());
  }

  /** Summed in 64 bits: millions of squares. */
  private static double squares(Tensor difference) {
    double norm = difference.to(ElementType.F64.scalarType()).norm().item_double();
    return norm * norm;
  }
}
