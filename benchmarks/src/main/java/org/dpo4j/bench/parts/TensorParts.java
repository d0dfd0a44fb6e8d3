package org.dpo4j.bench.parts;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.bench.Workplace;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a step is made of, on a random checkpoint and eight dialogues. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 5)
@Measurement(iterations = 5, time = 5)
@Fork(value = 1, jvmArgsAppend = "-Xmx1g")
public class TensorParts {

  private static final int PAIRS = 8;

  /** The shape: tiny, m30 or m135. */
  @Param({"m30"})
  public String model = "m30";

  private @Nullable Open open;

  /** All that is there between set-up and tear-down. */
  private record Open(
      Path folder,
      LoadedModel loaded,
      FlatSequences sequences,
      FlatParameters parameters,
      AdamW optimizer,
      Tensor sums) {}

  @Setup
  public void prepare() throws IOException {
    Workplace workplace = new Workplace();
    Path folder = workplace.checkpoint(model);
    LoadedModel loaded = ModelReader.open(folder);
    FlatParameters parameters = FlatParameters.of(loaded.model().trained());
    FlatSequences sequences = sequences(workplace);
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      open =
          new Open(
              folder,
              loaded,
              sequences,
              parameters,
              new AdamW(parameters, AdamW.Settings.ADAM),
              scope.disown(
                  SequenceLogProbs.logProbs(loaded.model(), sequences, LengthDesensitizing.NONE)));
    }
  }

  private static FlatSequences sequences(Workplace workplace) throws IOException {
    Path file = Files.createTempFile("pairs", ".jsonl");
    try (ModelTokenizer tokenizer = workplace.tokenizer()) {
      workplace.dialogue(file, PAIRS);
      try (ExampleDataset dataset =
          ExampleDataset.load(file, workplace.encoder(tokenizer), OnBadRow.STOP)) {
        return ExampleBatch.of(dataset.examples().subList(0, PAIRS)).sequences();
      }
    } finally {
      Files.delete(file);
    }
  }

  private Open open() {
    if (open == null) {
      throw new IllegalStateException("not set up");
    }
    return open;
  }

  /** Log-probabilities as of a reference. */
  @Benchmark
  public double logProbsForward() {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass = pass(LogProbEngine.Purpose.SUMS)) {
      return pass.sums().sum().item_double();
    }
  }

  /** Log-probabilities as of a policy, and their gradients. */
  @Benchmark
  public double logProbsForwardAndBackward() {
    open().parameters().zeroGradients();
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass = pass(LogProbEngine.Purpose.TRAINING)) {
      Tensor sums = pass.sums();
      pass.backward(sums, Tensors.zerosLike(sums, sums.shape()));
      return sums.sum().item_double();
    }
  }

  private LogProbPass pass(LogProbEngine.Purpose purpose) {
    return LogProbEngine.cpu()
        .forward(open().loaded().model(), open().sequences(), LengthDesensitizing.NONE, purpose);
  }

  /** The loss of eight pairs and its gradient. */
  @Benchmark
  public double loss() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor sums = open().sums().detach().set_requires_grad(true);
      PairLogProbs policy = PairLogProbs.ofSequences(sums, open().sequences().lengths());
      PairLogProbs reference =
          PairLogProbs.ofSequences(open().sums(), open().sequences().lengths());
      double[] ones = IntStream.range(0, PAIRS).mapToDouble(i -> 1).toArray();
      Tensor weights = Tensors.like(sums, ones);
      LossInputs inputs =
          new LossInputs(
              policy, reference, FDivergence.NONE, policy.chosen(), weights, weights, null);
      Tensor loss = Objective.of(new SigmoidLoss(0.1)).terms(inputs, weights).loss().sum();
      loss.backward();
      return loss.item_double();
    }
  }

  /** Clipping and update of all weights. */
  @Benchmark
  public double optimizer() {
    double norm = open().parameters().gradientNorm();
    open().optimizer().step(1e-9, FlatParameters.clip(norm, 1));
    return norm;
  }

  /** Reading a checkpoint. */
  @Benchmark
  public long safetensorsLoad() {
    try (LoadedModel loaded = ModelReader.open(open().folder())) {
      return loaded.model().parameters().count();
    }
  }

  @TearDown
  public void close() {
    open().optimizer().close();
    open().parameters().close();
    Tensors.free(open().sums());
    open().loaded().close();
  }
}
