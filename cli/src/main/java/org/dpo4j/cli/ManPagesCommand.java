package org.dpo4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.Dpo4j;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The command {@code man-pages}, which the build of the archive calls: writes {@code dpo4j.1} and a
 * page for each command, made of their helps.
 */
@Command(
    name = "man-pages",
    mixinStandardHelpOptions = true,
    hidden = true,
    description = "Writes a manual page for each command into a folder.")
final class ManPagesCommand implements Callable<Integer> {

  private static final Pattern HEADING = Pattern.compile("(\\p{Upper}.*):");

  /** An option or command, and what it does. */
  private static final Pattern ENTRY = Pattern.compile("  (\\S.*?) {2,}(\\S.*)");

  private static final Pattern CONTINUED = Pattern.compile(" {6,}(\\S.*)");

  @Parameters(index = "0", paramLabel = "FOLDER", description = "made if it is missing")
  private Path folder = Path.of("");

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws IOException {
    Files.createDirectories(folder);
    CommandLine program = spec.root().commandLine();
    List<CommandLine> commands =
        program.getSubcommands().values().stream()
            .filter(command -> !command.getCommandSpec().usageMessage().hidden())
            .toList();
    write(program, commands.stream().map(ManPagesCommand::name).toList());
    for (CommandLine command : commands) {
      write(command, List.of(name(program)));
    }
    return 0;
  }

  /** {@code dpo4j}, or {@code dpo4j-train} for its command {@code train}. */
  private static String name(CommandLine command) {
    return command.getCommandSpec().qualifiedName("-");
  }

  private void write(CommandLine command, List<String> seeAlso) throws IOException {
    String name = name(command);
    Files.writeString(folder.resolve(name + ".1"), page(name, command.getUsageMessage(), seeAlso));
  }

  /** A page in the macros of man(7). */
  static String page(String name, String help, List<String> seeAlso) throws IOException {
    List<String> lines = help.lines().toList();
    int synopsisEnd = 1;
    while (lines.get(synopsisEnd).startsWith(" ")) {
      synopsisEnd++;
    }
    String synopsis =
        String.join(" ", lines.subList(0, synopsisEnd).stream().map(String::strip).toList());
    String about = lines.get(synopsisEnd);
    List<String> page = new ArrayList<>();
    page.add(
        ".TH %s 1 \"\" \"dpo4j %s\" \"dpo4j\""
            .formatted(name.toUpperCase(Locale.ROOT), Dpo4j.version()));
    page.add(".SH NAME");
    page.add("%s \\- %s".formatted(text(name), text(about.replaceFirst("\\.$", ""))));
    page.add(".SH SYNOPSIS");
    page.add(text(synopsis.replaceFirst("^Usage: ", "")));
    page.add(".SH DESCRIPTION");
    lines.subList(synopsisEnd, lines.size()).forEach(line -> page.add(described(line)));
    page.add(".SH EXIT STATUS");
    page.add("0 done, 1 the run failed, 2 the options are wrong, 130 Ctrl\\-C, 143 SIGTERM");
    page.add(".SH SEE ALSO");
    page.add(String.join(",\n", seeAlso.stream().map(".BR %s (1)"::formatted).toList()));
    return String.join("\n", page) + "\n";
  }

  private static String described(String line) {
    Matcher heading = HEADING.matcher(line);
    if (heading.matches()) {
      return ".SS " + text(heading.group(1));
    }
    Matcher entry = ENTRY.matcher(line);
    if (entry.matches()) {
      return ".TP\n.B %s\n%s".formatted(text(entry.group(1)), text(entry.group(2)));
    }
    Matcher continued = CONTINUED.matcher(line);
    if (continued.matches()) {
      return text(continued.group(1));
    }
    return line.isBlank() ? ".PP" : text(line);
  }

  /** Text as roff shows it unchanged. */
  private static String text(String text) {
    String escaped = text.replace("\\", "\\e").replace("-", "\\-");
    return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
  }
}
