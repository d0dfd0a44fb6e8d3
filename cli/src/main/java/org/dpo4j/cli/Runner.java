package org.dpo4j.cli;

import java.util.function.BiConsumer;
import org.dpo4j.OptionText;
import org.dpo4j.report.RunOutput;

/** Starts the work of a command; tests replace it to see the configuration. */
interface Runner {

  <C> void run(C config, BiConsumer<C, RunOutput> work);

  /** Runs the work with its output on the console. */
  static Runner on(Console console) {
    return new Runner() {
      @Override
      public <C> void run(C config, BiConsumer<C, RunOutput> work) {
        try (TerminalProgress progress = new TerminalProgress(console)) {
          work.accept(
              config,
              new RunOutput(
                  console.out(), console.err(), progress, OptionText::flags, console.coloured()));
        }
      }
    };
  }
}
