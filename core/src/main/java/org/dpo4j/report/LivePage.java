package org.dpo4j.report;

import static j2html.TagCreator.a;
import static j2html.TagCreator.bdi;
import static j2html.TagCreator.dd;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.footer;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.header;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.main;
import static j2html.TagCreator.p;
import static j2html.TagCreator.progress;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.script;
import static j2html.TagCreator.section;
import static org.dpo4j.report.HtmlPage.capital;
import static org.dpo4j.report.HtmlPage.curves;
import static org.dpo4j.report.HtmlPage.sentences;
import static org.dpo4j.report.HtmlPage.tableOf;
import static org.dpo4j.report.HtmlPage.text;

import j2html.tags.DomContent;
import j2html.tags.specialized.SectionTag;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.data.Sha256;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.LiveRun.Pair;
import org.dpo4j.report.LiveRun.Stage;
import org.dpo4j.report.LiveRun.View;
import org.jspecify.annotations.Nullable;

/**
 * The page of a run that is alive, made anew for each request. Its script asks for it again and
 * replaces what changed; without the script it is a page like others.
 */
public final class LivePage {

  private static final int PAIRS = 10;
  private static final int EVALUATIONS = 12;
  private static final String SCRIPT = read("live.js");

  /** The content security policy: this script alone, which asks this server alone. */
  public static final String POLICY =
      HtmlPage.POLICY
          + "; connect-src 'self'; script-src 'sha256-"
          + Base64.getEncoder()
              .encodeToString(Sha256.digest().digest(SCRIPT.getBytes(StandardCharsets.UTF_8)))
          + "'";

  private final String title;
  private final String subtitle;
  private final String note;
  private final LiveRun run;
  private final Function<RunHistory, Conclusion> conclude;
  private final Supplier<OptionalLong> peakMemory;
  private Curves drawn = new Curves(-1, List.of(), List.of(), List.of(), "");

  /** What changes with reports alone, and takes most of the time of a page. */
  private record Curves(
      int reports, List<String> warnings, List<String> summary, List<Chart> charts, String note) {}

  /**
   * The page of a run.
   *
   * @param title of the page: what is trained
   * @param subtitle how
   * @param note below all
   * @param conclude what the curves say
   * @param peakMemory bytes of the process at most so far
   */
  public LivePage(
      String title,
      String subtitle,
      String note,
      LiveRun run,
      Function<RunHistory, Conclusion> conclude,
      Supplier<OptionalLong> peakMemory) {
    this.title = title;
    this.subtitle = subtitle;
    this.note = note;
    this.run = run;
    this.conclude = conclude;
    this.peakMemory = peakMemory;
  }

