package org.dpo4j.bench.parts;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.bench.Workplace;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** From a file to batches: no tensors. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class TextParts {

  private static final int PAIRS = 100;

  private final Workplace workplace = new Workplace();
  private final Path file;
  private final ModelTokenizer tokenizer;
  private final ExampleEncoder encoder;
  private List<EncodedExample> pairs = List.of();

  public TextParts() {
    try {
      file = Files.createTempFile("pairs", ".jsonl");
      workplace.dialogue(file, PAIRS);
      tokenizer = workplace.tokenizer();
      encoder = workplace.encoder(tokenizer);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Setup
  public void encodeOnce() {
    pairs = encode();
  }

  /** Reads and encodes a hundred dialogues. */
  @Benchmark
  public List<EncodedExample> encode() {
    return ExampleDataset.load(file, encoder, OnBadRow.STOP).examples();
  }

  /** Lays the hundred out, eight by eight. */
  @Benchmark
  public int batch() {
    int tokens = 0;
    for (int from = 0; from + 8 <= pairs.size(); from += 8) {
      tokens += ExampleBatch.of(pairs.subList(from, from + 8)).sequences().tokens();
    }
    return tokens;
  }

  @TearDown
  public void close() throws IOException {
    tokenizer.close();
    Files.delete(file);
  }
}
