package org.dpo4j.ranks;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.OptionText;
import org.dpo4j.torch.ProcessGroup;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Ranks in several processes. */
final class GlooRanks implements Ranks {

  /** Pause between two attempts to find rank 0, whose name may not be known yet. */
  private static final long RETRY_MILLIS = 500;

  private final RankAddress address;
  private final Duration timeout;
  private final ProcessGroup group;

  private GlooRanks(RankAddress address, Duration timeout, ProcessGroup group) {
    this.address = address;
    this.timeout = timeout;
    this.group = group;
  }

  static GlooRanks connect(RankAddress address, Duration timeout) {
    long started = System.nanoTime();
    String own = ownAddress(address, timeout);
    try {
      return new GlooRanks(
          address,
          timeout,
          ProcessGroup.connect(
              address.host(), address.port(), own, address.rank(), address.size(), timeout));
    } catch (RuntimeException e) {
      boolean waited = System.nanoTime() - started >= timeout.toNanos();
      throw new DpoException(
          waited
              ? OptionText.of(
                  "%s did not find all other ranks at %s port %d within {ddp_timeout} %d seconds (%s); start as many processes as WORLD_SIZE says, each with its own RANK, and let rank 0 listen at this address",
                  address, address.host(), address.port(), timeout.toSeconds(), firstLine(e))
              : "%s could not connect to the others at %s port %d (%s); choose a free MASTER_PORT, and a MASTER_ADDR of the machine of rank 0 that all others reach"
                  .formatted(address, address.host(), address.port(), firstLine(e)),
          e);
    }
  }

  /** The address of this machine in the network of rank 0, as soon as that is known by name. */
  private static String ownAddress(RankAddress address, Duration timeout) {
    long end = System.nanoTime() + timeout.toNanos();
    while (true) {
      Optional<String> own = ownAddress(address);
      if (own.isPresent()) {
        return own.get();
      }
      if (System.nanoTime() >= end) {
        throw new DpoException(
            OptionText.of(
                "the environment variable MASTER_ADDR must name a host but %s was unknown here for {ddp_timeout} %d seconds",
                address.host(), timeout.toSeconds()));
      }
      Interruption.check("before the ranks were connected");
      LockSupport.parkNanos(RETRY_MILLIS * 1_000_000);
    }
  }

  /** Empty if the host of rank 0 is unknown. */
  private static Optional<String> ownAddress(RankAddress address) {
    try (DatagramSocket socket = new DatagramSocket()) {
      // Sends nothing: it only asks for the route.
      socket.connect(new InetSocketAddress(InetAddress.getByName(address.host()), address.port()));
      return Optional.of(socket.getLocalAddress().getHostAddress());
    } catch (UnknownHostException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new DpoException(
          "%s has no route to %s (%s)".formatted(address, address.host(), e.getMessage()), e);
    }
  }

  @Override
  public int rank() {
    return address.rank();
  }

  @Override
  public int size() {
    return address.size();
  }

  @Override
  public PendingSum startSum(Tensor tensor) {
    ProcessGroup.Pending started = together(() -> group.startSum(tensor));
    return new PendingSum() {
      @Override
      public void await() {
        together(started::await);
      }

      @Override
      public void close() {
        started.close();
      }
    };
  }

  @Override
  public double[] sum(double... numbers) {
    if (numbers.length == 0) {
      return numbers;
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor tensor = Tensors.doubles(numbers);
      sum(tensor);
      return Tensors.toDoubles(tensor);
    }
  }

  @Override
  public void copyFirst(Tensor tensor) {
    together(() -> group.copyFirst(tensor));
  }

  private void together(Runnable call) {
    together(
        () -> {
          call.run();
          return true;
        });
  }

  private <T> T together(Supplier<T> call) {
    try {
      return call.get();
    } catch (RuntimeException e) {
      throw new DpoException(
          OptionText.of(
              "%s: another rank is gone, or did not reach the same point of the run within {ddp_timeout} %d seconds (%s); look at the messages of the other ranks, then restart all of them with {resume_from_checkpoint} true",
              address, timeout.toSeconds(), firstLine(e)),
          e);
    }
  }

  /** Without the place in the source that begins messages of Gloo. */
  private static String firstLine(RuntimeException e) {
    return String.valueOf(e.getMessage())
        .lines()
        .findFirst()
        .orElse("")
        .replaceFirst("^\\[\\S+:\\d+\\]", "")
        .strip();
  }

  @Override
  public void close() {
    group.close();
  }

  @Override
  public String toString() {
    return address.toString();
  }
}
