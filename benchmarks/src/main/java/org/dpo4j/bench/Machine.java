package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dpo4j.Dpo4j;
import org.dpo4j.torch.Engine;

/** Where the figures are from. */
final class Machine {
  private Machine() {}

  /** What decides them, by name. */
  static Map<String, String> describe(Path work) throws IOException {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("CPU", info("/proc/cpuinfo", "model name", System.getProperty("os.arch")));
    facts.put("cores", Runtime.getRuntime().availableProcessors() + "");
    facts.put("threads of the engine", Engine.threads() + "");
    facts.put("memory", gib(info("/proc/meminfo", "MemTotal", "")));
    facts.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    facts.put("JDK", System.getProperty("java.runtime.version"));
    facts.put("libtorch", Dpo4j.libtorchVersion());
    facts.put("dpo4j", Dpo4j.version() + ", commit " + commit(work));
    facts.put("load before the first run", info("/proc/loadavg", "", ""));
    return facts;
  }

  /** The first line that begins so, behind its colon. */
  private static String info(String file, String start, String otherwise) throws IOException {
    if (!Files.exists(Path.of(file))) {
      return otherwise;
    }
    return Files.readAllLines(Path.of(file)).stream()
        .filter(line -> line.startsWith(start))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst()
        .orElse(otherwise);
  }

  private static String gib(String kilobytes) {
    String digits = kilobytes.replaceAll("\\D", "");
    return digits.isEmpty()
        ? "not known"
        : String.format(Locale.ROOT, "%.1f GiB", Long.parseLong(digits) / 1048576.0);
  }

  private static String commit(Path work) throws IOException {
    try {
      return Tool.run(List.of("git", "describe", "--always", "--dirty"), work.resolve("git.log"))
          .strip();
    } catch (IOException | RuntimeException | Tool.Refused e) {
      return "not known";
    }
  }
}
