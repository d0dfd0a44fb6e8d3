package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * A causal decoder-only transformer of 0.1 million weights: learned positions, pre-layer-norm
 * blocks, exact GELU, no dropout, an untied head. Its weights lie in native memory until {@link
 * #close}. One thread at a time may use it.
 */
public final class TinyGpt implements AutoCloseable {

  static final double PRETRAINING_RATE = 3e-3;
  static final int PRETRAINING_EPOCHS = 8;
  static final int DISTILLATION_EPOCHS = 24;

  private final Decoder model;

  private TinyGpt(Decoder model) {
    this.model = model;
  }

  /** The demo's model with the weights that PyTorch draws after {@code torch.manual_seed(seed)}. */
  public static TinyGpt random(long seed) {
    return random(TinyGptConfig.DEMO, seed);
  }

  /** A model of any size with random weights. */
  public static TinyGpt random(TinyGptConfig config, long seed) {
    try (RandomNumbers random = new RandomNumbers(seed)) {
      return random(config, random);
    }
  }

  /** Draws the weights from a stream of random numbers, in PyTorch's order. */
  static TinyGpt random(TinyGptConfig config, RandomNumbers random) {
    return new TinyGpt(TinyGptModel.create(config, new RandomParameters(ElementType.F32, random)));
  }

  /**
   * The scores of every next token at every position.
   *
   * @param ids token ids, each in [0, vocabulary), at least one and at most the context's length
   * @return shape (ids, vocabulary); row i scores the token after ids[0..i]
   * @throws DpoException if an id is out of range or there are too many
   */
  public double[][] logits(int... ids) {
    int vocabulary = model.vocabSize();
    if (ids.length < 1 || ids.length > model.maxPositions()) {
      throw new DpoException(
          "there must be 1 to %d ids but there are %d".formatted(model.maxPositions(), ids.length));
    }
    for (int id : ids) {
      if (id < 0 || id >= vocabulary) {
        throw new DpoException("an id must be in [0, %d) but was %d".formatted(vocabulary, id));
      }
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      double[] flat = Tensors.toDoubles(LanguageModeling.logits(model, ids));
      return IntStream.range(0, ids.length)
          .mapToObj(i -> Arrays.copyOfRange(flat, i * vocabulary, (i + 1) * vocabulary))
          .toArray(double[][]::new);
    }
  }

  /**
   * Trains on every next token of each prompt with its chosen completion: 8 epochs of Adam at 3e-3,
   * one sequence per step.
   *
   * @return the mean loss of each epoch, in nats per token
   */
  public List<Double> pretrain(List<PreferenceTriple> triples) {
    List<int[]> sequences = new ArrayList<>();
    for (EncodedExample pair : TripleEncoder.encode(triples)) {
      sequences.add(concat(pair.promptIds(), pair.chosenIds()));
    }
    return LanguageModeling.warmUp(model, sequences, PRETRAINING_RATE, PRETRAINING_EPOCHS);
  }

  /**
   * Trains this model to predict what a teacher predicts, at every position of each prompt with
   * both completions: 24 epochs of Adam at 3e-3. A distilled model can be a reference that is
   * smaller than the policy. Hinton et al. 2015, arXiv 1503.02531.
   *
   * @return the mean cross-entropy of each epoch, in nats per token
   */
  public List<Double> distillFrom(TinyGpt teacher, List<PreferenceTriple> triples) {
    List<int[]> sequences = new ArrayList<>();
    for (EncodedExample pair : TripleEncoder.encode(triples)) {
      sequences.add(concat(pair.promptIds(), pair.chosenIds()));
      sequences.add(concat(pair.promptIds(), pair.rejectedIds()));
    }
    return LanguageModeling.distill(
        teacher.model, model, sequences, PRETRAINING_RATE, DISTILLATION_EPOCHS);
  }

  private static int[] concat(int[] prompt, int[] completion) {
    return IntStream.concat(Arrays.stream(prompt), Arrays.stream(completion)).toArray();
  }

  /** A second model with the same weights in memory of its own. */
  public TinyGpt copy() {
    return new TinyGpt(model.copy());
  }

  /** The number of weights. */
  public long parameterCount() {
    return model.parameters().count();
  }

  /** Whether both models have the same shapes and weights. */
  boolean sameWeightsAs(TinyGpt other) {
    return model.parameters().sameShapes(other.model.parameters())
        && IntStream.range(0, model.parameters().all().size())
            .allMatch(
                i ->
                    model
                        .parameters()
                        .all()
                        .get(i)
                        .tensor()
                        .equal(other.model.parameters().all().get(i).tensor()));
  }

  Decoder model() {
    return model;
  }

  /** Frees the weights. */
  @Override
  public void close() {
    model.close();
  }
}
