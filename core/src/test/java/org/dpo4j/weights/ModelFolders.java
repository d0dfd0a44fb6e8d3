package org.dpo4j.weights;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import tools.jackson.databind.node.ObjectNode;

/** Model folders for tests: the fixtures, changed copies of them, and files made by hand. */
public final class ModelFolders {

  private ModelFolders() {}

  public static Path fixture(String name) {
    try {
      return Path.of(
          Objects.requireNonNull(ModelFolders.class.getResource("/fixtures/" + name), name)
              .toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A copy of a fixture model that may be changed. */
  static Path copy(String model, Path folder) throws IOException {
    Files.createDirectories(folder);
    try (Stream<Path> files = Files.list(fixture("models/" + model))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName().toString()));
      }
    }
    return folder;
  }

  static void editConfig(Path folder, Consumer<ObjectNode> edit) throws IOException {
    Path file = folder.resolve("config.json");
    ObjectNode config = HuggingFaceConfig.tree(file);
    edit.accept(config);
    Files.writeString(file, config.toString());
  }

  /** Sets one key of the config to a JSON value. */
  static void setConfig(Path folder, String key, String json) throws IOException {
    editConfig(folder, config -> config.set(key, Json.STRICT.readTree(json)));
  }

  /** Writes model.safetensors again after a change of its tensors. */
  static void editWeights(Path folder, Consumer<Map<String, Tensor>> edit) throws IOException {
    Path path = folder.resolve("model.safetensors");
    try (TensorScope scope = TensorScope.open()) {
      Map<String, Tensor> tensors = read(path);
      edit.accept(tensors);
      Files.delete(path);
      SafetensorsWriter.write(path, tensors, ElementType.F32);
    }
  }

  /** All tensors of a file as fp32, owned by the scope that is open. */
  static Map<String, Tensor> read(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    Map<String, Tensor> tensors = new TreeMap<>();
    for (String name : file.names()) {
      long[] shape = file.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
      Tensor tensor = Tensors.empty(ElementType.F32, shape);
      file.copyTo(name, tensor);
      tensors.put(name, tensor);
    }
    return tensors;
  }

  static Tensor get(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  /** Renames every tensor. */
  static void rename(Path folder, BiConsumer<List<String>, String> newNames) throws IOException {
    editWeights(
        folder,
        tensors -> {
          Map<String, Tensor> renamed = new TreeMap<>();
          tensors.forEach(
              (name, tensor) -> {
                List<String> names = new ArrayList<>();
                newNames.accept(names, name);
                names.forEach(n -> renamed.put(n, tensor));
              });
          tensors.clear();
          tensors.putAll(renamed);
        });
  }

  /** A safetensors file of a header as given and data bytes 0, 1, 2, ... */
  static Path safetensors(Path path, String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json);
    for (int i = 0; i < dataBytes; i++) {
      bytes.put((byte) i);
    }
    return Files.write(path, bytes.array());
  }
}
