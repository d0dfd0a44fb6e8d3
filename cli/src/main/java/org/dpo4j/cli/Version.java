package org.dpo4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import java.util.Properties;
import picocli.CommandLine.IVersionProvider;

/** The versions of this program, of the JVM that runs it and of the engine. */
final class Version implements IVersionProvider {

  @Override
  public String[] getVersion() throws IOException {
    Properties versions = new Properties();
    try (InputStream stream = Version.class.getResourceAsStream("version.properties")) {
      versions.load(Objects.requireNonNull(stream, "version.properties"));
    }
    return new String[] {
      "dpo4j " + versions.getProperty("version"),
      "JDK " + Runtime.version(),
      "libtorch " + versions.getProperty("pytorch", "").replaceFirst("-.*", "")
    };
  }
}