  private static String read(String resource) {
    try (InputStream in = LivePage.class.getResourceAsStream(resource)) {
      return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The page as it is now. */
  public String html() {
    View view = run.view(PAIRS);
    Curves curves = curvesOf(view);
    return HtmlPage.of(
        progressWords(view) + title,
        POLICY,
        header(h1(bdi(text(title))), p(bdi(text(subtitle)))),
        p("dpo4j does not answer: the run has ended, or was stopped. The page shows what it last"
                + " said; ./dpo4j report OUTPUT_DIR --serve shows a finished run.")
            .withId("lost")
            .withClass("lost")
            .attr("role", "alert")
            .attr("hidden"),
        main(
            now(view),
            words(curves),
            charts(curves),
            evaluations(view),
            answers(view),
            pairs(view),
            warnings(view)),
        footer(p(text(note))),
        script(rawHtml(SCRIPT)));
  }

  /** What a browser shows on its tab before the title. */
  private static String progressWords(View view) {
    StepReport last = view.last();
    return switch (view.stage()) {
      case PREPARING -> "preparing: ";
      case TRAINING ->
          last == null ? "" : "%d %%: ".formatted(percent(last.step(), last.maxSteps()));
      case ENDED -> "done: ";
      case FAILED -> "failed: ";
    };
  }

  private static int percent(int part, int all) {
    return (int) (100L * part / Math.max(1, all));
  }

  private static SectionTag part(String id, String heading, DomContent... content) {
    return section(h2(heading), each(List.of(content), piece -> piece)).withId(id);
  }

  /** A section without content keeps its place, so that the script finds it later. */
  private static SectionTag empty(String id) {
    return section().withId(id);
  }

  private SectionTag now(View view) {
    StepReport last = view.last();
    boolean steps = view.task().isEmpty() && last != null;
    int done = steps && last != null ? last.step() : view.done();
    int total = steps && last != null ? last.maxSteps() : view.total();
    String doing = steps || view.task().isEmpty() ? "training" : view.task();
    return part(
        "now",
        "Now",
        p(bdi(text(capital(view.state())))).attr("role", "status"),
        iff(
            total > 0,
            progress()
                .attr("max", total)
                .attr("value", done)
                .attr("aria-label", text(doing))
                .attr("aria-valuetext", "%,d of %,d".formatted(done, total))),
        facts(facts(view)));
  }

  private Map<String, String> facts(View view) {
    Map<String, String> facts = new LinkedHashMap<>();
    if (!view.task().isEmpty()) {
      facts.put(view.task(), "%,d of %,d".formatted(view.done(), view.total()));
    }
    StepReport last = view.last();
    if (last != null) {
      facts.put("step", "%,d of %,d".formatted(last.step(), last.maxSteps()));
      facts.put("epoch", ShortNumber.fixed("%.2f", last.epoch()));
      facts.put("time per step", ShortNumber.fixed("%.2f s", view.secondsPerStep()));
      if (view.stage() == Stage.TRAINING) {
        facts.put("time left", TimeText.of(view.secondsLeft()));
      }
      if (Double.isFinite(view.examplesPerSecond())) {
        facts.put(
            "speed",
            "%s %ss/s, %s tokens/s"
                .formatted(
                    ShortNumber.fixed("%.1f", view.examplesPerSecond()),
                    last.metrics().kind().noun(),
                    ShortNumber.fixed("%.0f", view.tokensPerSecond())));
      }
      facts.put("loss", ShortNumber.fixed("%.4f", last.metrics().loss()));
    }
    peakMemory.get().ifPresent(bytes -> facts.put("peak memory", MemorySize.text(bytes)));
    return facts;
  }

  private static DomContent facts(Map<String, String> facts) {
    return dl(each(facts, (name, value) -> div(dt(text(name)), dd(bdi(text(value))))))
        .withClass("facts");
  }

  private synchronized Curves curvesOf(View view) {
    int reports = view.steps().size() + view.evaluations().size();
    if (reports != drawn.reports()) {
      RunHistory history = view.history();
      Conclusion conclusion = conclude.apply(history);
      drawn =
          new Curves(
              reports,
              conclusion.warnings().stream().map(OptionText::plain).toList(),
              conclusion.summary().stream().map(OptionText::plain).toList(),
              CurvesPlot.charts(history, stepsPerEpoch(view)),
              CurvesPlot.note(history));
    }
    return drawn;
  }

  private static double stepsPerEpoch(View view) {
    StepReport last = view.last();
    return last == null || last.epoch() == 0 ? 0 : last.step() / last.epoch();
  }

  private static SectionTag words(Curves curves) {
    if (curves.charts().isEmpty()) {
      return empty("words");
    }
    return part(
        "words",
        "What the curves say",
        div(curves.warnings().isEmpty()
                ? p("Nothing unusual so far.")
                : sentences(curves.warnings()).withClass("worse"))
            .attr("aria-live", "polite"),
        sentences(curves.summary()));
  }

  private static SectionTag charts(Curves curves) {
    return curves.charts().isEmpty()
        ? empty("curves")
        : part("curves", "Curves", p(text(curves.note())), curves(curves.charts()));
  }

  private static SectionTag evaluations(View view) {
    List<EvaluationReport> all = view.evaluations();
    if (all.isEmpty()) {
      return empty("evaluations");
    }
    boolean imitates = all.get(0).metrics().kind() == ExampleKind.DEMONSTRATIONS;
    List<List<String>> rows = new ArrayList<>();
    for (int i = all.size() - 1; i >= Math.max(0, all.size() - EVALUATIONS); i--) {
      EvaluationReport report = all.get(i);
      TrainingMetrics metrics = report.metrics();
      List<String> row =
          new ArrayList<>(
              List.of(
                  "step %,d%s"
                      .formatted(
                          report.step(), report.dataset().isEmpty() ? "" : ", " + report.dataset()),
                  ShortNumber.fixed("%.4f", metrics.loss())));
      if (!imitates) {
        row.add(
            metrics.tied() || !Double.isFinite(metrics.rewardsAccuracies())
                ? "-"
                : ShortNumber.fixed("%.1f %%", 100 * metrics.rewardsAccuracies()));
        row.add(ShortNumber.fixed("%+.3f", metrics.tied() ? 0 : metrics.rewardsMargins()));
      }
      rows.add(row);
    }
    return part(
        "evaluations",
        "Held-out " + all.get(0).metrics().kind().noun() + "s",
        tableOf(
            new RunReport.Table(
                all.size() > EVALUATIONS
                    ? "the last %d evaluations".formatted(EVALUATIONS)
                    : "evaluations, the last one first",
                imitates ? List.of("", "loss") : List.of("", "loss", "accuracy", "reward margin"),
                rows)));
  }

  private static SectionTag answers(View view) {
    if (view.answers().isEmpty()) {
      return empty("answers");
    }
    return part("answers", "Sample answers", HtmlPage.answers(view.answers()));
  }

  private static SectionTag pairs(View view) {
    if (view.pairs().isEmpty()) {
      return empty("pairs");
    }
    return part(
        "pairs",
        "Pairs with the lowest margins",
        tableOf(
            new RunReport.Table(
                "training pairs at their last visit; hard and mislabelled pairs come first",
                List.of("pair", "margin", "step"),
                view.pairs().stream()
                    .map(
                        pair ->
                            List.of(
                                pair.origin().toString(),
                                ShortNumber.fixed("%+.3f", pair.margin()),
                                Integer.toString(pair.step())))
                    .toList())),
        p(a("Show their texts").withHref("/pairs")));
  }

  private static SectionTag warnings(View view) {
    return view.warnings().isEmpty()
        ? empty("warnings")
        : part("warnings", "Warnings of the run", sentences(view.warnings()));
  }

  /**
   * The pairs with the lowest margins as text.
   *
   * @param texts of pairs, by file and row; pairs whose text is not known are missing
   */
  public String pairsHtml(Function<List<Pair>, Map<RowOrigin, PairTexts>> texts) {
    List<Pair> lowest = run.lowest(PAIRS);
    Map<RowOrigin, PairTexts> known = texts.apply(lowest);
    return HtmlPage.of(
        "pairs: " + title,
        HtmlPage.POLICY,
        header(
            h1("Pairs with the lowest margins"),
            p(bdi(text(title))),
            p(a("Back to the run").withHref("/"))),
        main(
            each(
                lowest,
                pair -> {
                  @Nullable PairTexts text = known.get(pair.origin().withoutLine());
                  return div(
                          p(bdi(
                                  text(
                                      "%s: margin %s at step %d"
                                          .formatted(
                                              pair.origin(),
                                              ShortNumber.fixed("%+.3f", pair.margin()),
                                              pair.step()))))
                              .withClass("place"),
                          text == null
                              ? p("Its text is not in a file that can be read now.")
                              : dl(
                                  HtmlPage.entry("prompt", text.prompt()),
                                  HtmlPage.entry("chosen", text.chosen()),
                                  HtmlPage.entry("rejected", text.rejected())))
                      .withClass("pair");
                })));
  }
}
