package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.dpo4j.data.CompletionRole;

/**
 * Demonstrations in packs. Those of a pack go through the model together without seeing each other;
 * a pack takes the place of a row in a batch.
 *
 * @param examples the demonstrations, or what packing made of them
 * @param packs indices of the examples of each pack
 */
record PackedExamples(EncodedExamples examples, List<int[]> packs) {

  /** TRL packs data sets in blocks of this many rows. */
  private static final int ROWS = 1000;

  /**
   * Packs demonstrations.
   *
   * @param examples encoded by {@link ExampleEncoder#keepingAll}
   * @param maxLength tokens of a pack, at least 1
   * @param folder where what packing makes of them is kept
   */
  public static PackedExamples of(
      EncodedExamples examples, PackingStrategy strategy, int maxLength, Path folder) {
    ExampleFile file = ExampleFile.create(folder);
    try {
      List<int[]> packs = new ArrayList<>();
      for (int from = 0; from < examples.size(); from += ROWS) {
        List<EncodedExample> block = examples.subList(from, Math.min(examples.size(), from + ROWS));
        List<EncodedExample> parts = parts(block, strategy, maxLength);
        int first = file.size();
        parts.forEach(part -> file.append(part, false));
        bins(parts, strategy, maxLength)
            .forEach(bin -> packs.add(bin.stream().mapToInt(part -> first + part).toArray()));
      }
      file.finish();
      return new PackedExamples(new EncodedExamples(file), packs);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  private static List<EncodedExample> parts(
      List<EncodedExample> block, PackingStrategy strategy, int maxLength) {
    return switch (strategy) {
      case BFD -> block.stream().map(example -> part(example, 0, maxLength)).toList();
      case BFD_SPLIT ->
          block.stream()
              .flatMap(
                  example ->
                      IntStream.iterate(0, at -> at < length(example), at -> at + maxLength)
                          .mapToObj(at -> part(example, at, maxLength)))
              .toList();
      case WRAPPED -> {
        EncodedExample stream = joined(block);
        yield IntStream.iterate(0, at -> at < length(stream), at -> at + maxLength)
            .mapToObj(at -> part(stream, at, maxLength))
            .toList();
      }
    };
  }

  /** A stretch of an example as a completion without a prompt. */
  private static EncodedExample part(EncodedExample example, int from, int count) {
    int[] ids = ids(example);
    int to = Math.min(ids.length, from + count);
    return example.only(
        new EncodedCompletion(
            CompletionRole.CHOSEN,
            Arrays.copyOfRange(ids, from, to),
            unscored(example).get(from, to)));
  }

  private static EncodedExample joined(List<EncodedExample> block) {
    int[] ids = block.stream().flatMapToInt(example -> IntStream.of(ids(example))).toArray();
    BitSet unscored = new BitSet();
    int at = 0;
    for (EncodedExample example : block) {
      int start = at;
      unscored(example).stream().forEach(place -> unscored.set(start + place));
      at += length(example);
    }
    return block.get(0).only(new EncodedCompletion(CompletionRole.CHOSEN, ids, unscored));
  }

  private static int[] ids(EncodedExample example) {
    return IntStream.concat(
            IntStream.of(example.promptIds()), IntStream.of(example.completions().get(0).ids()))
        .toArray();
  }

  /** Prompt and unscored tokens of the completion. */
  private static BitSet unscored(EncodedExample example) {
    BitSet all = new BitSet();
    all.set(0, example.promptIds().length);
    BitSet ofCompletion = example.completions().get(0).unscored();
    if (ofCompletion != null) {
      ofCompletion.stream().forEach(place -> all.set(example.promptIds().length + place));
    }
    return all;
  }

  private static int length(EncodedExample example) {
    return example.promptIds().length + example.completions().get(0).ids().length;
  }

  /** The parts of each pack. */
  private static List<List<Integer>> bins(
      List<EncodedExample> parts, PackingStrategy strategy, int maxLength) {
    if (strategy == PackingStrategy.WRAPPED) {
      return IntStream.range(0, parts.size()).mapToObj(List::of).toList();
    }
    List<Integer> longestFirst =
        IntStream.range(0, parts.size())
            .boxed()
            .sorted(Comparator.comparingInt(part -> -length(parts.get(part))))
            .toList();
    List<List<Integer>> bins = new ArrayList<>();
    TreeMap<Integer, Deque<Integer>> bySpace = new TreeMap<>();
    for (int part : longestFirst) {
      int length = length(parts.get(part));
      Map.Entry<Integer, Deque<Integer>> fitting = bySpace.ceilingEntry(length);
      int space = maxLength;
      int bin = bins.size();
      if (fitting == null) {
        bins.add(new ArrayList<>());
      } else {
        space = fitting.getKey();
        bin = fitting.getValue().removeFirst();
        if (fitting.getValue().isEmpty()) {
          bySpace.remove(space);
        }
      }
      bins.get(bin).add(part);
      bySpace.computeIfAbsent(space - length, left -> new ArrayDeque<>()).addLast(bin);
    }
    return bins;
  }
}
