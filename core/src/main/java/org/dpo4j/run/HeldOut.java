package org.dpo4j.run;

import java.util.Optional;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.ExampleDataset;

/**
 * Examples that are evaluated together.
 *
 * @param name of the evaluation set; empty if a run has a single one without a name
 * @param files that they are read from; empty for a share of the training files
 * @param dataset the examples
 */
record HeldOut(String name, Optional<DataInput> files, ExampleDataset dataset) {

  /** How headers and cards name the set. */
  String use() {
    return "held-out evaluation" + (name.isEmpty() ? "" : " " + name);
  }

  int size() {
    return dataset.examples().size();
  }
}
