package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.AbstractSelector;
import java.nio.channels.spi.SelectorProvider;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes a command other than {@code download}, or a run that reports to no tracking server, that
 * opens a connection: telemetry, a download of a library or a model. Every command runs in a
 * process of its own where Java can open no connection; on Linux with {@code strace} also native
 * code is watched, without a network where the system lets a user remove it.
 */
class NoNetworkTest {
  private static final Pattern COMMAND = Pattern.compile("(?m)^  ([a-z-]+) {2,}\\S");

  private final Path folder;

  NoNetworkTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Runs every command in this process; prints the attempts to open a connection. */
  static final class Commands {
    private static final String EXAMPLES = "../examples/";
    private static final String INPUTS =
        "--model=%stiny-chat --data_file=%spairs.jsonl".formatted(EXAMPLES, EXAMPLES);

    private static final List<String> ATTEMPTS = new CopyOnWriteArrayList<>();

    private Commands() {}

    public static void main(String[] words) throws IOException {
      if (words[1].equals("deny")) {
        deny();
      }
      int failed = 0;
      if (words[2].equals("connect")) {
        connect();
      } else if (words[2].equals("download")) {
        run(System.out, "download", "org/name", "--output_dir=" + words[0] + "/hub");
      } else if (words[2].equals("tracking")) {
        String run = "train " + INPUTS + " --use_peft --max_steps=1 --max_length=96 --output_dir=";
        failed = run(System.out, (run + words[0] + "/out --report_to=mlflow").split(" "));
      } else {
        failed = runAll(calls(words[0]));
      }
      ATTEMPTS.forEach(attempt -> System.out.println("attempt: " + attempt));
      System.exit(failed == 0 && ATTEMPTS.isEmpty() ? 0 : 1);
    }

    private static int runAll(Map<String, String> calls) {
      ByteArrayOutputStream help = new ByteArrayOutputStream();
      int failed = run(help, "--help");
      Set<String> commands = new TreeSet<>();
      Matcher found = COMMAND.matcher(help.toString(StandardCharsets.UTF_8));
      while (found.find()) {
        commands.add(found.group(1));
      }
      if (!commands.equals(calls.keySet())) {
        System.out.println("commands %s, called %s".formatted(commands, calls.keySet()));
        failed++;
      }
      // What train writes, merge reads; what sample writes, pairs reads.
      Set<String> names = new LinkedHashSet<>(List.of("train", "sample"));
      names.addAll(calls.keySet());
      for (String name : names) {
        failed += run(System.out, (name + " " + calls.get(name)).strip().split(" "));
      }
      return failed;
    }

    private static Map<String, String> calls(String folder) {
      Map<String, String> calls = new TreeMap<>();
      calls.putAll(generating(folder));
      calls.putAll(
          Map.of(
              "train",
              INPUTS + " --use_peft --max_steps=1 --max_length=96 --output_dir=" + folder + "/out",
              "verify-resume",
              INPUTS + " --use_peft --max_length=96 --output_dir=" + folder + "/proved",
              "plan",
              INPUTS + " --trial=false",
              "score",
              INPUTS + " --max_length=96 --output=" + folder + "/scores.jsonl",
              "inspect",
              INPUTS + " --output=" + folder + "/rows.jsonl",
              "generate",
              "--model=%stiny-chat --prompt=Hello --max_new_tokens=2".formatted(EXAMPLES),
              "merge",
              "--model=%stiny-chat --adapter=%s/out --output_dir=%s/merged"
                  .formatted(EXAMPLES, folder, folder),
              "demo",
              "--steps=1",
              "completion",
              "",
              "help",
              ""));
      calls.put("doctor", folder + "/out");
      calls.put("ledger", folder + "/out");
      calls.put("report", folder + "/out");
      calls.put(
          "compare",
          "--model=%stiny-chat --ref_model=%stiny-chat --prompt=Hello --max_new_tokens=2"
              .formatted(EXAMPLES, EXAMPLES));
      calls.put("eval", INPUTS + " --max_length=96 --ref_model=%stiny-chat".formatted(EXAMPLES));
      calls.put("chat", "--model=%stiny-chat".formatted(EXAMPLES)); // its input is empty
      calls.put(
          "export",
          "--model=%stiny-chat --output=%s/tiny-chat.gguf --verify".formatted(EXAMPLES, folder));
      // The one that connects, which is the subject of a test of its own, and the one that listens.
      calls.put("download", "--help");
      calls.put("serve", "--help");
      return calls;
    }

