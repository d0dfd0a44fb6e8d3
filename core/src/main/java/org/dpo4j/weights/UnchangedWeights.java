package org.dpo4j.weights;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * How much of a training run survives saving: with few bits, a small change of a weight may round
 * back to the value that it started from.
 */
public final class UnchangedWeights {

  /**
   * One weight's count.
   *
   * @param name as the model's family names it
   * @param unchanged elements whose saved value is bit by bit the one that was loaded
   * @param elements all of them
   */
  public record Count(String name, long unchanged, long elements) {}

  private UnchangedWeights() {}

  /**
   * Compares a model with the checkpoint that it started from, both rounded to one element type.
   *
   * @param original what the model started from; its files are read again
   * @param trained a model of the same weights
   * @param type that the trained model is saved in
   * @return by weight, in the model's order
   */
  public static List<Count> count(LoadedModel original, CausalLm trained, ElementType type) {
    List<Count> counts = new ArrayList<>();
    List<ByteBuffer> rooms = List.of(SafetensorsWriter.room(type), SafetensorsWriter.room(type));
    for (Parameters.Parameter parameter : trained.parameters().all()) {
      String name = original.names().inFile().get(parameter.name());
      if (name == null) {
        throw new IllegalArgumentException("no weight " + parameter.name() + " was loaded");
      }
      counts.add(count(original.checkpoint().file(name), name, parameter, type, rooms));
    }
    return counts;
  }

  private static Count count(
      SafetensorsFile file,
      String name,
      Parameters.Parameter parameter,
      ElementType type,
      List<ByteBuffer> rooms) {
    long total = parameter.tensor().numel();
    long unchanged = 0;
    for (long done = 0; done < total; done += SafetensorsWriter.PIECE) {
      long piece = Math.min(SafetensorsWriter.PIECE, total - done);
      try (TensorScope scope = TensorScope.open()) {
        Tensor before = Tensors.empty(ElementType.F32, piece);
        file.copyPart(name, done, before);
        unchanged +=
            equalElements(
                Tensors.bytes(before, 0, piece, type, rooms.get(0)),
                Tensors.bytes(parameter.tensor(), done, piece, type, rooms.get(1)),
                type.bytes());
      }
    }
    return new Count(parameter.name(), unchanged, total);
  }

  private static long equalElements(ByteBuffer a, ByteBuffer b, int bytes) {
    long equal = 0;
    for (int i = 0; i < a.limit(); i += bytes) {
      boolean same =
          switch (bytes) {
            case Short.BYTES -> a.getShort(i) == b.getShort(i);
            case Integer.BYTES -> a.getInt(i) == b.getInt(i);
            default -> a.getLong(i) == b.getLong(i);
          };
      equal += same ? 1 : 0;
    }
    return equal;
  }
}
