package org.dpo4j.ranks;

import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;

/**
 * A process among those that train together.
 *
 * @param host name or address of the machine of rank 0
 * @param port at which rank 0 listens, 1 to 65535
 * @param rank of this process, from 0
 * @param size number of processes, at least 1
 */
public record RankAddress(String host, int port, int rank, int size) {

  private static final String ADDRESS = "MASTER_ADDR";
  private static final String PORT = "MASTER_PORT";
  private static final String RANK = "RANK";
  private static final String SIZE = "WORLD_SIZE";

  /**
   * A rank.
   *
   * @throws IllegalArgumentException if a number is outside its range
   */
  public RankAddress {
    if (host.isBlank() || port < 1 || port > 65_535 || size < 1 || rank < 0 || rank >= size) {
      throw new IllegalArgumentException(
          "a rank must be below the number of ranks, and its port from 1 to 65535, but it is rank"
              + " %d of %d at %s port %d".formatted(rank, size, host, port));
    }
  }

  /**
   * The rank that a launcher gave to this process.
   *
   * @param environment the environment variables
   * @return empty without {@code WORLD_SIZE}, or if it is 1: the process is alone
   * @throws UsageException if a variable is missing or has no valid value
   */
  public static Optional<RankAddress> of(Map<String, String> environment) {
    if (environment.getOrDefault(SIZE, "").isBlank()) {
      return Optional.empty();
    }
    int size = number(environment, SIZE, 1, Integer.MAX_VALUE);
    if (size == 1) {
      return Optional.empty();
    }
    int rank = number(environment, RANK, 0, size - 1);
    int port = number(environment, PORT, 1, 65_535);
    String host = environment.getOrDefault(ADDRESS, "").strip();
    if (host.isEmpty()) {
      throw wrong(ADDRESS, "must name the machine of rank 0", "is missing");
    }
    return Optional.of(new RankAddress(host, port, rank, size));
  }

  private static int number(Map<String, String> environment, String name, int least, int most) {
    String text = environment.getOrDefault(name, "").strip();
    String rule =
        most == Integer.MAX_VALUE
            ? "must be a number of at least " + least
            : "must be a number from %d to %d".formatted(least, most);
    if (text.isEmpty()) {
      throw wrong(name, rule, "is missing");
    }
    try {
      int value = Integer.parseInt(text);
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // The same message as for a number outside its range.
    }
    throw wrong(name, rule, "is " + text);
  }

  private static UsageException wrong(String name, String rule, String found) {
    return new UsageException(
        "the environment variable %s %s but %s; a launcher sets %s, %s, %s and %s for each process, and without %s a process trains alone"
            .formatted(name, rule, found, ADDRESS, PORT, RANK, SIZE, SIZE));
  }

  @Override
  public String toString() {
    return "rank %d of %d".formatted(rank, size);
  }
}
