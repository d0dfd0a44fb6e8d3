package org.dpo4j.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.encode.EncodingLimits;
import org.dpo4j.encode.ExampleEncoder;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.options.MemorySize;
import org.dpo4j.report.RunOutput;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.HuggingFaceConfig;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelBlueprint;
import org.dpo4j.weights.ModelFolder;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.ModelWriter;
import org.dpo4j.weights.PeftAdapter;

/**
 * An opened model folder: weights, tokenizer and optional adapter.
 *
 * @param loaded the model, without gradients
 * @param adapter the adapter on the model
 * @param tokenizer the text side
 * @param replaced what of the text side is not the folder's
 */
public record ModelBundle(
    LoadedModel loaded,
    Optional<PeftAdapter> adapter,
    ModelTokenizer tokenizer,
    TextReplacement replaced)
    implements AutoCloseable {

  /** Generation keeps weights in fp32 that take at most this part of the machine's memory. */
  private static final int PART_OF_MEMORY = 4;

  /**
   * How weights are kept for generation, which multiplies a row at a time: widening a matrix takes
   * longer than that, so it is done only where memory is short.
   */
  private static WeightMemory forAnswers(Path folder, ComputeDevice device) {
    long wide = ModelBlueprint.read("model", folder).shape().parameters() * Float.BYTES;
    boolean fits = wide <= MemorySize.ofMachine() / PART_OF_MEMORY;
    return new WeightMemory(fits ? WeightStorage.FP32 : WeightStorage.AS_STORED, device);
  }

  /**
   * Opens a model whose weights are kept in some way, with an adapter if one is given.
   *
   * @param output receives warnings about the adapter
   */
  static ModelBundle open(
      Path folder,
      Optional<Path> adapter,
      TextReplacement replaced,
      WeightMemory memory,
      RunOutput output) {
    return open(
        folder,
        replaced.orOfAdapter(adapter, folder),
        () -> memory,
        loaded -> adapter(adapter, loaded, output),
        output);
  }

  /**
   * Opens a model to generate from, with an adapter if one is given.
   *
   * @param replaced is used in place of the folder's tokenizer and chat template
   * @param output receives warnings about the adapter
   */
  public static ModelBundle open(
      Path folder,
      Optional<Path> adapter,
      TextReplacement replaced,
      ComputeDevice device,
      RunOutput output) {
    return open(
        folder,
        replaced.orOfAdapter(adapter, folder),
        () -> forAnswers(folder, device),
        loaded -> adapter(adapter, loaded, output),
        output);
  }

  private static Optional<PeftAdapter> adapter(
      Optional<Path> folder, LoadedModel loaded, RunOutput output) {
    return folder.map(
        path -> {
          PeftAdapter opened = PeftAdapter.open("adapter", path, loaded);
          try {
            AdapterCheck.run(path, opened, loaded, output);
            return opened;
          } catch (RuntimeException e) {
            opened.close();
            throw e;
          }
        });
  }

  /**
   * A model with what {@code adapter} puts on it.
   *
   * @param memory of the model's weights
   */
  static ModelBundle open(
      Path folder,
      TextReplacement replaced,
      Supplier<WeightMemory> memory,
      Function<LoadedModel, Optional<PeftAdapter>> adapter,
      RunOutput output) {
    ModelTokenizer tokenizer = tokenizer(folder, replaced, output);
    try {
      LoadedModel loaded = ModelReader.open("model", folder, memory.get());
      noteUnread(loaded.config(), output);
      try {
        return new ModelBundle(loaded, adapter.apply(loaded), tokenizer, replaced);
      } catch (RuntimeException e) {
        loaded.close();
        throw e;
      }
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  /** Reads the tokenizer alone; warns where its ids differ from TRL's. */
  static ModelTokenizer tokenizer(Path folder, TextReplacement replaced, RunOutput output) {
    ModelTokenizer tokenizer = replaced.read(folder);
    tokenizer.differences().forEach(output::warn);
    return tokenizer;
  }

  /** Notes the keys of a config that were not read. */
  static void noteUnread(HuggingFaceConfig config, RunOutput output) {
    List<String> unread = config.unread();
    if (!unread.isEmpty()) {
      output.note(
          "config.json has keys that are not known here and not used: "
              + String.join(", ", unread));
    }
  }

  /** The model, with its adapter if there is one. */
  public CausalLm model() {
    return adapter.<CausalLm>map(PeftAdapter::model).orElse(loaded.model());
  }

  /**
   * Writes the adapter if there is one, else the model, with the tokenizer and the chat template.
   *
   * @param folder must exist
   * @param type of the saved weights
   */
  void write(Path folder, ElementType type) {
    if (adapter.isPresent()) {
      adapter.get().write(folder, loaded, type);
    } else {
      new ModelWriter().write(folder, loaded, loaded.model(), type);
    }
    writeText(folder, replaced, loaded.folder().path());
  }

  /**
   * Writes what replaces the tokenizer and the chat template of a model, and can be saved.
   *
   * @param folder has the model's files
   * @return the parts that were written, in words
   */
  static List<String> writeText(Path folder, TextReplacement replaced, Path model) {
    List<String> written = new ArrayList<>();
    replaced
        .tokenizerJson(model)
        .ifPresent(
            json -> {
              ModelFolder.replaceTokenizer(folder, json);
              written.add("tokenizer");
            });
    if (replaced.source() != null) {
      ModelFolder.replaceChatTemplate(folder, replaced.source());
      written.add("chat template");
    }
    return written;
  }

  /** Ids that end a completion. */
  public Set<Integer> endTokens() {
    Set<Integer> ids = new HashSet<>(loaded.endTokenIds());
    tokenizer.specialTokens().eosId(tokenizer.text()).ifPresent(ids::add);
    return ids;
  }

  /**
   * An encoder for this model; refuses a {@code max_length} that the model has no positions for.
   */
  public ExampleEncoder encoder(int maxLength) {
    requirePositions(maxLength, model().maxPositions());
    return ExampleEncoder.of(
        tokenizer, new EncodingLimits(maxLength, model().maxPositions(), model().vocabSize()));
  }

  /** Refuses a {@code max_length} beyond the positions of a model. */
  static void requirePositions(int maxLength, int positions) {
    if (maxLength > positions) {
      throw new UsageException(
          "max_length",
          "must be at most %d, the model's positions,".formatted(positions),
          "was %d".formatted(maxLength),
          OptionText.of("pass {max_length} %d", positions));
    }
  }

  @Override
  public void close() {
    adapter.ifPresent(PeftAdapter::close);
    loaded.close();
    tokenizer.close();
  }
}
