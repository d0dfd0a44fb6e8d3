package org.dpo4j.report;

import static j2html.TagCreator.bdi;
import static j2html.TagCreator.code;
import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.each;
import static j2html.TagCreator.footer;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.header;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.main;
import static j2html.TagCreator.p;
import static j2html.TagCreator.pre;
import static j2html.TagCreator.section;
import static j2html.TagCreator.summary;
import static org.dpo4j.report.HtmlPage.curves;
import static org.dpo4j.report.HtmlPage.entry;
import static org.dpo4j.report.HtmlPage.sentences;
import static org.dpo4j.report.HtmlPage.tableOf;
import static org.dpo4j.report.HtmlPage.text;

import j2html.tags.DomContent;
import j2html.tags.specialized.SectionTag;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A report as one page of HTML that needs no other file, no script and no connection. */
public final class HtmlReport {

  /** The content security policy of the page. */
  public static final String POLICY = HtmlPage.POLICY;

  private HtmlReport() {}

  /** The page. */
  public static String of(RunReport report) {
    return page(report.title(), report.subtitle(), sections(report), report.madeBy());
  }

  /** The page of several runs. */
  public static String of(RunComparison runs) {
    return ComparisonPage.of(runs);
  }

  /** A page with sections below its title. */
  static String page(String title, String subtitle, List<SectionTag> sections, String madeBy) {
    return HtmlPage.of(
        title,
        POLICY,
        header(h1(bdi(text(title))), p(bdi(text(subtitle)))),
        main(sections.toArray(DomContent[]::new)),
        footer(p(text(madeBy))));
  }

  private static List<SectionTag> sections(RunReport report) {
    List<SectionTag> sections = new ArrayList<>();
    sections.add(
        section(
            h2("Did it work?"),
            sentences(report.worked()),
            iff(!report.figures().rows().isEmpty(), tableOf(report.figures()))));
    if (!report.answers().isEmpty()) {
      sections.add(section(h2("Sample answers"), HtmlPage.answers(report.answers())));
    }
    sections.add(
        section(
            h2("Is the gain real?"),
            sentences(report.real()),
            each(report.evaluation(), HtmlPage::tableOf)));
    sections.add(section(h2("What got worse?"), sentences(report.worse()).withClass("worse")));
    sections.add(
        section(
            h2("Which pairs are suspicious?"),
            sentences(report.pairs()),
            each(report.suspects(), HtmlReport::pair)));
    sections.add(
        section(
            h2("How do I repeat it?"),
            iff(!report.command().isEmpty(), pre(code(text(report.command())))),
            sentences(report.repeat()),
            list(report.inputs()),
            iff(!report.changed().isEmpty(), p("Options that differ from their defaults:")),
            list(report.changed()),
            iff(
                !report.options().isEmpty(),
                details(summary("All options"), list(report.options())))));
    if (!report.curves().isEmpty()) {
      sections.add(
          section(
              h2("Curves"),
              iff(!report.curvesNote().isEmpty(), p(text(report.curvesNote()))),
              curves(report.curves())));
    }
    return sections;
  }

  static DomContent pair(RunReport.Suspect pair) {
    return div(
            p(bdi(text(pair.place())), j2html.TagCreator.text(": "), bdi(text(pair.margins())))
                .withClass("place"),
            iff(
                !pair.chosen().isEmpty(),
                dl(
                    entry("prompt", pair.prompt()),
                    entry("chosen", pair.chosen()),
                    entry("rejected", pair.rejected()))))
        .withClass("pair");
  }

  private static DomContent list(Map<String, String> values) {
    return iff(!values.isEmpty(), dl(each(values, HtmlPage::entry)));
  }
}
