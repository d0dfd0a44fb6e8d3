package org.dpo4j.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** Ranks of one process, each in a thread of its own, connected over loopback. */
class GlooRanksTest {

  private static final Duration LONG = Duration.ofSeconds(60);

  /** Enough for several pieces, of which the last is smaller. */
  private static final int LARGE = (1 << 22) * 2 + 12_345;

  @Test
  void everyRankGetsTheSumOfNumbersAndThoseOfTheFirst() throws Exception {
    List<List<Double>> found =
        onEach(
            3,
            ranks -> {
              double[] sum = ranks.sum(ranks.rank() + 1, 0.1, Double.NaN);
              double[] first = ranks.ofFirst(ranks.rank() + 7);
              boolean any = ranks.any(ranks.rank() == 2);
              boolean none = ranks.any(false);
              return List.of(sum[0], sum[1], sum[2], first[0], any ? 1.0 : 0, none ? 1.0 : 0);
            });
    assertThat(found).hasSize(3).allMatch(found.get(0)::equals);
    assertThat(found.get(0).get(0)).isEqualTo(6);
    assertThat(found.get(0).get(2)).isNaN();
    assertThat(found.get(0).subList(3, 6)).containsExactly(7.0, 1.0, 0.0);
  }

  @Test
  void aLargeTensorIsSummedAndCopiedInPieces() throws Exception {
    List<List<Double>> found =
        onEach(
            2,
            ranks -> {
              try (TensorScope scope = TensorScope.open()) {
                Tensor tensor = Tensors.floats(new float[LARGE]);
                tensor.add_(Tensors.scalar(ranks.rank() + 1));
                ranks.sum(tensor);
                double smallest = tensor.min().item_double();
                double largest = tensor.max().item_double();
                tensor.add_(Tensors.scalar(ranks.rank()));
                ranks.copyFirst(tensor);
                return List.of(
                    smallest, largest, tensor.min().item_double(), tensor.max().item_double());
              }
            });
    assertThat(found).allMatch(List.of(3.0, 3.0, 3.0, 3.0)::equals);
  }

  @Test
  void aRankThatLeavesIsAnErrorForTheOthers() throws Exception {
    assertThatThrownBy(
            () ->
                onEach(
                    2,
                    ranks -> {
                      ranks.sum(1);
                      return ranks.first() ? ranks.sum(1) : null;
                    }))
        .rootCause()
        .isInstanceOf(RuntimeException.class);
  }

  @Test
  void aRankThatDoesNotComeIsWaitedForUntilTheTimeout() throws Exception {
    RankAddress first = new RankAddress(loopback(), freePort(), 0, 2);
    assertThatThrownBy(() -> Ranks.of(Optional.of(first), Duration.ofSeconds(1)))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("rank 0 of 2 did not find all other ranks at " + loopback())
        .hasMessageContaining("ddp_timeout 1 seconds");
  }

  @Test
  void anUnknownHostIsNamed() {
    RankAddress address = new RankAddress("nowhere.invalid", 29_500, 1, 2);
    assertThatThrownBy(() -> Ranks.of(Optional.of(address), Duration.ofSeconds(1)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("MASTER_ADDR must name a host but nowhere.invalid was unknown");
  }

  private static <T> List<T> onEach(int size, Function<Ranks, T> body) throws Exception {
    int port = freePort();
    ExecutorService threads = Executors.newFixedThreadPool(size);
    try {
      List<Future<T>> running = new ArrayList<>();
      for (int rank = 0; rank < size; rank++) {
        RankAddress address = new RankAddress(loopback(), port, rank, size);
        running.add(
            threads.submit(
                () -> {
                  try (Ranks ranks = Ranks.of(Optional.of(address), LONG)) {
                    return body.apply(ranks);
                  }
                }));
      }
      List<T> results = new ArrayList<>();
      for (Future<T> future : running) {
        results.add(future.get(2, TimeUnit.MINUTES));
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }

  private static String loopback() {
    return InetAddress.getLoopbackAddress().getHostAddress();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
