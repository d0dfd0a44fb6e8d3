package org.dpo4j.weights;

import java.util.Map;

/**
 * The names of a model's weights in a checkpoint.
 *
 * @param inFile maps names in the model to names in the file
 * @param copies maps additional names in the file to names of the same weight: a tied head that is
 *     stored as well
 */
record WeightNames(Map<String, String> inFile, Map<String, String> copies) {

  WeightNames {
    inFile = Map.copyOf(inFile);
    copies = Map.copyOf(copies);
  }

  /** The name in the file of a weight of the model. */
  String nameInFile(String name) {
    return inFile.getOrDefault(name, name);
  }
}
