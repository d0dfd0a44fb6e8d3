package org.dpo4j.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** Closes: a limit of templates that the page does not name. */
class LimitsPageTest {

  @Test
  void thePageHasEveryLimit() throws ReflectiveOperationException {
    Field[] limits = Limits.class.getDeclaredFields();
    assertThat(limits).hasSizeGreaterThan(8);
    for (Field limit : limits) {
      long value = ((Number) limit.get(null)).longValue();
      assertThat(Path.of("../docs/reference/limits.md"))
          .content()
          .contains(String.format(Locale.ROOT, "| `%s` | %,d |", limit.getName(), value));
    }
  }
}
