package org.dpo4j.plan;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.lora.LoraConfig;

/**
 * The sizes of what is trained in place of a model's own weights.
 *
 * @param parameters all trained numbers
 * @param factors those of the adapter's factors that are used once for every token, which the
 *     entries of a table are not; of the experts those that a token uses
 * @param ranks the sum of the ranks over all layers that have factors
 * @param magnitudes DoRA's: the sum of the outputs of all layers that have factors; else 0
 * @param frozenHead whether the head has nothing to train: no weights, no factors and no bias
 */
public record AdapterShape(
    long parameters, long factors, long ranks, long magnitudes, boolean frozenHead) {

  private static final String HEAD = "(.*\\.)?(lm_head|embed_out|output_projection)";
  private static final String HEAD_OR_TABLE =
      "(.*\\.)?(lm_head|embed_out|output_projection|embed_tokens|embed_in|wte|word_embeddings)";

  /**
   * The sizes of an adapter on a model. Of modules that are trained in full, embedding table and
   * head are counted; the others are small.
   *
   * @param biases number of the model's biases that are trained
   */
  public static AdapterShape of(LoraConfig config, ModelShape shape, long biases) {
    List<ModelShape.LinearShape> linears = new ArrayList<>();
    for (int layer = 0; layer < shape.layers(); layer++) {
      String block = shape.blocks() + "." + layer + ".";
      shape.linears().get(layer).stream()
          .map(
              linear ->
                  new ModelShape.LinearShape(block + linear.path(), linear.in(), linear.out()))
          .forEach(linears::add);
    }
    boolean tiedHead = shape.tiedHead() && config.adaptsTied();
    if (!tiedHead) {
      linears.add(new ModelShape.LinearShape(shape.head(), shape.hiddenSize(), shape.vocabSize()));
    }
    long factors = 0;
    long ranks = 0;
    long outputs = 0;
    long ofTable = 0;
    if (tiedHead || config.adaptsTable(shape.table())) {
      long rank = config.rank(shape.table());
      ofTable = rank * (shape.vocabSize() + shape.hiddenSize());
      factors += rank * shape.hiddenSize() + (tiedHead ? ofTable : 0);
      ranks += tiedHead ? rank : 0;
    }
    long parameters = 0;
    for (ModelShape.LinearShape linear : linears) {
      if (config.adapts(linear.path())) {
        int rank = config.rank(linear.path());
        factors += rank * (linear.in() + linear.out());
        parameters += rank * (linear.in() + linear.out());
        ranks += rank;
        outputs += linear.out();
      }
    }
    for (ModelShape.ParameterShape of : shape.parameterShapes()) {
      if (config.layers().selectsParameter(of.path())) {
        long rank = config.rank(of.path());
        factors += of.used() * rank * (of.in() + of.out());
        parameters += of.matrices() * rank * (of.in() + of.out());
        ranks += of.used() * rank;
      }
    }
    long heads = named(config, shape.tiedHead() ? HEAD_OR_TABLE : HEAD);
    long matrices = shape.tiedHead() ? Math.min(1, heads) : named(config, HEAD_OR_TABLE);
    long magnitudes = config.dora() ? outputs : 0;
    parameters += ofTable + magnitudes + matrices * shape.headWeights() + biases;
    boolean adapted = tiedHead || config.adapts(shape.head());
    return new AdapterShape(
        parameters,
        factors,
        ranks,
        magnitudes,
        heads == 0 && !adapted && config.bias() != LoraConfig.Bias.ALL);
  }

  /** The same for an engine that treats a frozen head as a trained one. */
  public AdapterShape withTrainedHead() {
    return new AdapterShape(parameters, factors, ranks, magnitudes, false);
  }

  private static long named(LoraConfig config, String modules) {
    return config.modulesToSave().stream().filter(name -> name.matches(modules)).count();
  }
}
