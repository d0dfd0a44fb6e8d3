package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.dpo4j.DpoException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.report.RunOutput;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.PeftAdapter;

/**
 * Checks that an adapter is attached to the model that it was trained on. It compares the hash in
 * the adapter. If the adapter has none, it hashes the model that the adapter names, if that model
 * exists on this machine. A name alone is no proof, since folders are moved and renamed.
 */
final class AdapterCheck {

  private AdapterCheck() {}

  /**
   * Prints a note or warning if the models differ or may differ.
   *
   * @param folder of the adapter
   * @return a sentence if the model certainly differs; else empty
   */
  static Optional<String> run(
      Path folder, PeftAdapter adapter, LoadedModel base, RunOutput output) {
    if (!adapter.unknownKeys().isEmpty()) {
      output.note(
          "[%s] has keys that PEFT 0.21 does not know, which are ignored: %s; if a newer PEFT wrote"
                  .formatted(
                      folder.resolve(PeftAdapter.CONFIG), String.join(", ", adapter.unknownKeys()))
              + " the adapter, it may compute something else with them");
    }
    Optional<String> other = otherModel(folder, adapter, base);
    other.ifPresent(output::warn);
    if (other.isEmpty() && adapter.baseSha256().isEmpty()) {
      adapter
          .baseName()
          .filter(name -> !names(name, base))
          .ifPresent(
              name ->
                  output.note(
                      "the adapter %s names %s as its model and is put on %s; check that these are"
                              .formatted(folder, name, base.folder().path())
                          + " the same weights"));
    }
    return other;
  }

  private static Optional<String> otherModel(Path folder, PeftAdapter adapter, LoadedModel base) {
    if (adapter.baseSha256().isPresent()) {
      String has = adapter.baseSha256().get();
      return has.equals(base.checkpoint().sha256())
          ? Optional.empty()
          : Optional.of(
              words(folder, base, has, adapter.baseName().map(" (%s)"::formatted).orElse("")));
    }
    return adapter
        .baseName()
        .filter(name -> !names(name, base))
        .flatMap(AdapterCheck::modelFolder)
        .flatMap(named -> otherModel(folder, named, base));
  }

  private static Optional<String> otherModel(Path folder, Path named, LoadedModel base) {
    try {
      String has = Checkpoint.open(named).sha256();
      return has.equals(base.checkpoint().sha256())
          ? Optional.empty()
          : Optional.of(words(folder, base, has, " (%s)".formatted(named)));
    } catch (DpoException e) {
      return Optional.empty(); // that model is not an input of this run, so it may be damaged
    }
  }

  private static String words(Path folder, LoadedModel base, String sha256, String name) {
    return "the adapter %s was trained on other weights than those of %s: sha256 %s%s, not %s; pass"
            .formatted(
                folder,
                base.folder().path(),
                RunDescriptions.shortHash(sha256),
                name,
                RunDescriptions.shortHash(base.checkpoint().sha256()))
        + " the model that it was trained on";
  }

  /** The model folder of a name, if it exists on this machine. */
  private static Optional<Path> modelFolder(String name) {
    try {
      Path path = Path.of(name);
      return Files.exists(path.resolve("config.json")) ? Optional.of(path) : Optional.empty();
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  /**
   * Whether the model's path contains the last part of the name, or its form in the hub's cache.
   */
  private static boolean names(String name, LoadedModel base) {
    String[] parts = name.toLowerCase(Locale.ROOT).split("[/\\\\]+");
    String last = parts.length == 0 ? "" : parts[parts.length - 1];
    return StreamSupport.stream(FileTrees.real(base.folder().path()).spliterator(), false)
        .map(part -> part.toString().toLowerCase(Locale.ROOT))
        .anyMatch(part -> part.equals(last) || part.endsWith("--" + last));
  }
}
