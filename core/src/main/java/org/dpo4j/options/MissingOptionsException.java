package org.dpo4j.options;

import java.util.List;
import java.util.stream.Collectors;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;

/** Required options are missing; the message names all of them. */
public class MissingOptionsException extends UsageException {
  private static final long serialVersionUID = 1L;

  public MissingOptionsException(List<String> names) {
    super(
        names.stream().map(name -> OptionText.of("{%s}", name)).collect(Collectors.joining(", "))
            + (names.size() == 1 ? " is required but missing" : " are required but missing"));
  }
}
