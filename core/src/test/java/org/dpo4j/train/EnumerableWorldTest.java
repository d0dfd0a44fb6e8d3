package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.demo.TinyGptConfig;
import org.dpo4j.demo.TinyGptModel;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.FlatParameters;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/**
 * Closes: parts that are each right and together do not solve the problem that DPO was derived for.
 *
 * <p>In a world of two tokens, three prompts and completions of three tokens there are 8
 * completions of each prompt, whose probabilities sum to 1 under any model. With a known reward r,
 * both orders of every pair are trained on, each weighted by its Bradley-Terry probability
 * sigma(r(y_w) - r(y_l)). The expected loss of a pair, -p log sigma(z) - (1-p) log sigma(-z), is
 * least where sigma(z) = p, that is beta h = r(y_w) - r(y_l), for all pairs at once; since
 * probabilities sum to 1 that leaves one policy, pi*(y) proportional to pi_ref(y) exp(r(y)/beta).
 * Rafailov et al. 2023, arXiv 2305.18290, Eq. 4.
 */
class EnumerableWorldTest {

  private static final double BETA = 0.5;

  /** Of one length, so that none is the beginning of another's sequences. */
  private static final int[][] PROMPTS = {{0, 0}, {0, 1}, {1, 1}};

  private static final int COMPLETIONS = 8;
  private static final int STEPS = 500;
  private static final double LEARNING_RATE = 0.01;

  @Test
  void trainingConvergesToTheClosedForm() {
    Random random = new Random(12);
    double[] rewards = random.doubles((long) PROMPTS.length * COMPLETIONS, -1, 1).toArray();
    try (TinyGptModel reference =
            new TinyGptModel(
                new TinyGptConfig(2, 16, 2, 1, 8),
                new RandomParameters(ElementType.F64, new RandomNumbers(5)));
        TinyGptModel policy = reference.copy()) {
      double[] ref = logProbs(reference);
      double[][] optimal = new double[PROMPTS.length][COMPLETIONS];
      for (int x = 0; x < PROMPTS.length; x++) {
        double total = 0;
        double sum = 0;
        for (int y = 0; y < COMPLETIONS; y++) {
          int i = x * COMPLETIONS + y;
          sum += Math.exp(ref[i]);
          optimal[x][y] = Math.exp(ref[i] + rewards[i] / BETA);
          total += optimal[x][y];
        }
        assertThat(sum)
            .as("all completions are listed")
            .usingComparator(relative(1e-9))
            .isEqualTo(1);
        for (int y = 0; y < COMPLETIONS; y++) {
          optimal[x][y] /= total;
        }
        assertThat(totalVariation(ref, x, optimal[x]))
            .as("there is a way to go")
            .isGreaterThan(0.1);
      }

      train(policy, ref, rewards);

      double[] trained = logProbs(policy);
      for (int x = 0; x < PROMPTS.length; x++) {
        assertThat(totalVariation(trained, x, optimal[x])).as("prompt %d", x).isLessThan(0.01);
      }
    }
  }

  private static void train(CausalLm policy, double[] ref, double[] rewards) {
    List<Integer> winners = new ArrayList<>();
    List<Integer> losers = new ArrayList<>();
    for (int x = 0; x < PROMPTS.length; x++) {
      for (int w = 0; w < COMPLETIONS; w++) {
        for (int l = 0; l < COMPLETIONS; l++) {
          if (w != l) {
            winners.add(x * COMPLETIONS + w);
            losers.add(x * COMPLETIONS + l);
          }
        }
      }
    }
    int[] w = winners.stream().mapToInt(i -> i).toArray();
    int[] l = losers.stream().mapToInt(i -> i).toArray();
    double[] weights = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      weights[i] = 1 / (1 + Math.exp(rewards[l[i]] - rewards[w[i]])) * 2 / w.length;
    }
    SigmoidLoss loss = new SigmoidLoss(BETA);
    LearningRateSchedule schedule =
        new LearningRateSchedule(LEARNING_RATE, LearningRateSchedule.Shape.COSINE, 0, STEPS);
    try (FlatParameters parameters = FlatParameters.of(policy.parameters());
        AdamW adamW = new AdamW(parameters, AdamW.Settings.ADAM)) {
      for (int step = 0; step < STEPS; step++) {
        try (TensorScope scope = TensorScope.open()) {
          Tensor scores = SequenceLogProbs.logProbs(policy, world()); // (24)
          Tensor reference = Tensors.doubles(ref); // (24)
          Tensor chosen = Tensors.longs(w);
          Tensor rejected = Tensors.longs(l);
          Tensor losses =
              loss.of(
                  LossInputs.of(
                      PairLogProbs.ofSums(
                          scores.index_select(0, chosen), scores.index_select(0, rejected)),
                      PairLogProbs.ofSums(
                          reference.index_select(0, chosen),
                          reference.index_select(0, rejected)))); // (168)
          parameters.zeroGradients();
          losses.mul(Tensors.doubles(weights)).sum().backward();
          adamW.step(schedule.at(step));
        }
      }
    }
  }

  /** Every prompt with all of its completions: 000, 001, ..., 111. */
  private static FlatSequences world() {
    int[][] completions = new int[COMPLETIONS][];
    for (int y = 0; y < COMPLETIONS; y++) {
      completions[y] = new int[] {y >> 2 & 1, y >> 1 & 1, y & 1};
    }
    FlatSequences.Builder builder = new FlatSequences.Builder();
    for (int[] prompt : PROMPTS) {
      builder.add(prompt, completions);
    }
    return builder.build();
  }

  private static double[] logProbs(CausalLm model) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Tensors.toDoubles(SequenceLogProbs.logProbs(model, world()));
    }
  }

  /** Half the sum of |p - q| over the completions of a prompt. */
  private static double totalVariation(double[] logProbs, int prompt, double[] distribution) {
    double sum = 0;
    for (int y = 0; y < COMPLETIONS; y++) {
      sum += Math.abs(Math.exp(logProbs[prompt * COMPLETIONS + y]) - distribution[y]);
    }
    return sum / 2;
  }
}
