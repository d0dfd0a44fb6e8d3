package org.dpo4j.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.GitLfs;
import org.dpo4j.data.JsonFault;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * The tokenizer of a model folder, run by the tokenizers library, as in transformers, with the same
 * ids. Tokens that occur only in the files beside {@code tokenizer.json} are added. Settings of
 * {@code tokenizer.json} for truncation and padding are ignored.
 */
final class HuggingFaceTextTokenizer implements TextTokenizer, AutoCloseable {
  private final Path file;
  private final HuggingFaceTokenizer tokenizer;
  private final int vocabSize;
  private final List<String> differences;
  private final @Nullable HuggingFaceTokenizer rebuilt; // null if transformers has the same ids

  private HuggingFaceTextTokenizer(
      Path file,
      HuggingFaceTokenizer tokenizer,
      int vocabSize,
      List<String> differences,
      @Nullable HuggingFaceTokenizer rebuilt) {
    this.file = file;
    this.tokenizer = tokenizer;
    this.vocabSize = vocabSize;
    this.differences = differences;
    this.rebuilt = rebuilt;
  }

  /**
   * Loads {@code tokenizer.json} of a model folder, with the tokens that the files beside it add.
   *
   * @throws DpoException if it is missing, is not a tokenizer, does not agree with the files beside
   *     it, or the native library does not load
   */
  public static HuggingFaceTextTokenizer load(Path modelFolder) {
    return load(modelFolder, TokenizerSettings.read(modelFolder), TokenizerSource.FILE);
  }

  static HuggingFaceTextTokenizer load(
      Path modelFolder, TokenizerSettings settings, TokenizerSource source) {
    return read(
        modelFolder,
        settings,
        source,
        (file, json, parts, tokens, used) -> {
          @Nullable List<String> replaced = List.of();
          byte @Nullable [] other = null;
          if (used.rebuilds() && source == TokenizerSource.FILE) {
            replaced = RebuiltTokenizer.differences(used, parts, settings);
            // Building it takes as long as reading the file, and most files are what their class
            // builds.
            other =
                Differences.inIds(replaced)
                    ? RebuiltTokenizer.json(used, json, parts, settings)
                    : null;
          }
          return new HuggingFaceTextTokenizer(
              file,
              open(completed(json, tokens)),
              tokens.idBound(),
              Differences.of(parts, tokens, settings, used, replaced),
              other == null ? null : open(other));
        });
  }

  private static byte[] completed(byte[] json, AddedTokens tokens) {
    return tokens.changed() ? TokenizerFile.withAddedTokens(json, tokens.json()) : json;
  }

  /** Makes something of the files of a tokenizer. */
  interface Made<T> {
    T of(Path file, byte[] json, TokenizerFile parts, AddedTokens tokens, TokenizerClass used)
        throws IOException;
  }

  /**
   * Reads the files without the native library, and makes something of them.
   *
   * @throws DpoException as {@link #load}
   */
  static <T> T read(
      Path modelFolder, TokenizerSettings settings, TokenizerSource source, Made<T> made) {
    Path file = modelFolder.resolve("tokenizer.json");
    if (!Files.isRegularFile(file)) {
      throw new DpoException(
          ("[%s] a model folder must hold a tokenizer.json but this one does not; copy it from"
                  + " where the model came from, or convert an older format with"
                  + " transformers' AutoTokenizer.save_pretrained")
              .formatted(file));
    }
    try {
      byte[] json = BoundedFile.bytes(file, Limit.TOKENIZER_BYTES);
      if (GitLfs.isPointer(json)) {
        throw damaged(file, "it is a git-lfs pointer, for which git lfs pull brings it", null);
      }
      // Parsed in Java first, so that a broken file never reaches the native library.
      TokenizerFile parts = TokenizerFile.read(json);
      TokenizerClass used = TokenizerClass.of(settings);
      if (used.rebuilds() && source == TokenizerSource.TRANSFORMERS) {
        json = required(RebuiltTokenizer.json(used, json, parts, settings), file, used, settings);
        parts = TokenizerFile.read(json);
      }
      AddedTokens tokens = AddedTokens.of(parts, settings);
      if (tokens.idBound() == 0) {
        throw damaged(file, "it names no tokens", null);
      }
      return made.of(file, json, parts, tokens, used);
    } catch (DpoException e) {
      throw e;
    } catch (EngineException | LinkageError e) {
      throw new DpoException(
          ("the native tokenizers library must load but did not: %s; it is unpacked below [%s], which"
                  + " must take 16 MB and let programs run")
              .formatted(e.getMessage(), NativeTokenizers.folder()),
          e);
    } catch (JacksonException e) {
      throw damaged(file, JsonFault.words(e), e);
    } catch (IOException | RuntimeException e) {
      throw damaged(file, String.valueOf(e.getMessage()), e);
    }
  }

  private static HuggingFaceTokenizer open(byte[] json) throws IOException {
    NativeTokenizers.prepare();
    return HuggingFaceTokenizer.newInstance(
        new ByteArrayInputStream(json), Map.of("truncation", "false", "padding", "false"));
  }