    private static Map<String, String> generating(String folder) {
      return Map.of(
          "sft",
          INPUTS + " --use_peft --max_steps=1 --max_length=96 --output_dir=" + folder + "/tuned",
          "sample",
          "--model=%stiny-chat --prompts_file=%seval.jsonl --num_return_sequences=2"
                  .formatted(EXAMPLES, EXAMPLES)
              + " --max_new_tokens=4 --output="
              + folder
              + "/completions.jsonl",
          "rounds",
          "--model=%stiny-chat --prompts_file=%seval.jsonl --chosen_column=chosen --rounds=1"
                  .formatted(EXAMPLES, EXAMPLES)
              + " --num_return_sequences=1 --max_new_tokens=4 --use_peft --max_steps=1 --output_dir="
              + folder
              + "/rounds",
          "pairs",
          "--completions_file=%s/completions.jsonl --judge=regex --pattern=e --unpaired --output=%s/labelled.jsonl"
              .formatted(folder, folder));
    }

    private static int run(OutputStream out, String... words) {
      PrintStream stream = new PrintStream(out, true, StandardCharsets.UTF_8);
      Console console = new Console(stream, System.out, false);
      int code = new Main(Runner.on(console), console).run(words);
      if (code != 0) {
        System.out.println("exit code %d: %s".formatted(code, String.join(" ", words)));
      }
      return code;
    }

    @SuppressWarnings("deprecation") // there is no other way to replace the JDK's sockets
    private static void deny() throws IOException {
      Socket.setSocketImplFactory(
          () -> {
            throw refused("Socket");
          });
      ServerSocket.setSocketFactory(
          () -> {
            throw refused("ServerSocket");
          });
      DatagramSocket.setDatagramSocketImplFactory(
          () -> {
            throw refused("DatagramSocket");
          });
      URL.setURLStreamHandlerFactory(
          protocol -> {
            if (Set.of("http", "https", "ftp").contains(protocol)) {
              throw refused(protocol + " URL");
            }
            return null;
          });
    }

