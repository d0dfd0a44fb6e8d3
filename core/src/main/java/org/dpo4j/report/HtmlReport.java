package org.dpo4j.report;

import static j2html.TagCreator.bdi;
import static j2html.TagCreator.body;
import static j2html.TagCreator.caption;
import static j2html.TagCreator.code;
import static j2html.TagCreator.dd;
import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.figure;
import static j2html.TagCreator.footer;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.head;
import static j2html.TagCreator.header;
import static j2html.TagCreator.html;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.li;
import static j2html.TagCreator.main;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.p;
import static j2html.TagCreator.pre;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.section;
import static j2html.TagCreator.style;
import static j2html.TagCreator.summary;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.title;
import static j2html.TagCreator.tr;
import static j2html.TagCreator.ul;

import j2html.tags.DomContent;
import j2html.tags.specialized.DivTag;
import j2html.tags.specialized.FigureTag;
import j2html.tags.specialized.SectionTag;
import j2html.tags.specialized.UlTag;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A report as one page of HTML that needs no other file, no script and no connection. Every text is
 * escaped by the builder, and is {@link SafeText} before, so that data can neither run nor reorder
 * anything on the page.
 */
public final class HtmlReport {

  private static final String POLICY =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

  private static final String STYLE =
      """
      :root{color-scheme:light dark;--ink:#1c1c1e;--pale:#5c5c63;--line:#d9d9de;--back:#fff;\
      --card:#f6f6f8;--mark:#0072b2;--bad:#a33c00}
      @media (prefers-color-scheme:dark){:root{--ink:#ececf0;--pale:#a5a5ad;--line:#3c3c43;\
      --back:#17171a;--card:#202024;--mark:#56b4e9;--bad:#f0a070}\
      figure svg{filter:invert(.91) hue-rotate(180deg)}}
      *{box-sizing:border-box}
      body{margin:0;background:var(--back);color:var(--ink);\
      font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
      section:first-child h2{border-top:0;padding-top:0;margin-top:.5rem}
      header,main,footer{max-width:62rem;margin:0 auto;padding:1rem 1.25rem}
      h1{font-size:1.6rem;line-height:1.25;margin:1rem 0 .25rem}
      h2{font-size:1.2rem;margin:2rem 0 .5rem;border-top:1px solid var(--line);padding-top:1.25rem}
      header p,footer,caption,dt,.place{color:var(--pale)}
      ul{padding-left:1.2rem;margin:.5rem 0}li{margin:.3rem 0}
      .wide{overflow-x:auto}
      table{border-collapse:collapse;margin:.75rem 0;min-width:60%}
      caption{text-align:left;font-size:.9rem;padding-bottom:.25rem}
      th,td{text-align:right;padding:.3rem .9rem .3rem 0;border-bottom:1px solid var(--line);\
      font-variant-numeric:tabular-nums;vertical-align:top}
      th:first-child,td:first-child{text-align:left}td:not(:first-child){white-space:nowrap}
      th{font-weight:600}h3{font-size:1rem;margin:1rem 0 .25rem}
      .words td:not(:first-child),.runs td:not(:first-child){white-space:normal}\
      .words td:not(:first-child){overflow-wrap:anywhere;min-width:8rem}\
      .words th,.words td:not(:first-child){text-align:left}.column svg{max-width:46rem}
      figure{margin:1rem 0}figure svg{width:100%;height:auto;display:block}
      pre{background:var(--card);padding:.75rem 1rem;overflow-x:auto;border-radius:6px;margin:.75rem 0}
      pre{white-space:pre-wrap;overflow-wrap:anywhere}
      code,pre{font:.9rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
      .pair{background:var(--card);border-radius:6px;padding:.6rem 1rem;margin:.75rem 0}
      .pair p{margin:.15rem 0}
      dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.3rem 0}
      dd{margin:0;overflow-wrap:anywhere}dt{font-size:.95rem}
      .worse li::marker{color:var(--bad)}
      summary{cursor:pointer;color:var(--mark)}
      @media (max-width:44rem){figure{overflow-x:auto}figure:not(.column) svg{min-width:46rem}}
      @media (max-width:34rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}\
      table{min-width:100%}}
      @media print{:root{--ink:#000;--pale:#444;--line:#bbb;--back:#fff;--card:#f4f4f4}\
      body{font-size:10.5pt}h2{break-after:avoid}figure,.pair,table{break-inside:avoid}\
      details{display:none}figure svg{filter:none}@page{margin:16mm}}
      """;

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
    return "<!DOCTYPE html>\n"
        + html(
                head(
                    meta().withCharset("utf-8"),
                    meta().attr("http-equiv", "Content-Security-Policy").withContent(POLICY),
                    meta().withName("viewport").withContent("width=device-width,initial-scale=1"),
                    title(text(title)),
                    style(rawHtml(STYLE))),
                body(
                    header(h1(bdi(text(title))), p(bdi(text(subtitle)))),
                    main(sections.toArray(DomContent[]::new)),
                    footer(p(text(madeBy)))))
            .withLang("en")
            .render();
  }

  private static List<SectionTag> sections(RunReport report) {
    List<SectionTag> sections = new ArrayList<>();
    sections.add(
        section(
            h2("Did it work?"),
            sentences(report.worked()),
            iff(!report.figures().rows().isEmpty(), tableOf(report.figures()))));
    sections.add(
        section(
            h2("Is the gain real?"),
            sentences(report.real()),
            each(report.evaluation(), HtmlReport::tableOf)));
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
    report
        .curves()
        .ifPresent(
            curves ->
                sections.add(
                    section(
                        h2("Curves"),
                        picture(curves, "Loss, accuracy and rewards over the steps"))));
    return sections;
  }

  /**
   * A picture.
   *
   * @param label for those who cannot see it
   */
  static FigureTag picture(Picture picture, String label) {
    return figure(rawHtml(picture.svg())).attr("role", "img").attr("aria-label", label);
  }

  /** Elements behind each other. */
  static DomContent together(DomContent first, DomContent second) {
    return rawHtml(first.render() + second.render());
  }

  static UlTag sentences(List<String> sentences) {
    return ul(each(sentences, sentence -> li(bdi(text(capital(sentence))))));
  }

  static DivTag tableOf(RunReport.Table content) {
    return div(table(
            caption(bdi(text(content.caption()))),
            thead(tr(each(content.header(), cell -> th(text(cell))))),
            tbody(each(content.rows(), row -> tr(each(row, cell -> td(bdi(text(cell)))))))))
        .withClass("wide");
  }

  static DomContent pair(RunReport.Suspect pair) {
    return div(
            p(bdi(text(pair.place())), j2html.TagCreator.text(": "), bdi(text(pair.margins())))
                .withClass("place"),
            iff(
                !pair.chosen().isEmpty(),
                dl(
                    dt("prompt"),
                    dd(bdi(text(pair.prompt()))),
                    dt("chosen"),
                    dd(bdi(text(pair.chosen()))),
                    dt("rejected"),
                    dd(bdi(text(pair.rejected()))))))
        .withClass("pair");
  }

  private static DomContent list(Map<String, String> values) {
    return iff(
        !values.isEmpty(),
        dl(each(values, (name, value) -> together(dt(text(name)), dd(bdi(text(value)))))));
  }

  /** The parts of a run's summary begin in lower case on the console. */
  private static String capital(String sentence) {
    return sentence.isEmpty()
        ? sentence
        : sentence.substring(0, 1).toUpperCase(Locale.ROOT) + sentence.substring(1);
  }

  static String text(String raw) {
    return SafeText.text(raw);
  }
}
