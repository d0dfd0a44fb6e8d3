package org.dpo4j.cli;

import java.io.IOException;
import org.dpo4j.Dpo4j;
import picocli.CommandLine.IVersionProvider;

/** The versions of this program, of the JVM that runs it and of the engine. */
final class Version implements IVersionProvider {

  @Override
  public String[] getVersion() throws IOException {
    return new String[] {
      "dpo4j " + Dpo4j.version(), "JDK " + Runtime.version(), "libtorch " + Dpo4j.libtorchVersion()
    };
  }
}
