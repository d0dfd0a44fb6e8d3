package org.dpo4j.weights;

import java.util.Map;

/**
 * What a checkpoint calls a model's weights.
 *
 * @param inFile the name in the file by the name that the model asks for
 * @param copies further names in the file, by name, of a weight that the model asks for: a head
 *     that is stored although it is the embedding table
 */
public record WeightNames(Map<String, String> inFile, Map<String, String> copies) {

  public WeightNames {
    inFile = Map.copyOf(inFile);
    copies = Map.copyOf(copies);
  }
}
