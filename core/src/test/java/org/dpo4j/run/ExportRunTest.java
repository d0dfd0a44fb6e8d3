package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.gguf.GgufExport;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.weights.StreamedModel;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: an export that replaces a file, leaves half of one, or says something else than it does.
 */
class ExportRunTest {

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ExportRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void makeModel() throws IOException {
    RunFixture.model("llama", folder);
  }

  private void run(Map<String, Object> options) {
    run(options, DiskSpace.OF_MACHINE);
  }

  private void run(Map<String, Object> options, DiskSpace disk) {
    Map<String, Object> all = new HashMap<>();
    all.put("model", folder.resolve("llama"));
    all.put("output", folder.resolve("x.gguf"));
    all.putAll(options);
    ExportRun.run(ExportConfig.of(all), output(out), disk);
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void theFileAndItsDescriptionAreWrittenAndExplained() throws IOException {
    run(Map.of("verify", true));
    assertThat(files()).containsExactly("llama", "x.Modelfile", "x.gguf");
    Path file = folder.resolve("x.gguf");
    assertThat(text(out).lines())
        .containsExactly(
            // 348,480 parameters in fp32, and the vocabulary.
            file + ": architecture llama, 20 tensors, 2 MB; read back, and equal to the model",
            "  in llama.cpp: llama-cli -m " + file,
            "  in Ollama: ollama create x -f %s, then ollama run x"
                .formatted(folder.resolve("x.Modelfile")));
    assertThat(folder.resolve("x.Modelfile"))
        .hasContent(
            """
            FROM ./x.gguf
            TEMPLATE \"""{{ if .System }}<|im_start|>system
            {{ .System }}<|im_end|>
            <|im_start|>user
            {{ else }}<|im_start|>user
            {{ end }}{{ .Prompt }}<|im_end|>
            <|im_start|>assistant
            {{ .Response }}<|im_end|>
            \"""
            PARAMETER stop "<|im_end|>"
            """);
  }

  @Test
  void withoutVerificationNothingIsSaidOfIt() {
    run(Map.of());
    assertThat(text(out)).contains("20 tensors").doesNotContain("read back");
  }

  @Test
  void twoExportsAreTheSameBytes() throws IOException {
    for (String type : List.of("auto", "f32", "f16", "bf16", "q8_0")) {
      run(Map.of("outtype", type, "output", folder.resolve(type + "1.gguf")));
      run(Map.of("outtype", type, "output", folder.resolve(type + "2.gguf")));
      assertThat(folder.resolve(type + "1.gguf"))
          .hasSameBinaryContentAs(folder.resolve(type + "2.gguf"));
    }
    // That of the checkpoint, and smaller ones.
    assertThat(folder.resolve("auto1.gguf")).hasSameBinaryContentAs(folder.resolve("f321.gguf"));
    assertThat(Files.size(folder.resolve("q8_01.gguf")))
        .isLessThan(Files.size(folder.resolve("f161.gguf")));
  }

  @ParameterizedTest
  @CsvSource({"x.gguf, x.gguf", "x.gguf, x.Modelfile", "x, x", "X.GGUF, X.Modelfile"})
  void aFileThatIsThereIsNotReplaced(String name, String there) throws IOException {
    Files.writeString(folder.resolve(there), "mine");
    assertThatThrownBy(() -> run(Map.of("output", folder.resolve(name))))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "output must be a new file, and so must the Modelfile beside it, but %s is there;"
                + " name another file, or remove it",
            folder.resolve(there));
    assertThat(folder.resolve(there)).hasContent("mine");
    assertThat(files()).containsExactlyInAnyOrder("llama", there);
  }

