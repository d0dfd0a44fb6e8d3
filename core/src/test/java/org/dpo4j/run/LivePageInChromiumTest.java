package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.dpo4j.Chromium;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Closes: pages that a real browser shows broken: a live page that stands still, closes what its
 * reader opened, breaks its own policy or asks another server; text that cannot be read in the dark
 * or on a phone; controls without a name or out of the keyboard's reach. The property names the
 * program of a Chromium.
 */
@EnabledIfSystemProperty(named = "dpo4j.chromium", matches = ".+")
class LivePageInChromiumTest {

  private static final Pattern ADDRESS = Pattern.compile("http://127\\.0\\.0\\.1:\\d+/");
  private static final int PHONE = 360;
  private static final double READABLE = 4.5; // WCAG 2.2, 1.4.3

  private static final String STEP =
      "[...document.querySelectorAll('#now dl>div')]"
          + ".find(part => part.querySelector('dt').innerText === 'step')?.querySelector('dd').innerText";

  /** The lowest contrast of a text to the background that it is on. */
  private static final String CONTRAST =
      """
      (() => {
        const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
        const light = (colour) => channels(colour).slice(0, 3)
          .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const back = (part) => {
          for (; part; part = part.parentElement) {
            const colour = getComputedStyle(part).backgroundColor;
            if ((channels(colour)[3] ?? 1) > 0) return colour;
          }
          return 'rgb(255,255,255)';
        };
        let lowest = 21;
        for (const part of document.querySelectorAll('body *:not(svg *):not(svg)')) {
          const own = [...part.childNodes].some(n => n.nodeType === 3 && n.data.trim());
          if (!own || !part.checkVisibility() || part.tagName === 'SCRIPT') continue;
          const [a, b] = [light(getComputedStyle(part).color), light(back(part))];
          lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }
        return lowest;
      })()""";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  LivePageInChromiumTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void followsTheRunAndKeepsWhatItsReaderOpened() throws IOException {
    try (Chromium browser = chromium()) {
      train(
          Map.of(
              3,
              url -> {
                browser.open(url);
                assertThat(browser.value(STEP).stringValue()).isEqualTo("3 of 8");
                browser.value("document.querySelector('#answers summary').focus()");
                browser.press("Enter", 13);
                browser.until("document.querySelector('#answers details').open");
                browser.value("window.unchanged = 1"); // lost if the page is loaded again
              },
              6,
              url -> {
                browser.until(STEP + " === '6 of 8'");
                assertThat(browser.value("document.title").stringValue()).startsWith("75 %: ");
                browser.until("document.querySelector('#answers').innerText.includes('step 5')");
                assertThat(
                        browser
                            .value("document.querySelector('#answers details').open")
                            .booleanValue())
                    .isTrue();
                assertThat(browser.value("document.activeElement.tagName").stringValue())
                    .isEqualTo("SUMMARY");
                assertThat(browser.value("window.unchanged").intValue()).isEqualTo(1);
                assertThat(browser.value("document.querySelector('#lost').hidden").booleanValue())
                    .isTrue();
              }));
      browser.until("!document.querySelector('#lost').hidden");
      assertThat(complaints(browser)).allMatch(text -> text.contains("ERR_CONNECTION_REFUSED"));
      assertThat(asked(browser)).allMatch(url -> ADDRESS.matcher(url).lookingAt());
    }
  }

  @Test
  void canBeReadInLightAndDarkOnAPhoneAndByAScreenReader() throws IOException {
    try (Chromium browser = chromium()) {
      train(
          Map.of(
              6,
              url -> {
                browser.open(url);
                assertReadable(browser);
                List<String> names = names(browser);
                assertThat(names)
                    .contains("progressbar training", "heading Now", "heading Curves")
                    .anyMatch(name -> name.startsWith("image Loss: train "))
                    .anyMatch(name -> name.startsWith("table evaluations"))
                    .anyMatch(name -> name.startsWith("link Show their texts"))
                    .noneMatch(name -> name.matches("(button|link|progressbar|image) "));
                browser.open(url + "pairs");
                assertReadable(browser);
              }));
      assertThat(complaints(browser)).isEmpty();
    }
  }

  @Test
  void theReportCanBeReadToo() throws IOException {
    train(Map.of());
    try (Chromium browser = chromium()) {
      ReportRun.run(
          ReportConfig.of(Map.of("run", folder.resolve("run"), "serve", true)),
          output(out),
          server -> {
            browser.open(server.url());
            assertReadable(browser);
          });
      ReportRun.run(ReportConfig.of(Map.of("run", folder.resolve("run"))), output(out));
      browser.open(folder.resolve("run/report.html").toUri().toString());
      assertReadable(browser);
      assertThat(complaints(browser)).isEmpty();
    }
  }

  private static void assertReadable(Chromium browser) {
    for (String scheme : List.of("light", "dark")) {
      browser.call(
          "Emulation.setEmulatedMedia",
          Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
      assertThat(browser.value(CONTRAST).doubleValue()).as(scheme).isGreaterThan(READABLE);
      boolean dark =
          browser
              .value("getComputedStyle(document.body).backgroundColor")
              .stringValue()
              .matches("rgb\\((\\d|[1-5]\\d), .*");
      assertThat(dark).isEqualTo(scheme.equals("dark"));
    }
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", PHONE, "height", 740, "deviceScaleFactor", 2, "mobile", true));
    assertThat(browser.value("document.documentElement.scrollWidth").intValue())
        .isLessThanOrEqualTo(PHONE);
    browser.until(
        "[...document.querySelectorAll('figure')].every(f => f.clientWidth > %d)"
            .formatted(PHONE * 4 / 5));
    browser.call("Emulation.clearDeviceMetricsOverride", Map.of());
  }

  /** Role and name of what a screen reader finds. */
  private static List<String> names(Chromium browser) {
    JsonNode nodes = browser.call("Accessibility.getFullAXTree", Map.of()).get("nodes");
    return StreamSupport.stream(nodes.spliterator(), false)
        .filter(node -> !node.path("ignored").asBoolean(false))
        .map(
            node -> node.at("/role/value").asString("") + " " + node.at("/name/value").asString(""))
        .toList();
  }

  private static List<String> complaints(Chromium browser) {
    return browser.events("Log.entryAdded").stream()
        .map(event -> event.at("/params/entry/text").asString(""))
        .toList();
  }

  private static List<String> asked(Chromium browser) {
    return browser.events("Network.requestWillBeSent").stream()
        .map(event -> event.at("/params/request/url").asString(""))
        .collect(Collectors.toList());
  }

  private Chromium chromium() throws IOException {
    return new Chromium(System.getProperty("dpo4j.chromium"), folder.resolve("profile"));
  }

  /** Trains, and after some steps does something with the address of the page. */
  private void train(Map<Integer, Consumer<String>> after) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("run"));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("max_steps", 8);
    all.put("logging_steps", 1);
    all.put("eval_split", 8);
    all.put("eval_strategy", "steps");
    all.put("eval_steps", 1);
    all.put("per_device_train_batch_size", 2);
    all.put("sample_prompts", Files.writeString(folder.resolve("prompts.txt"), "Name a fruit.\n"));
    all.put("threads", 1);
    all.put("max_length", 128);
    all.put("ui", true);
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void onStep(StepReport report, TrainingControl control) {
            Matcher address = ADDRESS.matcher(text(out));
            assertThat(address.find()).isTrue();
            after.getOrDefault(report.step(), url -> {}).accept(address.group());
          }
        };
    TrainingRun.run(TrainingConfig.of(all), output(out), listener);
  }
}
