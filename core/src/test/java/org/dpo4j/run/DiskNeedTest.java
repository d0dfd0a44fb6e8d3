package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.Checkpoint;
import org.dpo4j.weights.ModelBlueprint;
import org.dpo4j.weights.ModelFolders;
import org.junit.jupiter.api.Test;

/** Closes: a disk that is full because of tensors that are copied, whose type is not chosen. */
class DiskNeedTest {

  @Test
  void otherTowersKeepTheirSize() {
    Path folder = ModelFolders.fixture("families/gemma3");
    ModelBlueprint blueprint = ModelBlueprint.read("model", folder);
    Checkpoint text = blueprint.checkpoint();
    long elements = blueprint.shape().parameters();
    assertThat(text.otherTowerBytes()).isPositive();

    DiskNeed model = DiskNeed.ofModel(text, ElementType.F32);
    DiskNeed adapter = DiskNeed.of(text, 10, ElementType.F32);

    assertThat(model.weights()).isEqualTo(4 * elements);
    assertThat(model.files()).isEqualTo(adapter.files() + text.otherTowerBytes());
    assertThat(model.most()).isEqualTo(model.weights() + model.files());
    assertThat(DiskNeed.ofModel(text, ElementType.BF16).files()).isEqualTo(model.files());
  }
}
