package org.dpo4j.weights;

import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.Tensors;

/**
 * A reward model as transformers' {@code AutoModelForSequenceClassification} has it: the blocks of
 * a causal language model, and a head {@code score} of one output for the last token that is not
 * padding.
 *
 * @param body whose own head is of no use
 * @param score the head, shape (1, hidden)
 * @param padding id of padding; {@link #NO_ID} for none
 */
public record RewardModel(CausalLm body, Tensor score, int padding) implements AutoCloseable {

  /** No token. */
  public static final int NO_ID = -1;

  private static final String SUFFIX = "ForSequenceClassification";

  /**
   * Reads config and weights.
   *
   * @param option that names the folder, for messages
   * @throws UsageException if there is no such folder
   * @throws DpoException if config and weights do not describe a supported reward model
   */
  public static RewardModel open(String option, Path folder) {
    ModelFolder modelFolder = ModelFolder.of(option, folder);
    HuggingFaceConfig config = modelFolder.config();
    String named = config.texts("architectures").flatMap(n -> n.stream().findFirst()).orElse("");
    if (!named.endsWith(SUFFIX)) {
      throw config.mustBe("architectures", "[\"..." + SUFFIX + "\"] in a reward model");
    }
    if (config.section(HuggingFaceConfig.TEXT).isPresent()) {
      throw config.notSupported(HuggingFaceConfig.TEXT, "a reward model of text alone");
    }
    ModelPlan plan = ModelReader.plan(modelFolder, config).withoutHead();
    Checkpoint checkpoint = Checkpoint.open(folder);
    try (StrictLoad load =
        new StrictLoad(
            checkpoint,
            plan.rules(),
            new WeightMemory(WeightStorage.AS_STORED, ComputeDevice.CPU),
            plan.config().blocks())) {
      CausalLm body = plan.build(load);
      long hidden = body.embeddingTables().get(0).table().size(1);
      Tensor score = load.take("score.weight", ParameterSource.Kind.MATRIX, 1, hidden);
      load.finish();
      return new RewardModel(body, score, config.integer("pad_token_id", NO_ID));
    }
  }

  @Override
  public void close() {
    body.close();
    Tensors.free(score);
  }
}
