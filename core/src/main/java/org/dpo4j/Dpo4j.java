package org.dpo4j;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Properties;

/** Facts about this build. */
public final class Dpo4j {

  private Dpo4j() {}

  /**
   * The version of this library, as in {@code 0.1.0}.
   *
   * @return as in {@code 0.1.0}
   * @throws IOException if the file of this build cannot be read
   */
  public static String version() throws IOException {
    return property("version");
  }

  /**
   * The version of the engine under it, as in {@code 2.10.0}; does not load it.
   *
   * @return as in {@code 2.10.0}
   * @throws IOException if the file of this build cannot be read
   */
  public static String libtorchVersion() throws IOException {
    return property("libtorch").replaceFirst("-.*", "");
  }

  private static String property(String name) throws IOException {
    Properties properties = new Properties();
    try (InputStream in =
        Objects.requireNonNull(Dpo4j.class.getResourceAsStream("version.properties"))) {
      properties.load(in);
    }
    return properties.getProperty(name, "");
  }
}
