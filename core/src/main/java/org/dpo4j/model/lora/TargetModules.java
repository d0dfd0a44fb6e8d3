package org.dpo4j.model.lora;

import java.util.List;
import java.util.regex.Pattern;

/** Which layers an adapter is for, by their paths, by PEFT's rules. */
public sealed interface TargetModules {

  /** Whether a layer of this path is one of them. */
  boolean matches(String path);

  /** Layers named one by one, each by its path or by the last parts of it. */
  record Named(List<String> names) implements TargetModules {
    public Named {
      names = List.copyOf(names);
    }

    @Override
    public boolean matches(String path) {
      return names.stream().anyMatch(name -> named(name, path));
    }

    static boolean named(String name, String path) {
      return path.equals(name) || path.endsWith("." + name);
    }
  }

  /** Layers whose whole path a regular expression matches. */
  record Matching(Pattern pattern) implements TargetModules {
    @Override
    public boolean matches(String path) {
      return pattern.matcher(path).matches();
    }
  }

  /** Every linear layer but the output head. */
  record AllLinear() implements TargetModules {
    @Override
    public boolean matches(String path) {
      return !Named.named(LoraConfig.HEAD, path);
    }
  }
}
