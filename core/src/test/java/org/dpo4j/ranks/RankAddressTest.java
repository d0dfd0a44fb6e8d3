package org.dpo4j.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RankAddressTest {

  private static final Map<String, String> SECOND_OF_TWO =
      Map.of("MASTER_ADDR", "node-0", "MASTER_PORT", "29500", "RANK", "1", "WORLD_SIZE", "2");

  @Test
  void isReadFromTheVariablesOfALauncher() {
    assertThat(RankAddress.of(SECOND_OF_TWO)).contains(new RankAddress("node-0", 29_500, 1, 2));
  }

  @Test
  void aProcessWithoutAWorldOrAloneInItHasNone() {
    assertThat(RankAddress.of(Map.of())).isEmpty();
    assertThat(RankAddress.of(Map.of("RANK", "3"))).isEmpty();
    assertThat(RankAddress.of(Map.of("WORLD_SIZE", "1"))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "RANK, 2, must be a number from 0 to 1 but is 2",
    "RANK, -1, must be a number from 0 to 1 but is -1",
    "RANK, one, must be a number from 0 to 1 but is one",
    "RANK, '', must be a number from 0 to 1 but is missing",
    "WORLD_SIZE, two, must be a number of at least 1 but is two",
    "WORLD_SIZE, 0, must be a number of at least 1 but is 0",
    "MASTER_PORT, 70000, must be a number from 1 to 65535 but is 70000",
    "MASTER_PORT, '', must be a number from 1 to 65535 but is missing",
    "MASTER_ADDR, ' ', must name the machine of rank 0 but is missing",
  })
  void aWrongVariableIsNamed(String name, String value, String message) {
    Map<String, String> environment = new HashMap<>(SECOND_OF_TWO);
    environment.put(name, value);
    assertThatThrownBy(() -> RankAddress.of(environment))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("environment variable " + name + " " + message);
  }
}