  private static byte[] required(
      byte @Nullable [] rebuilt, Path file, TokenizerClass used, TokenizerSettings settings) {
    if (rebuilt == null) {
      throw new DpoException(
          OptionText.of(
              "[%s] {tokenizer_source} transformers needs a class of transformers that is known here"
                  + " but the files name %s; leave it out and %s",
              file, used.name(), Differences.save(settings.folder())));
    }
    return rebuilt;
  }

  /**
   * The {@code tokenizer.json} that transformers would save for a model folder; empty if its class
   * takes the file as it stands, or it is unknown what it builds.
   *
   * @throws DpoException if the file cannot be read
   */
  static Optional<byte[]> rebuilt(Path modelFolder) {
    TokenizerSettings settings = TokenizerSettings.read(modelFolder);
    TokenizerClass used = TokenizerClass.of(settings);
    if (!used.rebuilds()) {
      return Optional.empty();
    }
    Path file = modelFolder.resolve("tokenizer.json");
    try {
      byte[] json = BoundedFile.bytes(file, Limit.TOKENIZER_BYTES);
      return Optional.ofNullable(
          RebuiltTokenizer.json(used, json, TokenizerFile.read(json), settings));
    } catch (IOException | RuntimeException e) {
      throw damaged(file, String.valueOf(e.getMessage()), e);
    }
  }

  @Override
  public int[] encode(String text, boolean addSpecialTokens) {
    return encode(tokenizer, text, addSpecialTokens);
  }

  @Override
  public boolean differsInTransformers(String text, boolean addSpecialTokens) {
    return rebuilt != null
        && !Arrays.equals(
            encode(tokenizer, text, addSpecialTokens), encode(rebuilt, text, addSpecialTokens));
  }

  private int[] encode(HuggingFaceTokenizer by, String text, boolean addSpecialTokens) {
    // DJL's public encode also creates an object per token, which adds half of this call's time.
    TokenizersLibrary library = TokenizersLibrary.LIB;
    long handle = by.getHandle();
    long encoding;
    try {
      encoding = library.encode(handle, text, addSpecialTokens);
    } catch (RuntimeException e) {
      throw cannot("encode every text", e);
    }
    try {
      return ints(library.getTokenIds(encoding));
    } finally {
      library.deleteEncoding(encoding);
    }
  }

  private static int[] ints(long[] ids) {
    int[] result = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      result[i] = Math.toIntExact(ids[i]);
    }
    return result;
  }

  @Override
  public Optional<TextTokenizer.PlacedTokens> encodeWithPlaces(
      String text, boolean addSpecialTokens) {
    Encoding encoding;
    try {
      encoding = tokenizer.encode(text, addSpecialTokens, false);
    } catch (RuntimeException e) {
      throw cannot("encode every text", e);
    }
    int[] ids = ints(encoding.getIds());
    int[] units = unitsOfCodePoints(text);
    CharSpan[] spans = encoding.getCharTokenSpans();
    int[] starts = new int[ids.length];
    int[] ends = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      CharSpan span = spans[i];
      starts[i] = span == null ? -1 : units[span.getStart()];
      ends[i] = span == null ? -1 : units[span.getEnd()];
    }
    return Optional.of(new TextTokenizer.PlacedTokens(ids, starts, ends));
  }

  /** The index of each code point in UTF-16 units; the library counts code points. */
  private static int[] unitsOfCodePoints(String text) {
    int[] units = new int[text.codePointCount(0, text.length()) + 1];
    for (int point = 0, unit = 0; point < units.length - 1; point++) {
      units[point] = unit;
      unit += Character.charCount(text.codePointAt(unit));
    }
    units[units.length - 1] = text.length();
    return units;
  }

  /** The text of the ids, special tokens included and no spaces cleaned up; unknown ids are "". */
  @Override
  public String decode(int[] ids) {
    return decode(ids, false);
  }

  @Override
  public boolean isSpecial(int id) {
    int[] alone = {id};
    return decode(alone, true).isEmpty() && !decode(alone, false).isEmpty();
  }

  private String decode(int[] ids, boolean withoutSpecial) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      wide[i] = ids[i];
    }
    try {
      return tokenizer.decode(wide, withoutSpecial);
    } catch (RuntimeException e) {
      throw cannot("decode its own ids", e);
    }
  }

  private DpoException cannot(String what, RuntimeException cause) {
    return new DpoException(
        "[%s] the tokenizer must %s but cannot: %s; copy the file again from where the model came from"
            .formatted(file, what, cause.getMessage()),
        cause);
  }

  /** Where ids differ from those of transformers, and what to do. */
  List<String> differences() {
    return differences;
  }

  /** One more than the largest id that {@link #encode} can return. */
  public int vocabSize() {
    return vocabSize;
  }

  @Override
  public void close() {
    tokenizer.close();
    if (rebuilt != null) {
      rebuilt.close();
    }
  }

  private static DpoException damaged(Path file, String found, @Nullable Throwable cause) {
    String message =
        ("[%s] must be a file of the tokenizers library but was not: %s;"
                + " copy it again from where the model came from")
            .formatted(file, found);
    return cause == null ? new DpoException(message) : new DpoException(message, cause);
  }
}
