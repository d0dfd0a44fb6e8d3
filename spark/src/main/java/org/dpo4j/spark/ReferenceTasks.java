package org.dpo4j.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.reference.ReferenceKey;
import org.dpo4j.run.ReferencePass;
import scala.Tuple2;

/**
 * What the tasks of a reference pass do. Between them a pair is its token ids: those of the prompt,
 * the chosen and the rejected completion.
 */
final class ReferenceTasks {
  private ReferenceTasks() {}

  private static int[][] ids(EncodedExample pair) {
    return new int[][] {pair.promptIds(), pair.chosenIds(), pair.rejectedIds()};
  }

  private static EncodedExample pair(int[][] ids, int number) {
    return new EncodedExample(new RowOrigin(SparkRows.NAME, 0, number + 1), ids[0], ids[1], ids[2]);
  }

  private static long hash(List<EncodedExample> pairs) {
    long hash = 1;
    for (EncodedExample pair : pairs) {
      for (int[] ids : ids(pair)) {
        hash = 31 * hash + ids.length;
        for (int id : ids) {
          hash = 0x9e3779b97f4a7c15L * (hash ^ id) + 1;
        }
      }
    }
    return hash;
  }

  /** Rows of a partition to pairs of ids. */
  static final class Encode implements FlatMapFunction<Iterator<Row>, int[][]> {
    private static final long serialVersionUID = 1;

    private static final ExecutorModels<ReferencePass.Encoding> ENCODINGS = new ExecutorModels<>();

    private final LinkedHashMap<String, Object> options;
    private final boolean untyped;

    Encode(Map<String, Object> options, boolean untyped) {
      this.options = new LinkedHashMap<>(options);
      this.untyped = untyped;
    }

    @Override
    public Iterator<int[][]> call(Iterator<Row> rows) {
      if (!rows.hasNext()) {
        return Collections.emptyIterator();
      }
      NodeOptions node = NodeOptions.of(options);
      ReferencePass pass = new ReferencePass(TrainingConfig.of(node.values()));
      ReferencePass.Encoding encoding = ENCODINGS.use(node, pass::openEncoding);
      ExampleReader reader =
          ExampleReader.open(
              pass.reading(
                  SparkRows.input("partition " + TaskContext.getPartitionId(), rows, untyped)));
      Iterator<EncodedExample> pairs = encoding.examples(reader);
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return pairs.hasNext();
        }

        @Override
        public int[][] next() {
          return ids(pairs.next());
        }
      };
    }
  }

  /** All pairs in their order to the plan of their batches; holds some hundred pairs. */
  static final class Plan implements FlatMapFunction<Iterator<int[][]>, ReferencePlan> {
    private static final long serialVersionUID = 1;

    private static final int WINDOW = 256;

    @Override
    public Iterator<ReferencePlan> call(Iterator<int[][]> pairs) {
      ReferenceKey.Ids ids = new ReferenceKey.Ids();
      List<EncodedExample> waiting = new ArrayList<>();
      IntStream.Builder ends = IntStream.builder();
      List<Long> hashes = new ArrayList<>();
      int done = 0;
      while (pairs.hasNext() || !waiting.isEmpty()) {
        while (pairs.hasNext() && waiting.size() < WINDOW) {
          EncodedExample pair = pair(pairs.next(), 0);
          ids.add(pair);
          waiting.add(pair);
        }
        int end = ReferencePass.BATCHES.end(waiting, 0);
        while (end == waiting.size() && pairs.hasNext()) { // the batch may go on
          EncodedExample pair = pair(pairs.next(), 0);
          ids.add(pair);
          waiting.add(pair);
          end = ReferencePass.BATCHES.end(waiting, 0);
        }
        List<EncodedExample> batch = waiting.subList(0, end);
        hashes.add(hash(batch));
        batch.clear();
        done += end;
        ends.add(done);
      }
      return List.of(
              new ReferencePlan(
                  ids.hash(),
                  ends.build().toArray(),
                  hashes.stream().mapToLong(Long::longValue).toArray()))
          .iterator();
    }
  }

  /** Whole batches of numbered pairs to the log-probabilities of their completions. */
  static final class Compute implements FlatMapFunction<Iterator<Tuple2<Long, int[][]>>, double[]> {
    private static final long serialVersionUID = 1;

    private static final ExecutorModels<ReferencePass.Model> MODELS = new ExecutorModels<>();

    private final LinkedHashMap<String, Object> options;
    private final Broadcast<ReferencePlan> plan;

    Compute(Map<String, Object> options, Broadcast<ReferencePlan> plan) {
      this.options = new LinkedHashMap<>(options);
      this.plan = plan;
    }

    @Override
    public Iterator<double[]> call(Iterator<Tuple2<Long, int[][]>> numbered) {
      List<EncodedExample> pairs = new ArrayList<>();
      int first = -1;
      while (numbered.hasNext()) {
        Tuple2<Long, int[][]> next = numbered.next();
        int number = Math.toIntExact(next._1());
        first = first < 0 ? number : first;
        pairs.add(pair(next._2(), number));
      }
      requireSame(pairs, first);
      NodeOptions node = NodeOptions.of(options);
      ReferencePass pass = new ReferencePass(TrainingConfig.of(node.values()));
      LogProbTable table = MODELS.use(node, pass::openModel).compute(pairs);
      double[] values =
          IntStream.range(0, table.size())
              .boxed()
              .flatMapToDouble(i -> Arrays.stream(table.of(i)))
              .toArray();
      return List.of(values).iterator();
    }

    /** The key was made of the first reading of the rows, and these may be of another one. */
    private void requireSame(List<EncodedExample> pairs, int first) {
      ReferencePlan cut = plan.value();
      int from = 0;
      for (int batch = cut.batchFrom(first); from < pairs.size(); batch++) {
        int to = cut.ends()[batch] - first;
        if (to > pairs.size() || hash(pairs.subList(from, to)) != cut.hashes()[batch]) {
          throw new DpoException(
              "the rows of the dataset must come in the same order each time they are computed but"
                  + " did not; sort them, or write them to files and read those");
        }
        from = to;
      }
    }
  }
}
