package org.dpo4j.run;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.LivePage;
import org.dpo4j.report.LiveRun;
import org.dpo4j.report.RunOutput;
import org.dpo4j.serve.PageServer;
import org.dpo4j.serve.PageServer.Page;
import org.dpo4j.torch.Engine;

/** Shows a training run to the browsers of this machine while it lives. */
final class LiveServer {

  private final DataInput training;
  private final LivePage page;
  private List<LiveRun.Pair> readPairs = List.of();
  private Map<RowOrigin, PairTexts> readTexts = Map.of();

  private LiveServer(DataInput training, LivePage page) {
    this.training = training;
    this.page = page;
  }

  /**
   * Starts the server and prints its address.
   *
   * @param training whose texts are shown
   * @throws org.dpo4j.UsageException if the port is taken
   */
  static PageServer start(
      TrainingConfig config, DataInput training, LiveRun run, RunOutput output) {
    LivePage page =
        new LivePage(
            "%s: %s tuned with %s"
                .formatted(
                    Paths.name(config.output().outputDir()),
                    Paths.name(config.model().model()),
                    new RunDescriptions(config).loss()),
            "learning rate %s, %s%s"
                .formatted(
                    OptionType.text(config.optimizer().learningRate()),
                    OptionType.text(config.schedule().lrSchedulerType()),
                    config.trainsAdapter() ? ", LoRA" : ""),
            "Nothing on this page leaves this machine. It ends with the run: afterwards, "
                + "./dpo4j report %s --serve shows what is in the folder."
                    .formatted(config.output().outputDir()),
            run,
            history -> TrainingSummary.conclusion(history, config, config.loss().beta()),
            Engine::peakMemoryBytes);
    PageServer server =
        PageServer.start(
            "ui", config.output().ui().number(), new LiveServer(training, page)::at, output::warn);
    Prose.of(output, config.output().logFormat()).line("live page: %s", server.url());
    return server;
  }

  private Optional<Page> at(String path) {
    return switch (path) {
      case "/" -> Optional.of(new Page(page.html(), LivePage.POLICY));
      case "/pairs" -> Optional.of(new Page(page.pairsHtml(this::texts), LivePage.POLICY));
      default -> Optional.empty();
    };
  }

  /** Reads the file once for the same pairs, and once at a time. */
  private synchronized Map<RowOrigin, PairTexts> texts(List<LiveRun.Pair> pairs) {
    if (!pairs.equals(readPairs)) {
      Set<RowOrigin> wanted = new HashSet<>();
      pairs.forEach(pair -> wanted.add(pair.origin().withoutLine()));
      try {
        readTexts = PairTexts.read(training, wanted);
      } catch (DpoException e) {
        readTexts = Map.of(); // the page says that they cannot be read
      }
      readPairs = pairs;
    }
    return readTexts;
  }
}
