package org.dpo4j.fuzz;

import java.nio.charset.StandardCharsets;
import org.dpo4j.run.RoundsJournal;

/** The journal of rounds, {@code rounds.json}. */
public final class RoundsJournalTarget {
  private static final Scratch SCRATCH = new Scratch();

  private RoundsJournalTarget() {}

  static byte[] seed() {
    return """
    {"format":"dpo4j-rounds","version":1,"writtenBy":"0.1.0","identity":{"model":"65f8"},
    "options":{"rounds":"3"},"phases":[
    {"round":1,"file":"round-1/scores.jsonl","sha256":"80d3","seconds":0.5,"figures":{"rows":null,
    "answers":{"prompts":2,"completions":8,"meanScore":0.25,"meanBestScore":1.0,"passRate":0.25,
    "solved":1.0,"meanTokens":null},"training":null}},
    {"round":1,"file":"round-1/model","sha256":"65f8","seconds":3.0,"figures":{"rows":null,
    "answers":null,"training":{"steps":27,"loss":0.5,"accuracy":"NaN","margin":0.1}}}]}
    """
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write(RoundsJournal.FILE, input);
    return Refusal.orResult(() -> RoundsJournal.read(SCRATCH.folder()));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
