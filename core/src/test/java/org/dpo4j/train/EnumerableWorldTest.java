package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.DoubleStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.demo.TinyGptConfig;
import org.dpo4j.demo.TinyGptModel;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.KtoLoss;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.OdpoLoss;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.loss.UnpairedInputs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.decoder.Decoder;
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
    double[] rewards = numbers(12);
    train(rewards, new SigmoidLoss(BETA), new double[rewards.length], rewards, 1);
  }

  /**
   * With an offset of alpha (s_w - s_l), the expected loss of a pair is least where beta h - alpha
   * (s_w - s_l) = r_w - r_l, so that the optimal policy is that of the rewards r + alpha s.
   */
  @Test
  void withAnOffsetItConvergesToTheClosedFormOfRewardsAndOffsets() {
    double[] rewards = numbers(12);
    double[] scores = numbers(34);
    double[] sums = new double[rewards.length];
    Arrays.setAll(sums, i -> rewards[i] + 0.75 * scores[i]);
    train(rewards, new OdpoLoss(BETA, 0.75), scores, sums, 2);
  }

  private static double[] numbers(int seed) {
    return new Random(seed).doubles((long) PROMPTS.length * COMPLETIONS, -1, 1).toArray();
  }

  /**
   * Trains and compares.
   *
   * @param rewards from which the probabilities of the preferences follow
   * @param scores whose differences are the margins of the pairs
   * @param learned rewards of the closed form
   * @param depth of the model
   */
  private static void train(
      double[] rewards, PreferenceLoss loss, double[] scores, double[] learned, int depth) {
    try (Decoder reference = randomModel(depth);
        Decoder policy = reference.copy()) {
      double[] ref = logProbs(reference);
      double[][] optimal = new double[PROMPTS.length][COMPLETIONS];
      for (int x = 0; x < PROMPTS.length; x++) {
        double total = 0;
        double sum = 0;
        for (int y = 0; y < COMPLETIONS; y++) {
          int i = x * COMPLETIONS + y;
          sum += Math.exp(ref[i]);
          optimal[x][y] = Math.exp(ref[i] + learned[i] / BETA);
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

      train(policy, ref, rewards, loss, scores);

      double[] trained = logProbs(policy);
      for (int x = 0; x < PROMPTS.length; x++) {
        assertThat(totalVariation(trained, x, optimal[x])).as("prompt %d", x).isLessThan(0.01);
      }
    }
  }

  private static void train(
      CausalLm policy, double[] ref, double[] rewards, PreferenceLoss loss, double[] scores) {
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
    double[] margins = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      margins[i] = scores[w[i]] - scores[l[i]];
      weights[i] = 1 / (1 + Math.exp(rewards[l[i]] - rewards[w[i]])) * 2 / w.length;
    }
    minimize(
        policy,
        logProbs -> {
          Tensor reference = Tensors.doubles(ref); // (24)
          Tensor chosen = Tensors.longs(w);
          Tensor rejected = Tensors.longs(l);
          LossInputs pairs =
              LossInputs.of(
                  PairLogProbs.ofSums(
                      logProbs.index_select(0, chosen), logProbs.index_select(0, rejected)),
                  PairLogProbs.ofSums(
                      reference.index_select(0, chosen), reference.index_select(0, rejected)));
          Tensor losses =
              loss.of(
                  new LossInputs(
                      pairs.policy(),
                      pairs.reference(),
                      pairs.divergence(),
                      pairs.chosenSums(),
                      pairs.chosenScored(),
                      pairs.weights(),
                      Tensors.doubles(margins))); // (168)
          return losses.mul(Tensors.doubles(weights)).sum();
        });
  }

  /**
   * Where most people call one completion of a prompt desirable and all others undesirable, KTO's
   * optimal policy produces that one alone, whatever the reference. Ethayarajh et al. 2024, arXiv
   * 2402.01306, Theorem 4.3. The KL divergence is that of the whole world, to which the estimate of
   * a batch tends.
   */
  @Test
  void ktoProducesTheCompletionThatTheMajorityFindsDesirable() {
    Random random = new Random(3);
    double[] desirable = random.doubles((long) PROMPTS.length * COMPLETIONS, 0.3, 0.45).toArray();
    int[] preferred = {6, 1, 3};
    for (int x = 0; x < PROMPTS.length; x++) {
      desirable[x * COMPLETIONS + preferred[x]] = 0.8;
    }
    double[] both = new double[2 * desirable.length];
    double[] labels = new double[both.length];
    int[] completion = new int[both.length];
    for (int i = 0; i < desirable.length; i++) {
      both[2 * i] = desirable[i];
      both[2 * i + 1] = 1 - desirable[i];
      labels[2 * i] = 1;
      completion[2 * i] = i;
      completion[2 * i + 1] = i;
    }
    KtoLoss loss = new KtoLoss(0.2, 1, 1);
    try (Decoder policy = flexibleModel()) {
      // From a peaked random model, where gradients of KTO vanish, the way would be long.
      double[] even = new double[desirable.length];
      Arrays.fill(even, 1);
      fineTune(policy, even);
      double[] ref = logProbs(policy);
      minimize(
          policy,
          scores -> {
            Tensor at = Tensors.longs(completion);
            Tensor losses =
                loss.of(
                    new UnpairedInputs(
                        scores.index_select(0, at),
                        Tensors.doubles(ref).index_select(0, at),
                        Tensors.doubles(labels),
                        kl(Tensors.toDoubles(scores.detach()), ref)));
            return losses.mul(Tensors.doubles(both)).sum();
          });

      double[] trained = logProbs(policy);
      for (int x = 0; x < PROMPTS.length; x++) {
        int best = x * COMPLETIONS + preferred[x];
        assertThat(Math.exp(ref[best])).as("there is a way to go").isLessThan(0.5);
        assertThat(Math.exp(trained[best])).as("prompt %d", x).isGreaterThan(0.97);
      }
    }
  }

  /** The mean over prompts of the KL divergence. */
  private static double kl(double[] policy, double[] reference) {
    double sum = 0;
    for (int i = 0; i < policy.length; i++) {
      sum += Math.exp(policy[i]) * (policy[i] - reference[i]);
    }
    return Math.max(0, sum / PROMPTS.length);
  }

  /** The cross-entropy is least where the policy is the distribution of the demonstrations. */
  @Test
  void fineTuningConvergesToTheDistributionOfTheDemonstrations() {
    Random random = new Random(8);
    double[] counts = new double[PROMPTS.length * COMPLETIONS];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = 1 + random.nextInt(20);
    }
    try (Decoder policy = flexibleModel()) {
      double[] start = logProbs(policy);
      fineTune(policy, counts);

      double[] trained = logProbs(policy);
      for (int x = 0; x < PROMPTS.length; x++) {
        double[] empirical = Arrays.copyOfRange(counts, x * COMPLETIONS, (x + 1) * COMPLETIONS);
        double ofPrompt = DoubleStream.of(empirical).sum();
        for (int y = 0; y < COMPLETIONS; y++) {
          empirical[y] /= ofPrompt;
        }
        assertThat(totalVariation(start, x, empirical))
            .as("there is a way to go")
            .isGreaterThan(0.1);
        assertThat(totalVariation(trained, x, empirical)).as("prompt %d", x).isLessThan(0.01);
      }
    }
  }

  /** On demonstrations of which each completion has so many. */
  private static void fineTune(CausalLm policy, double[] counts) {
    TokenLoss loss = new TokenLoss();
    double all = DoubleStream.of(counts).sum();
    minimize(
        policy,
        scores -> {
          Tensor tokens = Tensors.doubles(DoubleStream.generate(() -> 3).limit(24).toArray());
          return loss.of(scores, tokens)
              .mul(Tensors.doubles(counts))
              .sum()
              .div(Tensors.scalar(all));
        });
  }

  /** Two blocks: one cannot give 24 completions any distribution. */
  private static Decoder flexibleModel() {
    return randomModel(2);
  }

  private static Decoder randomModel(int depth) {
    return TinyGptModel.create(
        new TinyGptConfig(2, 16, 2, depth, 8),
        new RandomParameters(ElementType.F64, new RandomNumbers(5)));
  }

  /**
   * @param loss a scalar, of the log-probabilities of all completions, shape (24)
   */
  private static void minimize(CausalLm policy, UnaryOperator<Tensor> loss) {
    LearningRateSchedule schedule =
        new LearningRateSchedule(
            LEARNING_RATE, new LearningRateSchedule.Shape.Cosine(0.5, 0), 0, STEPS);
    try (FlatParameters parameters = FlatParameters.of(policy.parameters());
        AdamW adamW = new AdamW(parameters, AdamW.Settings.ADAM)) {
      for (int step = 0; step < STEPS; step++) {
        try (TensorScope scope = TensorScope.open()) {
          Tensor value = loss.apply(SequenceLogProbs.logProbs(policy, world()));
          parameters.zeroGradients();
          value.backward();
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
