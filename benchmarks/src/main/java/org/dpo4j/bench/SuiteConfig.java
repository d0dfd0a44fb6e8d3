package org.dpo4j.bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** What the suite is told. */
public record SuiteConfig(
    @Option(help = "Python that has TRL, to run beside") Optional<Path> peer,
    @Option(help = "script that trains with TRL and prints seconds a step (trl_bench.py)")
        Optional<Path> peerScript,
    @Option(help = "script that is the demo in plain PyTorch (demo_reference.py)")
        Optional<Path> peerDemo,
    @Option(value = "5", help = "runs of each program, alternating") int runs,
    @Option(value = "6", help = "steps of a run; the first is left out") int steps,
    @Option(help = "rows of the suite, by name (else all)") Optional<List<String>> only,
    @Option(value = "false", help = "print the names of the rows") boolean list,
    @Option(value = "false", help = "a tiny model and few steps: whether it works, in seconds")
        boolean quick,
    @Option(help = "folder that holds m30 and m135 (else random ones are written)")
        Optional<Path> modelDir,
    @Option(value = "examples/tiny-chat", help = "tokenizer of random checkpoints") Path tokenizer,
    @Option(help = "pairs of dialogue (else invented ones)") Optional<Path> dialogue,
    @Option(help = "pairs with long answers (else invented ones)", aliases = "long")
        Optional<Path> longAnswers,
    @Option(value = "benchmarks/target/results", help = "folder for results.md and results.json")
        Path outputDir,
    @Option(value = "dpo4j", help = "the command that is measured") Path launcher,
    @Option(value = "0", help = "threads of the engine; 0: one for each core") int threads) {

  static final OptionTable<SuiteConfig> OPTIONS = OptionTable.of(SuiteConfig.class);
}
