package org.dpo4j.report;

import static j2html.TagCreator.bdi;
import static j2html.TagCreator.body;
import static j2html.TagCreator.caption;
import static j2html.TagCreator.dd;
import static j2html.TagCreator.details;
import static j2html.TagCreator.div;
import static j2html.TagCreator.dl;
import static j2html.TagCreator.dt;
import static j2html.TagCreator.each;
import static j2html.TagCreator.figure;
import static j2html.TagCreator.head;
import static j2html.TagCreator.html;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.li;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.rawHtml;
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
import j2html.tags.specialized.UlTag;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * What the pages have in common: their looks, and that they need no other file and no other server.
 * Every text is escaped by the builder, and is {@link SafeText} before, so that data can neither
 * run nor reorder anything on a page.
 */
final class HtmlPage {

  /** The content security policy of a page without a script. */
  static final String POLICY =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

  private static final String STYLE =
      """
      :root{color-scheme:light dark;--ink:#1c1c1e;--pale:#5c5c63;--line:#d9d9de;--back:#fff;\
      --card:#f6f6f8;--mark:#0072b2;--bad:#a33c00}
      @media (prefers-color-scheme:dark){:root{--ink:#ececf0;--pale:#a5a5ad;--line:#3c3c43;\
      --back:#17171a;--card:#202024;--mark:#56b4e9;--bad:#f0a070}\
      figure svg{filter:invert(.91) hue-rotate(180deg)}}
      *{box-sizing:border-box}
      body{margin:0;background:var(--back);color:var(--ink);overflow-wrap:anywhere;\
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
      .words td:not(:first-child){min-width:8rem}\
      .words th,.words td:not(:first-child){text-align:left}
      .curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:.5rem}
      figure{margin:0}figure svg{width:100%;height:auto;display:block}
      pre{background:var(--card);padding:.75rem 1rem;overflow-x:auto;border-radius:6px;margin:.75rem 0}
      pre{white-space:pre-wrap;overflow-wrap:anywhere}
      code,pre{font:.9rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
      .pair{background:var(--card);border-radius:6px;padding:.6rem 1rem;margin:.75rem 0}
      .pair p{margin:.15rem 0}
      dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem;margin:.3rem 0}
      dd{margin:0;overflow-wrap:anywhere}dt{font-size:.95rem}
      dl>div{display:contents}
      .facts{grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.75rem 1rem;margin:1rem 0}
      .facts>div{display:block}.facts dd{font-size:1.1rem;font-variant-numeric:tabular-nums}
      progress{width:100%;height:1rem;accent-color:var(--mark)}
      .lost{max-width:62rem;margin:0 auto;padding:.6rem 1.25rem;background:var(--card);color:var(--bad)}
      a{color:var(--mark)}:focus-visible{outline:2px solid var(--mark);outline-offset:2px}
      .worse li::marker{color:var(--bad)}
      summary{cursor:pointer;color:var(--mark)}
      @media (max-width:34rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}\
      table{min-width:100%}}
      @media print{:root{--ink:#000;--pale:#444;--line:#bbb;--back:#fff;--card:#f4f4f4}\
      body{font-size:10.5pt}h2{break-after:avoid}figure,.pair,table{break-inside:avoid}\
      details{display:none}figure svg{filter:none}@page{margin:16mm}}
      """;

  private HtmlPage() {}

  /**
   * A page.
   *
   * @param policy its content security policy
   * @param content of the body
   */
  static String of(String title, String policy, DomContent... content) {
    return "<!DOCTYPE html>\n"
        + html(
                head(
                    meta().withCharset("utf-8"),
                    meta().attr("http-equiv", "Content-Security-Policy").withContent(policy),
                    meta().withName("viewport").withContent("width=device-width,initial-scale=1"),
                    title(text(title)),
                    style(rawHtml(STYLE))),
                body(content))
            .withLang("en")
            .render();
  }

  /** Sentences as a list. */
  static UlTag sentences(List<String> sentences) {
    return ul(each(sentences, sentence -> li(bdi(text(capital(sentence))))));
  }

  static DivTag tableOf(RunReport.Table content) {
    return div(table(
            caption(bdi(text(content.caption()))),
            thead(tr(each(content.header(), cell -> th(text(cell)).attr("scope", "col")))),
            tbody(each(content.rows(), row -> tr(each(row, cell -> td(bdi(text(cell)))))))))
        .withClass("wide");
  }

  /** The panels side by side where there is room, with their values in words for screen readers. */
  static DomContent curves(List<Chart> charts) {
    return div(each(
            charts,
            chart ->
                figure(rawHtml(chart.picture().svg()))
                    .attr("role", "img")
                    .attr("aria-label", text(chart.words()))))
        .withClass("curves");
  }

  /** Prompts with the first and the last answer; the others are folded. */
  static DomContent answers(List<PromptAnswers> samples) {
    return each(
        samples,
        sample -> {
          List<Integer> steps = List.copyOf(sample.bySteps().keySet());
          int end = steps.size() - 1;
          return div(
                  dl(
                      entry("prompt", sample.prompt()),
                      answer(sample, steps.get(0)),
                      iff(end > 0, answer(sample, steps.get(end)))),
                  iff(
                      end > 1,
                      details(
                          summary("answers in between"),
                          dl(
                              each(
                                  steps.subList(1, Math.max(1, end)),
                                  step -> answer(sample, step))))))
              .withClass("pair");
        });
  }

  private static DomContent answer(PromptAnswers sample, int steps) {
    return entry(
        steps == 0 ? "before training" : "step " + steps,
        Objects.requireNonNull(sample.bySteps().get(steps)));
  }

  /** An entry of a list of names and values. */
  static DomContent entry(String name, String value) {
    return div(dt(text(name)), dd(bdi(text(value))));
  }

  /** The parts of a run's summary begin in lower case on the console. */
  static String capital(String sentence) {
    return sentence.isEmpty()
        ? sentence
        : sentence.substring(0, 1).toUpperCase(Locale.ROOT) + sentence.substring(1);
  }

  static String text(String raw) {
    return SafeText.text(raw);
  }
}
