package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.tokenizer.ModelTokenizer;

/** Where the benchmarks of parts get their checkpoints and pairs: the same as the suite's. */
public final class Workplace {

  private static final int POSITIONS = 2048;

  /** The repository, which the command starts in. */
  private final Path tokenizerFolder =
      Path.of(System.getProperty("dpo4j.home", "."), "examples", "tiny-chat");

  /** A random checkpoint of a shape, written where it is not there yet. */
  public Path checkpoint(String shape) throws IOException {
    Path folder =
        Files.createDirectories(
            Path.of(System.getProperty("java.io.tmpdir"), "dpo4j-benchmarks", shape));
    return BenchModel.valueOf(shape.toUpperCase(Locale.ROOT)).write(folder, tokenizerFolder);
  }

  /** Writes invented dialogues. */
  public void dialogue(Path file, int pairs) {
    BenchData.DIALOGUE.invent(file, pairs);
  }

  /** The tokenizer of the checkpoints. */
  public ModelTokenizer tokenizer() {
    return ModelTokenizer.load(tokenizerFolder);
  }

  /** An encoder without truncation. */
  public ExampleEncoder encoder(ModelTokenizer tokenizer) {
    return ExampleEncoder.of(tokenizer, new EncodingLimits(0, POSITIONS, Integer.MAX_VALUE));
  }
}
