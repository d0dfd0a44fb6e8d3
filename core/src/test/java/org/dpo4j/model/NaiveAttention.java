package org.dpo4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;

/**
 * Attention as the textbook writes it, in plain loops over an explicit table of who sees whom:
 * softmax(scale q k) v, in which a sink takes its part. Without gradients, in double precision.
 *
 * @param sees whether token i (first index) sees token j in a layer without a window
 * @param positions place of each token in its own sequence
 */
@SuppressWarnings("ArrayRecordComponent")
public record NaiveAttention(boolean[][] sees, int[] positions) implements Attention {

  /** One sequence: a token sees itself and all before it. */
  public static NaiveAttention causal(int tokens) {
    boolean[][] sees = new boolean[tokens][tokens];
    for (int i = 0; i < tokens; i++) {
      for (int j = 0; j <= i; j++) {
        sees[i][j] = true;
      }
    }
    return new NaiveAttention(sees, IntStream.range(0, tokens).toArray());
  }

  /** A flat batch: a token sees its prompt, and its own completion up to itself. */
  public static NaiveAttention of(FlatSequences sequences) {
    boolean[][] sees = new boolean[sequences.tokens()][sequences.tokens()];
    for (FlatSequences.Group group : sequences.groups()) {
      int promptEnd = group.start() + group.promptTokens();
      see(sees, group.start(), group.start(), group.start(), promptEnd);
      int start = promptEnd;
      for (int tokens : group.completionTokens()) {
        see(sees, group.start(), promptEnd, start, start + tokens);
        start += tokens;
      }
    }
    return new NaiveAttention(sees, sequences.positions());
  }

  /** Tokens from {@code start} to {@code end} see the prompt and each other causally. */
  private static void see(boolean[][] sees, int promptStart, int promptEnd, int start, int end) {
    for (int i = start; i < end; i++) {
      for (int j = promptStart; j < promptEnd; j++) {
        sees[i][j] = j <= i;
      }
      for (int j = start; j <= i; j++) {
        sees[i][j] = true;
      }
    }
  }

  @Override
  public Tensor attend(AttentionLayer layer, Tensor query, Tensor key, Tensor value) {
    int tokens = (int) query.size(0);
    int heads = (int) query.size(1);
    int kvHeads = (int) key.size(1);
    int dim = (int) query.size(2);
    double[] q = Tensors.toDoubles(query);
    double[] k = Tensors.toDoubles(key);
    double[] v = Tensors.toDoubles(value);
    double[] sinks =
        layer.sinks() == null ? null : Tensors.toDoubles(layer.sinks().to(query.scalar_type()));
    double[] out = new double[q.length];
    for (int i = 0; i < tokens; i++) {
      for (int head = 0; head < heads; head++) {
        int kvHead = head / (heads / kvHeads);
        double[] weights = new double[tokens];
        double total = sinks == null ? 0 : Math.exp(sinks[head]);
        for (int j = 0; j < tokens; j++) {
          if (sees[i][j] && positions[i] - positions[j] < layer.window()) {
            double score = 0;
            for (int d = 0; d < dim; d++) {
              score += q[(i * heads + head) * dim + d] * k[(j * kvHeads + kvHead) * dim + d];
            }
            double scaled = score * layer.scale();
            double cap = layer.cap();
            weights[j] = Math.exp(cap == 0 ? scaled : cap * Math.tanh(scaled / cap));
            total += weights[j];
          }
        }
        for (int j = 0; j < tokens; j++) {
          for (int d = 0; d < dim; d++) {
            out[(i * heads + head) * dim + d] +=
                weights[j] / total * v[(j * kvHeads + kvHead) * dim + d];
          }
        }
      }
    }
    return Tensors.doubles(out).view(tokens, heads, dim);
  }

  /** Each token anew: all that it sees from the start, of which it takes the last output. */
  @Override
  public Tensor read(int layer, Recurrence recurrence, Tensor input) {
    List<Tensor> outputs = new ArrayList<>();
    for (boolean[] seen : sees) {
      int[] tokens = IntStream.range(0, seen.length).filter(token -> seen[token]).toArray();
      Tensor past = input.index_select(0, Tensors.indices(input, tokens)).unsqueeze(0);
      Tensor output = recurrence.read(past, recurrence.start(input)).output();
      outputs.add(output.select(1, tokens.length - 1L));
    }
    return Tensors.cat(outputs, 0);
  }
}
