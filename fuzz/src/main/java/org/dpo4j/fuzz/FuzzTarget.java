package org.dpo4j.fuzz;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.reference.ReferenceCache;

/** The targets with their seeds. */
public enum FuzzTarget {
  SAFETENSORS(SafetensorsTarget.class, SafetensorsTarget::fuzz, "**/*.safetensors"),
  INDEX(IndexTarget.class, IndexTarget::fuzz, "**/*.index.json"),
  CONFIG(ConfigTarget.class, ConfigTarget::fuzz, "**/llama_*/config.json"),
  BLUEPRINT(BlueprintTarget.class, BlueprintTarget::fuzz, "**/config.json"),
  ADAPTER(AdapterTarget.class, AdapterTarget::fuzz, "**/adapter_config.json"),
  TOKENIZER(TokenizerTarget.class, TokenizerTarget::fuzz, "**/tokenizer.json"),
  TOKENIZER_CONFIG(
      TokenizerConfigTarget.class, TokenizerConfigTarget::fuzz, "**/tokenizer_config.json"),
  TEMPLATE(TemplateTarget.class, TemplateTarget::fuzz, "**/*.jinja"),
  YAML(YamlTarget.class, YamlTarget::fuzz, "**/*.yaml"),
  JSON_ROWS(JsonRowsTarget.class, JsonRowsTarget::fuzz, "**/*.jsonl"),
  CSV_ROWS(CsvRowsTarget.class, CsvRowsTarget::fuzz, "**/*.csv") {
    @Override
    List<byte[]> seeds() {
      return List.of(
          "prompt,chosen,rejected,weight\nWhy?,\"a \"\"b\"\"\nc\",d,2\n"
              .getBytes(StandardCharsets.UTF_8));
    }
  },
  GZIP_ROWS(GzipRowsTarget.class, GzipRowsTarget::fuzz, "**/text.jsonl") {
    @Override
    List<byte[]> seeds() {
      return super.seeds().stream().map(FuzzTarget::gzip).toList();
    }
  },
  ZSTD_ROWS(ZstdRowsTarget.class, ZstdRowsTarget::fuzz, "**/*.jsonl.zst"),
  PARQUET_ROWS(ParquetRowsTarget.class, ParquetRowsTarget::fuzz, "**/*.parquet"),
  REFERENCE_CACHE(ReferenceCacheTarget.class, ReferenceCacheTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      Scratch scratch = new Scratch();
      try {
        LogProbTable table = LogProbTable.of(new double[] {-1.5}, new double[] {-2.5});
        return List.of(
            Files.readAllBytes(
                new ReferenceCache(scratch.folder())
                    .keep(ReferenceCacheTarget.KEY, Map.of("data", "pairs.jsonl"), table)));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  },
  CHECKPOINT_STATE(CheckpointStateTarget.class, CheckpointStateTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      return List.of(CheckpointStateTarget.seed());
    }
  },
  CHECKSUMS(ChecksumsTarget.class, ChecksumsTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      return List.of(ChecksumsTarget.seed());
    }
  },
  SAMPLED_ROWS(SampledRowsTarget.class, SampledRowsTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      return SampledRowsTarget.seeds();
    }
  },
  SCORE_ROWS(ScoreRowsTarget.class, ScoreRowsTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      return List.of(ScoreRowsTarget.seed());
    }
  },
  ROUNDS_JOURNAL(RoundsJournalTarget.class, RoundsJournalTarget::fuzz, "") {
    @Override
    List<byte[]> seeds() {
      return List.of(RoundsJournalTarget.seed());
    }
  };

  /** Reads one input; whether it was accepted. */
  interface Reader {
    boolean read(byte[] input) throws Exception;
  }

  private final Class<?> type;

  @SuppressWarnings("ImmutableEnumChecker") // references to static methods
  private final Reader reader;

  private final String glob;

  FuzzTarget(Class<?> type, Reader reader, String glob) {
    this.type = type;
    this.reader = reader;
    this.glob = glob;
  }

  /** Reads one input; whether it was accepted. */
  boolean read(byte[] input) throws Exception {
    return reader.read(input);
  }

  /** Valid inputs. */
  List<byte[]> seeds() {
    List<byte[]> seeds = new ArrayList<>();
    for (Path file : Fixtures.seeds(glob)) {
      try {
        seeds.add(Files.readAllBytes(file));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return seeds;
  }

  /** The name in commands and of the folder of its regressions. */
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  private static byte[] gzip(byte[] plain) {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(plain);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return packed.toByteArray();
  }

  /**
   * Writes the seeds of every target below a folder, and prints each target's name and class; last
   * {@link AnyTarget}, with the seeds of all.
   */
  public static void main(String[] args) throws IOException {
    Path any = Files.createDirectories(Path.of(args[0], "any"));
    for (FuzzTarget target : values()) {
      Path folder = Files.createDirectories(Path.of(args[0], target.label()));
      List<byte[]> seeds = target.seeds();
      for (int i = 0; i < seeds.size(); i++) {
        Files.write(folder.resolve("seed-" + i), seeds.get(i));
        Files.write(any.resolve(target.label() + "-" + i), AnyTarget.input(target, seeds.get(i)));
      }
      System.out.println(target.label() + " " + target.type.getName());
    }
    System.out.println("any " + AnyTarget.class.getName());
  }
}
