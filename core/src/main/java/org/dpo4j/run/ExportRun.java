package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PendingFile;
import org.dpo4j.gguf.GgufExport;
import org.dpo4j.gguf.GgufType;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.StreamedModel;

/** Writes a model, or a model with its adapter merged, as a file of another format. */
public final class ExportRun {

  private ExportRun() {}

  /**
   * Writes the file and, on request, verifies it; it appears when it is complete.
   *
   * @throws DpoException if an input cannot be used, the format has no exact form of it, or the
   *     file cannot be written
   */
  public static void run(ExportConfig config, RunOutput output) {
    run(config, output, DiskSpace.OF_MACHINE);
  }

  /** As above with another disk, for tests. */
  static void run(ExportConfig config, RunOutput output, DiskSpace disk) {
    config.checkInputs();
    Path target = config.output().toAbsolutePath().normalize();
    checkTarget(config, target);
    TextReplacement replaced = TextReplacement.NONE.orOfAdapter(config.adapter(), config.model());
    try (Engine.Threads threads = Engine.use(0);
        ModelTokenizer tokenizer = ModelBundle.tokenizer(config.model(), replaced, output);
        StreamedModel model = StreamedModel.open("model", config.model())) {
      ModelBundle.noteUnread(model.config(), output);
      config
          .adapter()
          .ifPresent(
              adapter ->
                  AdapterCheck.run(
                      adapter, model.adapt("adapter", adapter), model.skeleton(), output));
      GgufType type =
          Optional.ofNullable(config.outtype().type())
              .orElseGet(() -> GgufExport.typeOf(model.checkpoint().dtype()));
      GgufExport export =
          GgufExport.of(
              name(config.model()),
              model,
              TokenizerParts.read(config.model(), replaced),
              tokenizer,
              model.skeleton().endTokenIds(),
              type);
      export.notes().forEach(output::note);
      requireSpace(export, config, disk);
      write(export, config, target, output);
    }
  }

  private static void checkTarget(ExportConfig config, Path target) {
    if (Files.exists(target)) {
      throw new UsageException(
          "output",
          "must be a new file",
          "%s is there".formatted(config.output()),
          "name another file, or remove it");
    }
    Path folder = target.getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new UsageException(
          "output",
          "must be in a folder that exists",
          "%s is none".formatted(folder),
          "make the folder, or name another file");
    }
  }

  private static String name(Path model) {
    Path name = model.toAbsolutePath().normalize().getFileName();
    return name == null ? "model" : name.toString();
  }

  private static void requireSpace(GgufExport export, ExportConfig config, DiskSpace disk) {
    disk.usable(config.output().toAbsolutePath())
        .ifPresent(
            free -> {
              if (free < export.bytes()) {
                throw new DpoException(
                    OptionText.of(
                        "[%s] needs %s but the disk has %s left; free space, or pass a smaller {outtype}",
                        config.output(), MemorySize.text(export.bytes()), MemorySize.text(free)));
              }
            });
  }

  private static void write(GgufExport export, ExportConfig config, Path target, RunOutput output) {
    Path folder = target.getParent();
    if (folder != null) {
      PendingFile.removeStale(folder, String.valueOf(target.getFileName()));
    }
    try (PendingFile pending = PendingFile.create(target);
        InterruptedOutput interruption =
            InterruptedOutput.watch(
                output, () -> "interrupted: %s was not written".formatted(config.output()))) {
      pending.path().toFile().deleteOnExit(); // Ctrl-C
      export.write(config.output(), pending.channel());
      if (config.verify()) {
        export.verify(pending.path());
      }
      pending.publish();
      output
          .out()
          .println(
              "%s: architecture %s, %d tensors, %s%s"
                  .formatted(
                      config.output(),
                      export.architecture(),
                      export.tensorCount(),
                      MemorySize.text(Files.size(target)),
                      config.verify() ? "; read back, and equal to the model" : ""));
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be written: %s"
              .formatted(config.output(), FileFailure.reason(e, config.output())),
          e);
    }
  }
}
