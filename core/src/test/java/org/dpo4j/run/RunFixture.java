package org.dpo4j.run;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;

/** Fixtures of the tests, and outputs of runs that keep what is printed. */
final class RunFixture {

  private RunFixture() {}

  /** A file or folder of the tests' fixtures. */
  static Path fixture(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(RunFixture.class.getResource("/fixtures/" + name), name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** An output whose results and messages go into one stream. */
  static RunOutput output(ByteArrayOutputStream out) {
    return output(out, out);
  }

  static RunOutput output(ByteArrayOutputStream out, ByteArrayOutputStream err) {
    return new RunOutput(stream(out), stream(err), Progress.NONE);
  }

  static PrintStream stream(ByteArrayOutputStream out) {
    return new PrintStream(out, true, StandardCharsets.UTF_8);
  }

  /** What was printed. */
  static String text(ByteArrayOutputStream out) {
    return out.toString(StandardCharsets.UTF_8);
  }
}
