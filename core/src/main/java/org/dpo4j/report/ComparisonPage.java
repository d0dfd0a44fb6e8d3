package org.dpo4j.report;

import static j2html.TagCreator.bdi;
import static j2html.TagCreator.div;
import static j2html.TagCreator.each;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.h3;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.section;

import j2html.tags.DomContent;
import j2html.tags.specialized.SectionTag;
import java.util.ArrayList;
import java.util.List;

/** Several runs on one page, made like {@link HtmlReport}. */
final class ComparisonPage {

  private ComparisonPage() {}

  /** The page. */
  static String of(RunComparison runs) {
    return HtmlReport.page(runs.title(), runs.subtitle(), sections(runs), runs.madeBy());
  }

  private static List<SectionTag> sections(RunComparison runs) {
    List<SectionTag> sections = new ArrayList<>();
    sections.add(
        section(
            h2("Which is better?"),
            HtmlPage.sentences(runs.better()),
            each(runs.figures(), figures -> table(figures, "runs"))));
    if (!runs.curves().isEmpty()) {
      sections.add(section(h2("Curves"), HtmlPage.curves(runs.curves())));
    }
    sections.add(
        section(
            h2("What differs between the runs?"),
            HtmlPage.sentences(runs.apart()),
            table(runs.options(), "words"),
            table(runs.data(), "words")));
    sections.add(
        section(
            h2("What do the curves say?"),
            each(
                runs.doctor(),
                (name, sentences) ->
                    div(h3(bdi(HtmlPage.text(name))), HtmlPage.sentences(sentences)))));
    sections.add(section(h2("What did they cost?"), table(runs.costs(), "runs")));
    sections.add(
        section(
            h2("On which pairs do they differ?"),
            HtmlPage.sentences(runs.changed()),
            each(runs.pairs(), HtmlReport::pair)));
    return sections;
  }

  private static DomContent table(RunReport.Table table, String style) {
    return iff(!table.rows().isEmpty(), HtmlPage.tableOf(table).withClasses("wide", style));
  }
}
