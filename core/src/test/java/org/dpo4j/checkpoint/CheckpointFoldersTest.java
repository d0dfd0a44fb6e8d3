package org.dpo4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.OutputFolder.Existing;
import org.dpo4j.data.Sha256;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a damaged checkpoint that is used, a whole one that is lost or deleted, and what an
 * interrupted run leaves in the way of the next one.
 */
class CheckpointFoldersTest {
  private final Path target;
  private final CheckpointFolders folders;

  CheckpointFoldersTest(@TempDir Path dir) throws IOException {
    target = Files.createDirectory(dir.toRealPath().resolve("out"));
    folders = new CheckpointFolders(target);
  }

  private Path save(int step, String weights) {
    return folders.save(
        step,
        pending -> {
          Files.writeString(pending.resolve("weights"), weights);
          Files.createDirectory(pending.resolve("inner"));
          Files.writeString(pending.resolve("inner/config"), "{}");
          Files.writeString(pending.resolve(".hidden"), "not of a run");
        });
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.map(entry -> String.valueOf(entry.getFileName())).sorted().toList();
    }
  }

  @Test
  void aCheckpointListsTheSha256OfItsFiles() throws IOException {
    Path saved = save(5, "five");

    assertThat(saved).isEqualTo(target.resolve("checkpoint-5")).isEqualTo(folders.of(5));
    assertThat(CheckpointFolders.step(saved)).isEqualTo(5);
    assertThat(saved.resolve("SHA256SUMS"))
        .hasContent(
            "%s  inner/config\n%s  weights\n"
                .formatted(
                    Sha256.of(saved.resolve("inner/config")), Sha256.of(saved.resolve("weights"))));
    CheckpointFolders.verify(saved);
    assertThat(names(target)).containsExactly("checkpoint-5");
  }

  @Test
  void foldersOfCheckpointsAloneAreListedTheNewestFirst() throws IOException {
    save(5, "");
    save(100, "");
    save(20, "");
    Files.createDirectory(target.resolve("checkpoint-x"));
    Files.createDirectory(target.resolve("my-checkpoint-7"));
    Files.writeString(target.resolve("checkpoint-9"), "a file");

    assertThat(folders.all()).containsExactly(folders.of(100), folders.of(20), folders.of(5));
    assertThat(new CheckpointFolders(target.resolve("none")).all()).isEmpty();
  }

  @Test
  void everyDamageIsNamed() throws IOException {
    assertDamaged(
        "weights does not have the SHA-256", folder -> Files.writeString(at("weights"), "x"));
    assertDamaged(
        "weights is listed in SHA256SUMS but missing", folder -> Files.delete(at("weights")));
    assertDamaged("more is not listed", folder -> Files.writeString(at("more"), ""));
    assertDamaged("has no SHA256SUMS", folder -> Files.delete(at("SHA256SUMS")));
    String list = Files.readString(at("SHA256SUMS"));
    for (String cut : List.of("", list.substring(0, list.length() - 1))) {
      assertDamaged("SHA256SUMS is cut off", folder -> Files.writeString(at("SHA256SUMS"), cut));
    }
    for (String line : List.of(list.substring(1), list + list, list + "\n", list + "x\n")) {
      assertDamaged("has a damaged line", folder -> Files.writeString(at("SHA256SUMS"), line));
    }
    String large = list.repeat(1 + (1 << 20) / list.length());
    assertDamaged("SHA256SUMS is too large", folder -> Files.writeString(at("SHA256SUMS"), large));
  }

  private Path at(String name) {
    return folders.of(3).resolve(name);
  }

  private void assertDamaged(String damage, OutputFolder.Content doDamage) throws IOException {
    save(3, "three");
    doDamage.writeTo(target);
    assertThatThrownBy(() -> CheckpointFolders.verify(folders.of(3)))
        .isInstanceOfSatisfying(
            DamagedCheckpointException.class, e -> assertThat(e.damage()).contains(damage))
        .hasMessageStartingWith("[%s] the checkpoint is damaged: ".formatted(folders.of(3)));
    save(3, "three");
    CheckpointFolders.verify(folders.of(3));
  }

  @Test
  void theNewestWholeCheckpointIsFoundAndDamagedOnesReported() throws IOException {
    List<DamagedCheckpointException> damaged = new ArrayList<>();
    assertThat(CheckpointFolders.newestGood(target, damaged::add)).isEmpty();
    save(1, "");
    save(2, "");
    save(3, "");
    Files.delete(folders.of(3).resolve("weights"));
    assertThat(CheckpointFolders.newestGood(target, damaged::add)).contains(folders.of(2));
    assertThat(damaged).singleElement().asString().contains("checkpoint-3");

    Files.delete(folders.of(2).resolve("weights"));
    Files.delete(folders.of(1).resolve("weights"));
    assertThatThrownBy(() -> CheckpointFolders.newestGood(target, damaged::add))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("has no checkpoint that is whole");
  }

  @Test
  void theOldestAreDeletedButNotThoseThatAreNeeded() throws IOException {
    for (int step = 1; step <= 5; step++) {
      save(step, "");
    }
    folders.prune(0, Set.of());
    assertThat(folders.all()).hasSize(5);
    folders.prune(3, Set.of(folders.of(2)));
    assertThat(folders.all()).containsExactly(folders.of(5), folders.of(4), folders.of(2));
    folders.prune(1, Set.of(folders.of(2), folders.of(4)));
    assertThat(folders.all()).containsExactly(folders.of(4), folders.of(2));
    assertThat(names(target)).hasSize(2);
  }

  @Test
  void aStepThatIsPassedAgainReplacesItsCheckpoint() throws IOException {
    save(4, "before");
    // What failed before: one that was being written, and one that could not be deleted.
    Files.createDirectory(target.resolve(".dpo4j-pending-checkpoint-4"));
    Path previous = Files.createDirectory(target.resolve(".dpo4j-previous-checkpoint-4"));
    Files.writeString(previous.resolve("weights"), "");
    save(4, "after");

    assertThat(folders.of(4).resolve("weights")).hasContent("after");
    CheckpointFolders.verify(folders.of(4));
    assertThat(names(target)).containsExactly("checkpoint-4");
  }

  @Test
  void aCheckpointThatCannotBeWrittenLeavesTheEarlierOnesAndSaysHowToGoOn() throws IOException {
    IOException full = new IOException("No space left on device");
    for (OutputFolder.Content failing :
        List.<OutputFolder.Content>of(
            pending -> {
              throw full;
            },
            pending -> {
              throw new UncheckedIOException(full);
            },
            pending -> {
              throw new DpoException("tensors", full);
            })) {
      assertThatThrownBy(() -> folders.save(7, failing))
          .isInstanceOf(DpoException.class)
          .hasMessage(
              "%s could not be saved: No space left on device; make room, check the disk or name"
                  + " another output_dir, and run again",
              folders.of(7));
      assertThat(names(target)).isEmpty();
    }
    save(6, "six");
    assertThatThrownBy(
            () ->
                folders.save(
                    7,
                    pending -> {
                      throw new DpoException("must be finite");
                    }))
        .satisfies(
            e ->
                assertThat(OptionText.flags(((DpoException) e).text()))
                    .endsWith(
                        "could not be saved: must be finite; checkpoint-6 was saved before: make"
                            + " room or check the disk, and repeat the command with"
                            + " --resume_from_checkpoint true"));
    assertThat(names(target)).containsExactly("checkpoint-6");
  }

  /** The process died between the two renames of a replacement, or after them. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theNextRunPutsBackACheckpointThatHasNoReplacement(boolean replaced) throws IOException {
    save(4, "before");
    Files.move(folders.of(4), target.resolve(".dpo4j-previous-checkpoint-4"));
    if (replaced) {
      save(4, "after");
      save(3, "other"); // leaves what is not its own
      Files.createDirectory(target.resolve(".dpo4j-previous-checkpoint-4"));
    }
    open(Existing.RESUME).close();

    assertThat(folders.of(4).resolve("weights")).hasContent(replaced ? "after" : "before");
    assertThat(names(target)).noneMatch(name -> name.startsWith("."));
  }

  private OutputFolder open(Existing existing) {
    return OutputFolder.prepare(target, existing, List.of());
  }

  private void earlierRun() throws IOException {
    save(2, "earlier");
    Files.writeString(target.resolve("metrics.jsonl"), "earlier");
    Files.writeString(target.resolve("dpo4j.yaml"), "earlier");
    Files.createDirectory(target.resolve("nonfinite-step-9"));
    Files.writeString(target.resolve("nonfinite-step-9/dpo4j.yaml"), "earlier");
  }

  @Test
  void aRunThatSavesNothingPutsBackWhatItWasToReplace() throws IOException {
    earlierRun();
    try (OutputFolder run = open(Existing.OVERWRITE)) {
      run.begin();
      assertThat(run.existed()).isTrue();
      assertThat(run.checkpoints().all()).isEmpty();
      Files.writeString(run.metrics(), "new");
      Path reproduction = Files.createDirectory(target.resolve("nonfinite-step-9"));
      Files.writeString(reproduction.resolve("dpo4j.yaml"), "new");
    }
    assertThat(names(target))
        .containsExactly("checkpoint-2", "dpo4j.yaml", "metrics.jsonl", "nonfinite-step-9");
    assertThat(target.resolve("metrics.jsonl")).hasContent("earlier");
    assertThat(target.resolve("nonfinite-step-9/dpo4j.yaml")).hasContent("earlier");
    CheckpointFolders.verify(folders.of(2));
  }

  @Test
  void aRunThatSavedACheckpointHasReplacedTheEarlierOnes() throws IOException {
    earlierRun();
    try (OutputFolder run = open(Existing.OVERWRITE)) {
      run.begin();
      Files.writeString(run.metrics(), "new");
      save(1, "new");
      assertThat(names(target)).doesNotContain(".dpo4j-earlier");
    }
    assertThat(names(target)).containsExactly("checkpoint-1", "dpo4j.yaml", "metrics.jsonl");
    assertThat(target.resolve("metrics.jsonl")).hasContent("new");
  }

  @Test
  void theNextRunForgetsWhatADeadOneHadReplacedByACheckpoint() throws IOException {
    earlierRun();
    Path aside = Files.createDirectory(target.resolve(".dpo4j-earlier"));
    Files.move(folders.of(2), aside.resolve("checkpoint-2"));
    Path whole = Files.createDirectory(folders.of(1));
    Files.writeString(whole.resolve("weights"), "new");
    open(Existing.RESUME).close();

    assertThat(names(target))
        .containsExactly("checkpoint-1", "dpo4j.yaml", "metrics.jsonl", "nonfinite-step-9");
  }

  /** The process died while it set files aside, while it put them back, or between. */
  @ParameterizedTest
  @ValueSource(strings = {".dpo4j-earlier-moving", ".dpo4j-earlier"})
  void theNextRunPutsBackWhatADeadOneHadSetAside(String aside) throws IOException {
    earlierRun();
    Files.createDirectory(target.resolve(aside));
    Files.move(folders.of(2), target.resolve(aside).resolve("checkpoint-2"));
    Files.move(target.resolve("metrics.jsonl"), target.resolve(aside).resolve("metrics.jsonl"));
    if (aside.equals(".dpo4j-earlier")) {
      Files.writeString(target.resolve("metrics.jsonl"), "of the dead run");
    }
    open(Existing.RESUME).close();

    assertThat(names(target))
        .containsExactly("checkpoint-2", "dpo4j.yaml", "metrics.jsonl", "nonfinite-step-9");
    assertThat(target.resolve("metrics.jsonl")).hasContent("earlier");
  }

  @Test
  void metricsOfARunThatSavedNothingAreRemovedFromANewFolder() throws IOException {
    Path fresh = target.resolve("fresh");
    try (OutputFolder run = OutputFolder.prepare(fresh, Existing.REFUSE, List.of())) {
      run.begin();
      assertThat(run.existed()).isFalse();
      Files.writeString(run.metrics(), "{}");
    }
    assertThat(fresh).doesNotExist();
  }

  /** A folder of the user that happens to have the name of ours. */
  @Test
  void eventFilesOfOthersAreNeitherDeletedNorCountedAsOurs() throws IOException {
    Path others = Files.createDirectories(target.resolve("runs/first"));
    Files.writeString(others.resolve("events.out.tfevents.1.host"), "");
    Files.writeString(target.resolve("runs/events.out.tfevents.1.host"), "");
    assertThatThrownBy(() -> open(Existing.REFUSE)).hasMessageContaining("must be new or empty");
    assertThatThrownBy(() -> open(Existing.OVERWRITE))
        .hasMessageContaining("replaces only a folder that a run wrote");
    try (OutputFolder run = open(Existing.RESUME)) {
      run.begin();
      Files.writeString(run.newEvents(warning -> {}).orElseThrow(), "of a run that saves nothing");
      assertThat(names(target.resolve("runs"))).hasSize(3);
    }

    assertThat(names(target.resolve("runs")))
        .containsExactly("events.out.tfevents.1.host", "first");
    assertThat(names(others)).hasSize(1);
  }

  @Test
  void eventsOfARunThatSavesNothingGiveWayToThoseThatItWasToReplace() throws IOException {
    earlierRun();
    Path events = target.resolve("runs/events.out.tfevents.0000000001.dpo4j");
    Files.createDirectory(target.resolve("runs"));
    Files.writeString(events, "earlier");
    try (OutputFolder run = open(Existing.OVERWRITE)) {
      run.begin();
      assertThat(events).doesNotExist();
      Files.writeString(run.newEvents(warning -> {}).orElseThrow(), "new");
    }
    assertThat(names(target.resolve("runs"))).hasSize(1);
    assertThat(events).hasContent("earlier");
  }

  /** TensorBoard goes on to a file whose name comes after that of the last one. */
  @Test
  void aContinuedRunGetsAnEventFileWithALaterName() throws IOException {
    save(1, "");
    Files.createDirectory(target.resolve("runs"));
    try (OutputFolder run = open(Existing.RESUME)) {
      run.begin();
      Path first = Files.writeString(run.newEvents(warning -> {}).orElseThrow(), "");
      Path second = Files.writeString(run.newEvents(warning -> {}).orElseThrow(), "");
      assertThat(first).doesNotExist();
      assertThat(second.toString()).isGreaterThan(first.toString());
    }
    assertThat(names(target.resolve("runs"))).hasSize(1);
  }

  @Test
  void aFolderWithCheckpointsIsContinuedOrReplacedOnlyIfAsked() throws IOException {
    save(2, "");
    assertThatThrownBy(() -> open(Existing.REFUSE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("holds checkpoints of a run")
        .hasMessageContaining("pass resume_from_checkpoint true to continue");
    open(Existing.RESUME).close();
    open(Existing.OVERWRITE).close(); // its list of checksums shows that a run wrote it
    CheckpointFolders.verify(folders.of(2));

    Files.delete(folders.of(2).resolve("SHA256SUMS"));
    assertThatThrownBy(() -> open(Existing.OVERWRITE))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("only a folder that a run wrote");

    Files.move(folders.of(2), target.resolve("notes"));
    assertThatThrownBy(() -> open(Existing.REFUSE))
        .hasMessageContaining("holds files")
        .hasMessageContaining("name another folder, or pass overwrite_output_dir");
  }

  @Test
  void severalFilesAreWrittenAtOnceOrTheFailureNamesTheFolder() throws IOException {
    try (OutputFolder run = open(Existing.REFUSE)) {
      assertThatThrownBy(
              () ->
                  run.writeAll(
                      pending -> {
                        throw new DpoException("model", new IOException("disk full"));
                      }))
          .hasMessageStartingWith("%s cannot be written: disk full; nothing".formatted(target));
      assertThatThrownBy(
              () ->
                  run.writeAll(
                      pending -> {
                        throw new DpoException("must be finite");
                      }))
          .hasMessage("must be finite");
      run.writeAll(pending -> Files.writeString(pending.resolve("a"), "1"));
      assertThat(run.published()).isFalse();
      run.publish();
      assertThat(run.published()).isTrue();
      assertThatThrownBy(() -> run.writeAll(pending -> {}))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> run.write("b", file -> {}))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(run::begin).isInstanceOf(IllegalStateException.class);
    }
    assertThat(names(target)).containsExactly("a");
  }
}
