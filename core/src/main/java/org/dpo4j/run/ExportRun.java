package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.PendingFile;
import org.dpo4j.gguf.GgufExport;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.torch.Engine;
import org.dpo4j.weights.StreamedModel;

/** Writes a model, a model with its adapter merged, or an adapter as a file of another format. */
public final class ExportRun {

  private static final String GGUF = ".gguf";
  private static final String MODELFILE = ".Modelfile";

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
    try (Engine.Threads threads = Engine.use(0);
        StreamedModel model = StreamedModel.open("model", config.model())) {
      ModelBundle.noteUnread(model.config(), output);
      config
          .adapter()
          .ifPresent(
              adapter ->
                  AdapterCheck.run(
                      adapter, model.adapt("adapter", adapter), model.skeleton(), output));
      Described described = described(config, target, model, output);
      described.export().notes().forEach(output::note);
      if (config.adapter().isPresent() && described.export().rounds()) {
        output.note(
            OptionText.of(
                "the merged weights are rounded to %s, which loses a part of what the adapter changed; {outtype} f32 keeps all of it",
                described.export().type()));
      }
      requireSpace(described.export(), config, disk);
      write(described, config, target, output);
    }
  }

  /**
   * What is written.
   *
   * @param modelfile text of the description for Ollama
   */
  private record Described(GgufExport export, String modelfile) {}

  private static Described described(
      ExportConfig config, Path target, StreamedModel model, RunOutput output) {
    TextReplacement replaced = TextReplacement.NONE.orOfAdapter(config.adapter(), config.model());
    List<Integer> ends = model.skeleton().endTokenIds();
    TokenizerParts tokenizer = TokenizerParts.read(config.model(), replaced);
    tokenizer.differences().forEach(output::warn);
    if (config.adapterOnly()) {
      String adapter = name(config.adapter().orElseThrow());
      return new Described(
          GgufExport.ofAdapter(adapter, model),
          GgufExport.modelfile(
              name(config.model()) + GGUF, Optional.of(fileName(target)), tokenizer, ends));
    }
    return new Described(
        GgufExport.of(name(config.model()), model, tokenizer, ends, config.outtype()),
        GgufExport.modelfile(fileName(target), Optional.empty(), tokenizer, ends));
  }

  private static void checkTarget(ExportConfig config, Path target) {
    for (Path file : new Path[] {target, modelfile(target)}) {
      if (Files.exists(file)) {
        throw new UsageException(
            "output",
            "must be a new file, and so must the Modelfile beside it,",
            "%s is there"
                .formatted(file.equals(target) ? config.output() : modelfile(config.output())),
            Files.isDirectory(file) ? "name a file in it" : "name another file, or remove it");
      }
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

  /** The description of a file for Ollama, which is beside it. */
  private static Path modelfile(Path file) {
    return file.resolveSibling(withoutEnd(file) + MODELFILE);
  }

  private static String withoutEnd(Path file) {
    return fileName(file).replaceFirst("(?i)\\.gguf$", "");
  }

  private static String fileName(Path file) {
    return String.valueOf(file.getFileName());
  }

  private static String name(Path folder) {
    return fileName(folder.toAbsolutePath().normalize());
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

  private static void write(
      Described described, ExportConfig config, Path target, RunOutput output) {
    GgufExport export = described.export();
    Path folder = target.getParent();
    if (folder != null) {
      PendingFile.removeStale(folder, fileName(target));
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
      Files.writeString(modelfile(target), described.modelfile(), StandardOpenOption.CREATE_NEW);
      output
          .out()
          .println(
              "%s: architecture %s, %d tensors, %s%s"
                  .formatted(
                      config.output(),
                      export.architecture(),
                      export.tensorCount(),
                      MemorySize.text(Files.size(target)),
                      config.verify()
                          ? "; read back, and equal to the model" + rounded(export)
                          : ""));
      explain(config, output);
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be written: %s"
              .formatted(config.output(), FileFailure.reason(e, config.output())),
          e);
    }
  }

  private static String rounded(GgufExport export) {
    return export.rounds() ? ", rounded to " + export.type() : "";
  }

  /** A path as a shell reads it. */
  private static String quoted(Object path) {
    String text = path.toString();
    return text.matches("[A-Za-z0-9_./:=+-]+") ? text : "'" + text.replace("'", "'\\''") + "'";
  }

  private static void explain(ExportConfig config, RunOutput output) {
    Path file = config.output();
    String base = name(config.model()) + GGUF;
    String tag =
        withoutEnd(file)
            .toLowerCase(Locale.ROOT)
            .replaceAll("[^a-z0-9._]+", "-")
            .replaceAll("^[-.]+|[-.]+$", "");
    if (tag.isEmpty()) {
      tag = "model";
    }
    output
        .out()
        .println(
            config.adapterOnly()
                ? "  in llama.cpp: llama-cli -m %s --lora %s, after ./dpo4j export --model %s --output %s"
                    .formatted(
                        quoted(base),
                        quoted(file),
                        quoted(config.model()),
                        quoted(file.resolveSibling(base)))
                : "  in llama.cpp: llama-cli -m %s".formatted(quoted(file)));
    output
        .out()
        .println(
            "  in Ollama: ollama create %s -f %s, then ollama run %s"
                .formatted(tag, quoted(modelfile(file)), tag));
  }
}
