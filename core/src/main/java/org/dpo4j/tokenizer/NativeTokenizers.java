package org.dpo4j.tokenizer;

import ai.djl.util.Utils;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.data.NativeFolder;

/** What the tokenizers library reads when it loads. Settings of the user are kept. */
final class NativeTokenizers {
  private static final String FOLDER = "ENGINE_CACHE_DIR";

  private static boolean prepared;

  private NativeTokenizers() {}

  /**
   * Disables DJL's telemetry and its download of a native library for GPUs, and chooses where it
   * unpacks the library. Must be called before the first use of the library.
   *
   * @throws DpoException if there is no safe folder to unpack to
   */
  static synchronized void prepare() {
    if (prepared) {
      return;
    }
    setUnlessSet("OPT_OUT_TRACKING", "true");
    setUnlessSet("RUST_FLAVOR", "cpu");
    if (Stream.of(FOLDER, "DJL_CACHE_DIR", "RUST_LIBRARY_PATH")
        .noneMatch(NativeTokenizers::isSet)) {
      Path own = NativeFolder.inHome(".djl.ai");
      if (!own.equals(Utils.getEngineCacheDir())) {
        System.setProperty(FOLDER, own.toString());
      }
      if (!own.equals(Utils.getEngineCacheDir())) { // a variable hides the property
        throw new DpoException(FOLDER + " must name a folder but is empty; unset it");
      }
    }
    NativeFolder.removeLeftovers(folder(), "tmp*");
    prepared = true;
  }

  /** Where DJL unpacks the library. */
  static Path folder() {
    return Utils.getEngineCacheDir("tokenizers");
  }

  private static boolean isSet(String name) {
    String value = Utils.getEnvOrSystemProperty(name);
    return value != null && !value.isEmpty();
  }

  private static void setUnlessSet(String name, String value) {
    if (Utils.getEnvOrSystemProperty(name) == null) {
      System.setProperty(name, value);
    }
  }
}
