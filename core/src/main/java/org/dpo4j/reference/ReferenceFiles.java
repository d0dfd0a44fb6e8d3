package org.dpo4j.reference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.data.Sha256;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.ModelFolder;
import org.dpo4j.weights.PeftAdapter;

/**
 * The identity of a reference: the SHA-256 of the files that it was read from.
 *
 * @param weights of the weight files, as {@link Checkpoint#sha256}
 * @param config of {@code config.json}
 * @param adapter of the adapter on the model, if there is one
 */
public record ReferenceFiles(String weights, String config, Optional<Adapter> adapter) {

  /**
   * An adapter's files.
   *
   * @param weights of its weight file
   * @param config of its {@code adapter_config.json}
   */
  public record Adapter(String weights, String config) {}

  /**
   * Reads the files of a model once.
   *
   * @param option that names the folder, for messages
   * @param adapter the folder of the adapter that is on
   * @throws DpoException if a file cannot be read
   */
  public static ReferenceFiles of(String option, Path model, Optional<Path> adapter) {
    return of(option, Checkpoint.open(model), adapter);
  }

  /** The same of a checkpoint that is open, whose weights are hashed once. */
  public static ReferenceFiles of(String option, Checkpoint checkpoint, Optional<Path> adapter) {
    Path model = checkpoint.folder();
    String weights = checkpoint.sha256();
    Optional<String> adapterWeights = adapter.map(path -> Checkpoint.openAdapter(path).sha256());
    Path config = ModelFolder.of(option, model).config().file();
    try {
      return new ReferenceFiles(
          weights,
          Sha256.of(config),
          adapterWeights.isEmpty()
              ? Optional.empty()
              : Optional.of(
                  new Adapter(
                      adapterWeights.get(),
                      Sha256.of(adapter.orElseThrow().resolve(PeftAdapter.CONFIG)))));
    } catch (IOException e) {
      throw new DpoException(
          "["
              + model
              + "] could not be read: "
              + (Interruption.caused(e) ? Interruption.REASON : e.getMessage()),
          e);
    }
  }

  /** What a fingerprint is made of, by name. */
  public Map<String, String> parts() {
    Map<String, String> parts = new LinkedHashMap<>();
    parts.put("weights", weights);
    parts.put("config", config);
    adapter.ifPresent(
        files -> {
          parts.put("adapter weights", files.weights());
          parts.put("adapter config", files.config());
        });
    return parts;
  }

  /**
   * The SHA-256 of the files that make up a model's tokenizer and chat template, by their names.
   */
  public static Map<String, String> textSide(Path model) throws IOException {
    Map<String, String> hashes = new LinkedHashMap<>();
    for (String name : List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")) {
      if (Files.isRegularFile(model.resolve(name))) {
        hashes.put(name, Sha256.of(model.resolve(name)));
      }
    }
    return hashes;
  }
}
