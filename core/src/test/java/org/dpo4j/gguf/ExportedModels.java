package org.dpo4j.gguf;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.StreamedModel;

/** The tiny models of the fixtures, with tokenizers, as files. */
final class ExportedModels {

  private ExportedModels() {}

  /** The names of all fixtures: a family's folder, or "models/" and that of a model. */
  static List<String> names() throws IOException {
    List<String> names = new ArrayList<>();
    try (Stream<Path> families = Files.list(ModelFolders.fixture("families"));
        Stream<Path> models = Files.list(ModelFolders.fixture("models"))) {
      families.map(path -> path.getFileName().toString()).sorted().forEach(names::add);
      models.map(path -> "models/" + path.getFileName()).sorted().forEach(names::add);
    }
    return names;
  }

  /** A copy of a fixture in a folder, with a tokenizer. */
  static Path copy(String name, Path folder) throws IOException {
    boolean model = name.startsWith("models/");
    Path fixture = ModelFolders.fixture(model ? name : "families/" + name);
    Path copy = Files.createDirectories(folder.resolve(name.replace("models/", "model_")));
    try (Stream<Path> files = Files.list(fixture)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName().toString()));
      }
    }
    if (!model) {
      Files.writeString(copy.resolve("tokenizer.json"), tokenizer(48));
      Files.writeString(copy.resolve("tokenizer_config.json"), "{}");
    } else if (!Files.exists(copy.resolve("tokenizer.json"))) {
      Files.copy(
          ModelFolders.fixture("models/llama/tokenizer.json"), copy.resolve("tokenizer.json"));
    }
    return copy;
  }

  /** A byte-level tokenizer whose tokens are single characters from "!" on. */
  static String tokenizer(int size) {
    StringBuilder vocabulary = new StringBuilder();
    for (int id = 0; id < size; id++) {
      String text = String.valueOf((char) ('!' + id)).replaceAll("[\"\\\\]", "\\\\$0");
      vocabulary.append(id == 0 ? "" : ", ").append("\"%s\": %d".formatted(text, id));
    }
    return """
        {"version": "1.0", "added_tokens": [], "normalizer": null,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
          "use_regex": true},
         "post_processor": null,
         "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
          "use_regex": true},
         "model": {"type": "BPE", "vocab": {%s}, "merges": []}}
        """
        .formatted(vocabulary);
  }

  /** What a model is exported as. */
  static GgufExport described(StreamedModel model, GgufType type) {
    Path folder = model.skeleton().folder().path();
    return GgufExport.of(
        folder.getFileName().toString(),
        model,
        TokenizerParts.read(folder, TextReplacement.NONE),
        model.skeleton().endTokenIds(),
        GgufExport.OutType.valueOf(type.name()));
  }

  /** Writes a model to a file. */
  static Path export(Path model, GgufType type, Path file) throws IOException {
    try (StreamedModel streamed = StreamedModel.open("model", model)) {
      write(described(streamed, type), file);
    }
    return file;
  }

  static void write(GgufExport export, Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      export.write(file, channel);
    }
  }

  /** All tensors of a file, fp32, in the caller's scope. */
  static Map<String, Tensor> tensors(Path path) {
    GgufFile file = GgufFile.open(path);
    Map<String, Tensor> tensors = new TreeMap<>();
    file.entries()
        .forEach(
            (name, entry) -> {
              long columns = entry.shape().get(entry.shape().size() - 1);
              tensors.put(
                  name,
                  file.rows(entry, columns, 0, entry.elements() / columns)
                      .view(entry.shape().stream().mapToLong(Long::longValue).toArray()));
            });
    return tensors;
  }
}