  @Test
  void theFolderMustExist() throws IOException {
    assertThatThrownBy(() -> run(Map.of("output", folder.resolve("none/x.gguf"))))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "output must be in a folder that exists but %s is none; make the folder, or name"
                + " another file",
            folder.resolve("none"));
    assertThat(files()).containsExactly("llama");
  }

  @Test
  void optionsThatDoNotGoTogetherAreRefused() {
    assertThatThrownBy(() -> run(Map.of("adapter_only", true)))
        .isInstanceOf(UsageException.class)
        .hasMessage("adapter_only must be false without adapter but was true; name the adapter");
    Path adapter = fixture("adapters/llama-r8");
    assertThatThrownBy(
            () -> run(Map.of("adapter_only", true, "adapter", adapter, "outtype", "f16")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("outtype must be auto or f32 with adapter_only but was f16");
    assertThatThrownBy(() -> run(Map.of("model", folder.resolve("none"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("model must be a folder");
    assertThatThrownBy(() -> run(Map.of("adapter", folder.resolve("none"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("adapter must be a folder");
  }

  /** 4 bytes for each parameter; half of that in bf16. */
  @Test
  void aFullDiskIsFoundBeforeAFileIsWritten() throws IOException {
    DiskSpace disk = path -> OptionalLong.of(900_000);
    assertThatThrownBy(() -> run(Map.of("outtype", "f32"), disk))
        .isInstanceOf(DpoException.class)
        .hasMessage(
            "[%s] needs 1 MB but the disk has 900 kB left; free space, or pass a smaller outtype",
            folder.resolve("x.gguf"));
    assertThat(files()).containsExactly("llama");
    run(Map.of("outtype", "bf16"), disk);
    assertThat(files()).contains("x.gguf");
  }

  @Test
  void aDiskOfUnknownSizeIsTried() throws IOException {
    run(Map.of(), path -> OptionalLong.empty());
    assertThat(files()).contains("x.gguf");
  }

  /** The last weight of the checkpoint becomes NaN, so that the tensors before it are written. */
  @Test
  void aWriteThatFailsInTheMiddleLeavesNoFile() throws IOException {
    Path weights = folder.resolve("llama/model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] = 0x7f;
    bytes[bytes.length - 2] = (byte) 0xff;
    Files.write(weights, bytes);
    assertThatThrownBy(() -> run(Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[%s] ", folder.resolve("x.gguf"))
        .hasMessageContaining("must have finite numbers but has some that are infinite or NaN");
    assertThat(files()).containsExactly("llama");
  }

  @Test
  void anInterruptionLeavesNoFile() throws IOException {
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> run(Map.of())).isInstanceOf(DpoException.class);
    } finally {
      Thread.interrupted();
    }
    assertThat(files()).containsExactly("llama");
  }

  /** Each 500th byte with one bit changed; those that fill up between tensors hold nothing. */
  @ParameterizedTest
  @ValueSource(strings = {"f32", "bf16", "q8_0"})
  void verificationNoticesAChangedByte(String type) throws IOException {
    run(Map.of("outtype", type, "verify", true));
    Path file = folder.resolve("x.gguf");
    byte[] whole = Files.readAllBytes(file);
    try (StreamedModel model = StreamedModel.open("model", folder.resolve("llama"));
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      GgufExport export =
          GgufExport.of(
              "llama",
              model,
              TokenizerParts.read(folder.resolve("llama"), TextReplacement.NONE),
              model.skeleton().endTokenIds(),
              GgufExport.OutType.valueOf(type.toUpperCase(Locale.ROOT)));
      export.verify(file);
      int noticed = 0;
      int tried = 0;
      for (int at = 0; at < whole.length; at += whole.length / 40) {
        put(channel, at, (byte) (whole[at] ^ 0x40));
        try {
          export.verify(file);
        } catch (DpoException e) {
          assertThat(e).hasMessageStartingWith("[%s] ", file);
          noticed++;
        }
        put(channel, at, whole[at]);
        tried++;
      }
      assertThat(noticed).isEqualTo(tried);
      export.verify(file);
    }
  }

  private static void put(FileChannel channel, int at, byte value) throws IOException {
    channel.write(ByteBuffer.wrap(new byte[] {value}), at);
  }

  @Test
  void anAdapterIsMergedOrWrittenAlone() throws IOException {
    Path adapter = fixture("adapters/llama-r8");
    run(Map.of("adapter", adapter, "verify", true));
    run(Map.of("output", folder.resolve("plain.gguf")));
    assertThat(Files.size(folder.resolve("x.gguf")))
        .isEqualTo(Files.size(folder.resolve("plain.gguf")));
    assertThat(Files.mismatch(folder.resolve("x.gguf"), folder.resolve("plain.gguf"))).isPositive();

    out.reset();
    Path alone = folder.resolve("alone.gguf");
    run(Map.of("adapter", adapter, "adapter_only", true, "output", alone, "verify", true));
    assertThat(text(out))
        .contains(
            alone + ": architecture llama, 8 tensors, ",
            "  in llama.cpp: llama-cli -m llama.gguf --lora %s, after ./dpo4j export --model %s --output %s"
                .formatted(alone, folder.resolve("llama"), folder.resolve("llama.gguf")));
    assertThat(folder.resolve("alone.Modelfile"))
        .content(StandardCharsets.UTF_8)
        .startsWith("FROM ./llama.gguf\nADAPTER ./alone.gguf\nTEMPLATE ");
  }

  @Test
  void differencesAreNotes() throws IOException {
    Path gpt2 = RunFixture.model("gpt2", folder);
    run(Map.of("model", gpt2));
    assertThat(text(out))
        .contains(
            "note: llama.cpp computes this model's activation (GELU) from a table with 16 bits, so"
                + " log-probabilities differ in the third digit");
  }

  @Test
  void aModelWithoutATemplateOrWithAnotherFormIsDescribedWithout() throws IOException {
    Path template = folder.resolve("llama/chat_template.jinja");
    // Between quotation marks, a text cannot end with one.
    Files.writeString(template, Files.readString(template).replace("<|im_end|>\n", "\""));
    run(Map.of("output", folder.resolve("quoted.gguf")));
    assertThat(folder.resolve("quoted.Modelfile"))
        .content(StandardCharsets.UTF_8)
        .doesNotContain("TEMPLATE \"")
        .contains("has no form in Ollama's language");
    Files.writeString(template, "{{ messages[-1].content }}");
    run(Map.of("output", folder.resolve("other.gguf")));
    assertThat(folder.resolve("other.Modelfile"))
        .hasContent(
            """
            FROM ./other.gguf
            # The model's chat template has no form in Ollama's language; see TEMPLATE in its documentation.
            PARAMETER stop "<|im_end|>"
            """);
    Files.delete(template);
    run(Map.of("output", folder.resolve("none.gguf")));
    assertThat(folder.resolve("none.Modelfile"))
        .content(StandardCharsets.UTF_8)
        .startsWith("FROM ./none.gguf\n# The model has no chat template.\n");
  }
}
