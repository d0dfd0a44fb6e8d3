package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;

/** The pairs that are trained on: a user's file, or invented text of the same lengths. */
enum BenchData {
  /** Several turns as the prompt, short answers: about 205 tokens a pair, 110 of them prompt. */
  DIALOGUE("dialogue", 70, 24, 32),
  /** A question, and answers of 300 to 500 tokens. */
  LONG_ANSWERS("long", 40, 270, 270);

  private static final List<String> WORDS =
      List.of(
          ("the of and to in is you that it he was for on are as with his they at be this have from"
                  + " or one had by word but not what all were we when your can said there use an"
                  + " each which she do how their if will up other about out many then them these"
                  + " so some her would make like him into time has look two more write go see"
                  + " number no way could people my than first water been call who oil its now"
                  + " find long down day did get come made may part")
              .split(" "));

  private final String label;
  private final int promptWords;
  private final int chosenWords;
  private final int rejectedWords;

  BenchData(String label, int promptWords, int chosenWords, int rejectedWords) {
    this.label = label;
    this.promptWords = promptWords;
    this.chosenWords = chosenWords;
    this.rejectedWords = rejectedWords;
  }

  String label() {
    return label;
  }

  /**
   * The first rows of a JSON Lines file that a model can be trained on, as a file of their own:
   * with a row that one of the programs drops, steps would no longer have the same pairs.
   */
  static Path head(Path file, int rows, Path model, Path target) throws IOException {
    List<String> lines = Files.readAllLines(file);
    List<String> usable =
        Loads.encode(model, file).stream()
            .map(pair -> lines.get(pair.origin().line() - 1))
            .limit(rows)
            .toList();
    if (usable.size() < rows) {
      throw new UsageException(
          "%s must have at least %d rows whose prompt is below %d tokens but has %d; give a longer"
                  .formatted(file, rows, Workload.MAX_LENGTH, usable.size())
              + " file or lower --steps");
    }
    return Files.write(target, usable);
  }

  /** Invents pairs; the same seed gives the same text. */
  Path invent(Path target, int rows) {
    SplittableRandom random = new SplittableRandom(17);
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      lines.add(
          "{\"prompt\": \"%s\", \"chosen\": \" %s\", \"rejected\": \" %s\"}"
              .formatted(
                  text(promptWords, random),
                  text(chosenWords, random),
                  text(rejectedWords, random)));
    }
    try {
      return Files.write(target, lines);
    } catch (IOException e) {
      throw new DpoException("[" + target + "] could not be written: " + e.getMessage(), e);
    }
  }

  /** Words without sense, three quarters to five quarters of the usual number. */
  private static String text(int words, SplittableRandom random) {
    int count = words * 3 / 4 + random.nextInt(words / 2 + 1);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < count; i++) {
      text.append(i == 0 ? "" : " ").append(WORDS.get(random.nextInt(WORDS.size())));
    }
    return text.append('.').toString();
  }
}
