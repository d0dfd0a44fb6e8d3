package org.dpo4j.run;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.Sha256;
import org.dpo4j.encode.ExampleDigest;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.weights.Checkpoint;
import org.jspecify.annotations.Nullable;

/** Hashes of what a run reads: a checkpoint is continued only with the same inputs. */
final class RunIdentity {

  static final String NONE = "none";

  /**
   * A part of the identity.
   *
   * @param name in the checkpoint's state and in messages
   * @param option that gives it
   * @param decides whether another value makes another run
   */
  record Part(String name, String option, boolean decides) {}

  private static final Part MODEL = new Part("the model", "model", true);
  private static final Part ADAPTER = new Part("the adapter that was continued", "adapter", true);
  private static final Part TEMPLATE = new Part("the chat template", "chat_template", true);
  private static final Part REFERENCE = new Part("the reference model", "ref_model", true);
  static final Part PAIRS = new Part("the training data", "data_file", true);
  private static final Part HELD_OUT = new Part("the held-out data", "eval_file", false);

  static final List<Part> PARTS = List.of(MODEL, ADAPTER, TEMPLATE, REFERENCE, PAIRS, HELD_OUT);

  private final TrainingConfig config;
  private final ModelBundle inputs;
  private final TrainingExamples pairs;
  private final Optional<ReferenceFiles> reference;
  private @Nullable Map<String, String> hashes;

  /**
   * An identity that is computed when it is needed; until then model and pairs must be open.
   *
   * @param reference files of the reference model, if there is one
   */
  RunIdentity(
      TrainingConfig config,
      ModelBundle inputs,
      TrainingExamples pairs,
      Optional<ReferenceFiles> reference) {
    this.config = config;
    this.inputs = inputs;
    this.pairs = pairs;
    this.reference = reference;
  }

  /**
   * The hashes by the names of {@link #PARTS}. The first call reads all pairs and hashes the
   * model's files, if that was not done before: a run without checkpoints never pays for it.
   */
  Map<String, String> hashes() {
    Map<String, String> known = hashes;
    if (known == null) {
      known = compute();
      hashes = known;
    }
    return known;
  }

  private Map<String, String> compute() {
    Map<String, String> identity = new LinkedHashMap<>();
    identity.put(MODEL.name(), inputs.loaded().checkpoint().sha256());
    identity.put(
        ADAPTER.name(),
        config
            .model()
            .adapter()
            .map(folder -> Checkpoint.openAdapter(folder).sha256())
            .orElse(NONE));
    // That of an adapter's folder is an input of older checkpoints too, which have no hash of it.
    String template =
        config.template().chatTemplate().isPresent() ? inputs.replaced().source() : null;
    identity.put(
        TEMPLATE.name(),
        template == null ? NONE : Sha256.of(template.getBytes(StandardCharsets.UTF_8)));
    identity.put(REFERENCE.name(), reference.map(files -> files.parts().toString()).orElse(NONE));
    identity.put(PAIRS.name(), ExampleDigest.of(pairs.training().examples()));
    identity.put(
        HELD_OUT.name(),
        pairs.heldOut().isEmpty()
            ? NONE
            : pairs.heldOut().stream()
                .map(held -> named(held.name(), ExampleDigest.of(held.dataset().examples())))
                .collect(Collectors.joining(", ")));
    return identity;
  }

  private static String named(String name, String digest) {
    return name.isEmpty() ? digest : name + " " + digest;
  }
}