    private static void connect() {
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), 9), 100);
      } catch (IOException | IllegalStateException e) {
        System.out.println("not connected: " + e);
      }
      try {
        SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), 9)).close();
      } catch (IOException | IllegalStateException e) {
        System.out.println("not connected: " + e);
      }
      try {
        URI.create("http://127.0.0.1:9/").toURL().openStream().close();
      } catch (IOException | IllegalStateException e) {
        System.out.println("not connected: " + e);
      }
    }

    static IllegalStateException refused(String what) {
      ATTEMPTS.add(what);
      return new IllegalStateException("denied: " + what);
    }
  }

  /** Opens nothing; the JDK takes it by the name in a system property. */
  public static final class Denied extends SelectorProvider {
    @Override
    public DatagramChannel openDatagramChannel() {
      throw Commands.refused("DatagramChannel");
    }

    @Override
    public DatagramChannel openDatagramChannel(ProtocolFamily family) {
      throw Commands.refused("DatagramChannel");
    }

    @Override
    public Pipe openPipe() {
      throw Commands.refused("Pipe");
    }

    @Override
    public AbstractSelector openSelector() {
      throw Commands.refused("Selector");
    }

    @Override
    public ServerSocketChannel openServerSocketChannel() {
      throw Commands.refused("ServerSocketChannel");
    }

    @Override
    public SocketChannel openSocketChannel() {
      throw Commands.refused("SocketChannel");
    }
  }

  @Test
  void everyCommandRunsWhereNoConnectionCanBeOpened() throws Exception {
    Path calls = folder.resolve("calls");
    Run run = run(isWatchable() ? watchedBy(calls) : List.of(), "deny", "commands");
    assertThat(run.code()).as(run.output()).isZero();
    if (isWatchable()) {
      assertThat(connections(calls)).isEmpty();
    }
  }

  @Test
  void aConnectionThatIsTriedIsNoticed() throws Exception {
    Run run = run(List.of(), "deny", "connect");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.output()).contains("attempt: Socket\n", "attempt: SocketChannel\n");
    assertThat(run.output()).contains("attempt: http URL\n").doesNotContain("exit code");
  }

  @Test
  void onlyADownloadConnects() throws Exception {
    Run run = run(List.of(), "deny", "download");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.output()).contains("attempt: ");
  }

  /** The run itself needs no server. */
  @Test
  void aRunConnectsIfItReportsToAServer() throws Exception {
    Run run = run(List.of(), "deny", "tracking");
    // Whether the run survives that is up to the JDK: one version fails in a static initializer.
    assertThat(run.output()).contains("attempt: ");
    assertThat(run.code()).isEqualTo(1);
  }

  @Test
  void aConnectionOfNativeCodeIsNoticed() throws Exception {
    assumeTrue(isWatchable(), "strace is needed to watch native code");
    Path calls = folder.resolve("calls");
    Run run = run(watchedBy(calls), "allow", "connect");
    assertThat(run.code()).as(run.output()).isZero();
    assertThat(connections(calls)).hasSize(3);
  }

  private static boolean isWatchable() {
    return OS.LINUX.isCurrentOs() && works(List.of("strace", "-qq", "-o", "/dev/null"));
  }

  /** What writes the system calls of a command down, without a network where that can be had. */
  private static List<String> watchedBy(Path calls) {
    List<String> command = new ArrayList<>();
    if (works(List.of("unshare", "-r", "-n"))) {
      command.addAll(List.of("unshare", "-r", "-n"));
    }
    command.addAll(List.of("strace", "-f", "-qq", "-e", "trace=network", "-o", calls.toString()));
    return command;
  }

  private static List<String> connections(Path calls) throws IOException {
    return Files.readAllLines(calls).stream()
        .filter(call -> call.contains("AF_INET") && !call.contains(" socket("))
        .toList();
  }

  private static boolean works(List<String> around) {
    List<String> command = new ArrayList<>(around);
    command.add("true");
    try {
      return new ProcessBuilder(command).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private Run run(List<String> around, String... words) throws Exception {
    Path here = Files.createTempDirectory(folder, "run");
    Path output = here.resolve("output");
    List<String> command = new ArrayList<>(around);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1"));
    if (words[0].equals("deny")) {
      command.add("-Djava.nio.channels.spi.SelectorProvider=" + Denied.class.getName());
      // Names of other machines are looked up in an empty file.
      command.add("-Djdk.net.hosts.file=" + Files.createFile(here.resolve("hosts")));
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(Commands.class.getName(), here.toString(), words[0], words[1]));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    // Without what surefire sets: the program must choose it itself. And its first unpacking.
    builder.environment().keySet().removeAll(List.of("OPT_OUT_TRACKING", "RUST_FLAVOR"));
    builder.environment().put("MLFLOW_TRACKING_URI", "http://127.0.0.1:9"); // without effect alone
    builder.environment().put("DJL_CACHE_DIR", here.resolve("djl").toString());
    Process process = builder.start();
    if (!process.waitFor(5, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      return new Run(-1, "did not end: " + Files.readString(output));
    }
    return new Run(process.exitValue(), Files.readString(output));
  }

  private record Run(int code, String output) {}
}
