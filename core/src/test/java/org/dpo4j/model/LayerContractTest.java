package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: a layer that breaks a rule of {@code docs/how-to/write-a-layer.md} and trains on wrong
 * gradients in silence.
 */
class LayerContractTest {

  private static final int WIDTH = 6;

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @Test
  void thePageShowsTheLayerThatIsTestedHere() throws IOException {
    String source = Files.readString(Path.of("src/test/java/org/dpo4j/model/SoftCap.java"));
    String layer = source.substring(source.indexOf("  /** y = "), source.lastIndexOf('}'));
    String page = Files.readString(Path.of("..", "docs", "how-to", "write-a-layer.md"));
    assertThat(page).contains("```java\n" + layer.stripTrailing().indent(-2) + "```");
  }

  /** The oracle: the same layer without a tape, differentiated by autograd. */
  @Test
  void theLayerOfThePageHasTheGradientThatAutogradFinds() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor input = random(5).set_requires_grad(true);
      Tensor gradient = random(5);
      Tensor expected = SoftCap.apply(Node.of(input), 2).value();
      expected.mul(gradient).sum().backward();
      try (NoGrad noGrad = NoGrad.open();
          Tape tape = new Tape(null)) {
        Node leaf = Tape.leaf(tape, input, false);
        Node output = SoftCap.apply(leaf, 2);
        assertThat(Tensors.toDoubles(output.value())).isEqualTo(Tensors.toDoubles(expected));
        tape.endForward();
        tape.backward(List.of(output), List.of(gradient));
        assertThat(Tensors.toDoubles(leaf.gradient()))
            .usingElementComparator(relative(1e-12))
            .containsExactly(Tensors.toDoubles(input.grad()));
      }
    }
  }

  @Test
  void aValueThatWasNotSavedIsMissedAtOnce() {
    withTape(
        (tape, leaf) -> {
          Node doubled = leaf.times(2);
          Node output = doubled.then(doubled.value(), out -> doubled.accumulate(doubled.value()));
          tape.endForward();
          assertThatThrownBy(() -> tape.backward(List.of(output), List.of(random(3))))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("did not call saveForBackward");
        });
  }

  @Test
  void aPieceOfASplitThatIsNotUsedIsRefused() {
    withTape(
        (tape, leaf) -> {
          Tensor gradient = Tensors.zerosLike(leaf.value(), 3, 2);
          Node first = leaf.split(2, WIDTH - 2).get(0).times(2);
          tape.endForward();
          assertThatThrownBy(() -> tape.backward(List.of(first), List.of(gradient)))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("every piece of a split must be used");
        });
  }

  @Test
  void aMatrixThatATapeUsesTwiceIsRefused() {
    withTape(
        (tape, leaf) -> {
          Linear linear = new Linear(random(WIDTH).set_requires_grad(true), null);
          Node output = linear.apply(linear.apply(leaf));
          tape.endForward();
          assertThatThrownBy(() -> tape.backward(List.of(output), List.of(random(3))))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("a matrix can be used once");
        });
  }

  @Test
  void threadsThatApplyDifferentLayersAreRefused() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        Tape one = new Tape(null);
        Tape two = new Tape(null)) {
      Linear first = new Linear(random(WIDTH).set_requires_grad(true), null);
      Linear second = new Linear(random(WIDTH).set_requires_grad(true), null);
      run(one, first);
      run(two, second);
      assertThatThrownBy(() -> WeightGradients.jobs(WorkerPool.get(), List.of(one, two)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the same layers in the same order");
    }
  }

  private static void run(Tape tape, Linear linear) {
    Node output = linear.apply(Tape.leaf(tape, random(3), false));
    tape.endForward();
    tape.backward(List.of(output), List.of(random(3)));
  }

  @Test
  void nodesOfTwoTapesAreNotAdded() {
    withTape(
        (tape, leaf) -> {
          Node untaped = Node.of(random(3));
          assertThatThrownBy(() -> leaf.plus(untaped))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("of one tape");
        });
  }

  @Test
  void aTapeRunsForwardThenBackwardOnce() {
    withTape(
        (tape, leaf) -> {
          Node output = leaf.times(2);
          List<Tensor> gradients = List.of(random(3));
          assertThatThrownBy(() -> tape.backward(List.of(output), gradients))
              .hasMessageContaining("endForward must be called");
          tape.endForward();
          assertThatThrownBy(tape::endForward).hasMessageContaining("has ended already");
          assertThatThrownBy(() -> output.then(random(3), out -> {}))
              .hasMessageContaining("after its tape's forward pass ended");
          tape.backward(List.of(output), gradients);
          assertThatThrownBy(() -> tape.backward(List.of(output), gradients))
              .hasMessageContaining("once");
        });
  }

  /** Stages of a block's pass whose threads or jobs have not all run. */
  @Test
  void aStageThatIsNotCompleteMakesNoOther() {
    Engine.setThreads(2);
    FlatSequences sequences = FlatSequences.of(new int[] {1, 2, 3}, new int[] {4, 5, 6});
    try (CausalLm model = SmallModel.GPT2.create(ElementType.F64, 2);
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      TokenRows all = TokenRows.all(sequences, WorkerPool.get());
      Tensor weight = model.parameters().all().get(0).tensor();
      BlockPass.Batch batch =
          new BlockPass.Batch(
              WorkerPool.get(), all, Rotations.NONE, OptionalLong.empty(), null, weight, null);
      Tensor input = Tensors.zerosLike(weight, sequences.tokens(), weight.size(1));
      AttentionBlock block = (AttentionBlock) model.blocks().get(0);
      try (BlockPass pass = new BlockPass(batch, block, input, all, null, true)) {
        BlockPass.Projection projection = pass.forward();
        assertThatThrownBy(pass::forward).hasMessageContaining("runs once");
        projection.run(0);
        assertThatThrownBy(projection::attend).hasMessageContaining("2 threads but ran on 1");
        projection.run(1);
        BlockPass.Completion completion = projection.attend();
        assertThatThrownBy(completion::save).hasMessageContaining("2 threads but ran on 0");
        all.runOnEach(completion::run);
        BlockPass.Saved saved = completion.save();
        BlockPass.CompletionBackward backward = saved.backward();
        assertThatThrownBy(saved::backward).hasMessageContaining("once");
        assertThatThrownBy(backward::attention).hasMessageContaining("2 threads but ran on 0");
        all.runOnEach(thread -> backward.run(thread, all.view(input, thread)));
        BlockPass.AttentionBackward attention = backward.attention();
        assertThatThrownBy(attention::projection).hasMessageContaining("have not");
        WorkerPool.get().runJobs(attention.jobs());
        BlockPass.ProjectionBackward last = attention.projection();
        assertThatThrownBy(last::inputGradient).hasMessageContaining("2 threads but ran on 0");
        all.runOnEach(last::run);
        assertThat(last.inputGradient().shape()).isEqualTo(input.shape());
      }
    }
  }

  private interface Body {
    void run(Tape tape, Node leaf);
  }

  private static void withTape(Body body) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        Tape tape = new Tape(null)) {
      body.run(tape, Tape.leaf(tape, random(3), false));
    }
  }

  private static Tensor random(int rows) {
    double[] values = new Random(rows).doubles((long) rows * WIDTH, -3, 3).toArray();
    return Tensors.doubles(values).view(rows, WIDTH);
  }
}
