package org.dpo4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.OutputFolder.Existing;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a crash that leaves half a checkpoint, and a run that deletes what is not its own. */
class OutputFolderTest {
  private final Path dir;

  OutputFolderTest(@TempDir Path dir) {
    this.dir = dir;
  }

  @Test
  void nothingIsVisibleBeforePublishAndEverythingAfter() throws IOException {
    Path target = dir.resolve("out");
    try (OutputFolder folder = OutputFolder.prepare(target, false)) {
      folder.write("config.json", file -> Files.writeString(file, "{}"));
      assertThat(names(target)).noneMatch(name -> !name.startsWith(".dpo4j-"));
      assertThat(folder.pending()).hasParent(target.toRealPath());
      folder.publish();
    }
    assertThat(names(target)).containsExactly("config.json");
    assertThat(names(dir)).containsExactly("out");
  }

  @Test
  void closeWithoutPublishRemovesAllIncludingTheParentsItMade() throws IOException {
    OutputFolder folder = OutputFolder.prepare(dir.resolve("a/b/out"), false);
    folder.write("part", file -> Files.writeString(file, "x"));
    assertThat(dir.resolve("a/b")).isDirectory();
    folder.close();
    folder.close();
    assertThat(names(dir)).isEmpty();
    assertThatThrownBy(folder::publish).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aFolderWithFilesIsRefusedAndTheOptionNamed() throws IOException {
    Path target = ours("out", "old");
    assertThatThrownBy(() -> OutputFolder.prepare(target, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("overwrite_output_dir")
        .hasMessageContaining(target.toString());
    assertThat(names(target)).containsExactly("config.json", "dpo4j.yaml");
  }

  @Test
  void overwritingRefusesAFolderThatHoldsMoreThanARunWrites() throws IOException {
    Path target = ours("out", "old");
    Files.writeString(target.resolve("my-notes.txt"), "mine");
    Files.createDirectory(target.resolve("inner"));
    assertThatThrownBy(() -> OutputFolder.prepare(target, true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("also holds inner and 1 more; move them away or name another folder");
    assertThat(target.resolve("my-notes.txt")).hasContent("mine");
    assertThat(target.resolve("config.json")).hasContent("old");
  }

  @Test
  void overwritingReplacesEveryOldFileAndKeepsTheFolderItself() throws IOException {
    Path target = ours("out", "old");
    Files.createDirectory(target.resolve("checkpoint-50"));
    Files.writeString(target.resolve("checkpoint-50/deep"), "old");
    Files.writeString(target.resolve("metrics.jsonl"), "old");
    Object identity = Files.readAttributes(target, "unix:ino").get("ino");
    try (OutputFolder folder = OutputFolder.prepare(target, true)) {
      folder.begin();
      folder.write("config.json", file -> Files.writeString(file, "new"));
      assertThat(target.resolve("config.json")).hasContent("old");
      folder.publish();
    }
    assertThat(names(target)).containsExactly("config.json");
    assertThat(target.resolve("config.json")).hasContent("new");
    assertThat(Files.readAttributes(target, "unix:ino")).containsEntry("ino", identity);
  }

  @Test
  void aFolderThatNoRunWroteIsNeverReplaced() throws IOException {
    Path home = Files.createDirectory(dir.resolve("home"));
    Files.writeString(home.resolve("thesis.tex"), "years of work");
    assertThatThrownBy(() -> OutputFolder.prepare(home, true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("only a folder that a run wrote");
    assertThat(names(home)).containsExactly("thesis.tex");
  }

  @Test
  void aFolderInsideAnInputIsRefusedAlsoThroughLinksAndBeforeItIsMade() throws IOException {
    Path model = ours("model", "old");
    Path link = Files.createSymbolicLink(dir.resolve("modellink"), model);
    for (Path input : List.of(model, link)) {
      for (Path given : List.of(model.resolve("out"), link.resolve("a/b/out"))) {
        assertThatThrownBy(() -> OutputFolder.prepare(given, Existing.OVERWRITE, List.of(input)))
            .isInstanceOf(UsageException.class)
            .hasMessageContaining("must not lie in a folder that this run reads");
      }
    }
    assertThat(names(model)).containsExactly("config.json", "dpo4j.yaml");
    OutputFolder.prepare(dir.resolve("model2/out"), Existing.OVERWRITE, List.of(model)).close();
  }

  @Test
  void aFolderThatHoldsAnInputIsRefusedAlsoThroughLinks() throws IOException {
    Path target = ours("out", "old");
    Path data = Files.writeString(target.resolve("pairs.jsonl"), "");
    Path link = Files.createSymbolicLink(dir.resolve("link.jsonl"), data);
    Path folderLink = Files.createSymbolicLink(dir.resolve("outlink"), target);
    for (Path input : List.of(target, data, link, folderLink.resolve("pairs.jsonl"))) {
      for (Path given : List.of(target, folderLink)) {
        assertThatThrownBy(() -> OutputFolder.prepare(given, Existing.OVERWRITE, List.of(input)))
            .isInstanceOf(UsageException.class)
            .hasMessageContaining("must not hold what this run reads");
      }
    }
    assertThat(names(target)).containsExactly("config.json", "dpo4j.yaml", "pairs.jsonl");
    Files.delete(data);
    // A neighbour whose name merely starts alike is no part of the folder.
    OutputFolder.prepare(target, Existing.OVERWRITE, List.of(dir.resolve("out2/pairs.jsonl")))
        .close();
  }

  @Test
  void aFileOrALinkToNothingIsRefusedAsTarget() throws IOException {
    Path file = Files.writeString(dir.resolve("file"), "text");
    Path dangling = Files.createSymbolicLink(dir.resolve("dangling"), dir.resolve("gone"));
    assertThatThrownBy(() -> OutputFolder.prepare(file, true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("was a file");
    assertThatThrownBy(() -> OutputFolder.prepare(file.resolve("a/out"), true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output_dir");
    assertThatThrownBy(() -> OutputFolder.prepare(dangling, true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("link to nothing");
    assertThat(file).hasContent("text");
  }

  @Test
  void anUnwritableParentIsReportedBeforeAnyWork() {
    // /proc refuses new entries even to root.
    Path proc = Path.of("/proc");
    org.junit.jupiter.api.Assumptions.assumeTrue(Files.isDirectory(proc));
    assertThatThrownBy(() -> OutputFolder.prepare(proc.resolve("runs/out"), false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("nothing can be created in /proc/runs");
  }

  @Test
  void aFolderThatCannotBeCreatedLeavesNoneOfItsParents() throws IOException {
    Path target = dir.resolve("a").resolve("b").resolve("long".repeat(100));
    assertThatThrownBy(() -> OutputFolder.prepare(target, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("must be writable")
        .hasMessageContaining("name another folder");
    assertThat(names(dir)).isEmpty();
  }

  @Test
  void emptyLinkedRelativeAndSlashedTargetsAllWork() throws IOException {
    Path empty = Files.createDirectory(dir.resolve("empty"));
    Path link = Files.createSymbolicLink(dir.resolve("link"), empty);
    Path relative = Path.of("").toAbsolutePath().relativize(dir.toRealPath()).resolve("rel");
    for (Path given :
        List.of(link, Path.of(dir + "/slash/"), dir.resolve("x/../dots/."), relative)) {
      try (OutputFolder folder = OutputFolder.prepare(given, false)) {
        folder.write("config.json", file -> Files.writeString(file, "{}"));
        folder.publish();
      }
    }
    assertThat(link).isSymbolicLink();
    for (String name : List.of("empty", "slash", "dots", "rel")) {
      assertThat(names(dir.resolve(name))).containsExactly("config.json");
    }
  }

  @Test
  void aFullDiskGivesOneClearMessageAndLeavesTheOldFolderAsItWas() throws IOException {
    Path target = ours("out", "old");
    IOException full = new FileSystemException("x", null, "No space left on device");
    for (RuntimeException or : new RuntimeException[] {null, new UncheckedIOException(full)}) {
      try (OutputFolder folder = OutputFolder.prepare(target, true)) {
        folder.write("config.json", file -> Files.writeString(file, "new"));
        assertThatThrownBy(
                () ->
                    folder.write(
                        "model.safetensors",
                        file -> {
                          Files.writeString(file, "half");
                          if (or != null) {
                            throw or;
                          }
                          throw full;
                        }))
            .isExactlyInstanceOf(DpoException.class)
            .hasMessageContaining(target.toRealPath().resolve("model.safetensors").toString())
            .hasMessageContaining("No space left on device");
      }
      assertThat(names(target)).containsExactly("config.json", "dpo4j.yaml");
      assertThat(target.resolve("config.json")).hasContent("old");
    }
  }

  @Test
  void whicheverRenameFailsTheOldFilesAreBackAndTheNextRunPutsTheNewOnesInPlace()
      throws IOException {
    // The pending folder twice, two old entries and two new ones: six renames.
    for (int failing = 1; failing <= 6; failing++) {
      Path target = ours("out" + failing, "old");
      Renames renames = new Renames(failing, false);
      try (OutputFolder folder = OutputFolder.prepare(target, true)) {
        folder.write("config.json", file -> Files.writeString(file, "new"));
        folder.write("dpo4j.yaml", file -> Files.writeString(file, "new"));
        assertThatThrownBy(() -> folder.publish(renames))
            .isExactlyInstanceOf(DpoException.class)
            .hasMessageContaining("the finished files are in " + target.toRealPath())
            .hasMessageContaining(
                failing == 1
                    ? "; copy them before the next run with this folder"
                    : ", and the next run with this folder puts them in place");
      }
      assertThat(target.resolve("config.json")).hasContent("old");
      List<String> hidden =
          names(target).stream().filter(name -> name.startsWith(".dpo4j-")).toList();
      assertThat(hidden).hasSize(1);
      assertThat(names(target.resolve(hidden.get(0)))).containsExactly("config.json", "dpo4j.yaml");
      if (failing > 1) {
        OutputFolder.prepare(target, true).close();
        assertThat(names(target)).containsExactly("config.json", "dpo4j.yaml");
        assertThat(target.resolve("config.json")).hasContent("new");
      }
    }
  }

  @Test
  void whicheverRenameAProcessDiesAtTheNextRunCompletesIt() throws IOException {
    for (int dying = 2; dying <= 7; dying++) {
      Path target = ours("out" + dying, "old");
      Renames renames = new Renames(dying, true);
      OutputFolder folder = OutputFolder.prepare(target, true);
      folder.write("config.json", file -> Files.writeString(file, "new"));
      folder.write("dpo4j.yaml", file -> Files.writeString(file, "new"));
      if (dying <= 6) {
        assertThatThrownBy(() -> folder.publish(renames)).isInstanceOf(Death.class);
      } else {
        folder.publish(renames);
      }
      OutputFolder.prepare(target, true).close();
      assertThat(names(target)).containsExactly("config.json", "dpo4j.yaml");
      assertThat(target.resolve("config.json")).hasContent("new");
    }
  }

  @Test
  void theConfigLeavesFirstAndComesLastSoThatNoMixtureLoads() throws IOException {
    Path target = ours("out", "old");
    Renames renames = new Renames(0, false);
    try (OutputFolder folder = OutputFolder.prepare(target, true)) {
      folder.write("config.json", file -> Files.writeString(file, "new"));
      folder.write("model.safetensors", file -> Files.writeString(file, "new"));
      folder.publish(renames);
    }
    assertThat(renames.moved)
        .filteredOn(name -> !name.startsWith(".dpo4j-"))
        .containsExactly("config.json", "dpo4j.yaml", "model.safetensors", "config.json");
  }

  @Test
  void aFileOfSomebodyElseThatAppearsDuringTheRunStays() throws IOException {
    Path target = dir.resolve("out");
    OutputFolder folder = OutputFolder.prepare(target, false);
    folder.write("config.json", file -> Files.writeString(file, "new"));
    Files.writeString(target.resolve("other"), "");
    folder.publish();
    assertThat(names(target)).containsExactly("config.json", "other");
  }

  @Test
  void twoRunsCannotWriteToOneFolderAndTheSecondLeavesTheFirstAlone() throws IOException {
    Path fresh = dir.resolve("fresh");
    Path existing = ours("existing", "old");
    for (Path target : List.of(fresh, existing)) {
      try (OutputFolder first = OutputFolder.prepare(target, true)) {
        first.write("config.json", file -> Files.writeString(file, "new"));
        assertThatThrownBy(() -> OutputFolder.prepare(target, true))
            .isInstanceOf(UsageException.class)
            .hasMessageContaining("in use by another run")
            .hasMessageContaining("this process");
        first.publish();
      }
      assertThat(target.resolve("config.json")).hasContent("new");
    }
  }

  @Test
  void whatADeadRunLeftIsRemovedAndCountsAsEmpty() throws IOException {
    Path target = dir.resolve("out");
    Files.createDirectories(target.resolve(".dpo4j-pending-1"));
    Files.writeString(target.resolve(".dpo4j-pending-1/half"), "");
    Files.writeString(target.resolve(".dpo4j-lock"), "process 1");
    Files.writeString(target.resolve("metrics.jsonl"), "{}");
    try (OutputFolder folder = OutputFolder.prepare(target, false)) {
      folder.write("config.json", file -> Files.writeString(file, "{}"));
      folder.publish();
    }
    assertThat(names(target)).containsExactly("config.json");
  }

  @Test
  void anotherProcessHoldingTheLockCountsAsAlive() throws Exception {
    Path target = dir.resolve("out");
    Process other =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OtherRun.class.getName(),
                target.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      assertThat(other.getInputStream().read()).isEqualTo('r');
      assertThatThrownBy(() -> OutputFolder.prepare(target, false))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("in use by another run")
          .hasMessageMatching(
              "(?s).* is being written by process %d( on [^ ,]+)?, since \\d{4}-\\d\\d-\\d\\dT[\\d:]{8}Z;.*"
                  .formatted(other.pid()));
    } finally {
      other.destroyForcibly().waitFor();
    }
    assertThat(names(target)).hasSize(2);
    OutputFolder.prepare(target, false).close();
    assertThat(names(target)).isEmpty();
  }

  @Test
  void closeFromAnotherThreadWhileWritingLeavesNothing() throws Exception {
    OutputFolder folder = OutputFolder.prepare(dir.resolve("out"), false);
    folder.write("ready", file -> Files.writeString(file, ""));
    Thread hook = new Thread(folder::close);
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 100_000; i++) {
                String name = "shard-" + i;
                folder.write(name, file -> Files.writeString(file, "x"));
                if (i == 20) {
                  hook.start();
                }
              }
            })
        .isInstanceOfAny(DpoException.class, IllegalStateException.class);
    hook.join();
    assertThat(names(dir)).isEmpty();
  }

  /** A run in another process: prepares the folder, says so, and waits to be killed. */
  static final class OtherRun {
    public static void main(String[] args) throws InterruptedException {
      OutputFolder folder = OutputFolder.prepare(Path.of(args[0]), false);
      System.out.print(Files.isDirectory(folder.pending()) ? "r" : "x");
      System.out.flush();
      Thread.sleep(60_000);
    }
  }

  /** The end of the process. */
  private static final class Death extends Error {
    private static final long serialVersionUID = 1L;
  }

  /** Renames, counts, and fails or dies at the n-th call alone (0: never). */
  private static final class Renames implements OutputFolder.Move {
    private final int failing;
    private final boolean deadly;
    private final List<String> moved = new java.util.ArrayList<>();

    Renames(int failing, boolean deadly) {
      this.failing = failing;
      this.deadly = deadly;
    }

    @Override
    public void move(Path from, Path to) throws IOException {
      moved.add(from.getFileName().toString());
      if (moved.size() == failing) {
        if (deadly) {
          throw new Death();
        }
        throw new FileSystemException(from.toString(), to.toString(), "Input/output error");
      }
      Files.move(from, to);
    }
  }

  private Path ours(String name, String config) throws IOException {
    Path folder = Files.createDirectory(dir.resolve(name));
    Files.writeString(folder.resolve("config.json"), config);
    Files.writeString(folder.resolve("dpo4j.yaml"), "");
    return folder;
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> list = Files.list(folder)) {
      return list.map(entry -> entry.getFileName().toString()).sorted().toList();
    }
  }
}
